"""Prove that a line is the one that a row was made of: parsed again, it gives the row again.

A fingerprint covers the beginning and the end of what was read of a source, so it does not notice a line that was changed
in between. Only values that follow from the line alone are compared: those that depend on a rule, a key or a list of robots
may differ today.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from logagg.errors import FormatError
from logagg.parse.detect import detect
from logagg.parse.events.classify import facts
from logagg.parse.formats.compile import compile_format
from logagg.parse.formats.format import Format, PersonalFields
from logagg.parse.lines import fast
from logagg.records import Chunk, Fingerprint
from logagg.retrieve.reading import LONGEST_LINE

EXACT = ("ts", "bytes", "status", "seconds", "upstream_seconds")
TEXTS = ("method", "path", "referrer")
# Text that a lake may keep or not, or have kept only from some day on: an empty one says nothing.
TEXTS_IF_KEPT = ("site", "query", "user", "protocol", "scheme", "tls", "cache")
COMPARED = (*EXACT, *TEXTS, *TEXTS_IF_KEPT)
_LEAST_CUT = 16  # characters: a text that was cut to the limit of its lake is at least so long
_WITH_USERS = PersonalFields(users=True)
DETECTED = "detected from the lines"  # instead of the name of a format

Row = Mapping[str, Any]


def prove(lines: Sequence[bytes], rows: Sequence[Row], *formats: str) -> list[bool]:
    """Tell of each line whether it gives its row (`COMPARED`) in one of some log formats.

    Lines may be older than the format that their source has now, so those that do not are tried in the format that is
    detected from them. It must give the rows of two lines: one line, such as two that have lost the newline between them,
    has a format that is made for it alone.
    """
    if not lines:
        return []
    now = max(row["ts"].timestamp() for row in rows)
    proved = [False] * len(lines)
    for name in (*formats, DETECTED):
        left = [number for number, done in enumerate(proved) if not done]
        some = [lines[number] for number in left]
        found = (detect(some, now, _WITH_USERS) if name is DETECTED else _compiled(name)) if some else None
        if found:
            holds = _hold(some, [rows[one] for one in left], found, now)
            if name is not DETECTED or sum(holds) > 1:
                for number, one in zip(left, holds, strict=True):
                    proved[number] = one
    return proved


@lru_cache(maxsize=64)
def _compiled(log_format: str) -> Format | None:
    try:
        return compile_format(log_format, _WITH_USERS) if log_format else None
    except FormatError:  # an earlier logagg knew it
        return None


def _hold(lines: Sequence[bytes], rows: Sequence[Row], fmt: Format, now: float) -> list[bool]:
    data = b"\n".join(lines) + b"\n"
    starts = np.cumsum([0, *(len(line) + 1 for line in lines[:-1])])
    batch = fast.parse(Chunk("", 0, 0, len(data), data, Fingerprint.blank(0)), fmt, now, LONGEST_LINE)
    if (
        1 < len(lines) > batch.table.num_rows + batch.rejects.lines
    ):  # one, of which the end is missing, goes on in the next
        half = len(lines) // 2
        return _hold(lines[:half], rows[:half], fmt, now) + _hold(lines[half:], rows[half:], fmt, now)
    numbers = {int(start): number for number, start in enumerate(starts)}
    holds = [False] * len(lines)
    for position, said in zip(batch.table.column("position").to_pylist(), _said(batch.table), strict=True):
        if (number := numbers.get(position)) is not None:  # otherwise it is in the middle of a line
            holds[number] = _agree(rows[number], said)
    return holds


def _said(batch: pa.Table) -> list[Row]:
    found = facts(batch)
    found["ts"] = found.pop("time")
    return pa.table({name: found[name] for name in COMPARED}).to_pylist()


def _agree(row: Row, said: Row) -> bool:
    return (
        all(row[name] == said[name] for name in EXACT)
        and all(_is_text(row[name] or "", said[name] or "") for name in TEXTS)
        and all(not row[name] or not said[name] or _is_text(row[name], said[name]) for name in TEXTS_IF_KEPT)
    )


def _is_text(kept: str, said: str) -> bool:
    return kept == said or (len(kept) >= _LEAST_CUT and said.startswith(kept))
