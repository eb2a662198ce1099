"""Many small parts -> few, and old buckets -> coarser ones: the same sums in fewer rows and files.

Parts as flushed are merged into parts of an hour, those into parts of a day when it is over, those into parts of a month.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from logagg.config import Retention
from logagg.errors import CommitFailed
from logagg.lake import files
from logagg.lake.calendar import WINDOW, Calendar, Piece, period
from logagg.lake.digests import sort_out
from logagg.lake.files import DAY, FLUSH, HOUR, MONTH, Part, PartReader, PartWriter, Span, failing_as_commit
from logagg.lake.state import State
from logagg.rollup import rows
from logagg.rollup.definitions import Rollup

FLUSHES = 16  # parts as flushed that are merged together
CROWD = 8  # parts of one hour, day or month, and of one size, that are merged together
_HOUR, _DAY = 3600, 86_400


@dataclass(frozen=True, slots=True)
class Replacement:
    """Parts that stand for others."""

    kind: str  # "compact" or "expire"
    old: tuple[Part, ...]
    new: tuple[Part, ...]
    noted: tuple[Part, ...] = ()  # parts that stay, as they were found


@dataclass(frozen=True, slots=True)
class Task:
    """One merge: reads immutable parts, writes new ones; touches nothing else, so it runs beside commits."""

    root: Path
    rollup: Rollup
    parts: tuple[Part, ...]
    calendar: Calendar
    keys: int  # distinct keys that a bucket may have
    grain: int | None = None  # coarser buckets, in seconds
    drop: bool = False
    kind: str = "compact"

    def run(self) -> Replacement:
        """Write the new parts. Damaged parts are left as they are. Raises CommitFailed; then there are none."""
        if self.drop:
            return Replacement(self.kind, self.parts, ())
        with failing_as_commit(self.root):  # a merge would give what is damaged a digest of its own
            sound, damaged = sort_out(self.root, self.parts)
        merge = replace(self, parts=sound)
        return Replacement(self.kind, sound, merge._written() if sound else (), damaged)

    def _written(self) -> tuple[Part, ...]:
        new: list[Part] = []
        try:
            with failing_as_commit(self.root):
                self._write_all(new)
        except CommitFailed:
            files.remove(self.root / part.path for part in new)
            raise
        return tuple(new)

    def _write_all(self, new: list[Part]) -> None:
        readers = [PartReader(self.root, self.rollup, part) for part in self.parts]
        try:
            spans = [span for reader in readers for span in reader.spans]
            for piece in self.calendar.pieces(spans):
                if part := self._write(piece, readers, spans):
                    new.append(part)
        finally:
            for reader in readers:
                reader.close()

    def _write(self, piece: Piece, readers: Sequence[PartReader], spans: Sequence[Span]) -> Part | None:
        """Write the rows of a piece as one part, a window of them in memory at a time."""
        grain = self.grain or min(part.grain for part in self.parts)  # late minutes are coarsened again
        with PartWriter(self.root, self.rollup, piece.level, grain) as part:
            for start, end in piece.windows(spans, grain):
                if found := self._merged(reader.read(start, end) for reader in readers):
                    part.write(found)
        return part.part

    def _merged(self, tables: Iterator[pa.Table]) -> pa.Table | None:
        """Return what tables add up to; whenever they are too many to hold, what there is so far is added up and folded."""
        held: list[pa.Table] = []
        for table in tables:
            if table.num_rows:
                held.append(table)
            if sum(one.nbytes for one in held) > WINDOW and len(held) > 1:
                held = [self._folded(held)]
        return self._folded(held) if held else None

    def _folded(self, tables: Sequence[pa.Table]) -> pa.Table:
        return rows.fold(self.rollup, rows.merge(self.rollup, pa.concat_tables(tables), self.grain), self.keys)


@dataclass(frozen=True, slots=True)
class Planner:
    """Says what to merge and what to expire in a lake as it stands."""

    root: Path
    rollups: Mapping[str, Rollup]
    keys: int  # distinct keys that a bucket may have

    def only(self, rollup: str) -> Planner:
        """Return a planner for one of the rollups."""
        return replace(self, rollups={rollup: self.rollups[rollup]})

    def due(self, state: State) -> list[Task]:
        """Return the merges that are due."""
        return [task for rollup, parts in self._by_rollup(state) for task in self._due(rollup, parts)]

    def everything(self, state: State) -> list[Task]:
        """Return the merges that leave one part per rollup and day, or month."""
        tasks = []
        for rollup, parts in self._by_rollup(state):
            calendar = Calendar.by_day(_newest(parts))
            for group in _overlapping(parts, MONTH):
                if len({calendar.piece(int(part.min_ts.timestamp())) for part in group}) < len(group) or _has_small(group):
                    tasks.append(self._task(rollup, group, calendar))
        return tasks

    def expired(self, state: State, keep: Retention, now: float) -> list[Task]:
        """Return what retention asks for: parts wholly past their time, to be coarsened or dropped."""
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

    def _task(self, rollup: Rollup, parts: Sequence[Part], calendar: Calendar, **how: Any) -> Task:
        return Task(self.root, rollup, tuple(parts), calendar, self.keys, **how)

    def _by_rollup(self, state: State, *, damaged: bool = False) -> Iterator[tuple[Rollup, list[Part]]]:
        """Group the sound parts of the rollups that are still defined; other parts stay as they are."""
        for name, rollup in self.rollups.items():
            if parts := [part for part in state.parts if part.rollup == name and (damaged or not part.damaged)]:
                yield rollup, parts

    def _due(self, rollup: Rollup, parts: Sequence[Part]) -> list[Task]:
        newest = _newest(parts)
        calendar = Calendar.of(newest)
        flushed = [part for part in parts if part.level == FLUSH]
        if len(flushed) >= FLUSHES:
            return [self._task(rollup, flushed, calendar)]
        groups = _crowded(parts, newest) or _over(parts, calendar)
        return [self._task(rollup, group, calendar) for group in groups]


def _newest(parts: Sequence[Part]) -> datetime:
    return max(part.max_ts for part in parts)


def _has_small(parts: Sequence[Part]) -> bool:
    return any(part.level in (FLUSH, HOUR) for part in parts)


def _crowded(parts: Sequence[Part], newest: datetime) -> list[list[Part]]:
    """Group the parts of an hour, day or month that are of one size; merging those alone, a row is merged only a few times.

    Of an hour that is over two will do: what was left of each would be hundreds of parts a day, and each part costs every
    query and every commit a little.
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
