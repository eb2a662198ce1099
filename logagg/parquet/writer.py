"""A Parquet file: row groups, and the footer that tells where each column is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import NamedTuple, Protocol

import pyarrow as pa

from logagg.parquet import thrift
from logagg.parquet.chunks import PLAIN, RLE, Chunk, Encoding, Page, encoded
from logagg.parquet.thrift import Value

_MAGIC = b"PAR1"
_VERSION = 2
_DATA_PAGE, _DICTIONARY_PAGE = 0, 2
_UNCOMPRESSED, _ZSTD = 0, 6
_REQUIRED, _OPTIONAL, _REPEATED = 0, 1, 2
_IN_LISTS = ("list", "element")  # names of the groups that lists are, and of what is in them
_SMALL = 64  # bytes; less does not get smaller
_EMPTY = thrift.struct({})
_CODECS = {False: thrift.i32(_UNCOMPRESSED), True: thrift.i32(_ZSTD)}
_NUMBERS = [thrift.i32(one) for one in range(16)]  # of encodings and pages
_RLE = _NUMBERS[RLE]


class Output(Protocol):
    """What a file is written to."""

    def write(self, data: bytes | memoryview, /) -> object: ...


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


_LIST = _Type(0, 3, thrift.struct({3: _EMPTY}))  # a group, which has no values of its own


class Writer:
    """Writes tables of one schema, each as a row group. The first column has statistics: it is a time, and ascends."""

    def __init__(self, out: Output, schema: pa.Schema, encodings: Mapping[str, Encoding]) -> None:
        """Begin a file; `encodings` are of the columns that are not encoded as usual."""
        self._out, self._schema = out, schema
        self._columns = [_Column.of(field, encodings.get(field.name, Encoding())) for field in schema]
        self._at = 0
        self._rows = 0
        self._groups: list[Value] = []
        self._codec = pa.Codec("zstd")
        self._write(_MAGIC)

    def write(self, rows: pa.Table) -> None:
        """Write rows as a row group; unused entries of dictionaries are left out."""
        chunks = [self._chunk(one, rows.column(number)) for number, one in enumerate(self._columns)]
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
                2: thrift.listed([_group("schema", len(self._schema)), *self._elements()]),
                3: thrift.i64(self._rows),
                4: thrift.listed(self._groups),
                6: thrift.binary(b"logagg"),
                7: thrift.listed([order] * len(self._schema)),
            }
        )
        self._write(footer)
        self._write(len(footer).to_bytes(4, "little") + _MAGIC)

    def _elements(self) -> Iterator[Value]:
        """Yield the names and types of the columns, depth first."""
        for field in self._schema:
            if pa.types.is_list(field.type):
                yield _group(field.name, 1, _OPTIONAL, _LIST)
                yield _group(_IN_LISTS[0], 1, _REPEATED)
                yield _element(_IN_LISTS[1], field.type.value_type, nullable=True)
            else:
                yield _element(field.name, field.type, nullable=field.nullable)

    def _chunk(self, one: _Column, rows: pa.ChunkedArray) -> _Written:
        column = rows.chunk(0) if rows.num_chunks == 1 else rows.combine_chunks()
        chunk = encoded(column, one.encoding, nullable=one.nullable)
        first, raw = self._at, 0
        is_compressed = one.encoding.compressed and len(chunk.page.data) > _SMALL
        if chunk.dictionary:
            raw += self._page(chunk.dictionary, _DICTIONARY_PAGE, is_compressed)
        data_at = self._at
        raw += self._page(chunk.page, _DATA_PAGE, is_compressed)
        stored = self._at - first
        fields = {
            1: one.physical,
            2: _encodings(chunk.page.encoding),
            3: one.path,
            4: _CODECS[is_compressed],
            5: thrift.i64(chunk.page.values),
            6: thrift.i64(raw),
            7: thrift.i64(stored),
            9: thrift.i64(data_at),
        }
        if chunk.dictionary:
            fields[11] = thrift.i64(first)
        if not one.is_list:
            fields[12] = _statistics(column, with_bounds=one.is_time)
        fields |= self._filter(chunk)
        return _Written(thrift.struct({2: thrift.i64(first), 3: thrift.struct(fields)}), raw, stored)

    def _page(self, page: Page, kind: int, is_compressed: bool) -> int:
        """Write a page; return its bytes before compression."""
        raw = len(page.data)
        data = self._codec.compress(page.data, asbytes=True) if is_compressed else page.data
        fields = {1: _NUMBERS[kind], 2: (size := thrift.i32(raw)), 3: thrift.i32(len(data)) if is_compressed else size}
        values, encoding = thrift.i32(page.values), _NUMBERS[page.encoding]
        if kind == _DATA_PAGE:
            fields[5] = thrift.struct({1: values, 2: encoding, 3: _RLE, 4: _RLE})
        else:
            fields[7] = thrift.struct({1: values, 2: encoding})
        _, header = thrift.struct(fields)
        self._write(header)
        self._write(data)
        return len(header) + raw

    def _filter(self, chunk: Chunk) -> dict[int, Value]:
        """Write the filter of a column chunk, if it has one; return where it is."""
        if chunk.filter is None:
            return {}
        first, union = self._at, thrift.struct({1: _EMPTY})
        _, header = thrift.struct({1: thrift.i32(chunk.filter.nbytes), 2: union, 3: union, 4: union})
        self._write(header)
        self._write(chunk.filter.data)
        return {14: thrift.i64(first), 15: thrift.i32(self._at - first)}

    def _write(self, data: bytes | memoryview) -> None:
        self._out.write(data)
        self._at += len(data)


class _Column(NamedTuple):
    """What is the same for all row groups."""

    encoding: Encoding
    nullable: bool
    is_time: bool
    is_list: bool
    physical: Value
    path: Value

    @classmethod
    def of(cls, field: pa.Field, encoding: Encoding) -> _Column:
        kind, is_list = field.type, pa.types.is_list(field.type)
        names = (field.name, *(_IN_LISTS if is_list else ()))
        path = thrift.listed([thrift.binary(name.encode()) for name in names])
        physical = thrift.i32(_type(kind.value_type if is_list else kind).physical)
        return cls(encoding, field.nullable, pa.types.is_timestamp(kind), is_list, physical, path)


class _Written(NamedTuple):
    """What the footer tells of a column chunk, and its bytes before and after compression."""

    told: Value
    raw: int
    stored: int


@cache
def _encodings(page: int) -> Value:
    """Return the encodings of a column: of its page, its dictionary and its levels."""
    return thrift.listed([_NUMBERS[one] for one in sorted({page, PLAIN, RLE})])


def _type(kind: pa.DataType) -> _Type:
    return _TYPES[kind.value_type if pa.types.is_dictionary(kind) else kind]


def _group(name: str, children: int, repetition: int | None = None, type_: _Type | None = None) -> Value:
    """Return an element of the schema that has others."""
    return thrift.struct(
        {
            **({3: thrift.i32(repetition)} if repetition is not None else {}),
            4: thrift.binary(name.encode()),
            5: thrift.i32(children),
            **_converted(type_),
        }
    )


def _element(name: str, kind: pa.DataType, *, nullable: bool) -> Value:
    """Return the name and the type of a column."""
    return thrift.struct(
        {
            1: thrift.i32(_type(kind).physical),
            3: thrift.i32(_OPTIONAL if nullable else _REQUIRED),
            4: thrift.binary(name.encode()),
            **_converted(_type(kind)),
        }
    )


def _converted(type_: _Type | None) -> dict[int, Value]:
    found = {}
    if type_ and type_.converted is not None:
        found[6] = thrift.i32(type_.converted)
    if type_ and type_.logical:
        found[10] = type_.logical
    return found


def _statistics(column: pa.Array, *, with_bounds: bool) -> Value:
    """Return how many rows have no value, and of ascending times the bounds."""
    bounds = {}
    if with_bounds:
        least, most = (int(column[row].value).to_bytes(8, "little", signed=True) for row in (0, -1))
        bounds = {5: thrift.binary(most), 6: thrift.binary(least)}
    return thrift.struct({3: thrift.i64(column.null_count), **bounds})
