"""The times of the reference parser: each form that a log may have."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

MONTHS = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
DIGITS = frozenset(b"0123456789")


def digits(value: bytes) -> int:
    """Return the number that decimal digits say. Raises ValueError for anything else."""
    if not value or any(byte not in DIGITS for byte in value):
        raise ValueError(value)
    return int(value)


def _time_local(value: bytes) -> datetime:
    """`20/Nov/2026:00:00:00 +0000`"""
    if len(value) != 26 or (value[2:3], value[6:7], value[20:21]) != (b"/", b"/", b" "):
        raise ValueError(value)
    if (value[11:12], value[14:15], value[17:18]) != (b":", b":", b":"):
        raise ValueError(value)
    month = MONTHS.index(value[3:6]) + 1
    return _moment(digits(value[7:11]), month, digits(value[0:2]), value[12:20], value[21:26])


def _time_iso8601(value: bytes) -> datetime:
    """`2026-11-20T00:00:00.123+01:00`"""
    if len(value) < 20 or (value[4:5], value[7:8]) != (b"-", b"-") or value[10:11] not in (b"T", b" "):
        raise ValueError(value)
    if (value[13:14], value[16:17]) != (b":", b":"):
        raise ValueError(value)
    rest = value[19:]
    micros = 0
    if rest[:1] in (b".", b","):
        length = next((at for at, byte in enumerate(rest[1:]) if byte not in DIGITS), len(rest) - 1)
        fraction, rest = rest[1 : 1 + length], rest[1 + length :]
        if not 1 <= length <= 9:
            raise ValueError(value)
        micros = digits((fraction + b"000000")[:6])
    date = digits(value[0:4]), digits(value[5:7]), digits(value[8:10])
    return _moment(*date, value[11:19], rest) + timedelta(microseconds=micros)


def _moment(year: int, month: int, day: int, clock: bytes, offset: bytes) -> datetime:
    hour, minute, second = digits(clock[0:2]), digits(clock[3:5]), digits(clock[6:8])
    if second > 60:
        raise ValueError(clock)
    return datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC) - _offset(offset)


def _offset(value: bytes) -> timedelta:
    if value == b"Z":
        return timedelta()
    sign, rest = value[:1], value[1:]
    if len(rest) == 5 and rest[2:3] == b":":
        rest = rest[:2] + rest[3:]
    if sign not in (b"+", b"-") or len(rest) not in (2, 4):
        raise ValueError(value)
    hours, minutes = digits(rest[:2]), digits(rest[2:] or b"00")
    if hours > 14 or minutes > 59:
        raise ValueError(value)
    offset = timedelta(hours=hours, minutes=minutes)
    return offset if sign == b"+" else -offset


def _epoch(unit: int) -> Callable[[bytes], datetime]:
    def read(value: bytes) -> datetime:
        whole, point, fraction = value.partition(b".")
        if len(whole) > 17 or (point and not 1 <= len(fraction) <= 18):
            raise ValueError(value)
        scale = 1_000_000 // unit
        part = digits(fraction) * scale // 10 ** len(fraction) if point else 0
        return EPOCH + timedelta(microseconds=digits(whole) * scale + part)

    return read


TIME_READERS: dict[str, Callable[[bytes], datetime]] = {
    "time_local": _time_local,
    "time_iso8601": _time_iso8601,
    "time_epoch": _epoch(1),
    "time_epoch_ms": _epoch(1_000),
    "time_epoch_us": _epoch(1_000_000),
}
