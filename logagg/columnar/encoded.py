"""Dictionary-encoded text: work is done once per distinct value, and spread over the rows by their codes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logagg.columnar.dictionary import masked, spread
from logagg.columnar.slices import Codes, Column, Mask, Slices


@dataclass(frozen=True, slots=True)
class EncodedText:
    """Values, and the index of each row's value (-1: null)."""

    codes: Codes
    values: pa.Array
    unique: bool = False  # values are distinct
    nulls: bool = False  # there may be rows without a value

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> EncodedText:
        array = column.combine_chunks()
        if array.null_count == len(array):
            return cls(np.full(len(array), -1, np.int32), array.dictionary, nulls=True)
        return cls(filled_codes(array.indices, -1), array.dictionary, nulls=array.null_count > 0)

    @classmethod
    def cut(cls, values: Slices) -> EncodedText:
        """Copy each distinct slice of a column of text."""
        codes, distinct = values.encode()
        return cls(codes, distinct.view(pa.string()), unique=True)

    @classmethod
    def constant(cls, rows: int, value: str) -> EncodedText:
        return cls(np.zeros(rows, np.int32), pa.array([value], pa.string()), unique=True)

    def array(self) -> pa.DictionaryArray:
        codes = pa.array(self.codes, mask=self.codes < 0 if self.nulls else None)
        return pa.DictionaryArray.from_arrays(codes, self.values, safe=False)

    def of_rows(self, rows: Codes) -> EncodedText:
        """Return the text of other rows; row i of the result is that of row `rows[i]`."""
        return EncodedText(spread(self.codes, rows), self.values, self.unique, self.nulls)

    def distinct(self) -> EncodedText:
        """Return the same with distinct values, after a change that made values equal."""
        if self.unique:
            return self
        numbers, distinct = Slices.of(self.values).encode()
        if len(distinct) == len(self.values):
            return self
        return EncodedText(
            spread(np.append(numbers, np.int32(-1)), self.codes), distinct.view(pa.string()), True, self.nulls
        )

    def take(self, rows: npt.NDArray[np.int64]) -> EncodedText:
        """Return the text of some rows, none of them null, without unused values."""
        distinct, codes = np.unique(self.codes[rows], return_inverse=True)
        return EncodedText(codes.astype(np.int32), self.values.take(pa.array(distinct)), self.unique)

    def map(self, change: Callable[[pa.Array], pa.Array]) -> EncodedText:
        return EncodedText(self.codes, change(self.values), nulls=self.nulls)

    def filled(self) -> EncodedText:
        """Return the same with empty text for null."""
        return self._with(pa.array([""], pa.string()))

    def with_null(self) -> EncodedText:
        """Return the same with a null value for the null rows."""
        return self._with(pa.nulls(1, pa.string()))

    def otherwise(self, other: EncodedText) -> EncodedText:
        """Return the same with the other text where this one is empty."""
        codes = np.where(self.equal(""), other.codes + np.int32(len(self.values)), self.codes)
        return EncodedText(codes, pa.concat_arrays([self.values, other.values]))

    def put(self, rows: npt.NDArray[np.int64], texts: EncodedText) -> EncodedText:
        """Return the same with other text in some rows."""
        changed = self.codes.copy()
        changed[rows] = texts.codes + np.int32(len(self.values))
        return EncodedText(changed, pa.concat_arrays([self.values, texts.values]))

    def equal(self, value: str) -> Mask:
        """Return a mask of the rows with a value."""
        return self._where(pc.equal(self.values, value) if value else pc.equal(pc.binary_length(self.values), 0))

    def among(self, values: Sequence[str]) -> Mask:
        """Return a mask of the rows with one of some values."""
        return self._where(pc.is_in(self.values, value_set=pa.array(values, pa.string())))

    def containing(self, pattern: str) -> Mask:
        """Return a mask of the rows in whose value an RE2 pattern is found."""
        return self._where(pc.match_substring_regex(self.values, pattern))

    def bounded(self, limit: int) -> EncodedText:
        """Return the same with distinct values, cut to their first `limit` characters."""
        shortened = shorten(self.values, limit)
        return (self if shortened is self.values else self.map(lambda values: shortened)).distinct()

    def _where(self, holds: pa.Array) -> Mask:
        """Spread a mask of values over the rows; false for null rows."""
        return spread(np.append(holds.to_numpy(zero_copy_only=False), False), self.codes)

    def _with(self, value: pa.Array) -> EncodedText:
        """Return the same with one more value, for the null rows."""
        if not self.nulls:
            return self
        if not len(self.values):
            return EncodedText(np.zeros(len(self.codes), np.int32), value)
        values = pa.concat_arrays([self.values, value])
        return EncodedText(masked(self.codes, self.codes >= 0, len(self.values)), values)


def filled_codes(indices: pa.Array, code: int) -> Codes:
    """Return the indices of a dictionary, and a code where they are null: a quarter of the time of Arrow's `fill_null`."""
    validity, values = indices.buffers()
    rows = slice(indices.offset, indices.offset + len(indices))
    codes = np.frombuffer(values, np.int32)[rows]
    if not indices.null_count:
        return codes
    return masked(codes, np.unpackbits(np.frombuffer(validity, np.uint8), bitorder="little")[rows].view(np.bool_), code)


def without_empty(texts: EncodedText) -> EncodedText | None:
    """Return text with null for empty rows; None if all are empty."""
    empty = texts.equal("")
    if empty.all():
        return None
    return EncodedText(masked(texts.codes, ~empty, -1), texts.values, texts.unique, nulls=True)


def shorten(values: pa.Array, limit: int) -> pa.Array:
    """Cut text to its first `limit` characters."""
    if Column.of(values).lengths.max(initial=0) <= limit:
        return values
    return pc.utf8_slice_codeunits(values, 0, limit)


def without_unused(column: pa.Array) -> pa.Array:
    """Drop the entries of a dictionary that no row uses; any other column comes back as it is."""
    if not pa.types.is_dictionary(column.type):
        return column
    if column.null_count == len(column):
        return pa.nulls(len(column), column.type)
    codes = pc.fill_null(column.indices, pc.min(column.indices)) if column.null_count else column.indices
    codes = codes.to_numpy(zero_copy_only=False)
    if len(codes) < len(column.dictionary) // 8:  # few rows, many entries: sort the rows instead of marking entries
        return _few_used(column, codes)
    used = np.zeros(len(column.dictionary), np.bool_)
    used[codes] = True
    if used.all():
        return column
    renumbered = spread(np.cumsum(used, dtype=np.int32) - np.int32(1), codes)
    return _recoded(column, renumbered, column.dictionary.filter(pa.array(used)))


def _few_used(column: pa.DictionaryArray, codes: Codes) -> pa.DictionaryArray:
    used, renumbered = np.unique(codes, return_inverse=True)
    return _recoded(column, renumbered.astype(np.int32), column.dictionary.take(pa.array(used)))


def _recoded(column: pa.DictionaryArray, codes: Codes, values: pa.Array) -> pa.DictionaryArray:
    null = column.is_null().to_numpy(zero_copy_only=False) if column.null_count else None
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=null), values)
