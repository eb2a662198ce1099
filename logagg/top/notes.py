"""What limits an answer: why it is not there, or from when on it holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from logagg.explore import figures
from logagg.top.spans import text_of


def notes_of(answer: Mapping[str, Any], zone: ZoneInfo) -> tuple[str, ...]:
    if answer["unavailable"]:
        return (sentence(answer["unavailable"]),)
    notes = []
    if answer.get("complete_from"):
        notes.append(f"From {figures.date_time(answer['complete_from'], zone)} on: requests begin there.")
    if answer.get("note"):
        notes.append(sentence(answer["note"]))
    return tuple(notes)


def sentence(text: str) -> str:
    text = text_of(text).strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
