"""Add up the rows of many parts, in the order of `ts`.

    part ──▶ batches ──┐
    part ──▶ batches ──┼──▶ held rows ──▶ complete buckets ──▶ added up and folded ──▶ tables
    part ──▶ batches ──┘

Each part is read once, from its first row to its last, and the next batch is always one of the part that is furthest
behind in time. So memory holds a batch of each open part, and the incomplete buckets. A row is added up once. If the held
rows do not fit, they are added up before their buckets are complete, but only after as many bytes were read as remained
the last time. So the work is linear in the rows, for any number of parts and any times they span.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from logagg.lake.parts import FLUSH, Part, PartReader, micros
from logagg.rollup import aggregate
from logagg.rollup.definitions import Rollup
from logagg.rollup.requests import Requests, Table

WINDOW = 4 << 20  # bytes of rows that are added up together
REQUESTS_WINDOW = (
    32 << 20
)  # bytes of requests that are put in order together, and make row groups: half as many take 5% more time and space
# Bytes: limit for all open readers. Eight flushes of a fast reader fit in, which make a part of requests that is not merged
# again: with 24 MB they were merged by threes, and their rows were written twice.
OPEN = 64 << 20
READER = 4 << 20  # bytes: limit for one reader, with the dictionaries and pages of a row group
FILES = 32  # limit on open files, since a tail with many logs has few descriptors left
_VALUE = 16  # bytes of a reader for each value of a small part (measured: 100 to 140 for the 9 of a row of `pages`)
_COPIES = (
    5  # of the rows that are added up together: as read, in one table, their keys, their sums, as they are written
)

Micros = npt.NDArray[np.int64]


class _Readers:
    """The memory of readers that are open at the same time, as parts are opened in the order of their times."""

    def __init__(self, table: Table) -> None:
        self.bytes = self.most = 0
        self._table = table
        self._open: list[tuple[datetime, int]] = []  # until when, and bytes

    def open(self, part: Part) -> _Readers:
        self._close_before(part.min_ts)
        self.bytes += (size := _cost(part, self._table))
        self.most = max(self.most, self.bytes)
        heapq.heappush(self._open, (part.max_ts, size))
        return self

    def fits(self, part: Part) -> bool:
        self._close_before(part.min_ts)
        return len(self._open) < 2 or self.bytes + _cost(part, self._table) <= OPEN  # a merge needs two parts at least

    def _close_before(self, at: datetime) -> None:
        while self._open and self._open[0][0] < at:
            self.bytes -= heapq.heappop(self._open)[1]


def bounded(parts: Iterable[Part], table: Table) -> Iterator[list[Part]]:
    """Split parts, in the order of their times, into groups whose open readers fit into memory."""
    readers, group = _Readers(table), list[Part]()
    for part in _by_time(parts):
        if not readers.fits(part):
            yield group
            readers, group = _Readers(table), []
        readers.open(part)
        group.append(part)
    if group:
        yield group


def memory(parts: Sequence[Part], table: Table) -> int:
    """Estimate the bytes that a merge of parts takes."""
    size = sum(_values(part, table) for part in parts) * _VALUE
    return _most_open(parts, table) + _COPIES * min(_window(table), size)


def _window(table: Table) -> int:
    return REQUESTS_WINDOW if isinstance(table, Requests) else WINDOW


def _most_open(parts: Iterable[Part], table: Table) -> int:
    """Return the bytes of all readers at the time when most are open."""
    readers = _Readers(table)
    for part in _by_time(parts):
        readers.open(part)
    return readers.most


def _by_time(parts: Iterable[Part]) -> list[Part]:
    return sorted(parts, key=lambda part: part.min_ts)


def _cost(part: Part, table: Table) -> int:
    """Estimate the bytes of the reader of a part; a flushed part has a run of rows for each shard."""
    most = 2 * READER if part.level == FLUSH else READER
    return max(OPEN // FILES, min(most, _values(part, table) * _VALUE))


def _values(part: Part, table: Table) -> int:
    return part.rows * len(table.schema)


@dataclass(frozen=True, slots=True)
class Merge:
    """Adds up rows of a rollup, or puts requests in order."""

    table: Table
    keys: int  # distinct keys that a bucket may have
    grain: int | None = None  # coarser buckets, in seconds

    def added(self, tables: Sequence[pa.Table]) -> pa.Table:
        """Return what tables add up to, in the order of `ts`, with no more keys in a bucket than there may be."""
        if not isinstance(self.table, Rollup):
            return aggregate.in_order(tables)
        rows = aggregate.merge(self.table, pa.concat_tables(tables), self.grain)
        return aggregate.fold(self.table, rows, self.keys)

    def bucket(self, micros: int) -> int:
        """Return the beginning of the bucket of a time (microseconds)."""
        return micros - micros % ((self.grain or self.table.grain) * 1_000_000)

    def tables(self, root: Path, parts: Sequence[Part], read: Callable[[int], None]) -> Iterator[pa.Table]:
        """Yield the sum of parts, in the order of `ts`, some buckets at a time; report the number of rows `read`."""
        held = _Held(self)
        with closing(_Inputs(root, parts, self.table)) as inputs:
            for batch in inputs:
                read(batch.num_rows)
                held.add(batch)
                if held.is_full:
                    yield from held.complete(inputs.behind)
                    held.shrink()
        yield from held.complete()

    def summed(self, tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """Yield the sum of tables, each of which begins where the one before ends; some buckets at a time."""
        held = _Held(self)
        for table in tables:
            if table.num_rows:
                held.add(_plain(table))
                if held.is_full:
                    yield from held.complete(int(_times(table)[-1]))
                    held.shrink()
        yield from held.complete()


@dataclass(order=True, slots=True)
class _Input:
    """A part that is not open yet, or one run of a part: rows in the order of their times."""

    at: int  # microseconds; all rows before it were read
    part: Part = field(compare=False)
    reader: PartReader | None = field(default=None, compare=False)
    batches: Iterator[pa.Table] = field(default=iter(()), compare=False)


class _Inputs:
    """The rows of parts, in batches: the next is always of the part that is furthest behind. A part is open while it
    has rows left."""

    def __init__(self, root: Path, parts: Sequence[Part], table: Table) -> None:
        self._root, self._table, self._most = root, table, _most_open(parts, table)
        self._left = [_Input(micros(part.min_ts), part) for part in parts]
        heapq.heapify(self._left)

    def __iter__(self) -> Iterator[pa.Table]:
        while self._left:
            yield from self._read_on()

    @property
    def behind(self) -> int | None:
        """The time (microseconds) before which all rows were read; None at the end."""
        return self._left[0].at if self._left else None

    def close(self) -> None:
        for one in self._left:
            if one.reader:
                one.reader.close()

    def _read_on(self) -> Iterator[pa.Table]:
        """Open the part that is furthest behind, or yield its next rows."""
        one = self._left[0]
        if one.reader is None:
            heapq.heappop(self._left)
            self._open(one.part)
        elif (batch := next(one.batches, None)) is not None:
            one.at = int(_times(batch)[-1])
            heapq.heapreplace(self._left, one)
            yield batch
        else:
            heapq.heappop(self._left)
            if all(other.reader is not one.reader for other in self._left):
                one.reader.close()

    def _open(self, part: Part) -> None:
        reader = PartReader(self._root, part, self._table)
        # Half of the window holds a batch of each open run, half the incomplete buckets.
        size = _window(self._table) // 2 * _cost(part, self._table) // self._most // len(reader.runs)
        for start, groups in reader.runs:
            heapq.heappush(self._left, _Input(start, part, reader, reader.batches(groups, size)))


class _Held:
    """Rows that are not yielded yet."""

    def __init__(self, merge: Merge) -> None:
        self._merge = merge
        self._tables: list[tuple[Micros, pa.Table]] = []  # each in the order of its times
        self._window = _window(merge.table)
        self._bytes, self._limit = 0, self._window

    def add(self, table: pa.Table) -> None:
        self._tables.append((_times(table), table))
        self._bytes += table.nbytes

    @property
    def is_full(self) -> bool:
        return self._bytes > self._limit

    def complete(self, behind: int | None = None) -> Iterator[pa.Table]:
        """Yield the complete buckets: those before the time up to which all parts were read; without it, all."""
        tables, self._tables, self._bytes, ripe = self._tables, [], 0, []
        for times, table in tables:
            end = len(times) if behind is None else int(np.searchsorted(times, self._merge.bucket(behind)))
            if end:
                ripe.append(table.slice(0, end))
            if end < len(times):
                self.add(table.slice(end))
        if ripe:
            yield self._merge.added(ripe)

    def shrink(self) -> None:
        """Add up the held rows if they are still many; read as many bytes again before the next time."""
        if self._bytes > self._limit // 2 and isinstance(self._merge.table, Rollup):
            tables, self._tables, self._bytes = self._tables, [], 0
            self.add(_plain(self._merge.added([table for _, table in tables])))
        self._limit = max(self._window, 2 * self._bytes)


def _plain(table: pa.Table) -> pa.Table:
    """Return rows with plain text, as it is read from a part."""
    for number, column in enumerate(table.schema):
        if pa.types.is_dictionary(column.type):
            table = table.set_column(number, column.name, table[column.name].cast(column.type.value_type))
    return table


def _times(table: pa.Table) -> Micros:
    return table["ts"].cast(pa.int64()).to_numpy()
