"""The width of texts on a terminal: counts their cells, fills them up with spaces, or shortens them.

A character as readers see it is never cut: a letter with its accents, an emoji with its variation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

MARK = "…"
_PATH = re.compile(r"(?=.*/)\S+")  # a path or an address has no blanks

Grapheme = tuple[str, int]  # a character as readers see it, and how many cells it takes


def width(text: str) -> int:
    """Return how many cells of a terminal a text takes: East Asian letters take two, combining characters none."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def padded(text: str, limit: int, *, right: bool = False) -> str:
    """Return a text with spaces up to a width."""
    spaces = " " * (limit - width(text))
    return spaces + text if right else text + spaces


def shorten(text: str, limit: int) -> str:
    """Return a text shortened to this width: a path loses its middle, other texts their end."""
    if width(text) <= limit:
        return text
    if limit < width(MARK):
        return ""
    rest, graphemes = limit - width(MARK), _graphemes(text)
    if not _PATH.fullmatch(text):
        return _fitting(graphemes, rest) + MARK
    end = _fitting(reversed(graphemes), rest // 2, reverse=True)
    return _fitting(graphemes, rest - width(end)) + MARK + end


def _graphemes(text: str) -> list[Grapheme]:
    if text.isascii():
        return [(character, 1) for character in text]
    from rich.cells import split_graphemes

    spans, _ = split_graphemes(text)
    return [(text[start:end], cells) for start, end, cells in spans]


def _fitting(graphemes: Iterable[Grapheme], limit: int, *, reverse: bool = False) -> str:
    """Return as many of the first graphemes as fit, joined in the order of the text."""
    found = list[str]()
    for grapheme, cells in graphemes:
        limit -= cells
        if limit < 0:
            break
        found.append(grapheme)
    return "".join(reversed(found) if reverse else found)
