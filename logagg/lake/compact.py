"""Compaction and retention: fewer, larger parts, and coarser old buckets, with the same sums.

Flushed parts are merged into parts of an hour, these into parts of a day when it is over, these into parts of a month.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from logagg.config.sections import Retention
from logagg.lake import durable, merge
from logagg.lake.digests import sort_out
from logagg.lake.durable import failing_as_commit
from logagg.lake.merge import Merge
from logagg.lake.partitions import Calendar, period
from logagg.lake.parts import DAY, FLUSH, HOUR, MONTH, Part, PartWriter
from logagg.lake.progress import MergeProgress
from logagg.lake.state import State
from logagg.rollup.definitions import Rollup

FLUSHES = 16  # flushed parts that are merged together
CROWD = 8  # parts of one hour, day or month, and of one size, that are merged together
_HOUR, _DAY = 3600, 86_400


@dataclass(frozen=True, slots=True)
class Replacement:
    """New parts that replace old ones."""

    kind: str  # "compact" or "expire"
    old: tuple[Part, ...]
    new: tuple[Part, ...]
    noted: tuple[Part, ...] = ()  # parts that stay, with their condition as found


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
    rollup: Rollup
    parts: tuple[Part, ...]
    calendar: Calendar
    keys: int  # distinct keys that a bucket may have
    grain: int | None = None  # coarser buckets, in seconds
    drop: bool = False
    kind: str = "compact"

    @property
    def memory(self) -> int:
        """The approximate memory of a run, in bytes."""
        return 0 if self.drop else merge.memory(self.parts, self.rollup)

    def run(self, progress: MergeProgress | None = None) -> Replacement:
        """Write the new parts; damaged parts stay. Raises CommitFailed or MergeStopped, without leaving new parts."""
        if self.drop:
            return Replacement(self.kind, self.parts, ())
        with failing_as_commit(self.root):  # a merge would give damaged rows a valid digest
            sound, damaged = sort_out(self.root, self.parts)
        new = replace(self, parts=sound)._written(progress or MergeProgress()) if sound else ()
        return Replacement(self.kind, sound, new, damaged)

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
        with progress.of(self.rollup.name, sum(part.rows for part in self.parts)):
            tables = Merge(self.rollup, self.keys, self.grain).tables(self.root, self.parts, progress.read)
            pieces = (one for table in tables for one in self.calendar.cut(table))
            for piece, cuts in groupby(pieces, key=itemgetter(0)):
                with PartWriter(self.root, self.rollup, piece.level, grain) as part:
                    for _, rows in cuts:
                        part.write(rows)
                if part.part:
                    new.append(part.part)


@dataclass(frozen=True, slots=True)
class Planner:
    """Decides which parts of a lake to merge and to expire."""

    root: Path
    rollups: Mapping[str, Rollup]
    keys: int  # distinct keys that a bucket may have

    def only(self, rollup: str) -> Planner:
        """Return a planner for one of the rollups."""
        return replace(self, rollups={rollup: self.rollups[rollup]})

    def due(self, state: State) -> list[MergeTask]:
        """Return the merges that are due."""
        return [
            self._task(rollup, group, Calendar.of(_newest(parts)))
            for rollup, parts in self._by_rollup(state)
            for group in _fitting(_due(parts), rollup)
        ]

    def everything(self, state: State) -> list[MergeTask]:
        """Return all merges that reduce the number of parts, down to one per rollup and day, or month."""
        tasks = []
        for rollup, parts in self._by_rollup(state):
            calendar = Calendar.by_day(_newest(parts))
            groups = [
                group for group in _overlapping(parts, MONTH) if _has_small(group) or _share_piece(group, calendar)
            ]
            tasks += [self._task(rollup, group, calendar) for group in _fitting(groups, rollup)]
        return tasks

    def expired(self, state: State, keep: Retention, now: float) -> list[MergeTask]:
        """Return the tasks of retention: parts entirely past their time are coarsened or dropped."""
        tasks = []
        for rollup, parts in self._by_rollup(state, damaged=True):
            calendar = Calendar.by_day(_newest(parts))
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

    def _task(self, rollup: Rollup, parts: Sequence[Part], calendar: Calendar, **how: Any) -> MergeTask:
        return MergeTask(self.root, rollup, tuple(parts), calendar, self.keys, **how)

    def _by_rollup(self, state: State, *, damaged: bool = False) -> Iterator[tuple[Rollup, list[Part]]]:
        """Group the sound parts of the rollups that are still defined; other parts stay as they are."""
        for name, rollup in self.rollups.items():
            if parts := [part for part in state.parts if part.rollup == name and (damaged or not part.damaged)]:
                yield rollup, parts


def _due(parts: Sequence[Part]) -> list[list[Part]]:
    """Group the parts that are to be merged now."""
    newest = _newest(parts)
    flushed = [part for part in parts if part.level == FLUSH]
    if len(flushed) >= FLUSHES:
        return [flushed]
    return _crowded(parts, newest) or _over(parts, Calendar.of(newest))


def _fitting(groups: Sequence[Sequence[Part]], rollup: Rollup) -> Iterator[list[Part]]:
    """Split groups to fit into memory; a part that would be alone waits for the next round."""
    for group in groups:
        for some in merge.bounded(group, rollup):
            if len(some) > 1 or len(group) == 1 or some[0].level == FLUSH:
                yield some


def _newest(parts: Sequence[Part]) -> datetime:
    return max(part.max_ts for part in parts)


def _has_small(parts: Sequence[Part]) -> bool:
    return any(part.level in (FLUSH, HOUR) for part in parts)


def _share_piece(parts: Sequence[Part], calendar: Calendar) -> bool:
    return len({calendar.piece(int(part.min_ts.timestamp())) for part in parts}) < len(parts)


def _crowded(parts: Sequence[Part], newest: datetime) -> list[list[Part]]:
    """Group the parts of an hour, day or month that are of similar size, so that a row is merged only a few times.

    Two parts of a past hour are enough: leaving them would add hundreds of parts a day, and each part slows every query
    and commit a little.
    """
    current = period(newest, HOUR)
    groups: dict[tuple[str, int, int], list[Part]] = {}
    for part in parts:
        if part.level != FLUSH:
            size = (part.bytes >> 14).bit_length() // 3
            groups.setdefault((part.level, period(part.min_ts, part.level), size), []).append(part)
    few = {key for key in groups if key[0] == HOUR and key[1] != current}
    return [group for key, group in groups.items() if len(group) >= (2 if key in few else CROWD)]


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
