"""Compaction and retention: fewer, larger parts, and coarser old buckets, with the same sums.

Flushed parts are merged into parts of an hour, these into parts of a day when it is over, these into parts of a month.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from logagg.config.sections import Config, Retention
from logagg.lake import durable, merge
from logagg.lake.digests import sort_out
from logagg.lake.durable import failing_as_commit
from logagg.lake.merge import Merge
from logagg.lake.partitions import Calendar, period, write_partitions
from logagg.lake.parts import DAY, FLUSH, HOUR, MONTH, Part, micros
from logagg.lake.progress import MergeProgress
from logagg.lake.state import EVICT, LATEST, NEVER, State
from logagg.rollup.definitions import Rollup, Rows
from logagg.rollup.requests import Requests, Table, minute_after, whole_minute

FLUSHES = 16  # flushed parts that are merged together
CROWD = 8  # parts of one hour, day or month, and of one size, that are merged together
# Rows: a part of requests that has as many is not merged any further. A flush of a fast reader has more, and to write it
# again would take longer than to read its lines did (12 M lines on 2 cores: 14 s; with four times as many rows, 45 s).
LARGE = 1 << 18
_HOUR, _DAY = 3600, 86_400
_LEFT_OVER = timedelta(days=1)  # for which old requests stay in a part that also has younger ones


@dataclass(frozen=True, slots=True)
class Replacement:
    """New parts that replace old ones."""

    kind: str  # "compact" or "expire"
    old: tuple[Part, ...]
    new: tuple[Part, ...]
    noted: tuple[Part, ...] = ()  # parts that stay, with their condition as found
    since: datetime | None = None  # after requests were dropped: the time from which on they are complete


def joined(done: Sequence[Replacement]) -> list[Replacement]:
    """Join merges into one commit, since each commit writes a catalog; expiry is committed separately."""
    merges = [one for one in done if one.kind == "compact"]
    others = [one for one in done if one.kind != "compact"]
    if not merges:
        return others
    old = [part for one in merges for part in one.old]
    new = [part for one in merges for part in one.new]
    noted = [part for one in merges for part in one.noted]
    return [Replacement("compact", tuple(old), tuple(new), tuple(noted)), *others]


@dataclass(frozen=True, slots=True)
class MergeTask:
    """One merge: reads immutable parts, writes new ones; touches nothing else, so it runs beside commits."""

    root: Path
    table: Table
    parts: tuple[Part, ...]
    calendar: Calendar
    keys: int  # distinct keys that a bucket may have
    grain: int | None = None  # coarser buckets, in seconds
    drop: bool = False
    since: datetime | None = None  # drop the requests before it, a whole minute
    kind: str = "compact"

    @property
    def memory(self) -> int:
        """The approximate memory of a run, in bytes."""
        return 0 if self.drop else merge.memory(self.parts, self.table)

    def run(self, progress: MergeProgress | None = None) -> Replacement:
        """Write the new parts; damaged parts stay. Raises CommitFailed or MergeStopped, without leaving new parts."""
        if self.drop:
            return Replacement(self.kind, self.parts, (), since=self.since)
        with failing_as_commit(self.root):  # a merge would give damaged rows a valid digest
            sound, damaged = sort_out(self.root, self.parts)
        new = replace(self, parts=sound)._written(progress or MergeProgress()) if sound else ()
        return Replacement(self.kind, sound, new, damaged, self.since if sound else None)

    def _written(self, progress: MergeProgress) -> tuple[Part, ...]:
        new: list[Part] = []
        try:
            with failing_as_commit(self.root):
                self._write_all(new, progress)
        except BaseException:
            durable.remove(self.root / part.path for part in new)
            raise
        return tuple(new)

    def _write_all(self, new: list[Part], progress: MergeProgress) -> None:
        grain = self.grain or min(part.grain for part in self.parts)  # late minutes are coarsened again
        with progress.of(self.table.name, sum(part.rows for part in self.parts)):
            tables = Merge(self.table, self.keys, self.grain).tables(self.root, self.parts, progress.read)
            write_partitions(self.root, self.table, map(self._kept, tables), self.calendar, grain, new)

    def _kept(self, rows: pa.Table) -> pa.Table:
        if self.since is None:
            return rows
        times = rows["ts"].cast(pa.int64()).to_numpy()
        return rows.slice(int(np.searchsorted(times, micros(self.since))))


@dataclass(frozen=True, slots=True)
class Planner:
    """Decides which parts of a lake to merge and to expire."""

    root: Path
    tables: Mapping[str, Table]
    keys: int  # distinct keys that a bucket may have

    def only(self, table: str) -> Planner:
        """Return a planner for one of the tables."""
        return replace(self, tables={table: self.tables[table]})

    def due(self, state: State) -> list[MergeTask]:
        """Return the merges that are due."""
        return [
            self._task(table, group, Calendar.of(_newest(parts)))
            for table, parts in self._by_table(state)
            for group in _fitting(_due(_mergeable(table, parts), _newest(parts)), table)
        ]

    def everything(self, state: State) -> list[MergeTask]:
        """Return all merges that reduce the number of parts, down to one per table and day, or month."""
        tasks = []
        for table, parts in self._by_table(state):
            calendar = Calendar.by_day(_newest(parts))
            groups = [
                group
                for group in _overlapping(_mergeable(table, parts), MONTH)
                if _has_small(group) or _share_partition(group, calendar)
            ]
            tasks += [self._task(table, group, calendar) for group in _fitting(groups, table)]
        return tasks

    def expired(self, state: State, config: Config, now: float) -> list[MergeTask]:
        """Return the tasks of retention: parts entirely past their time are coarsened or dropped."""
        tasks: list[MergeTask] = []
        for table, parts in self._by_table(state, damaged=True):
            if isinstance(table, Requests):
                tasks += self._expired_requests(
                    table, parts, self._kept_from(state, parts, config, now), state.derived_until
                )
            elif isinstance(table, Rows):
                tasks += self._expired_rows(table, parts, state, config, now)
            else:
                tasks += self._expired(table, parts, config.retention, now)
        return tasks

    def dropping(self, state: State, config: Config, now: float) -> datetime | None:
        """Return up to when requests would be dropped if all of them were derived; None if none would."""
        for table, parts in self._by_table(state, damaged=True):
            if isinstance(table, Requests):
                kept = self._kept_from(state, parts, config, now)
                return max(
                    (task.since for task in self._expired_requests(table, parts, kept) if task.since), default=None
                )
        return None

    def _kept_from(self, state: State, parts: Sequence[Part], config: Config, now: float) -> datetime:
        """Return from when on requests are kept: for their age, and for what all may take on the disk."""
        cutoff, size = _cutoff(state, parts, config, now), sum(part.bytes for part in parts)
        for part in sorted(parts, key=lambda part: part.max_ts):
            if size > config.requests.max_size:
                cutoff = max(cutoff, minute_after(part.max_ts))
                size -= part.bytes
        return cutoff

    def _expired_requests(
        self, table: Requests, parts: Sequence[Part], cutoff: datetime, derived: datetime = LATEST
    ) -> Iterator[MergeTask]:
        """Drop the requests before a time; those that are not derived yet wait for that."""
        calendar, old, straddling = Calendar.by_day(_newest(parts)), list[Part](), list[Part]()
        for part in sorted(parts, key=lambda part: part.max_ts):
            if part.max_ts < cutoff:
                old.extend([part] if part.max_ts < derived else [])
            elif part.min_ts < cutoff - _LEFT_OVER and not part.damaged and cutoff <= derived:
                straddling.append(part)
        if old:
            since = minute_after(max(part.max_ts for part in old))
            yield self._task(table, old, calendar, drop=True, kind="expire", since=since)
        for part in straddling:
            yield self._task(table, [part], calendar, kind="expire", since=whole_minute(cutoff))

    def _expired_rows(
        self, table: Rows, parts: Sequence[Part], state: State, config: Config, now: float
    ) -> Iterator[MergeTask]:
        """Drop the oldest rows of a table: those that are too old, and those beyond what all may take on the disk."""
        calendar, size, cutoff = Calendar.by_day(_newest(parts)), sum(part.bytes for part in parts), NEVER
        if table.keep is not None:
            until = min((mark.until for mark in state.derived.values() if table.name in mark.tables), default=NEVER)
            cutoff = until - timedelta(seconds=table.keep) if until > NEVER else NEVER
        if config.retention.day is not None:
            cutoff = max(cutoff, datetime.fromtimestamp(now - config.retention.day, UTC))
        for part in sorted(parts, key=lambda part: part.max_ts):
            is_old = part.max_ts < cutoff
            if is_old or (table.max_size is not None and size > table.max_size):
                size -= part.bytes
                yield self._task(table, [part], calendar, drop=True, kind="expire" if is_old else EVICT)

    def _expired(self, rollup: Rollup, parts: Sequence[Part], keep: Retention, now: float) -> list[MergeTask]:
        tasks, calendar = [], Calendar.by_day(_newest(parts))
        for part in parts:
            age = now - part.max_ts.timestamp()
            if part.level == FLUSH:
                continue
            if keep.day is not None and age > keep.day:
                tasks.append(self._task(rollup, [part], calendar, drop=True, kind="expire"))
            elif part.damaged:
                continue
            elif keep.hour is not None and age > keep.hour and part.grain < _DAY:
                tasks.append(self._task(rollup, [part], calendar, grain=_DAY, kind="expire"))
            elif keep.minute is not None and age > keep.minute and part.grain < _HOUR:
                tasks.append(self._task(rollup, [part], calendar, grain=_HOUR, kind="expire"))
        return tasks

    def _task(self, table: Table, parts: Sequence[Part], calendar: Calendar, **how: Any) -> MergeTask:
        return MergeTask(self.root, table, tuple(parts), calendar, self.keys, **how)

    def _by_table(self, state: State, *, damaged: bool = False) -> Iterator[tuple[Table, list[Part]]]:
        """Group the sound parts of the tables that are still defined; other parts stay as they are."""
        for name, table in self.tables.items():
            if isinstance(table, Rows) and table.replaced and not damaged:
                continue  # there is nothing to merge
            if parts := [part for part in state.parts if part.rollup == name and (damaged or not part.damaged)]:
                yield table, parts


def _cutoff(state: State, parts: Sequence[Part], config: Config, now: float) -> datetime:
    """Return the time before which requests are dropped.

    Their age is counted from the newest request, since an old log that is read today would leave none by the clock. When
    nothing was read for as long as they stay, all go.
    """
    newest, clock, keep = _newest(parts), datetime.fromtimestamp(now, UTC), config.requests.keep
    cutoff = NEVER
    if keep is not None:
        last_read = max((one.committed_at for one in state.commits if one.lines), default=NEVER)
        is_over = not keep or clock - last_read > timedelta(seconds=keep)
        cutoff = newest + timedelta(days=1) if is_over else min(newest, clock) - timedelta(seconds=keep)
    if config.retention.day is not None:
        cutoff = max(cutoff, clock - timedelta(seconds=config.retention.day))
    return cutoff


def _mergeable(table: Table, parts: Sequence[Part]) -> Sequence[Part]:
    """Return the parts that a merge may read: single rows do not become fewer, so large parts of them are left alone."""
    return parts if isinstance(table, Rollup) else [part for part in parts if part.rows < LARGE]


def _due(parts: Sequence[Part], newest: datetime) -> list[list[Part]]:
    """Group the parts that are to be merged now; `newest` is the newest time of their table."""
    flushed = [part for part in parts if part.level == FLUSH]
    if len(flushed) >= FLUSHES:
        return [flushed]
    return _crowded(parts, newest) or _over(parts, Calendar.of(newest))


def _fitting(groups: Sequence[Sequence[Part]], table: Table) -> Iterator[list[Part]]:
    """Split groups to fit into memory; a part that would be alone waits for the next round."""
    for group in groups:
        for some in merge.bounded(group, table):
            if len(some) > 1 or len(group) == 1 or some[0].level == FLUSH:
                yield some


def _newest(parts: Sequence[Part]) -> datetime:
    return max(part.max_ts for part in parts)


def _has_small(parts: Sequence[Part]) -> bool:
    return any(part.level in (FLUSH, HOUR) for part in parts)


def _share_partition(parts: Sequence[Part], calendar: Calendar) -> bool:
    return len({calendar.partition(int(part.min_ts.timestamp())) for part in parts}) < len(parts)


def _crowded(parts: Sequence[Part], newest: datetime) -> list[list[Part]]:
    """Group the parts of an hour, day or month that are of similar size, so that a row is merged only a few times.

    Two parts of an hour that is over are enough: leaving them would add hundreds of parts a day, and each part slows every
    query and commit a little. An hour of which rows still arrive is not over: its rows would be written again after every
    merge of flushed parts (`scattered` of `make bench`, 1 M lines: 6.2 instead of 5.2 s of processor time). Rows of the hour
    before the newest arrive, too: many logs are late by minutes.
    """
    arriving = [(_hour(part.min_ts), _hour(part.max_ts)) for part in parts if part.level == FLUSH]
    arriving.append((_hour(newest - timedelta(hours=1)), _hour(newest)))
    groups: dict[tuple[str, int, int], list[Part]] = {}
    for part in parts:
        if part.level != FLUSH:
            size = (part.bytes >> 14).bit_length() // 3
            groups.setdefault((part.level, period(part.min_ts, part.level), size), []).append(part)
    hours = {key for key in groups if key[0] == HOUR}
    few = {key for key in hours if not any(first <= key[1] <= last for first, last in arriving)}
    return [group for key, group in groups.items() if len(group) >= (2 if key in few else CROWD)]


def _hour(at: datetime) -> int:
    return period(at, HOUR)


def _over(parts: Sequence[Part], calendar: Calendar) -> list[list[Part]]:
    """Group the days, and the months, that are over and were not merged yet."""
    days = [part for part in parts if part.level in (HOUR, DAY) and calendar.days_from <= part.min_ts]
    days = [part for part in days if part.max_ts < calendar.hours_from]
    months = [part for part in parts if part.level != FLUSH and part.max_ts < calendar.days_from]
    return [
        group
        for level, some in ((DAY, days), (MONTH, months))
        for group in _overlapping(some, level)
        if any(part.level != level for part in group)
    ]


def _overlapping(parts: Sequence[Part], level: str) -> list[list[Part]]:
    """Group parts whose days (or months) overlap, so that each group can be merged by itself."""
    groups: list[list[Part]] = []
    last = -1
    for part in sorted(parts, key=lambda part: part.min_ts):
        if groups and period(part.min_ts, level) <= last:
            groups[-1].append(part)
        else:
            groups.append([part])
            last = -1
        last = max(last, period(part.max_ts, level))
    return groups
