"""The durations of the reference parser."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import reduce
from operator import add

from logagg.parse.formats.format import UNITS, UPSTREAM_PARTS, UPSTREAM_UNITS
from logagg.parse.schemas import DURATION, DURATION_LENGTH, DURATION_UNITS, LONGEST, WRITTEN_DURATION


def seconds(raw: Mapping[str, bytes]) -> float | None:
    """Return the time to serve a request, in whichever field it is, or added up."""
    if UPSTREAM_PARTS[0] in raw:
        parts = [_bounded(_duration(raw[name], 1)) for name in UPSTREAM_PARTS]
        return None if None in parts else _bounded(reduce(add, [part for part in parts if part is not None]))
    if "time_taken" in raw:
        return _bounded(_duration(raw["time_taken"], 1 if b"." in raw["time_taken"] else 1_000))
    durations = (_bounded(_duration(raw[field], unit)) for field, unit in UNITS.items() if field in raw)
    return next((seconds for seconds in durations if seconds is not None), None)


def upstream_seconds(raw: Mapping[str, bytes]) -> float | None:
    """Return the time that upstreams took, in whichever field it is."""
    sums = (_bounded(_sum(raw[field], unit)) for field, unit in UPSTREAM_UNITS.items() if field in raw)
    return next((seconds for seconds in sums if seconds is not None), None)


def _sum(value: bytes, unit: int) -> float | None:
    """The sum of nginx's list of upstream times, `0.1, 0.2 : 0.3`."""
    numbers = [_duration(part.strip(b" "), unit) for part in value.replace(b":", b",").split(b",")]
    known = [number for number in numbers if number is not None]
    return reduce(add, known) if known else None


def _duration(value: bytes, unit: int) -> float | None:
    """A number of 1/`unit` seconds, or one that says its unit: `12ms`."""
    if not value or len(value) > DURATION_LENGTH:
        return None
    if re.fullmatch(DURATION.encode(), value):
        return float(value) / unit
    found = re.fullmatch(WRITTEN_DURATION.encode(), value)
    if not found:
        return None
    whole = int(found["hours"] or 0) * 3600 + int(found["minutes"] or 0) * 60
    return whole + float(found["number"] or 0) / DURATION_UNITS[found["unit"] or b"s"]


def _bounded(seconds: float | None) -> float | None:
    return None if seconds is None or seconds > LONGEST else seconds
