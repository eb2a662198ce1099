"""Requests: the single events beside the rollups, one row each.

    events ──▶ rows ──▶ Encoder.add ... ──▶ Encoder.drain() -> EncodedRows ──▶ written as it is
                                       read ──▶ aggregate.in_order(rows, rows, ...) ──▶ fewer, larger parts

Rows are encoded as Parquet when their events are rolled up, not when they are committed: until then they take a tenth of
the memory that the events took (measured: 11 bytes a row of combined logs, 141 bytes an event).
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from logagg.columnar.encoded import filled_codes
from logagg.config.rules import KINDS
from logagg.parquet.chunks import Encoding
from logagg.parquet.writer import Writer
from logagg.records import EncodedRows
from logagg.rollup.columns import Columns, ordered, taken
from logagg.rollup.conditions import Mask, OneOf
from logagg.rollup.definitions import ENCODED, TIMESTAMP, Rollup, Rows

NAME = "requests"
_TEXTS_BEFORE = ("id", "site", "kind", "method")
_TEXTS_AFTER = (
    *("path", "ext", "referrer", "from_path", "campaign", "ad", "placement", "browser", "os", "device"),
    *("robot", "robot_class", "bot_reason"),
)
_PLACES = ("country", "city", "asn", "organization", "network")
# Null where an event is not an entry; in files they are empty then, since a column without nulls takes half the time to write.
ENTRY = ("channel", "referrer_source", "medium")
_ORDER = ("click_id", "order_id", "currency")
_AS_LOGGED = ("cache", "scheme", "protocol", "tls", "user", "query")

# One row an event. No address; the name of a user and the query string only where a setting asks for them.
SCHEMA = pa.schema(
    [
        pa.field("ts", TIMESTAMP),  # the event's own time
        pa.field("source", pa.string()),  # with `position`, the line in its log
        pa.field("position", pa.int64()),
        pa.field("visitor", pa.uint64()),
        *(pa.field(name, pa.string()) for name in _TEXTS_BEFORE),
        pa.field("status", pa.int16()),
        *(pa.field(name, pa.string()) for name in _TEXTS_AFTER),
        pa.field("is_bot", pa.bool_()),
        *(pa.field(name, pa.string()) for name in (*ENTRY, *_ORDER, *_PLACES, *_AS_LOGGED)),
        pa.field("value_micros", pa.int64()),
        pa.field("bytes", pa.int64()),
        pa.field("seconds", pa.float64()),
        pa.field("upstream_seconds", pa.float64()),
    ]
)
# Text that is written from a dictionary; nearly all of the other text differs. A merge reads it so, too.
TEXTS = [one.name for one in SCHEMA if one.type == pa.string() and one.name != "id"]
ENCODED_SCHEMA = pa.schema([one.with_type(ENCODED) if one.name in TEXTS else one for one in SCHEMA])
# Numbers whose differences take less space than they, or no two of which are alike: a dictionary would be longer.
_DELTAS = ("ts", "position", "bytes")
_PLAIN = frozenset({*_DELTAS, "id", "seconds", "upstream_seconds"})
_MANY = 1 << 14  # events that are worth another thread
_NOT_COMPRESSED = ("position", "bytes", "visitor")
# Codes of few values: zstd takes a fourteenth of the time of all and saves 0.8 bytes a row, which merges save later.
_FEW_VALUES = (
    "source",
    "kind",
    "method",
    "status",
    "ext",
    "referrer",
    "browser",
    "os",
    "device",
    "is_bot",
    "robot",
    "robot_class",
    "bot_reason",
    "protocol",
    *ENTRY,
)


@dataclass(frozen=True, slots=True)
class Requests:
    """The table of single events, and the kinds of events that it keeps."""

    kinds: tuple[str, ...] = KINDS  # none of them: it is switched off

    name = NAME
    grain = 1  # seconds; rows of one second need not be read together
    schema = SCHEMA

    @property
    def where(self) -> OneOf | None:
        """The condition for an event to be kept; None: all are."""
        return None if set(KINDS) <= set(self.kinds) else OneOf("kind", self.kinds)


Table = Rollup | Requests | Rows


def rows(events: Columns, sources: pa.Array, kept: Mask | None = None) -> pa.Table:
    """Return the rows of events (`ENCODED_SCHEMA`), in the order of their times; `sources` has the source of each."""
    times = events["time"].cast(pa.int64()).to_numpy()
    order = None if kept is None else np.flatnonzero(kept).astype(np.int32)
    times = times if order is None else times[order]
    if (np.diff(times) < 0).any():
        by_time = ordered(times)
        order = by_time if order is None else order[by_time]
    columns = [_column(name, events, sources) for name in SCHEMA.names]
    columns = [one if order is None else taken(one, order) for one in columns]
    return pa.Table.from_arrays(columns, schema=ENCODED_SCHEMA)


def _column(name: str, events: Columns, sources: pa.Array) -> pa.Array:
    if name == "source":
        return sources
    if name == "id":  # nearly all differ
        return events.plain(name)
    if name in ENTRY:
        return _filled(events[name])
    return events["time" if name == "ts" else name]


def _filled(column: pa.DictionaryArray) -> pa.DictionaryArray:
    """Return a column with empty text for null."""
    if column.null_count == len(column):
        return pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(column), np.int32)), pa.array([""]))
    if not column.null_count:
        return column
    values, empty = column.dictionary, pc.index(column.dictionary, "").as_py()
    if empty < 0:
        values, empty = pa.concat_arrays([values, pa.array([""])]), len(values)
    return pa.DictionaryArray.from_arrays(pa.array(filled_codes(column.indices, empty)), values, safe=False)


def of_entries(name: str, rows: Columns) -> pa.Array:
    """Return one of the columns `ENTRY` of rows as they are in files, null where an event is not an entry."""
    channels = rows["channel"]
    entry = pc.not_equal(channels.dictionary, "").take(channels.indices)
    return pc.if_else(entry, rows[name].cast(pa.string()), None)


def selected(name: str) -> str:
    """Return the SQL of one of the columns `ENTRY` of the view, over the columns of a file."""
    return f"CASE WHEN channel <> '' THEN {name} END"


def encodings() -> dict[str, Encoding]:
    """Return how the columns of rows are written that will be merged.

    Measured on 1 M combined lines: zstd 11.4 bytes a row, lz4 16.7, snappy 16.9. A dictionary of visitors saves 0.9 of them;
    differences of `bytes` take a third of the time of the plain numbers, in as many bytes; zstd makes positions and visitors no
    shorter than by a tenth.
    """
    plain = {*_NOT_COMPRESSED, *_FEW_VALUES}
    return {
        name: Encoding(repeated=name not in _PLAIN, deltas=name in _DELTAS, compressed=name not in plain)
        for name in SCHEMA.names
    }


def encodings_to_keep() -> dict[str, Encoding]:
    """Return how the columns of merged rows are written, which stay longer than they took to write.

    A filter lets a query pass over row groups without a path. As rows come, it would take 3% more time, and 25% where no two
    paths are alike.
    """
    return {
        name: one._replace(compressed=name not in _NOT_COMPRESSED, filtered=name == "path")
        for name, one in encodings().items()
    }


class _Pieces:
    """A file in memory. A stream of one buffer copies it whenever it grows: a fifth of the time of encoding."""

    def __init__(self) -> None:
        self.bytes = 0
        self._pieces: list[bytes] = []

    def write(self, data: bytes | memoryview) -> None:
        self._pieces.append(bytes(data))
        self.bytes += len(data)

    def joined(self) -> bytes:
        return b"".join(self._pieces)


class Encoder:
    """The requests of a shard that wait for the next commit.

    Many events are encoded in a thread of their own, beside the roll-up of the next ones: with two cores a tail reads a log
    in three quarters of the time.
    """

    def __init__(self, table: Requests) -> None:
        self._table = table
        self._out = _Pieces()
        self._file: Writer | None = None
        self._rows = 0
        self._span: list[int] = []
        self._not_kept = 0
        self._bytes = 0  # encoded
        self._thread: ThreadPoolExecutor | None = None
        self._encoding: Future[None] | None = None
        self._encoding_bytes = 0  # of the events that the thread encodes

    @property
    def nbytes(self) -> int:
        return self._bytes + self._encoding_bytes

    def add(self, events: Columns, sources: pa.Array, nbytes: int = 0) -> None:
        """Encode events of this many bytes, as a row group of their own; nothing else may use them from now on."""
        if not self._table.kinds:
            self._not_kept = max(self._not_kept, _newest(events["time"]))
            return
        self._wait()  # for those before, so that memory holds few
        if len(sources) < _MANY:
            self._encode(events, sources)
        else:
            self._thread = self._thread or ThreadPoolExecutor(1, "encoder")
            self._encoding, self._encoding_bytes = self._thread.submit(self._encode, events, sources), nbytes

    def drain(self) -> tuple[EncodedRows | None, int]:
        """Return the rows since the last drain, and the newest time (microseconds) of an event when none is kept."""
        self._wait()
        self._bytes = 0
        not_kept, self._not_kept = self._not_kept, 0
        if self._file is None:
            return None, not_kept
        self._file.close()
        encoded = EncodedRows(self._out.joined(), self._rows, min(self._span), max(self._span))
        self._out, self._file, self._rows, self._span = _Pieces(), None, 0, []
        return encoded, not_kept

    def close(self) -> None:
        if self._thread:
            self._thread.shutdown()

    def _wait(self) -> None:
        if self._encoding:
            encoding, self._encoding = self._encoding, None
            encoding.result()
            self._encoding_bytes = 0

    def _encode(self, events: Columns, sources: pa.Array) -> None:
        where = self._table.where
        kept = where.holds(events) if where else None
        found = rows(events, sources, kept)
        if found.num_rows:
            self._writer().write(found)
            self._rows += found.num_rows
            times = found["ts"].cast(pa.int64())
            self._span += [times[0].as_py(), times[-1].as_py()]
            self._bytes = self._out.bytes

    def _writer(self) -> Writer:
        if self._file is None:
            self._file = Writer(self._out, ENCODED_SCHEMA, encodings())
        return self._file


def _newest(times: pa.Array) -> int:
    newest: int = pc.max(times).cast(pa.int64()).as_py()
    return newest


def minute_after(at: datetime) -> datetime:
    """Return the first whole minute after an instant."""
    return whole_minute(at + timedelta(microseconds=1))


def whole_minute(at: datetime) -> datetime:
    """Return the first whole minute at or after an instant: rows of rollups begin there."""
    floor = at.replace(second=0, microsecond=0)
    return floor if floor == at else floor + timedelta(minutes=1)
