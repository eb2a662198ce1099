"""The concatenated columns of some tables. A column is concatenated when it is first used: few rollups need all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from logagg.columnar.dictionary import spread
from logagg.columnar.encoded import filled_codes, without_unused
from logagg.columnar.slices import Codes, Slices
from logagg.rollup import group_by


class Columns:
    """Columns by name, each of them one array; text has one dictionary."""

    def __init__(self, tables: Sequence[pa.Table]) -> None:
        """Take tables of one schema, of which there is at least one."""
        self._tables = tables
        self._columns: dict[str, pa.Array] = {}
        self._without_values: dict[pa.DataType, pa.Array] = {}

    def __getitem__(self, name: str) -> pa.Array:
        if name not in self._columns:
            self._columns[name] = self._joined(name)
        return self._columns[name]

    def _joined(self, name: str) -> pa.Array:
        kind = self._tables[0].schema.field(name).type
        chunks = self._chunks(name)
        if all(chunk.null_count == len(chunk) for chunk in chunks):
            return self._nulls(kind)
        if pa.types.is_dictionary(kind):
            # A slice of a row group has its whole dictionary, which would be hashed for each slice (merges of a million distinct
            # paths: 4.2 instead of 2.6 s).
            chunks = [without_unused(chunk) if len(chunk.dictionary) > len(chunk) else chunk for chunk in chunks]
        return only(pa.chunked_array(chunks, kind).unify_dictionaries())

    def _chunks(self, name: str) -> list[pa.Array]:
        return [chunk for table in self._tables for chunk in table[name].chunks]

    def _nulls(self, kind: pa.DataType) -> pa.Array:
        """Return a column without values: the same for all columns of a type."""
        if kind not in self._without_values:
            self._without_values[kind] = pa.nulls(sum(table.num_rows for table in self._tables), kind)
        return self._without_values[kind]

    def plain(self, name: str) -> pa.Array:
        """Return a column of text as it is; where most values differ, making one dictionary of them takes longer."""
        return pa.concat_arrays([_plain(chunk) for chunk in self._chunks(name)])

    def table(self, names: Sequence[str] | None = None) -> pa.Table:
        """Return some columns, or all, as a table."""
        names = names or self._tables[0].schema.names
        return pa.table([self[name] for name in names], names=names)


def _plain(chunk: pa.Array) -> pa.Array:
    if not pa.types.is_dictionary(chunk.type) or chunk.null_count:
        return chunk.cast(pa.string())
    texts = Slices.of(chunk.dictionary)  # whose rows are copied in a third of the time of a cast
    codes = filled_codes(chunk.indices, 0)
    return Slices(texts.data, spread(texts.start, codes), spread(texts.end, codes)).text()


def only(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as one array."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def ordered(times: npt.NDArray[np.int64]) -> Codes:
    """Return the rows in the order of their times; rows of one time keep their order. There is at least one.

    The row number follows the time in one number: sorting these takes a quarter of the time of numpy's stable sort of rows.
    """
    least, row_bits = times.min(), int(len(times) - 1).bit_length()
    bits = int(times.max() - least).bit_length() + row_bits
    if bits > 64:
        return np.argsort(times, kind="stable").astype(np.int32)
    packed = (times - least).view(np.uint64) << np.uint64(row_bits) | np.arange(len(times), dtype=np.uint64)
    return (group_by.sort(packed, row_bits, bits) & np.uint64((1 << row_bits) - 1)).astype(np.int32)


def taken(column: pa.Array, rows: Codes) -> pa.Array:
    """Return some rows of a column: in a third of the time of Arrow's `take` where it has no nulls, or nothing else."""
    if column.null_count == len(column):
        return pa.nulls(len(rows), column.type)
    is_text, has_width = pa.types.is_dictionary(column.type), pa.types.is_primitive(column.type)
    if column.null_count or not (is_text or has_width) or pa.types.is_boolean(column.type):
        return column.take(pa.array(rows))
    if is_text:
        codes = spread(filled_codes(column.indices, 0), rows)
        return pa.DictionaryArray.from_arrays(pa.array(codes), column.dictionary, safe=False)
    found = spread(column.to_numpy().view(f"u{column.type.byte_width}"), rows)
    return pa.Array.from_buffers(column.type, len(rows), [None, pa.py_buffer(found)])
