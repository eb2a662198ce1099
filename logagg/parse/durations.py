"""How long requests took: decimal numbers, once per distinct value. Each function returns numbers, and a mask of the valid ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logagg.parse.slices import Mask

Floats = npt.NDArray[np.float64]


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
