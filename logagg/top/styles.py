"""The styles of spans, in the terminal's sixteen colours, so that the user's own palette applies."""

from __future__ import annotations

from functools import cache

from rich.color import Color
from rich.style import Style

STYLES = {
    "": "",
    "title": "bold",
    "current": "bold underline",
    "head": "dim",
    "dim": "dim",
    "key": "bold",
    "number": "bold",
    "note": "yellow",
    "pill": "reverse",
    "selected": "reverse",
    "marked": "bold underline yellow",
    "marked selected": "bold underline reverse yellow",
    "bar": "blue",
    "better": "green",
    "worse": "red",
    "light_good": "green",
    "light_warn": "yellow",
    "light_bad": "red",
    "light_": "dim",
    "group0": "green",
    "group1": "cyan",
    "group2": "yellow",
    "group3": "red",
    "group4": "magenta",
    "group5": "blue",
    "group6": "bright_black",
}


@cache
def style_of(name: str) -> Style:
    """Return a style by its name; `a on b` is the colour of `a` with that of `b` as background."""
    front, on, behind = name.partition(" on ")
    style = Style.parse(STYLES[front.strip()])
    if not on:
        return style
    color: Color | None = style_of(behind.strip()).color
    return style + Style(bgcolor=color)
