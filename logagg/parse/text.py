"""Bytes of strangers -> text, whole columns at a time.

Every function takes the distinct values of a column and returns as many, in the same order. Nothing here loops over
values: escapes are found and collapsed in the concatenated bytes of the column, and the offsets follow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Bytes = npt.NDArray[np.uint8]
Offsets = npt.NDArray[np.int64]

BACKSLASH, PERCENT, PLUS, NEWLINE = b"\\%+\n"

# What a letter after a backslash stands for; 0 where the backslash stands for itself.
_CONTROL = np.zeros(256, np.uint8)
for _letter, _byte in zip(b'"\\nrtbfv', b'"\\\n\r\t\b\f\v', strict=True):
    _CONTROL[_letter] = _byte

# The value of a hexadecimal digit; 255 for any other byte.
_HEX = np.full(256, 255, np.uint8)
for _value, _digits in enumerate(zip(b"0123456789abcdef", b"0123456789ABCDEF", strict=True)):
    _HEX[list(_digits)] = _value


@dataclass(frozen=True, slots=True)
class Column:
    """Values as one run of bytes: value i is `data[offsets[i]:offsets[i + 1]]`."""

    data: Bytes
    offsets: Offsets

    @classmethod
    def of(cls, values: pa.Array) -> Column:
        """View a binary or string array without nulls; its bytes are not copied."""
        _, offsets, data = values.buffers()
        bounds = np.frombuffer(offsets, np.int32)[values.offset : values.offset + len(values) + 1].astype(np.int64)
        raw = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
        return cls(raw[bounds[0] : bounds[-1]], bounds - bounds[0])

    def array(self, type_: pa.DataType) -> pa.Array:
        """Return the values as an Arrow array of `type_` (binary or string)."""
        buffers = [None, pa.py_buffer(self.offsets.astype(np.int32)), pa.py_buffer(np.ascontiguousarray(self.data))]
        return pa.Array.from_buffers(type_, len(self.offsets) - 1, buffers)

    def ends(self, positions: Offsets) -> Offsets:
        """Return, for each byte position, the end of the value it lies in."""
        return self.offsets[np.searchsorted(self.offsets, positions, side="right")]


def gather(data: Bytes, start: Offsets, end: Offsets) -> pa.Array:
    """Return values that lie in order in `data` as a binary array.

    The gaps between the values become values of an array over the same bytes, so that Arrow copies the values alone.
    """
    rows = len(start)
    bounds = np.empty(2 * rows + 1, np.int32)
    bounds[0:-1:2], bounds[1::2] = start, end
    bounds[-1] = bounds[-2] if rows else 0
    spread = pa.Array.from_buffers(pa.binary(), 2 * rows, [None, pa.py_buffer(bounds), pa.py_buffer(data)])
    return spread.take(pa.array(np.arange(0, 2 * rows, 2, dtype=np.int32)))


def clean(values: pa.Array, *, escaped: bool) -> pa.Array:
    """Raw bytes of a log field as text: "-" is empty, escapes are undone, invalid UTF-8 is replaced."""
    values = pc.if_else(pc.equal(values, pa.scalar(b"-", values.type)), pa.scalar(b"", values.type), values)
    return to_text(unescape(values) if escaped else values)


def unescape(values: pa.Array) -> pa.Array:
    r"""Undo what servers write for bytes they do not print: `\xHH`, `\"`, `\\`, `\n` and their like.

    Any other backslash stays as it is. One pass from left to right: what an escape yields is not looked at again.
    """
    return _where(values, pc.match_substring(values, "\\"), _unescape)


def decode_percent(values: pa.Array) -> pa.Array:
    """Undo URL encoding (`%HH`, `+` for a space) in text; what is no valid escape stays as it is."""
    encoded = pc.or_(pc.match_substring(values, "%"), pc.match_substring(values, "+"))
    return _where(values, encoded, lambda some: to_text(_decode_percent(some.cast(pa.binary()))))


def to_text(values: pa.Array) -> pa.Array:
    """Bytes as UTF-8 text, invalid sequences replaced by U+FFFD as Python's decoder does."""
    column = Column.of(values)
    if not len(column.data) or column.data.max() < 128:
        return values.cast(pa.string(), safe=False)
    foreign = np.zeros(len(values), bool)
    foreign[np.searchsorted(column.offsets, np.flatnonzero(column.data >= 128), side="right") - 1] = True
    # Only ASCII and repaired values remain when the unchecked cast is made.
    return _where(values, pa.array(foreign), _replace_invalid).cast(pa.string(), safe=False)


def shorten(values: pa.Array, limit: int) -> pa.Array:
    """Cut text to its first `limit` characters."""
    if (pc.max(pc.binary_length(values)).as_py() or 0) <= limit:
        return values
    return pc.utf8_slice_codeunits(values, 0, limit)


def _where(values: pa.Array, mask: pa.Array, change) -> pa.Array:  # type: ignore[no-untyped-def]
    """Apply `change` to the values where `mask` holds."""
    if not pc.any(mask).as_py():
        return values
    return pc.replace_with_mask(values, mask, change(values.filter(mask)))


def _unescape(values: pa.Array) -> pa.Array:
    column = Column.of(values)
    at = _escapes(column)
    after = column.ends(at)
    letter = _peek(column.data, at + 1, after)
    byte = _hex_byte(column.data, at + 2, after)
    is_hex = (letter == ord("x")) & (byte >= 0)
    is_control = _CONTROL[letter] > 0
    return _collapse(
        column,
        np.concatenate([at[is_hex], at[is_control]]),
        np.concatenate([byte[is_hex].astype(np.uint8), _CONTROL[letter[is_control]]]),
        np.concatenate([np.full(is_hex.sum(), 3), np.full(is_control.sum(), 1)]),
    ).array(values.type)


def _decode_percent(values: pa.Array) -> pa.Array:
    column = Column.of(values)
    data = np.where(column.data == PLUS, np.uint8(ord(" ")), column.data)
    column = Column(data, column.offsets)
    at = np.flatnonzero(data == PERCENT)
    byte = _hex_byte(data, at + 1, column.ends(at))
    at, byte = at[byte >= 0], byte[byte >= 0]
    return _collapse(column, at, byte.astype(np.uint8), np.full(len(at), 2)).array(values.type)


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
    offsets = np.concatenate([[0], ends - np.arange(len(values))])
    return Column(np.delete(data, ends), offsets).array(values.type)


def _escapes(column: Column) -> Offsets:
    """Return where an escape begins: every other backslash of a run, counted from the run's (or value's) start."""
    at = np.flatnonzero(column.data == BACKSLASH)
    first = np.ones(len(at), bool)
    first[1:] = (at[1:] != at[:-1] + 1) | np.isin(at[1:], column.offsets)
    index = np.arange(len(at))
    rank = index - np.maximum.accumulate(np.where(first, index, 0))
    return at[rank % 2 == 0]


def _peek(data: Bytes, at: Offsets, end: Offsets) -> Bytes:
    """Return the bytes at the given positions, 0 at or beyond `end`."""
    return np.where(at < end, data[np.minimum(at, len(data) - 1)], np.uint8(0))


def hex_digits(digits: Bytes) -> Bytes:
    """Return the values of hexadecimal digits, 255 for any other byte."""
    return _HEX[digits]


def _hex_byte(data: Bytes, at: Offsets, end: Offsets) -> npt.NDArray[np.int16]:
    """Return the byte that two hexadecimal digits spell, -1 where there are none."""
    high, low = _HEX[_peek(data, at, end)], _HEX[_peek(data, at + 1, end)]
    value = high.astype(np.int16) * 16 + low
    return np.where((high < 16) & (low < 16), value, np.int16(-1))


def _collapse(column: Column, at: Offsets, byte: Bytes, drop: Offsets) -> Column:
    """Put `byte` at each position `at` and drop the `drop` bytes after it."""
    data = column.data.copy()
    data[at] = byte
    keep = np.ones(len(data), bool)
    for distance in range(1, 4):
        keep[at[drop >= distance] + distance] = False
    before = np.concatenate([[0], np.cumsum(keep)])
    return Column(data[keep], before[column.offsets])
