"""One shard: absorbs the jobs of its visitors, and drains their sums and their requests.

    absorb(job) ... absorb(job) ──▶ drain() -> Delta

Memory holds only uncommitted data: events until there are enough to roll up together, then rollup rows and encoded
requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from logagg.records import SAMPLES, Delta, Job, KnownSource, Progress, Reject, Rejects
from logagg.rollup import aggregate, clicks, requests
from logagg.rollup.columns import Columns
from logagg.rollup.conditions import closed_database
from logagg.rollup.definitions import CLICK, Rollup
from logagg.rollup.requests import Requests

if TYPE_CHECKING:
    import duckdb

EVENTS = 1 << 17  # number of events that are rolled up together
BYTES = 16 << 20  # size of the events that are rolled up together


@dataclass(frozen=True, slots=True)
class ShardSettings:
    """The settings that all shards of a run share."""

    rollups: Sequence[Rollup]
    window: float = 30.0  # seconds in which a second click is a duplicate
    keys: int = 20_000  # distinct keys per rollup and bucket
    clicks: int = 200_000  # recent clicks remembered
    events: int = EVENTS
    clicks_bytes: int = BYTES
    events_bytes: int = BYTES
    requests: Requests = Requests()


@dataclass(slots=True)
class _Waiting:
    """Events that are not rolled up yet."""

    jobs: list[Job] = field(default_factory=list)
    rows: int = 0
    bytes: int = 0

    def add(self, job: Job) -> None:
        self.jobs.append(job)
        self.rows += job.events.num_rows
        self.bytes += job.events.nbytes

    @property
    def tables(self) -> list[pa.Table]:
        return [job.events for job in self.jobs]

    def sources(self) -> pa.Array:
        """Return the source of each event; Parquet writes a dictionary with equal values in full (20 bytes a row)."""
        numbers = {name: number for number, name in enumerate(dict.fromkeys(job.source for job in self.jobs))}
        of_jobs = np.array([numbers[job.source] for job in self.jobs], np.int32)
        codes = np.repeat(of_jobs, [job.events.num_rows for job in self.jobs])
        return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(numbers))


@dataclass(slots=True)
class _Gathered:
    """Progress and rejects since the last flush."""

    starts: dict[str, int] = field(default_factory=dict)
    lines: int = 0
    progress: dict[str, Progress] = field(default_factory=dict)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    samples: dict[str, list[Reject]] = field(default_factory=dict)
    newest: dict[str, int] = field(default_factory=dict)


class Shard:
    """The rollups, positions and key state of one shard; no thread, no I/O.

    A job counts once, however often it is received: with `start == applied` it is taken, with `end <= applied` it is a
    duplicate and dropped, anything else is a gap and raises `Gap`.
    """

    def __init__(
        self,
        number: int,
        settings: ShardSettings,
        known: Sequence[KnownSource] = (),
        recent_clicks: pa.Table | None = None,
    ) -> None:
        self.number = number
        self._settings = settings
        self._applied = {one.source.id: one.progress[number] for one in known if number in one.progress}
        # A catalog returns them with other time zones and nullability.
        self._clicks = None if recent_clicks is None else recent_clicks.cast(clicks.STATE_SCHEMA)
        self._newest: dict[str, int] = {}
        self._waiting = _Waiting()
        self._rows: dict[str, list[pa.Table]] = {}
        self._row_bytes = 0
        self._requests = requests.Encoder(settings.requests)
        self._gathered = _Gathered()

    @property
    def nbytes(self) -> int:
        """Return the bytes of what is not yet drained."""
        clicks = self._clicks.nbytes if self._clicks else 0
        rows = self._row_bytes + self._requests.nbytes
        return self._waiting.bytes + rows + max(0, clicks - self._settings.clicks_bytes)

    @property
    def waits(self) -> bool:
        """Tell whether there are events that are not rolled up yet."""
        return self._waiting.rows > 0

    @cached_property
    def _db(self) -> duckdb.DuckDBPyConnection:
        # One connection and one DuckDB thread per shard, since shards run in parallel. Opened when a user rollup needs it.
        return closed_database()

    def absorb(self, job: Job) -> bool:
        """Take in a job; return False when it was a duplicate. Raises Gap when jobs before it are missing."""
        applied = self._applied.get(job.source)
        position = applied.position if applied else job.origin
        if job.end <= position and not (applied is None and job.start == job.end == position):
            return False  # except a job without lines at the origin, which says where reading begins
        if job.start != position:
            raise Gap(job, position)
        self._advance(job, position, applied.lines if applied else 0)
        if job.events.num_rows:
            self._take(job)
        return True

    def drain(self) -> Delta:
        """Return what was absorbed since the last drain, and forget it."""
        self.roll_up()
        gathered, self._gathered = self._gathered, _Gathered()
        rollups = {rollup.name: self._drained(rollup) for rollup in self._settings.rollups if rollup.name in self._rows}
        self._row_bytes = 0
        self._clicks = self._prune()
        rejects = {
            source: Rejects(counts, tuple(gathered.samples.get(source, ())))
            for source, counts in gathered.counts.items()
        }
        encoded, not_kept = self._requests.drain()
        return Delta(
            self.number,
            rollups,
            gathered.progress,
            rejects,
            self._clicks,
            gathered.starts,
            gathered.lines,
            encoded,
            not_kept,
            tuple(rollup.name for rollup in self._settings.rollups),
            gathered.newest,
        )

    def roll_up(self) -> None:
        """Turn the waiting events into rollup rows."""
        if not self._waiting.rows:
            return
        waiting, self._waiting = self._waiting, _Waiting()
        events, sources = Columns(waiting.tables), waiting.sources()
        self._add_rows("events", events)
        clicked = np.flatnonzero(CLICK.holds(events)).astype(np.int32)
        if len(clicked):
            booked = self._book(events.table(clicks.COLUMNS).take(clicked), sources.take(clicked))
            self._add_rows("clicks", Columns([booked]))
        self._requests.add(events, sources, waiting.bytes)

    def close(self) -> None:
        self._requests.close()
        if "_db" in vars(self):
            self._db.close()

    def _advance(self, job: Job, position: int, before: int) -> None:
        lines = job.events.num_rows + job.rejects.lines
        self._gathered.starts.setdefault(job.source, position)
        self._gathered.lines += lines
        self._applied[job.source] = self._gathered.progress[job.source] = Progress(
            job.end, before + lines, job.fingerprint
        )
        if job.rejects.counts:
            counts = self._gathered.counts.setdefault(job.source, {})
            for reason, count in job.rejects.counts.items():
                counts[reason] = counts.get(reason, 0) + count
            samples = self._gathered.samples.setdefault(job.source, [])
            samples += job.rejects.samples[: SAMPLES - len(samples)]

    def _take(self, job: Job) -> None:
        newest = pc.max(job.events["time"]).cast(pa.int64()).as_py()
        for times in (self._newest, self._gathered.newest):
            times[job.source] = max(newest, times.get(job.source, newest))
        self._waiting.add(job)
        if self._waiting.rows >= self._settings.events or self._waiting.bytes >= self._settings.events_bytes:
            self.roll_up()

    def _book(self, clicked: pa.Table, sources: pa.Array) -> pa.Table:
        window = round(self._settings.window * 1_000_000)
        self._clicks, booked = clicks.absorb(self._clicks, clicked, sources, window)
        return booked

    def _add_rows(self, of: Literal["events", "clicks"], columns: Columns) -> None:
        for rollup, found in aggregate.roll_up_all(self._settings.rollups, of, columns, lambda: self._db):
            self._rows.setdefault(rollup.name, []).append(found)
            self._row_bytes += found.nbytes

    def _drained(self, rollup: Rollup) -> pa.Table:
        """Return the rows of a rollup, folded to the allowed number of keys in a bucket."""
        return aggregate.fold(rollup, aggregate.in_order(self._rows.pop(rollup.name)), self._settings.keys)

    def _prune(self) -> pa.Table | None:
        if self._clicks is None:
            return None
        horizon = round(max(600.0, 2 * self._settings.window) * 1_000_000)
        return clicks.prune(self._clicks, self._newest, horizon, self._settings.clicks, self._settings.clicks_bytes)


class Gap(Exception):
    """A job came before the jobs between `position` and its start."""

    def __init__(self, job: Job, position: int) -> None:
        super().__init__(f"source {job.source}: shard {job.shard} is at {position}, the job starts at {job.start}")
        self.position = position
