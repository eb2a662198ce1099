"""Parses durations of requests, once per distinct value. Each function returns numbers, and a mask of the valid ones.

A duration outside 0 to `LONGEST` is implausible, and becomes null.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logagg.columnar.slices import Mask
from logagg.parse.schemas import DURATION, DURATION_LENGTH, LONGEST

Floats = npt.NDArray[np.float64]


def decimals(values: pa.Array, unit: int = 1) -> tuple[Floats, Mask]:
    """Read durations such as `0.123` or `4e-05`, in units of 1/`unit` seconds."""
    numbers, valid = _numbers(values)
    return _bounded(numbers / unit, valid)


def upstream_seconds(values: pa.Array) -> tuple[Floats, Mask]:
    """Read nginx's list of upstream times, `0.1, 0.2 : 0.3`, as their sum; invalid when it holds no number."""
    parts = pc.split_pattern_regex(values, "[,:]")
    of = pc.list_parent_indices(parts).to_numpy()
    numbers, valid = _numbers(_stripped(pc.list_flatten(parts)))
    total = np.asarray(np.bincount(of[valid], numbers[valid], len(values)), np.float64)
    return _bounded(total, np.bincount(of[valid], minlength=len(values)) > 0)


def _bounded(numbers: Floats, valid: Mask) -> tuple[Floats, Mask]:
    return numbers, valid & (numbers <= LONGEST)


def _numbers(values: pa.Array) -> tuple[Floats, Mask]:
    """Read numbers without a sign, of at most `DURATION_LENGTH` characters."""
    short = pc.less_equal(pc.binary_length(values), DURATION_LENGTH)
    valid = pc.and_(short, pc.match_substring_regex(values, rf"^({DURATION})\z"))
    text = pc.if_else(valid, values, pa.scalar(b"0", values.type)).cast(pa.string())
    return text.cast(pa.float64()).to_numpy(zero_copy_only=False), valid.to_numpy(zero_copy_only=False)


def _stripped(values: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(values, r"^ +| +\z", "")
