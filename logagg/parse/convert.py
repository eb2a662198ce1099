"""Values of log fields -> numbers and times, whole columns at a time.

A column of raw values is a `Slices`: bytes, and where each value starts and ends in them. Each function returns the
typed values and a mask of the valid ones; what an invalid value converts to is of no meaning.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logagg.parse import text
from logagg.parse.text import Bytes, Column, Offsets

Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

QUESTION, HASH = b"?#"
MICROSECONDS = 1_000_000
EARLIEST = 788_918_400  # 1995-01-01, before which nobody wrote an access log
AHEAD = 86_400  # seconds that a log may be ahead of the clock

_MONTHS = {name: number for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}


@dataclass(frozen=True, slots=True)
class Slices:
    """Values that lie somewhere in `data`: value i is `data[start[i]:end[i]]`."""

    data: Bytes
    start: Offsets
    end: Offsets

    @classmethod
    def of(cls, values: pa.Array) -> Slices:
        """View a binary or string array without nulls."""
        column = Column.of(values)
        return cls(column.data, column.offsets[:-1], column.offsets[1:])

    def __len__(self) -> int:
        return len(self.start)

    @property
    def length(self) -> Ints:
        return self.end - self.start

    def byte(self, index: int | Ints) -> Bytes:
        """Return each value's byte at `index`, 0 beyond its end; a negative index counts from the end."""
        at = self.start + index if isinstance(index, int) and index >= 0 else self._from(index)
        inside = (at >= self.start) & (at < self.end)
        if not len(self.data):
            return np.zeros(len(self), np.uint8)
        return np.where(inside, self.data[np.where(inside, at, 0)], np.uint8(0))

    def _from(self, index: int | Ints) -> Ints:
        return self.end + index if isinstance(index, int) else self.start + index

    def filter(self, mask: Mask) -> Slices:
        return Slices(self.data, self.start[mask], self.end[mask])

    def slice(self, start: int, end: int | None = None) -> Slices:
        """Return the same bytes range of each value, as Python's slicing of one would."""
        stop = self.end if end is None else np.minimum(self.start + end, self.end)
        return Slices(self.data, np.minimum(self.start + start, self.end), stop)


def around(values: Slices, byte: int) -> tuple[Offsets, Offsets]:
    """Return where each value has a byte first and last; its end, and -1, where it has none."""
    places = np.flatnonzero(values.data == byte)
    first = np.append(places, len(values.data))[np.searchsorted(places, values.start)]
    last = np.append(places, -1)[np.searchsorted(places, values.end) - 1]
    return np.minimum(first, values.end), np.where(last < values.start, -1, last)


def split_url(urls: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Split text at its first `?` and `#` into paths and query strings."""
    values = Slices.of(urls)
    mark, fragment = around(values, QUESTION)[0], around(values, HASH)[0]
    path_end = np.minimum(mark, fragment)
    query = np.minimum(mark + 1, fragment)
    return (
        text.gather(values.data, values.start, path_end).cast(pa.string()),
        text.gather(values.data, query, fragment).cast(pa.string()),
    )


def follows(values: Slices, at: Offsets, literal: bytes) -> Mask:
    """Tell which values have a literal at a position of the data."""
    held = at + len(literal) <= values.end
    for place, byte in enumerate(literal):
        held &= values.data[np.where(held, at + place, 0)] == byte if len(values.data) else False
    return held


def digits(values: Slices, most: int) -> tuple[Ints, Mask]:
    """Read decimal numbers of 1 to `most` ASCII digits, at most 18."""
    length = values.length
    valid = (length >= 1) & (length <= most)
    total = np.zeros(len(values), np.int64)
    for before in range(0, int(length[valid].max(initial=0)), 8):
        number, fits = _eight_digits(values, before)
        valid &= fits
        total += number * 10**before
    return total, valid


def _eight_digits(values: Slices, before: int) -> tuple[Ints, Mask]:
    """Read up to 8 digits, those before the last `before` ones, all in one word; zeros stand in for those missing.

    (Eight digits in three multiplications: Lemire, "Quickly parsing eight digits", 2018.)
    """
    data = values.data if len(values.data) >= 8 else np.append(values.data, np.zeros(8, np.uint8))
    end = values.end - before
    at = np.maximum(end - 8, 0)
    word = np.ndarray(len(data) - 7, "<u8", np.ascontiguousarray(data), strides=(1,))[at]
    word <<= (8 * np.minimum(8 - (end - at), 7)).astype(np.uint64)
    absent = _LOW_BYTES[8 - np.clip(values.length - before, 0, 8)]
    word = (word & ~absent) | (_ZEROS & absent)
    fits = (word & _HIGH_HALVES == _ZEROS) & ((word + _SIXES) & _HIGH_HALVES == _ZEROS)
    word -= _ZEROS
    word = word * np.uint64(10) + (word >> np.uint64(8))
    pairs, others = word & _PAIRS, (word >> np.uint64(16)) & _PAIRS
    number = (pairs * np.uint64(100 + (1_000_000 << 32)) + others * np.uint64(1 + (10_000 << 32))) >> np.uint64(32)
    return number.astype(np.int64), fits


_ZEROS = np.uint64(0x3030303030303030)
_SIXES = np.uint64(0x0606060606060606)
_HIGH_HALVES = np.uint64(0xF0F0F0F0F0F0F0F0)
_PAIRS = np.uint64(0x000000FF000000FF)
_LOW_BYTES = np.array([(1 << 8 * count) - 1 for count in range(9)], np.uint64)


def statuses(values: Slices) -> tuple[Ints, Mask]:
    """Read HTTP statuses: exactly three digits, 100 to 999."""
    number, valid = digits(values, 3)
    return number, valid & (values.length == 3) & (number >= 100)


def sizes(values: Slices) -> tuple[Ints, Mask]:
    """Read byte counts: up to 18 digits; "-" and nothing are 0."""
    number, valid = digits(values, 18)
    none = (values.length == 0) | ((values.length == 1) & (values.byte(0) == ord("-")))
    return np.where(none, 0, number), valid | none


def decimals(values: pa.Array) -> tuple[Floats, Mask]:
    """Read decimal numbers such as `0.123`: digits, at most one point with digits after it, 18 characters."""
    short = pc.less_equal(pc.binary_length(values), 18)
    number = pc.match_substring_regex(values, r"^[0-9]+(\.[0-9]+)?\z")
    valid = pc.and_(short, number)
    text = pc.if_else(valid, values, pa.scalar(b"0", values.type)).cast(pa.string())
    return text.cast(pa.float64()).to_numpy(zero_copy_only=False), valid.to_numpy(zero_copy_only=False)


def upstream_seconds(values: pa.Array) -> tuple[Floats, Mask]:
    """Read nginx's list of upstream times, `0.1, 0.2 : 0.3`, as their sum; invalid when it holds no number."""
    parts = pc.split_pattern_regex(values, "[,:]")
    of = pc.list_parent_indices(parts).to_numpy()
    numbers, valid = decimals(_stripped(pc.list_flatten(parts)))
    total = np.bincount(of[valid], numbers[valid], len(values))
    return total, np.bincount(of[valid], minlength=len(values)) > 0  # type: ignore[return-value]


def _stripped(values: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(values, r"^ +| +\z", "")


def times(values: Slices, field: str, now: float) -> tuple[Ints, Mask]:
    """Read times of one of the raw time fields as microseconds since the epoch, UTC."""
    micros, valid = _READERS[field](values)
    latest = int((now + AHEAD) * MICROSECONDS)
    return micros, valid & (micros >= EARLIEST * MICROSECONDS) & (micros <= latest)


def _time_local(values: Slices) -> tuple[Ints, Mask]:
    """`20/Nov/2026:00:00:00 +0000`, 26 bytes."""
    valid = (values.length == 26) & _holds(values, {2: "/", 6: "/", 11: ":", 14: ":", 17: ":", 20: " "})
    day, month = _number(values, 0, 2), _month(values)
    year = _number(values, 7, 11)
    clock = [_number(values, at, at + 2) for at in (12, 15, 18)]
    offset, offset_valid = _offset(values, 21, colon=False)
    micros, date_valid = _moment(year, month, day, *clock)
    return micros - offset, valid & date_valid & offset_valid


def _time_iso8601(values: Slices) -> tuple[Ints, Mask]:
    """`2026-11-20T00:00:00+01:00`; also a fraction of a second, `Z`, a space for the `T`, `+0100` and `+01`."""
    valid = (values.length >= 20) & _holds(values, {4: "-", 7: "-", 13: ":", 16: ":"})
    valid &= (values.byte(10) == ord("T")) | (values.byte(10) == ord(" "))
    date = _number(values, 0, 4), _number(values, 5, 7), _number(values, 8, 10)
    clock = [_number(values, at, at + 2) for at in (11, 14, 17)]
    fraction, length, fraction_valid = _fraction(values)
    offset, offset_valid = _iso_offset(values, 19 + length)
    micros, date_valid = _moment(*date, *clock)
    return micros + fraction - offset, valid & date_valid & fraction_valid & offset_valid


def _epoch(unit: int):  # type: ignore[no-untyped-def]
    """Read numbers of 1/unit seconds since the epoch, fractions cut at the microsecond."""

    def read(values: Slices) -> tuple[Ints, Mask]:
        point = _find_point(values)
        whole, whole_valid = digits(Slices(values.data, values.start, point), 17)
        has_point = point < values.end
        after = Slices(values.data, np.minimum(point + 1, values.end), values.end)
        scale = MICROSECONDS // unit
        micros, fraction_valid = _scaled_fraction(after, scale)
        fits = whole < 2**62 // max(scale, 1)
        valid = whole_valid & fits & (~has_point | fraction_valid)
        return np.where(fits, whole, 0) * scale + np.where(has_point, micros, 0), valid

    return read


_READERS = {
    "time_local": _time_local,
    "time_iso8601": _time_iso8601,
    "time_epoch": _epoch(1),
    "time_epoch_ms": _epoch(1_000),
    "time_epoch_us": _epoch(1_000_000),
}
TIME_FIELDS = tuple(_READERS)


def _holds(values: Slices, literals: dict[int, str]) -> Mask:
    """Tell which values have these characters at these places."""
    held = np.ones(len(values), bool)
    for at, character in literals.items():
        held &= values.byte(at) == ord(character)
    return held


def _number(values: Slices, start: int, end: int) -> Ints:
    """Read the digits at a fixed place; -1 where there is anything else."""
    number, valid = digits(values.slice(start, end), end - start)
    return np.where(valid & (values.length >= end), number, -1)


def _month(values: Slices) -> Ints:
    letters = [values.byte(at).astype(np.int64) for at in (3, 4, 5)]
    key = (letters[0] << 16) | (letters[1] << 8) | letters[2]
    month = np.full(len(values), -1, np.int64)
    for name, number in _MONTHS.items():
        month[key == int.from_bytes(name, "big")] = number
    return month


def _moment(year: Ints, month: Ints, day: Ints, hour: Ints, minute: Ints, second: Ints) -> tuple[Ints, Mask]:
    """Return microseconds since the epoch of civil dates; a leap second counts as the second before."""
    valid = (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1) & (hour >= 0) & (hour <= 23)
    valid &= (minute >= 0) & (minute <= 59) & (second >= 0) & (second <= 60)
    months = np.where(valid, (year - 1970) * 12 + month - 1, 0).astype("datetime64[M]")
    start = months.astype("datetime64[D]").astype(np.int64)
    valid &= day <= (months + 1).astype("datetime64[D]").astype(np.int64) - start
    seconds = ((start + day - 1) * 24 + hour) * 3600 + minute * 60 + np.minimum(second, 59)
    return seconds * MICROSECONDS, valid


def _offset(values: Slices, at: int | Ints, *, colon: bool) -> tuple[Ints, Mask]:
    """Read `+hhmm` (or `+hh:mm`) as microseconds east of UTC."""
    sign = values.byte(np.zeros(len(values), np.int64) + at)
    skip = 4 if colon else 3
    hours, minutes = (_pair(values, np.zeros(len(values), np.int64) + at + step) for step in (1, skip))
    valid = ((sign == ord("+")) | (sign == ord("-"))) & (hours >= 0) & (hours <= 14) & (minutes >= 0) & (minutes <= 59)
    if colon:
        valid &= values.byte(np.zeros(len(values), np.int64) + at + 3) == ord(":")
    return np.where(sign == ord("-"), -1, 1) * (hours * 60 + minutes) * 60 * MICROSECONDS, valid


def _pair(values: Slices, at: Ints) -> Ints:
    """Read two digits at a place that differs by value; -1 where there is anything else."""
    high, low = (values.byte(at + step).astype(np.int64) - ord("0") for step in (0, 1))
    return np.where((high >= 0) & (high <= 9) & (low >= 0) & (low <= 9), high * 10 + low, -1)


def _iso_offset(values: Slices, at: Ints) -> tuple[Ints, Mask]:
    rest = values.length - at
    with_colon, colon_valid = _offset(values, at, colon=True)
    plain, plain_valid = _offset(values, at, colon=False)
    sign = values.byte(at)
    hours = _pair(values, at + 1)
    hours_valid = ((sign == ord("+")) | (sign == ord("-"))) & (hours >= 0) & (hours <= 14)
    cases = [
        (rest == 1) & (sign == ord("Z")),
        (rest == 6) & colon_valid,
        (rest == 5) & plain_valid,
        (rest == 3) & hours_valid,
    ]
    signed = np.where(sign == ord("-"), -hours, hours) * 3600 * MICROSECONDS
    choices = [np.zeros(len(values), np.int64), with_colon, plain, signed]
    return np.select(cases, choices, 0), np.logical_or.reduce(cases)


def _fraction(values: Slices) -> tuple[Ints, Ints, Mask]:
    """Return microseconds, bytes taken and validity of the optional `.fff` after the second (at most 9 digits)."""
    has = (values.byte(19) == ord(".")) | (values.byte(19) == ord(","))
    length = np.zeros(len(values), np.int64)
    going = has.copy()
    for place in range(9):
        byte = values.byte(20 + place)
        going &= (byte >= ord("0")) & (byte <= ord("9"))
        length += going
    fraction = Slices(values.data, values.start + 20, values.start + 20 + length)
    micros, valid = _scaled_fraction(fraction, MICROSECONDS)
    return np.where(has, micros, 0), np.where(has, length + 1, 0), ~has | valid


def _scaled_fraction(values: Slices, scale: int) -> tuple[Ints, Mask]:
    """Read the digits after a decimal point (1 to 18 of them), as units of 1/scale, cut, not rounded."""
    number, valid = digits(values, 18)
    length = np.clip(values.length, 0, 18)
    kept = number // 10 ** np.maximum(length - _POWER[scale], 0)
    return kept * 10 ** np.maximum(_POWER[scale] - length, 0), valid


_POWER = {1: 0, 1_000: 3, MICROSECONDS: 6}


def _find_point(values: Slices) -> Offsets:
    """Return where the first point of each value is, or its end."""
    points = np.append(np.flatnonzero(values.data == ord(".")), len(values.data))
    return np.minimum(points[np.searchsorted(points, values.start)], values.end)
