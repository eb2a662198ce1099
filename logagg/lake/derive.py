"""One step of a derivation, which turns requests into visits or other rows, and the decision when a step is due.

    parts of requests, and of its own tables ──▶ DuckDB ──▶ new parts ──▶ (a commit: they count, the watermark has moved)

A step is a function of immutable parts, so it runs beside commits. If it dies, nothing has changed, and the next step does
the same work again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from logagg import spill
from logagg.errors import CHECK, LakeError
from logagg.lake import catalog, durable
from logagg.lake.digests import holds, sort_out
from logagg.lake.durable import failing_as_commit
from logagg.lake.merge import Merge
from logagg.lake.partitions import Calendar, write_partitions
from logagg.lake.parts import FLUSH, Part, PartWriter
from logagg.lake.progress import MergeProgress
from logagg.lake.state import DERIVE, PendingCommit, State
from logagg.lake.watermarks import Derived, settled
from logagg.quoting import identifier, literal
from logagg.rollup.definitions import Rollup, Rows
from logagg.rollup.derived import Derivation, Span
from logagg.rollup.requests import NAME as REQUESTS

if TYPE_CHECKING:
    import duckdb

STEP = 1 << 20  # requests that one step reads, about
MEMORY = 192 << 20  # bytes that DuckDB may take before it spills to the disk
LEAST = timedelta(hours=1)  # a step is due once so much time after the watermark is settled
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class DeriveTask:
    """One step: writes parts for the requests of a span. It changes nothing else, so it runs beside commits."""

    root: Path
    derivation: Derivation
    state: State
    span: Span
    keys: int  # distinct keys of a rollup's bucket, at most
    skips_damaged: bool = False  # skip damaged parts of requests, which are about to be dropped anyway

    memory = MEMORY

    def run(self, progress: MergeProgress | None = None) -> PendingCommit:
        """Write the parts. Raises DamagedParts, CommitFailed, MergeStopped or LakeError; then no part is left."""
        progress, new = progress or MergeProgress(), list[Part]()
        read = self.state.requests_in(self.span.since, self.span.until)
        own = [part for part in self.state.parts if part.rollup in self._tables]
        try:
            with failing_as_commit(self.root):
                sound = self._sound([*read, *own])
                with progress.of(self.derivation.name, sum(part.rows for part in read), "deriving"):
                    self._write([part for part in sound if part.rollup == REQUESTS], own, new, progress)
        except BaseException:
            durable.remove(self.root / part.path for part in new)
            raise
        derived = Derived(self.derivation.name, self.span.since, self.span.until, tuple(part.path for part in read))
        return PendingCommit(DERIVE, tuple(new), tuple(self._replaced(own)), derived=derived)

    @property
    def _tables(self) -> dict[str, Rollup | Rows]:
        return {table.name: table for table in self.derivation.tables}

    def _replaced(self, own: Sequence[Part]) -> Iterator[Part]:
        for part in own:
            table = self._tables[part.rollup]
            if isinstance(table, Rows) and table.replaced:
                yield part

    def _sound(self, parts: Sequence[Part]) -> Sequence[Part]:
        """Return the sound parts. Raises DamagedParts if others are needed, since their rows would be missing for ever."""
        sound, noted = sort_out(self.root, parts)
        damaged = [part for part in noted if part.damaged]
        blocking = [part for part in damaged if not (self.skips_damaged and part.rollup == REQUESTS)]
        if blocking:
            first = blocking[0]
            what = f"{self.root / first.path}: damaged ({holds(first)}): {self.derivation.name} cannot be derived"
            raise DamagedParts(what, CHECK, tuple(damaged))
        return sound

    def _write(self, read: Sequence[Part], own: Sequence[Part], new: list[Part], progress: MergeProgress) -> None:
        with contextlib.closing(self._connected(read, own)) as connection:
            found: dict[str, list[pa.Table]] = {}
            for name, rows in self.derivation.rows(connection, self.span):
                progress.read(rows.num_rows)
                if rows.num_rows:
                    table = self._tables[name]
                    found.setdefault(name, []).append(rows.cast(table.schema))
        for name, tables in found.items():
            self._write_table(self._tables[name], tables, new)

    def _write_table(self, table: Rollup | Rows, tables: Sequence[pa.Table], new: list[Part]) -> None:
        rows = Merge(table, self.keys).added(tables)
        if isinstance(table, Rows) and table.replaced:
            with PartWriter(self.root, table, FLUSH, table.grain, DERIVE) as writer:
                writer.write(rows)
            new.extend([writer.part] if writer.part else [])
        else:
            calendar = Calendar.of(max(self.span.until, rows["ts"][-1].as_py()))
            write_partitions(self.root, table, [rows], calendar, table.grain, new, DERIVE)

    def _connected(self, read: Sequence[Part], own: Sequence[Part]) -> duckdb.DuckDBPyConnection:
        """Return a connection with the views that the derivation reads."""
        import duckdb

        settings: dict[str, Any] = {"threads": 1, "memory_limit": f"{MEMORY >> 20}MiB"}
        settings |= {"temp_directory": spill.directory(), "python_enable_replacements": False}
        connection = duckdb.connect(config=settings)
        connection.execute("SET enable_progress_bar = false")
        root = str(self.root.resolve())
        requests = catalog.rows(REQUESTS, self.state.rollups[REQUESTS], read, root)
        since, until = (f"TIMESTAMPTZ {literal(at.isoformat())}" for at in (self.span.since, self.span.until))
        within = f"ts >= {since} AND ts < {until}"
        connection.execute(f"CREATE VIEW {identifier(REQUESTS)} AS SELECT * FROM ({requests}) WHERE {within}")
        for name, table in self._tables.items():
            connection.execute(catalog.view(name, table.schema, [part for part in own if part.rollup == name], root))
        return connection


class DamagedParts(LakeError):
    """Parts that a derivation reads are damaged."""

    def __init__(self, message: str, hint: str, parts: tuple[Part, ...]) -> None:
        super().__init__(message, hint)
        self.parts = parts


@dataclass(frozen=True, slots=True)
class Deriver:
    """Decides which steps are due."""

    root: Path
    derivations: Sequence[Derivation]
    keys: int
    late: float  # seconds that a line may come after later lines of its log

    def due(self, state: State, now: datetime, dropping: datetime | None = None) -> Iterator[DeriveTask]:
        """Yield the next step of each derivation that is due.

        Requests before `dropping` are about to be dropped, so they are derived even if that time is not settled.
        """
        at = settled(state.reached, now, self.late)
        for one in self.derivations:
            mark = state.derived[one.name].until
            until = _hour(at) if at else mark
            if dropping and dropping > max(until if until - mark >= LEAST else mark, mark):
                yield from self._step(one, state, mark, dropping, forced=True)
            elif until - mark >= LEAST:
                yield from self._step(one, state, mark, until)

    def _step(
        self, one: Derivation, state: State, mark: datetime, until: datetime, *, forced: bool = False
    ) -> Iterator[DeriveTask]:
        parts = state.requests_in(mark, until)
        if parts and (forced or not any(part.damaged for part in parts)):
            span = Span(mark, min(until, _bounded(parts, mark, until)))
            yield DeriveTask(self.root, one, state, span, self.keys, forced)


def _bounded(parts: Sequence[Part], since: datetime, until: datetime) -> datetime:
    """Return the end of one step: the minute up to which parts have about STEP requests, but not after `until`."""
    if sum(part.rows for part in parts) <= STEP:
        return until
    first = max(since, min(part.min_ts for part in parts))
    low, high = 1, max(1, (until - first) // _MINUTE)
    while low < high:
        middle = (low + high + 1) // 2
        if _about(parts, since, first + middle * _MINUTE) <= STEP:
            low = middle
        else:
            high = middle - 1
    return _minute(first) + low * _MINUTE


def _about(parts: Sequence[Part], since: datetime, until: datetime) -> float:
    """Return about how many requests parts have in a time, assuming that each part is evenly spread."""
    total = 0.0
    for part in parts:
        length = (part.max_ts - part.min_ts) / _MINUTE + 1 / 60
        overlap = (min(part.max_ts, until) - max(part.min_ts, since)) / _MINUTE + 1 / 60
        total += part.rows * min(1.0, max(0.0, overlap / length))
    return total


def _minute(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(second=0, microsecond=0)


def _hour(at: datetime) -> datetime:
    return _minute(at).replace(minute=0)
