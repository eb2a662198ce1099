"""The time of a line: one value, or two with a blank between them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from logagg.parse.combined.tokens import Token
from logagg.parse.lines.reference_times import reads_as_time

_LOCAL = re.compile(rb"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\Z")
_ISO = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:[.,]\d{1,9})?\Z")
_EPOCH = re.compile(rb"\d{9,10}\.\d{3}\Z")  # as nginx writes $msec
_HTTP = re.compile(rb"[A-Z][a-z]{2}, ")


@dataclass(frozen=True, slots=True)
class When:
    """Where the time of a line is, and how a template has it."""

    start: int  # the numbers of its tokens
    end: int
    template: str


def when_at(tokens: Sequence[Token], at: int, now: float) -> When | None:
    """Return the time that begins with a token; None if it begins no time."""
    return next(
        (found for end, value, fields in _forms(tokens, at) if (found := _read(tokens, at, end, value, fields, now))),
        None,
    )


def _forms(tokens: Sequence[Token], at: int) -> Iterator[tuple[int, bytes, tuple[tuple[str, str], ...]]]:
    """Yield where a time may end, its value, and the fields that it may be, each with its place in a template."""
    token = tokens[at]
    if not token.marks and not token.key and at + 1 < len(tokens) and not tokens[at + 1].marks:
        both = token.value + b" " + tokens[at + 1].value
        if _LOCAL.match(both):
            yield at + 2, both, (("time_local", "<time_local>"),)
        elif _ISO.match(both):
            yield at + 2, both, (("time_iso8601", f"<date>{token.blanks.decode()}<clock>"),)
    names = (
        ("time_epoch",)
        if _EPOCH.match(token.value)
        else ("time_any",)
        if _HTTP.match(token.value)
        else ("time_local", "time_iso8601")
    )
    yield at + 1, token.value, tuple((name, token.place(f"<{name}>")) for name in names)


def _read(
    tokens: Sequence[Token], at: int, end: int, value: bytes, fields: Sequence[tuple[str, str]], now: float
) -> When | None:
    for field, place in fields:
        if reads_as_time(field, value, now):
            return When(at, end, place + tokens[end - 1].blanks.decode())
    return None
