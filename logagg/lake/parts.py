"""Parts: the immutable Parquet files of a lake, written and read."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa

from logagg.columnar.encoded import without_unused
from logagg.errors import CHECK, LakeError
from logagg.lake.digests import DigestWriter
from logagg.lake.durable import make_directory, remove, sync
from logagg.parquet.chunks import Encoding
from logagg.parquet.writer import Writer
from logagg.records import EncodedRows
from logagg.rollup import requests
from logagg.rollup.definitions import ENCODED, FLOAT_COLUMNS, SKETCH, TIMESTAMP, Rollup, Rows
from logagg.rollup.derived import micros as micros
from logagg.rollup.requests import Requests, Table

if TYPE_CHECKING:
    import pyarrow.parquet as pq

# Levels: a part as flushed, and merged by hour, day and month of the events.
FLUSH, HOUR, DAY, MONTH = "flush", "hour", "day", "month"
# The most rows of a row group, and the most memory that they may take.
ROW_GROUP, GROUP_BYTES = 1 << 17, 16 << 20
ATTEMPTS = 3  # attempts to create a file in a directory that several writers create at the same time
READ = 1 << 20  # bytes, in memory, of one read of a row group: each read costs 0.2 ms
_PATH = re.compile(r"data/[^/]+/[^/]+\.parquet")
_EPOCH, _MICROSECOND = datetime.fromtimestamp(0, UTC), timedelta(microseconds=1)
_SUMMED = ("bytes", *FLOAT_COLUMNS)  # of events


def import_parquet() -> None:
    """Import the Parquet library ahead of its first use: the import takes a while."""
    import pyarrow.parquet  # noqa: F401


@dataclass(frozen=True, slots=True)
class Part:
    """One immutable Parquet file of a rollup, or of requests."""

    rollup: str
    path: str  # relative to the lake
    level: str
    grain: int  # seconds; the least grain its rows are kept at
    rows: int
    bytes: int
    min_ts: datetime
    max_ts: datetime
    damaged: bool = False  # its file was found missing or changed
    lacks: str = ""  # columns that were added after it was written, separated by commas; they are empty in its rows


_FIELDS = tuple(one.name for one in fields(Part))


def part_of(where: Path, row: Mapping[str, Any]) -> Part:
    """Return a part. Raises LakeError for a path outside the lake, which would be deleted one day."""
    found = Part(**{name: row[name] for name in _FIELDS if name in row})
    if not _PATH.fullmatch(found.path) or "/../" in found.path:
        raise LakeError(f"{where}: names {found.path}, which is not a file of this lake", CHECK)
    return found


class PartWriter:
    """Writes rows as a new Parquet file; those written together are in the order of `ts`.

    When its `with` block ends, the file is on the disk and `part` describes it. Without rows there is no file, and `part`
    is None. When the block fails, no file is left.
    """

    def __init__(self, root: Path, table: Table, level: str, grain: int, name: str = "") -> None:
        """Begin a file; its name begins with its level, or with `name`."""
        self.part: Part | None = None
        self._root, self._table, self._level, self._grain = root, table, level, grain
        self._path = _draft(table.name, name or level)
        self._rows = 0
        self._span: list[datetime] = []
        self._schema = requests.ENCODED_SCHEMA if isinstance(table, Requests) else _encoded(table.schema)

    def __enter__(self) -> Self:
        self._out = _created(self._target)
        try:
            self._file = self._opened()  # which writes
        except BaseException:
            self._out.close()
            remove([self._target])
            raise
        return self

    def write(self, rows: pa.Table) -> None:
        """Write some rows (of the table's schema), as row groups of their own; the table may be empty."""
        if rows.num_rows:
            size = max(1, min(ROW_GROUP, GROUP_BYTES * rows.num_rows // max(1, rows.nbytes)))
            rows = rows.cast(self._schema)
            for start in range(0, rows.num_rows, size):
                self._file.write(rows.slice(start, size))
            self._rows += rows.num_rows
            self._span += [rows["ts"][0].as_py(), rows["ts"][-1].as_py()]

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self._close()
            if kind is None and self._rows:
                self._path = renamed(self._root, self._path, self._out.digest)
                sync(self._target)
                sync(self._target.parent)
                self.part = self._described()
        finally:
            if self.part is None:
                remove([self._target])

    def _opened(self) -> Writer | _PyarrowWriter:
        if isinstance(self._table, Rows):  # which may have lists of more than numbers
            return _PyarrowWriter(self._out, self._schema)
        return Writer(self._out, self._schema, _encodings(self._table, stays=self._level != FLUSH))

    def _close(self) -> None:
        try:
            self._file.close()
        finally:
            self._out.close()

    @property
    def _target(self) -> Path:
        return self._root / self._path

    def _described(self) -> Part:
        size = self._target.stat().st_size
        first, last = min(self._span), max(self._span)
        return Part(self._table.name, str(self._path), self._level, self._grain, self._rows, size, first, last)


def _encoded(schema: pa.Schema) -> pa.Schema:
    """Return the schema of rows as they are written, with their text dictionary-encoded."""
    return pa.schema([field.with_type(ENCODED) if field.type == pa.string() else field for field in schema])


def write_encoded(root: Path, name: str, grain: int, rows: EncodedRows) -> Part:
    """Write rows that are encoded already as a flushed part; it is on the disk when this returns."""
    path = _draft(name, FLUSH)
    out = _created(root / path)
    try:
        try:
            out.write(rows.data)
        finally:
            out.close()
        path = renamed(root, path, out.digest)
        sync(root / path)
        sync((root / path).parent)
    except BaseException:
        remove([root / path])
        raise
    return Part(name, str(path), FLUSH, grain, rows.rows, len(rows.data), _at(rows.first), _at(rows.last))


def _draft(table: str, prefix: str) -> Path:
    """Return the path of a part until its digest is known."""
    return Path("data") / table / f"{prefix}-{secrets.token_hex(4)}.parquet"


def _created(path: Path) -> DigestWriter:
    for _ in range(ATTEMPTS - 1):
        with contextlib.suppress(
            FileNotFoundError
        ):  # another writer has put its new directory in the place of this one
            return _created_once(path)
    return _created_once(path)


def _created_once(path: Path) -> DigestWriter:
    make_directory(path.parent)
    return DigestWriter(path)


def named(path: Path, digest: str) -> Path:
    """Return the path of a part with its digest."""
    return path.with_name(f"{path.stem}-{digest}{path.suffix}")


def renamed(root: Path, path: Path, digest: str) -> Path:
    """Put the digest of a part into its name; return its path."""
    os.replace(root / path, root / named(path, digest))
    return named(path, digest)


class _PyarrowWriter:
    """Writes tables as row groups, by pyarrow. Times and other numbers of single rows hardly repeat, texts do."""

    def __init__(self, out: DigestWriter, schema: pa.Schema) -> None:
        import pyarrow.parquet as pq

        self._file = pq.ParquetWriter(
            out,
            schema,
            store_schema=False,
            write_statistics=["ts"],
            column_encoding={one.name: "DELTA_BINARY_PACKED" for one in schema if one.type == TIMESTAMP},
            use_dictionary=[one.name for one in schema if one.type in (ENCODED, pa.bool_())],
            compression="zstd",
        )

    def write(self, rows: pa.Table) -> None:
        self._file.write_table(_without_unused(rows), rows.num_rows)

    def close(self) -> None:
        self._file.close()


def _encodings(table: Rollup | Requests, *, stays: bool) -> dict[str, Encoding]:
    """Return how the columns of a table are written.

    Sums of bytes and of seconds rarely repeat, so a dictionary of them is longer than the values; and the dictionary indices of
    hashes do not compress. A dictionary halves the space of hashes, but takes time, so they have none until they are merged.
    """
    if isinstance(table, Requests):
        return requests.encodings_to_keep()
    sums = [name for name, measure in table.measures.items() if measure.of in _SUMMED]
    sketches = [field.name for field in table.schema if field.type == SKETCH]
    return {
        "ts": Encoding(deltas=True),
        **dict.fromkeys(sums, Encoding(repeated=False)),
        **dict.fromkeys(sketches, Encoding(repeated=stays, compressed=False)),
    }


def _without_unused(rows: pa.Table) -> pa.Table:
    """Drop unused dictionary entries: Parquet writes the whole dictionary into every row group."""
    columns = [without_unused(column.combine_chunks()) for column in rows.columns]
    return pa.Table.from_arrays(columns, schema=rows.schema)


class PartReader:
    """Reads the rows of a part. Text comes as it is from a rollup, and dictionary-encoded from requests."""

    def __init__(self, root: Path, part: Part, table: Table) -> None:
        import pyarrow.parquet as pq

        self._schema, self._lacks = table.schema, part.lacks.split(",") if part.lacks else []
        is_encoded = isinstance(table, Requests)
        self._encoded = frozenset(requests.TEXTS) if is_encoded else frozenset[str]()
        texts = sorted(self._encoded.difference(self._lacks)) if is_encoded else None
        # No read-ahead, and only some pages of a column at a time: a merge has many parts open.
        self._file = pq.ParquetFile(root / part.path, read_dictionary=texts, pre_buffer=False, buffer_size=1 << 16)

    @property
    def runs(self) -> list[tuple[int, list[int]]]:
        """Return the runs of row groups in order of time, each with the time (microseconds) at which it begins.

        A flushed part has a run of each shard, a merged part has one.
        """
        runs: list[tuple[int, list[int]]] = []
        until = None
        for number in range(self._file.num_row_groups):
            ts = self._file.metadata.row_group(number).column(0).statistics
            if until is None or ts.min < until:
                runs.append((micros(ts.min), []))
            runs[-1][1].append(number)
            until = ts.max
        return runs

    def batches(self, groups: Iterable[int], size: int) -> Iterator[pa.Table]:
        """Yield the rows of some row groups, about `size` bytes of them at a time."""
        for number in groups:
            group = self._file.metadata.row_group(number)
            width = _width(group)
            count, columns = max(1, size // width), _with_values(group)
            for batch in self._file.iter_batches(max(count, READ // width), [number], columns, use_threads=False):
                for start in range(0, batch.num_rows, count):
                    yield self._completed(pa.Table.from_batches([batch.slice(start, count)]))

    def close(self) -> None:
        self._file.close()

    def _completed(self, rows: pa.Table) -> pa.Table:
        """Return rows with the columns that the part lacks, and those without values, which were not read."""
        if rows.num_columns == len(self._schema):
            return rows
        there = set(rows.schema.names)
        columns = [
            rows[field.name] if field.name in there else self._filled(field, rows.num_rows) for field in self._schema
        ]
        return pa.table(columns, names=self._schema.names)

    def _filled(self, field: pa.Field, rows: int) -> pa.Array:
        value = empty_value(field.type) if field.name in self._lacks else None
        if value is None:
            return pa.nulls(rows, ENCODED if field.name in self._encoded else field.type)
        empty = pa.repeat(pa.scalar(value, field.type), rows)
        return empty.dictionary_encode() if field.name in self._encoded else empty


def empty_value(type_: pa.DataType) -> str | bool | None:
    """Return the value of a dimension in rows that were written before it was added."""
    return "" if type_ == pa.string() else False if type_ == pa.bool_() else None


def _with_values(group: pq.RowGroupMetaData) -> list[str] | None:
    """Return the columns of a row group that have any value, as far as its statistics tell: of requests, 27 of 44. None: all."""
    columns = [group.column(number) for number in range(group.num_columns)]
    found = [one for one in columns if not one.is_stats_set or one.statistics.null_count != one.num_values]
    return None if len(found) == len(columns) else [one.path_in_schema for one in found]


def _width(group: pq.RowGroupMetaData) -> int:
    """Estimate the bytes of a row in memory: far more than in the file, where repeated values take no space."""
    values = sum(group.column(number).num_values for number in range(group.num_columns))
    return (group.total_byte_size + 8 * values) // group.num_rows + 1


def _at(micros: int) -> datetime:
    """Return the instant of a number of microseconds."""
    return _EPOCH + micros * _MICROSECOND
