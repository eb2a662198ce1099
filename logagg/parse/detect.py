"""Detects the format of a log from its first lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from logagg.parse.formats.compile import compile_format
from logagg.parse.formats.format import NO_PERSONAL_FIELDS, Format, PersonalFields
from logagg.parse.formats.presets import NAMED
from logagg.parse.json_detect import json_formats
from logagg.parse.lines import fast
from logagg.records import Chunk, Fingerprint


def detect(
    lines: Sequence[bytes],
    now: float,
    personal: PersonalFields = NO_PERSONAL_FIELDS,
    *,
    names: Iterable[str] | None = None,
) -> Format | None:
    """Return the format that parses the most of these lines, if that is at least half of them; otherwise None.

    `names` are the formats to choose from, most specific first; by default all named formats.
    """
    best, most = None, (len(lines) + 1) // 2 - 1
    for fmt in _candidates(lines, now, personal, tuple(NAMED) + ("json",) if names is None else names):
        parsed = count(lines, fmt, now)
        if parsed > most:
            best, most = fmt, parsed
        if most == len(lines):  # no other can do better, and each attempt costs as much as parsing a thousand lines
            break
    return best


def count(lines: Sequence[bytes], fmt: Format, now: float) -> int:
    """Return how many of these lines a format parses."""
    data = b"\n".join(lines)
    return fast.count(Chunk("", 0, 0, len(data), data, Fingerprint(0, 0, "")), fmt, now)


def _candidates(lines: Sequence[bytes], now: float, personal: PersonalFields, names: Iterable[str]) -> Iterable[Format]:
    for name in names:
        if name == "json":
            yield from json_formats(lines, now, personal)
        else:
            yield compile_format(name, personal)
