"""A column of raw values: bytes, and where each value starts and ends in them. Values are copied as late as possible."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from logagg.columnar import dictionary

Bytes = npt.NDArray[np.uint8]
Offsets = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]


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
        bounds = column.offsets.astype(np.int64)
        return cls(column.data, bounds[:-1], bounds[1:])

    def __len__(self) -> int:
        return len(self.start)

    @property
    def places(self) -> tuple[Bytes, Offsets, Offsets]:
        """The arguments of compiled loops over the values: data, starts and ends."""
        return self.data, self.start, self.end

    @property
    def length(self) -> Offsets:
        return self.end - self.start

    def filter(self, mask: Mask) -> Slices:
        return Slices(self.data, self.start[mask], self.end[mask])

    def take(self, rows: npt.NDArray[np.integer]) -> Slices:
        return Slices(self.data, self.start[rows], self.end[rows])

    def gather(self) -> pa.Array:
        """Copy the values into a binary array."""
        return Column(*dictionary.gather(*self.places)).array(pa.binary())

    def text(self) -> pa.Array:
        """Copy the values into a string array; they are valid UTF-8."""
        return Column(*dictionary.gather(*self.places)).array(pa.string())

    def encode(self, *, dash: bool = False) -> tuple[Codes, pa.Array]:
        """Return the code of each value, and the distinct values, in the order of first occurrence, as a binary array.

        With `dash`, the value "-" counts as empty: servers write it for a missing value.
        """
        numbers, values, offsets = dictionary.encode(*self.places, dash)
        return numbers, Column(values, offsets).array(pa.binary())


@dataclass(frozen=True, slots=True)
class Column:
    """Contiguous values: value i is `data[offsets[i]:offsets[i + 1]]`."""

    data: Bytes
    offsets: Codes

    @classmethod
    def of(cls, values: pa.Array) -> Column:
        """View a binary or string array without nulls; its bytes are not copied."""
        _, offsets, data = values.buffers()
        bounds = np.frombuffer(offsets, np.int32)[values.offset : values.offset + len(values) + 1]
        raw = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
        return cls(raw[bounds[0] : bounds[-1]], bounds - bounds[0])

    @property
    def lengths(self) -> Codes:
        """The bytes of each value."""
        return np.diff(self.offsets)

    def has_any(self, wanted: bytes) -> bool:
        """Return whether any of some bytes occurs in any value; a column takes as long as a few values by a pattern."""
        return any((self.data == byte).any() for byte in wanted)

    def array(self, type_: pa.DataType) -> pa.Array:
        """Return the values as an Arrow array of `type_` (binary or string)."""
        return pa.Array.from_buffers(
            type_, len(self.offsets) - 1, [None, pa.py_buffer(self.offsets), pa.py_buffer(self.data)]
        )
