"""Group by, on codes: rows whose keys are equal are one group, and measures are added up by group.

Key columns become small numbers, the numbers of a row are packed into one 64-bit integer with the number of the row
below them, and sorting those integers is the whole of grouping: numpy sorts them with the vector instructions of the
machine, at some nanoseconds a row. The same trick makes the sketches: a group and the rank of a visitor's hash in one
integer, sorted, are all sketches, one after the other. (Measured in `docs/decisions/0002-rollups-by-sorting.md`.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logagg.rollup.sketches import K

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Hashes = npt.NDArray[np.uint64]

_BITS = 63  # of an integer, for a key and a row
_LARGEST = np.iinfo(np.int64).max
PORTION = 1 << 16  # hashes of sketches that are united at a time, which takes some 60 bytes for each


@dataclass(frozen=True, slots=True)
class Codes:
    """A key column as numbers: equal where the values are equal, from 0 to `size` - 1."""

    numbers: Ints
    size: int

    @classmethod
    def of(cls, array: pa.Array) -> Codes:
        """Number a column of text (any encoding), integers or booleans; null is a value like any other."""
        if pa.types.is_string(array.type):
            array = array.dictionary_encode()
        if pa.types.is_dictionary(array.type):
            return cls(_integers(array.indices, -1) + 1, len(array.dictionary) + 1)
        return cls.of_integers(_integers(array.cast(pa.int64()), np.iinfo(np.int32).min))

    @classmethod
    def of_integers(cls, numbers: Ints) -> Codes:
        if not len(numbers):
            return cls(numbers, 1)
        least = numbers.min()
        return cls(numbers - least, int(numbers.max() - least) + 1)

    def dense(self) -> Codes:
        """Return the same with no number left out."""
        values, numbers = np.unique(self.numbers, return_inverse=True)
        return Codes(numbers, max(1, len(values)))

    def take(self, rows: Ints) -> Codes:
        """Return the numbers of some rows."""
        return Codes(self.numbers.take(rows), self.size)

    def then(self, other: Codes, largest: int) -> Codes:
        """Return numbers for pairs, below `largest`; their order is that of the first, then that of the second."""
        first, second = self, other
        if first.size * second.size > largest:
            first = first.dense()
        if first.size * second.size > largest:
            second = second.dense()
        pairs = Codes(first.numbers * second.size + second.numbers, first.size * second.size)
        return pairs if pairs.size <= largest else pairs.dense()


@dataclass(frozen=True, slots=True)
class Ranked:
    """Hashes as ranks among the distinct ones."""

    distinct: Hashes  # ascending
    ranks: Ints

    @classmethod
    def of(cls, hashes: Hashes) -> Ranked:
        order = np.argsort(hashes)
        ascending = hashes[order]
        fresh = _changes(ascending)
        ascending = ascending[fresh]
        number: Ints = np.cumsum(fresh)
        number -= 1
        ranks = np.empty(len(hashes), np.int64)
        ranks[order] = number
        return cls(ascending, ranks)


@dataclass(frozen=True, slots=True)
class Grouping:
    """Rows in the order of their groups, and groups in the order of their keys."""

    order: Ints  # the rows
    starts: Ints  # where in `order` each group begins

    @classmethod
    def by(cls, keys: Sequence[Codes], among: Ints | None = None) -> Grouping:
        """Group rows by key columns, of which there is at least one; only the rows `among` all, if given."""
        if among is not None:
            keys = [key.take(among) for key in keys]
        rows = len(keys[0].numbers)
        bits = max(1, rows - 1).bit_length()
        packed = keys[0]
        for key in keys[1:]:
            packed = packed.then(key, 1 << (_BITS - bits))
        order = packed.numbers << bits
        order |= np.arange(rows)
        order.sort()
        starts = np.flatnonzero(_changes(order >> bits))
        order &= (1 << bits) - 1
        return cls(order if among is None else among.take(order), starts)

    @property
    def size(self) -> int:
        return len(self.starts)

    @property
    def example(self) -> Ints:
        """A row of each group."""
        return self.order[self.starts]

    @property
    def lengths(self) -> Ints:
        """How many rows each group has."""
        return np.diff(self.starts, append=len(self.order))

    def counts(self, where: Mask | None = None) -> Ints:
        """Count the rows of each group for which a condition holds."""
        return self.lengths if where is None else self._added(where.astype(np.int64))

    def sums(self, values: npt.NDArray[Any], where: Mask | None = None) -> npt.NDArray[Any]:
        """Add up integers (exactly; what is beyond 64 bits stays at the largest) or floats by group."""
        if where is not None:
            values = np.where(where, values, values.dtype.type(0))
        total = self._added(values)
        if values.dtype.kind != "f" and len(values) and int(np.abs(values).max()) * len(values) > _LARGEST:
            total[self._added(values.astype(np.float64)) >= float(_LARGEST)] = _LARGEST
        return total

    def sketches(self, visitors: Ranked, where: Mask | None = None) -> pa.ListArray:
        """Return the sketch of each group's visitors."""
        groups, rows = np.repeat(np.arange(self.size), self.lengths), self.order
        if where is not None:
            taken = where[rows]
            groups, rows = groups[taken], rows[taken]
        return smallest(groups, visitors.ranks[rows], visitors.distinct, self.size)

    def merged(self, sketches: pa.ListArray) -> pa.ListArray:
        """Return the union of each group's sketches, one sketch a row; most groups have a single row."""
        lengths = self.lengths
        alone = lengths == 1
        kept = sketches.take(pa.array(self.example[alone]))
        if alone.all():
            return kept
        several = np.flatnonzero(~alone)
        some = sketches.take(pa.array(self.order[np.repeat(~alone, lengths)]))
        united = _united(some, lengths[several])
        place = np.empty(self.size, np.int64)
        place[np.append(np.flatnonzero(alone), several)] = np.arange(self.size)
        return pa.concat_arrays([kept, united]).take(pa.array(place))

    def _added(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.add.reduceat(values[self.order], self.starts) if self.size else values[:0]


def _united(sketches: pa.ListArray, lengths: Ints) -> pa.ListArray:
    """Return the union of the first so many sketches, of the next so many, and so on; `PORTION` hashes at a time."""
    starts = np.append(0, np.cumsum(lengths))
    hashes = np.add.reduceat(pc.list_value_length(sketches).to_numpy(), starts[:-1])
    firsts = np.flatnonzero(_changes(np.cumsum(hashes) // PORTION))
    united = []
    for first, beyond in pairwise([*firsts.tolist(), len(lengths)]):
        some = sketches.slice(starts[first], starts[beyond] - starts[first])
        ranked = Ranked.of(pc.list_flatten(some).to_numpy())
        groups = np.repeat(np.arange(beyond - first), hashes[first:beyond])
        united.append(smallest(groups, ranked.ranks, ranked.distinct, beyond - first))
    return pa.concat_arrays(united)


def smallest(groups: Ints, ranks: Ints, distinct: Hashes, size: int) -> pa.ListArray:
    """Return, for each of `size` groups, its K smallest distinct hashes, ascending.

    Member i, of group `groups[i]`, has the hash `distinct[ranks[i]]`.
    """
    bits = max(1, len(distinct)).bit_length()
    pairs = groups << bits
    pairs |= ranks
    pairs.sort()
    pairs = pairs[_changes(pairs)]
    starts = np.searchsorted(pairs, np.arange(size + 1) << bits)
    lengths = np.diff(starts)
    if len(lengths) and lengths.max() > K:
        place = np.arange(len(pairs)) - np.repeat(starts[:-1], lengths)
        pairs = pairs[place < K]
        lengths = np.minimum(lengths, K)
    offsets = np.zeros(size + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(distinct[pairs & ((1 << bits) - 1)]))


def _changes(ascending: npt.NDArray[Any]) -> Mask:
    """Say which values differ from the one before."""
    fresh = np.ones(len(ascending), np.bool_)
    np.not_equal(ascending[1:], ascending[:-1], out=fresh[1:])
    return fresh


def _integers(array: pa.Array, null: int) -> Ints:
    filled = pc.fill_null(array, null) if array.null_count else array
    numbers: Ints = filled.to_numpy(zero_copy_only=False).astype(np.int64)
    return numbers
