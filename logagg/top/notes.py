"""Notes below an answer: the reason why it is missing, or the time from which it is complete."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from logagg.explore import figures
from logagg.query.shorten import shorten
from logagg.query.shorten import width as width_of
from logagg.top.spans import Line, Span, text_of


def notes_of(answer: Mapping[str, Any], zone: ZoneInfo) -> tuple[str, ...]:
    if answer["unavailable"]:
        return (sentence(answer["unavailable"]),)
    notes = []
    if answer.get("complete_from"):
        notes.append(f"From {figures.date_time(answer['complete_from'], zone)} on: requests begin there.")
    if answer.get("note"):
        notes.append(sentence(answer["note"]))
    return tuple(notes)


def notes_in(answer: Mapping[str, Any], zone: ZoneInfo, width: int) -> list[Line]:
    """Return the notes as lines of a width."""
    return [line for note in notes_of(answer, zone) for line in words_in(note, width, "note")]


def words_in(text: str, width: int, style: str = "") -> Iterator[Line]:
    """Yield a text in lines of a width, broken between words if possible."""
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if line and width_of(longer) > width:
            yield (Span(shorten(line, width), style),)
            line = word
        else:
            line = longer
    yield (Span(shorten(line, width), style),)


def sentence(text: str) -> str:
    text = text_of(text).strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
