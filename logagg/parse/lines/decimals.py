"""Parses durations of requests, once per distinct value. Each function returns numbers, and a mask of the valid ones.

A duration outside 0 to `LONGEST` is implausible, and becomes null.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logagg.columnar.slices import Mask
from logagg.parse.schemas import DURATION, DURATION_LENGTH, DURATION_UNITS, LONGEST, WRITTEN_DURATION

Floats = npt.NDArray[np.float64]


def decimals(values: pa.Array, unit: int = 1) -> tuple[Floats, Mask]:
    """Read durations such as `0.123` or `4e-05`, in units of 1/`unit` seconds, or `12ms` with a unit of their own."""
    return _bounded(*_seconds(values, unit))


def time_taken(values: pa.Array, unit: int) -> tuple[Floats, Mask]:
    """Read W3C's time-taken: seconds if it has a point, as the standard says, otherwise 1/`unit` seconds, as IIS does."""
    pointed = pc.match_substring(values, ".").to_numpy(zero_copy_only=False)
    seconds, valid = _seconds(values, 1)
    whole, _ = _seconds(values, unit)
    return _bounded(np.where(pointed, seconds, whole), valid)


def upstream_seconds(values: pa.Array, unit: int = 1) -> tuple[Floats, Mask]:
    """Read nginx's list of upstream times, `0.1, 0.2 : 0.3`, as their sum; invalid when it holds no number."""
    parts = pc.split_pattern_regex(values, "[,:]")
    of = pc.list_parent_indices(parts).to_numpy()
    numbers, valid = _seconds(_stripped(pc.list_flatten(parts)), unit)
    total = np.asarray(np.bincount(of[valid], numbers[valid], len(values)), np.float64)
    return _bounded(total, np.bincount(of[valid], minlength=len(values)) > 0)


def _bounded(numbers: Floats, valid: Mask) -> tuple[Floats, Mask]:
    return numbers, valid & (numbers <= LONGEST)


def _seconds(values: pa.Array, unit: int) -> tuple[Floats, Mask]:
    """Read numbers without a sign, of at most `DURATION_LENGTH` characters, and those that say their unit."""
    short = pc.less_equal(pc.binary_length(values), DURATION_LENGTH)
    plain = pc.and_(short, pc.match_substring_regex(values, rf"^{DURATION}\z"))
    seconds = _numbers(pc.if_else(plain, values, pa.scalar(b"0", values.type))) / unit
    valid = plain.to_numpy(zero_copy_only=False).copy()
    rest = np.flatnonzero(~valid & short.to_numpy(zero_copy_only=False))
    seconds[rest], valid[rest] = _written(values.take(pa.array(rest)))
    return seconds, valid


def _written(values: pa.Array) -> tuple[Floats, Mask]:
    """Read durations as programs in Go write them: `1m30.5s`, `12ms`."""
    parts = pc.extract_regex(values, rf"^(?:{WRITTEN_DURATION})\z")
    hours, minutes, number = (_numbers(_or_zero(parts.field(name))) for name in ("hours", "minutes", "number"))
    unit = pc.index_in(parts.field("unit"), pa.array(list(DURATION_UNITS), values.type)).fill_null(0).to_numpy()
    seconds = (hours * 3600 + minutes * 60) + number / np.array(list(DURATION_UNITS.values()), np.float64)[unit]
    some = pc.and_(parts.is_valid(), pc.not_equal(values, b""))
    return seconds, some.to_numpy(zero_copy_only=False)


def _numbers(values: pa.Array) -> Floats:
    return np.array(values.cast(pa.string()).cast(pa.float64()))


def _or_zero(values: pa.Array) -> pa.Array:
    return pc.if_else(pc.equal(values, b""), b"0", values).fill_null(b"0")


def _stripped(values: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(values, r"^ +| +\z", "")
