"""A Parquet file: row groups, and the footer that tells where each column is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import pyarrow as pa

from logagg.parquet import thrift
from logagg.parquet.chunks import PLAIN, RLE, Chunk, Encoding, Page, encoded
from logagg.parquet.thrift import Value

_MAGIC = b"PAR1"
_VERSION = 2
_DATA_PAGE, _DICTIONARY_PAGE = 0, 2
_UNCOMPRESSED, _ZSTD = 0, 6
_REQUIRED, _OPTIONAL = 0, 1
_SMALL = 64  # bytes; less does not get smaller
_EMPTY = thrift.struct({})


class Output(Protocol):
    """What a file is written to."""

    def write(self, data: bytes | memoryview | pa.Buffer, /) -> object: ...


class _Type(NamedTuple):
    physical: int
    converted: int | None = None  # for older readers
    logical: Value | None = None


_TYPES = {
    pa.bool_(): _Type(0),
    pa.int16(): _Type(1, 16, thrift.struct({10: thrift.struct({1: thrift.i8(16), 2: thrift.flag(True)})})),
    pa.int64(): _Type(2),
    pa.uint64(): _Type(2, 14, thrift.struct({10: thrift.struct({1: thrift.i8(64), 2: thrift.flag(False)})})),
    pa.timestamp("us", "UTC"): _Type(
        2,
        10,
        thrift.struct({8: thrift.struct({1: thrift.flag(True), 2: thrift.struct({2: _EMPTY})})}),
    ),
    pa.float64(): _Type(5),
    pa.string(): _Type(6, 0, thrift.struct({1: _EMPTY})),
}


class Writer:
    """Writes tables of one schema, each as a row group. The first column has statistics: it is a time, and ascends."""

    def __init__(self, out: Output, schema: pa.Schema, encodings: Mapping[str, Encoding]) -> None:
        """Begin a file; `encodings` are of the columns that are not encoded as usual."""
        self._out, self._schema, self._encodings = out, schema, encodings
        self._at = 0
        self._rows = 0
        self._groups: list[Value] = []
        self._codec = pa.Codec("zstd")
        self._write(_MAGIC)

    def write(self, rows: pa.Table) -> None:
        """Write rows as a row group; unused entries of dictionaries are left out."""
        chunks = [self._chunk(field, rows.column(number)) for number, field in enumerate(self._schema)]
        size = sum(chunk.raw for chunk in chunks)
        self._groups.append(
            thrift.struct(
                {
                    1: thrift.listed([chunk.told for chunk in chunks]),
                    2: thrift.i64(size),
                    3: thrift.i64(rows.num_rows),
                    6: thrift.i64(sum(chunk.stored for chunk in chunks)),
                }
            )
        )
        self._rows += rows.num_rows

    def close(self) -> None:
        """Write the footer."""
        order = thrift.struct({1: _EMPTY})
        _, footer = thrift.struct(
            {
                1: thrift.i32(_VERSION),
                2: thrift.listed([_root(len(self._schema)), *(_element(field) for field in self._schema)]),
                3: thrift.i64(self._rows),
                4: thrift.listed(self._groups),
                6: thrift.binary(b"logagg"),
                7: thrift.listed([order] * len(self._schema)),
            }
        )
        self._write(footer)
        self._write(len(footer).to_bytes(4, "little") + _MAGIC)

    def _chunk(self, field: pa.Field, rows: pa.ChunkedArray) -> _Written:
        column = rows.chunk(0) if rows.num_chunks == 1 else rows.combine_chunks()
        encoding = self._encodings.get(field.name, Encoding())
        chunk = encoded(column, encoding, nullable=field.nullable)
        first, raw = self._at, 0
        is_compressed = encoding.compressed and len(chunk.page.data) > _SMALL
        if chunk.dictionary:
            raw += self._page(chunk.dictionary, _DICTIONARY_PAGE, is_compressed)
        data_at = self._at
        raw += self._page(chunk.page, _DATA_PAGE, is_compressed)
        stored = self._at - first
        fields = {
            1: thrift.i32(_type(field).physical),
            2: thrift.listed([thrift.i32(one) for one in sorted({chunk.page.encoding, PLAIN, RLE})]),
            3: thrift.listed([thrift.binary(field.name.encode())]),
            4: thrift.i32(_ZSTD if is_compressed else _UNCOMPRESSED),
            5: thrift.i64(len(column)),
            6: thrift.i64(raw),
            7: thrift.i64(stored),
            9: thrift.i64(data_at),
            **({11: thrift.i64(first)} if chunk.dictionary else {}),
            12: _statistics(column, with_bounds=pa.types.is_timestamp(column.type)),
            **self._filter(chunk),
        }
        return _Written(thrift.struct({2: thrift.i64(first), 3: thrift.struct(fields)}), raw, stored)

    def _page(self, page: Page, kind: int, is_compressed: bool) -> int:
        """Write a page; return its bytes before compression."""
        data = self._codec.compress(page.data) if is_compressed else page.data
        values = {1: thrift.i32(page.values), 2: thrift.i32(page.encoding)}
        if kind == _DATA_PAGE:
            details = {5: thrift.struct({**values, 3: thrift.i32(RLE), 4: thrift.i32(RLE)})}
        else:
            details = {7: thrift.struct(values)}
        sizes = {1: thrift.i32(kind), 2: thrift.i32(len(page.data)), 3: thrift.i32(len(data))}
        _, header = thrift.struct({**sizes, **details})
        self._write(header)
        self._write(data)
        return len(header) + len(page.data)

    def _filter(self, chunk: Chunk) -> dict[int, Value]:
        """Write the filter of a column chunk, if it has one; return where it is."""
        if chunk.filter is None:
            return {}
        first, union = self._at, thrift.struct({1: _EMPTY})
        _, header = thrift.struct({1: thrift.i32(chunk.filter.nbytes), 2: union, 3: union, 4: union})
        self._write(header)
        self._write(chunk.filter.data)
        return {14: thrift.i64(first), 15: thrift.i32(self._at - first)}

    def _write(self, data: bytes | memoryview | pa.Buffer) -> None:
        self._out.write(data)
        self._at += len(data)


class _Written(NamedTuple):
    """What the footer tells of a column chunk, and its bytes before and after compression."""

    told: Value
    raw: int
    stored: int


def _type(field: pa.Field) -> _Type:
    kind = field.type
    return _TYPES[kind.value_type if pa.types.is_dictionary(kind) else kind]


def _root(columns: int) -> Value:
    return thrift.struct({4: thrift.binary(b"schema"), 5: thrift.i32(columns)})


def _element(field: pa.Field) -> Value:
    """Return the name and the type of a column."""
    type_ = _type(field)
    return thrift.struct(
        {
            1: thrift.i32(type_.physical),
            3: thrift.i32(_OPTIONAL if field.nullable else _REQUIRED),
            4: thrift.binary(field.name.encode()),
            **({6: thrift.i32(type_.converted)} if type_.converted is not None else {}),
            **({10: type_.logical} if type_.logical else {}),
        }
    )


def _statistics(column: pa.Array, *, with_bounds: bool) -> Value:
    """Return how many rows have no value, and of ascending times the bounds."""
    bounds = {}
    if with_bounds:
        least, most = (int(column[row].value).to_bytes(8, "little", signed=True) for row in (0, -1))
        bounds = {5: thrift.binary(most), 6: thrift.binary(least)}
    return thrift.struct({3: thrift.i64(column.null_count), **bounds})
