"""The concatenated columns of some tables. A column is concatenated when it is first used: few rollups need all."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from logagg.columnar.dictionary import spread
from logagg.columnar.encoded import filled_codes, without_unused
from logagg.columnar.slices import Slices


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
