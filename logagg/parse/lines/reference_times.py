"""The times of the reference parser: each form that a log may have."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from logagg.parse.formats.format import ZONELESS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST = datetime(1995, 1, 1, tzinfo=UTC)
AHEAD = timedelta(days=1)

MONTHS = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
DIGITS = frozenset(b"0123456789")

_WITHIN_DAY = rb"(?P<clock>..:..:..)(?:[.,](?P<fraction>[0-9]+))?(?P<offset>.*)"
_LOCAL = re.compile(rb"(?P<day>..)/(?P<month>...)/(?P<year>....)[: ]" + _WITHIN_DAY, re.DOTALL)
_ISO8601 = re.compile(rb"(?P<year>....)(?P<mark>[-/])(?P<month>..)(?P=mark)(?P<day>..)[T \t]" + _WITHIN_DAY, re.DOTALL)
_HTTP = re.compile(rb"..., (?P<day>..) (?P<month>...) (?P<year>....) " + _WITHIN_DAY, re.DOTALL)
_ASCTIME = re.compile(rb"... (?P<month>...) (?P<day>..) (?P<clock>..:..:..) (?P<year>....)", re.DOTALL)
_KIBANA = re.compile(
    rb"(?P<month>...) (?P<day>[0-9]{1,2}), (?P<year>....) @ (?P<clock>..:..:..)(?:[.,](?P<fraction>[0-9]+))?(?P<offset>.*)",
    re.DOTALL,
)  # Nov 20, 2026 @ 00:00:00.000
_AMERICAN = re.compile(rb"(?P<month>[0-9]{1,2})/(?P<day>[0-9]{1,2})/(?P<year>[0-9]{2}|[0-9]{4})")
_AMERICAN_CLOCK = re.compile(rb"[0-9]{1,2}:[0-9]{2}:[0-9]{2}")
_OFFSET = re.compile(rb"(?P<sign>[+-])(?P<hours>[0-9]{2})(?::?(?P<minutes>[0-9]{2}))?")


def digits(value: bytes) -> int:
    """Return the number that decimal digits say. Raises ValueError for anything else."""
    if not value or any(byte not in DIGITS for byte in value):
        raise ValueError(value)
    return int(value)


def _time_any(value: bytes) -> datetime:
    """Whichever form it has; of a number since the epoch, the digits before its point tell the unit."""
    if len(value) >= 19 and (value[:1] == b"[" or value[2:3] == b"/"):
        return _time_local(value)
    if len(value) >= 19 and value[4:5] in (b"-", b"/"):
        return _time_iso8601(value)
    if len(value) >= 25 and value[3:4] == b",":
        return _dated(_HTTP, value)
    if len(value) >= 22 and b"," in (value[5:6], value[6:7]):
        return _dated(_KIBANA, value)
    if len(value) == 24 and value[3:4] == b" ":
        return _time_asctime(value)
    length = len(value.partition(b".")[0])
    unit = ("", "_ms", "_us", "_ns")[sum(length >= most for most in (12, 15, 18))]
    return TIME_READERS[f"time_epoch{unit}"](value)


def _time_local(value: bytes) -> datetime:
    """`20/Nov/2026:00:00:00.123 +0000`, perhaps in brackets, or with a space before the clock"""
    within = value[1:-1] if len(value) >= 2 and value[:1] == b"[" and value[-1:] == b"]" else value
    return _dated(_LOCAL, within)


def _time_iso8601(value: bytes) -> datetime:
    """`2026-11-20T00:00:00.123+01:00`"""
    return _dated(_ISO8601, value)


def _time_asctime(value: bytes) -> datetime:
    """`Fri Nov 20 00:00:00 2026`; a day of one digit has a blank before it"""
    found = _ASCTIME.fullmatch(value)
    if not found:
        raise ValueError(value)
    date = digits(found["year"]), MONTHS.index(found["month"]) + 1, digits(found["day"].removeprefix(b" "))
    return _moment(date, found["clock"], b"")


def dated_time(day: bytes, clock: bytes) -> datetime:
    """`2026-11-20`, `2026/11/20` or `20/Nov/2026`, and `00:00:00.123`, which are two values"""
    if len(day) == 11:
        return _dated(_LOCAL, day + b":" + clock)
    return _dated(_ISO8601, day + b" " + clock)


def american_time(day: bytes, clock: bytes) -> datetime:
    """`11/27/2026` or `1/5/26`, month first, and `7:55:20`, which are two values"""
    date, found = _AMERICAN.fullmatch(day), _AMERICAN_CLOCK.fullmatch(clock)
    if not date or not found:
        raise ValueError(day)
    year = int(date["year"]) + (2000 if len(date["year"]) == 2 else 0)
    return _moment((year, int(date["month"]), int(date["day"])), clock.rjust(8, b"0"), b"")


def _time_compact(value: bytes) -> datetime:
    """`20261120000000`"""
    if not re.fullmatch(rb"[0-9]{14}", value):
        raise ValueError(value)
    clock = b":".join((value[8:10], value[10:12], value[12:14]))
    return _moment((int(value[:4]), int(value[4:6]), int(value[6:8])), clock, b"")


def _dated(form: re.Pattern[bytes], value: bytes) -> datetime:
    found = form.fullmatch(value)
    if not found:
        raise ValueError(value)
    month = MONTHS.index(found["month"]) + 1 if len(found["month"]) == 3 else digits(found["month"])
    date = digits(found["year"]), month, digits(found["day"])
    micros = digits(((found["fraction"] or b"") + b"0" * 6)[:6])
    return _moment(date, found["clock"], found["offset"]) + timedelta(microseconds=micros)


def _moment(date: tuple[int, int, int], clock: bytes, offset: bytes) -> datetime:
    hour, minute, second = digits(clock[0:2]), digits(clock[3:5]), digits(clock[6:8])
    if second > 60:
        raise ValueError(clock)
    return datetime(*date, hour, minute, min(second, 59), tzinfo=UTC) - _offset(offset)


def _offset(value: bytes) -> timedelta:
    """`+01:00` and its like; nothing is UTC"""
    if value.removeprefix(b" ") in (b"Z", b"UTC", b"GMT") or not value:
        return timedelta()
    found = _OFFSET.fullmatch(value.removeprefix(b" "))
    if not found or int(found["hours"]) > 14 or int(found["minutes"] or 0) > 59:
        raise ValueError(value)
    offset = timedelta(hours=int(found["hours"]), minutes=int(found["minutes"] or 0))
    return offset if found["sign"] == b"+" else -offset


def _epoch(unit: int, longest: int) -> Callable[[bytes], datetime]:
    """Numbers of 1/`unit` seconds, with at most `longest` digits before the point."""

    def read(value: bytes) -> datetime:
        whole, point, fraction = value.partition(b".")
        if len(whole) > longest or (point and (not fraction or not DIGITS.issuperset(fraction))):
            raise ValueError(value)
        parts = digits(whole + (fraction + b"0" * 6)[:6])  # millionths of the unit
        return EPOCH + timedelta(microseconds=parts // unit)

    return read


TIME_READERS: dict[str, Callable[[bytes], datetime]] = {
    "time_local": _time_local,
    "time_iso8601": _time_iso8601,
    "time_zoneless": _time_local,
    "time_asctime": _time_asctime,
    "time_compact": _time_compact,
    "time_epoch": _epoch(1, 17),
    "time_epoch_ms": _epoch(1_000, 17),
    "time_epoch_us": _epoch(1_000_000, 17),
    "time_epoch_ns": _epoch(1_000_000_000, 20),
    "time_any": _time_any,
}


_DAYS = {"date": dated_time, "date_american": american_time}


def time_of(raw: Mapping[str, bytes], now: float, zone: str = "") -> datetime:
    """Return the time that fields of a line say. Raises ValueError or OverflowError if there is none, or an impossible one."""
    for field in (*TIME_READERS, *_DAYS):
        if field in raw:
            time = _DAYS[field](raw[field], raw["clock"]) if field in _DAYS else TIME_READERS[field](raw[field])
            if not EARLIEST <= time <= EPOCH + timedelta(seconds=int(now)) + AHEAD:
                raise ValueError(time)
            return _from_local(time, zone) if zone and field in ZONELESS else time
    raise ValueError("no time")


def _from_local(time: datetime, zone: str) -> datetime:
    offset = time.replace(minute=time.minute // 15 * 15, second=0, microsecond=0, tzinfo=ZoneInfo(zone)).utcoffset()
    return time - (offset or timedelta())


def reads_as_time(field: str, value: bytes, now: float) -> bool:
    """Tell whether a value can be read as this kind of time."""
    try:
        time_of({field: value}, now)
    except (ValueError, OverflowError):
        return False
    return True
