"""Group by, on codes: rows whose keys are equal are one group, and measures are added up by group.

Key columns become small numbers. The numbers of a row are packed into one 64-bit integer, with the row's number in the
lowest bits, and sorting these integers is all of the grouping, at some nanoseconds a row. The sort is stable: if rows are
taken in the order of their visitors' hashes, those of a group are in that order, and its sketch is the first K distinct
ones. (Measured in `docs/decisions/0002-rollups-by-sorting.md`.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logagg.columnar.dictionary import spread
from logagg.rollup import group_by
from logagg.sketches import K

Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
Hashes = npt.NDArray[np.uint64]

_BITS = 63  # of an integer, for the keys and the row number


@dataclass(frozen=True, slots=True)
class KeyCodes:
    """A key column as numbers: equal where the values are equal, from 0 to `size` - 1."""

    numbers: Rows
    size: int

    @classmethod
    def of(cls, array: pa.Array) -> KeyCodes:
        """Number a column of text (any encoding), integers or booleans; null is a value like any other."""
        if pa.types.is_string(array.type):
            array = array.dictionary_encode()
        if pa.types.is_dictionary(array.type):
            distinct = len(array.dictionary)
            if array.null_count:
                return cls(pc.fill_null(array.indices, distinct).to_numpy(zero_copy_only=False), distinct + 1)
            return cls(array.indices.to_numpy(zero_copy_only=False), max(1, distinct))
        if array.null_count:
            array = pc.fill_null(array.cast(pa.int64()), np.iinfo(np.int32).min)
        numbers = array.to_numpy(zero_copy_only=False)
        return cls.of_integers(numbers.view(np.uint8) if numbers.dtype == np.bool_ else numbers)

    @classmethod
    def of_integers(cls, numbers: npt.NDArray[np.integer[Any]]) -> KeyCodes:
        least, most = (int(numbers.min()), int(numbers.max())) if len(numbers) else (0, 0)
        if most - least >= 1 << 31:
            return cls.distinct(numbers)
        wide = numbers if numbers.itemsize > 2 else numbers.astype(np.int32)
        return cls((wide - wide.dtype.type(least)).astype(np.int32, copy=False), most - least + 1)

    def dense(self) -> KeyCodes:
        """Return the same, renumbered without gaps."""
        return KeyCodes.distinct(self.numbers)

    def then(self, other: KeyCodes) -> KeyCodes:
        """Return dense numbers for pairs, ordered by the first and then by the second number."""
        return KeyCodes.distinct(self.numbers.astype(np.int64) * other.size + other.numbers)

    @classmethod
    def distinct(cls, numbers: npt.NDArray[np.integer[Any]]) -> KeyCodes:
        """Number integers by their rank, without gaps."""
        values, places = np.unique(numbers, return_inverse=True)
        return cls(places.astype(np.int32), max(1, len(values)))


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums of each group: the value for its row, and the number of carries for additional rows."""

    held: npt.NDArray[Any]
    carries: Ints | None  # of each group; None: all zero
    carry: int | float  # the value of one carry


@dataclass(frozen=True, slots=True)
class Grouping:
    """Rows in the order of their groups, and groups in the order of their keys."""

    order: Rows  # the rows; within a group in the order of `ranked`, if it is given, otherwise ascending
    starts: Rows  # where in `order` each group begins

    @classmethod
    def by(cls, keys: Sequence[KeyCodes], where: Mask | None = None, ranked: Rows | None = None) -> Grouping:
        """Group rows by one or more key columns; with `where`, only the rows of that mask."""
        keys = _fitting(keys, _BITS - max(1, len(keys[0].numbers) - 1).bit_length())
        return cls(*group_by.group([key.numbers for key in keys], [key.size for key in keys], _bytes(where), ranked))

    @property
    def size(self) -> int:
        return len(self.starts)

    @property
    def example(self) -> Rows:
        """One row of each group."""
        return spread(self.order, self.starts)

    def counts(self, where: Mask | None = None) -> Ints:
        """Count the rows of each group for which a condition holds."""
        if where is None:
            return np.diff(self.starts, append=np.int32(len(self.order))).astype(np.int64)
        return group_by.counts(self.order, self.starts, where.view(np.uint8))

    def totals(self, values: npt.NDArray[Any], where: Mask | None = None) -> Totals:
        """Add up integers or durations by group, exactly."""
        is_duration = values.dtype.kind == "f"
        values = values.astype(np.float64 if is_duration else np.int64, copy=False)
        held, carries = group_by.totals(values, self.order, self.starts, _bytes(where))
        return Totals(held, carries, group_by.CARRY_NANOSECONDS / 1e9 if is_duration else group_by.CARRY)

    def sketches(self, hashes: Hashes, where: Mask | None = None) -> pa.ListArray:
        """Return the sketch of each group's visitors; the rows of a group are in the order of these hashes."""
        return _lists(group_by.sketches(hashes, self.order, self.starts, _bytes(where), K))

    def merged(self, sketches: pa.ListArray) -> pa.ListArray:
        """Return the union of each group's sketches, one sketch a row."""
        offsets = sketches.offsets.to_numpy()
        return _lists(group_by.united(offsets, sketches.values.to_numpy(), self.order, self.starts, K))


def _fitting(keys: Sequence[KeyCodes], bits: int) -> Sequence[KeyCodes]:
    """Return keys that fit into a number of bits together, and give the same groups."""
    keys = [key for key in keys if key.size > 1] or keys[:1]
    if _fit(keys, bits):
        return keys
    keys = [key.dense() for key in keys]
    while not _fit(keys, bits):
        first, second, *others = keys
        keys = [first.then(second), *others]
    return keys


def _fit(keys: Sequence[KeyCodes], bits: int) -> bool:
    return math.prod(key.size for key in keys) <= 1 << bits


def _bytes(where: Mask | None) -> npt.NDArray[np.uint8] | None:
    return None if where is None else where.view(np.uint8)


def _lists(lists: tuple[Rows, Hashes]) -> pa.ListArray:
    offsets, values = lists
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values))
