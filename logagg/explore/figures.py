"""Numbers, bytes, rates, durations, changes and times as texts for people.

`web/src/lib/format.js` does the same in the page; a test compares the two.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, tzinfo
from decimal import ROUND_HALF_UP, Context, Decimal

from logagg.explore.measures import MEASURES, Shown, Unit
from logagg.quantities import UNITS

Number = float | Decimal

DASH = "–"
TIMES = "×"
_EXACTLY = Context(prec=400)
_COUNTS = ("", "k", "M", "G", "T", "P")
_BYTES = (" B", *(f" {unit}" for unit in UNITS))
_DURATIONS = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))
_WORDS = {"os": "system", "ext": "extension", "tls": "TLS", "ts": "time", "ctr": "CTR", "from_path": "from page"}


def exact(value: Number | None) -> str:
    return DASH if value is None else _trimmed(_fixed(value, 3), grouped=True)


def count(value: Number | None) -> str:
    """Return at most five characters before the unit: 12,345 stays, 123,456 is 123k."""
    if value is None:
        return DASH
    if abs(float(value)) >= 99_999.5:
        return _scaled(value, _COUNTS)
    return _trimmed(_fixed(value, 1 if abs(float(value)) < 100 else 0), grouped=True)


def size(value: Number | None) -> str:
    return DASH if value is None else _scaled(value, _BYTES)


def ratio(value: Number | None) -> str:
    if value is None:
        return DASH
    percent = float(value) * 100
    text = _fixed(percent, 2 if percent and abs(percent) < 10 else 1)
    return f"{text.removesuffix('.00').removesuffix('.0')} %"


def seconds(value: Number | None) -> str:
    if value is None:
        return DASH
    for factor, unit in ((1e6, "µs"), (1e3, "ms")):
        if value and value < 1000 / factor:
            return f"{_significant(float(value) * factor)} {unit}"
    return f"{_significant(value)} s"


_BY_UNIT: Mapping[Unit, Callable[[Number | None], str]] = {
    "count": count,
    "bytes": size,
    "ratio": ratio,
    "seconds": seconds,
}


def measure(name: str, value: Number | None) -> str:
    """Return the value of a measure in its unit."""
    return _BY_UNIT[shown(name).unit](value)


def exact_measure(name: str, value: Number | None) -> str:
    """Return the value of a measure with all digits, if it is a count."""
    return exact(value) if shown(name).unit == "count" else measure(name, value)


def shown(name: str) -> Shown:
    """Return the title and unit of a measure; a measure of a user's rollup has its own name."""
    return MEASURES.get(name, Shown(name))


def change_of(now: Number | None, before: Number | None) -> float | None:
    """Return the change from `before` to `now` as a share of `before`; None if that is missing or zero."""
    return None if now is None or not before else float(now) / float(before) - 1


def change(value: float | None) -> str:
    if value is None:
        return DASH
    percent = abs(value * 100)
    if percent < 0.05:
        return "0 %"
    if percent >= 1000:
        return f"{_significant(1 + value, 2)} {TIMES}"
    text = _trimmed(_fixed(percent, 1 if percent < 10 else 0))
    return f"{'−' if value < 0 else '+'}{text} %"


def age(elapsed: float | None) -> str:
    if elapsed is None:
        return DASH
    whole = max(0, int(_fixed(elapsed, 0)))
    for limit, unit, length in ((120, "s", 1), (7200, "min", 60), (172_800, "h", 3600)):
        if whole < limit:
            return f"{whole // length} {unit}"
    return f"{whole // 86_400} d"


def duration(length: timedelta) -> str:
    """Return the length of a window or a bucket: "5 minutes", "1.5 hours"."""
    for unit, of in _DURATIONS:
        if (many := length.total_seconds() / of) >= 1:
            text = _trimmed(_fixed(math.floor(many * 10 + 0.5) / 10, 1))
            return f"{text} {unit}{'' if text == '1' else 's'}"
    return "0 seconds"


def clock(time: datetime, zone: tzinfo) -> str:
    return f"{time.astimezone(zone):%H:%M}"


def date(time: datetime, zone: tzinfo, *, year: bool = False) -> str:
    local = time.astimezone(zone)
    return f"{local:%a} {local.day} {local:%b}{f' {local.year}' if year else ''}"


def date_time(time: datetime, zone: tzinfo, *, year: bool = False) -> str:
    return f"{date(time, zone, year=year)} {clock(time, zone)}"


def stamp(time: datetime, zone: tzinfo) -> str:
    """Return a time that sorts, to the millisecond if it has any: "2026-11-30 02:32:00.123"."""
    local = time.astimezone(zone).replace(tzinfo=None)
    return local.isoformat(" ", "milliseconds" if local.microsecond else "seconds")


def period(since: datetime, until: datetime, zone: tzinfo) -> str:
    """Return a window in words: without a second date on one day, without clocks on whole days."""
    last, midnight = until - timedelta(milliseconds=1), "00:00"
    one_day = date(since, zone) == date(last, zone)
    if clock(since, zone) == clock(until, zone) == midnight and until - since > timedelta(seconds=80_000):
        return date(since, zone) if one_day else f"{date(since, zone)} – {date(last, zone)}"
    return f"{date_time(since, zone)} – {clock(until, zone) if one_day else date_time(until, zone)}"


def dimension_title(name: str) -> str:
    words = _WORDS.get(name, name.replace("_", " "))
    return words[:1].upper() + words[1:]


def _scaled(value: Number, units: tuple[str, ...]) -> str:
    unit = 0
    while unit < len(units) - 1 and abs(float(value)) >= 999.5:
        value, unit = float(value) / 1000, unit + 1
    return _significant(value) + units[unit]


def _significant(value: Number, digits: int = 3) -> str:
    if not value:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(float(value)))))
    return _trimmed(_fixed(value, min(6, decimals)))


def _fixed(value: Number, decimals: int) -> str:
    """Return a number with some decimals; rounds halves away from zero, like JavaScript."""
    return str(Decimal(value).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP, _EXACTLY))


def _trimmed(text: str, *, grouped: bool = False) -> str:
    """Return a decimal number without zeros at its end."""
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return f"{Decimal(text):,}" if grouped else text
