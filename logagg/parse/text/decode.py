"""Untrusted bytes -> text, whole columns at a time.

Every function takes the distinct values of a column and returns as many, in the same order.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from logagg.columnar.slices import Column
from logagg.parse.text import escapes

NEWLINE = ord("\n")


def unescape(values: pa.Array, *, names: bool = False) -> pa.Array:
    r"""Undo the escapes that servers write for unprintable bytes: `\xHH`, `\"`, `\\`, `\n` and so on.

    Any other backslash stays as it is, and before a letter in `names` of users (`DOMAIN\fred`). One pass from left to right:
    decoded bytes are not decoded again.
    """
    column = Column.of(values)
    if not escapes.has_backslash(column.data):
        return values
    undo = escapes.unescape_name if names else escapes.unescape
    return Column(*undo(column.data, column.offsets)).array(values.type)


def decode_percent(values: pa.Array) -> pa.Array:
    """Undo URL encoding (`%HH`, `+` for a space) in text; an invalid escape stays as it is."""
    column = Column.of(values)
    return to_text(Column(*escapes.decode_percent(column.data, column.offsets)).array(pa.binary()))


def to_text(values: pa.Array) -> pa.Array:
    """Bytes as UTF-8 text, invalid sequences replaced by U+FFFD as Python's decoder does."""
    column = Column.of(values)
    if column.data.max(initial=0) < 128:
        return values.view(pa.string())
    foreign = np.zeros(len(values), bool)
    foreign[np.searchsorted(column.offsets, np.flatnonzero(column.data >= 128), side="right") - 1] = True
    # All values are valid UTF-8 now: ASCII, or repaired.
    return _where(values, pa.array(foreign), _replace_invalid).view(pa.string())


def _where(values: pa.Array, mask: pa.Array, change: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """Apply `change` to the values where `mask` holds."""
    if not pc.any(mask).as_py():
        return values
    return pc.replace_with_mask(values, mask, change(values.filter(mask)))


def _replace_invalid(values: pa.Array) -> pa.Array:
    """Decode all values in one go, each ended by a newline; newlines are never part of an invalid sequence."""
    column = Column.of(values)
    joined = np.insert(column.data, column.offsets[1:], NEWLINE)
    text = joined.tobytes().decode("utf-8", "replace").encode()
    data = np.frombuffer(text, np.uint8)
    newlines = np.flatnonzero(data == NEWLINE)
    own = np.flatnonzero(column.data == NEWLINE)
    ends_at = np.arange(len(values)) + np.searchsorted(own, column.offsets[1:])
    ends = newlines[ends_at]
    offsets = np.concatenate([[0], ends - np.arange(len(values))]).astype(np.int32)
    return Column(np.delete(data, ends), offsets).array(values.type)
