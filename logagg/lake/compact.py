"""Many small parts -> few, and old buckets -> coarser ones: the same sums in fewer rows and files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from logagg.cargo import Delta, Source
from logagg.config import Retention
from logagg.lake import files
from logagg.lake.catalog import State
from logagg.lake.files import DAY, FLUSH, HOUR, Part
from logagg.rollup import rows
from logagg.rollup.definitions import Rollup

FLUSHES = 16  # parts as flushed that are merged together
HOURS = 8  # parts of one hour that are merged together
_HOUR, _DAY = 3600, 86_400


@dataclass(frozen=True, slots=True)
class Replacement:
    """Parts that stand for others."""

    kind: str  # "compact" or "expire"
    old: tuple[Part, ...]
    new: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """One merge: reads immutable parts, writes new ones; touches nothing else, so it runs beside commits."""

    root: Path
    rollup: Rollup
    parts: tuple[Part, ...]
    level: str  # of the parts to write; `hour` splits what is older than `split` by day
    split: datetime | None = None
    grain: int | None = None  # coarser buckets, in seconds
    drop: bool = False
    kind: str = "compact"

    def run(self) -> Replacement:
        if self.drop:
            return Replacement(self.kind, self.parts, ())
        merged = self._merge()
        new = [
            files.write_part(self.root, self.rollup.name, table, level, self.grain or self.parts[0].grain)
            for level, table in self._pieces(merged)
        ]
        return Replacement(self.kind, self.parts, tuple(new))

    def _merge(self) -> pa.Table:
        paths = [str(self.root / part.path) for part in self.parts]
        with duckdb.connect(config={"threads": 1, "memory_limit": "512MB"}) as connection:
            connection.read_parquet(paths).create_view("parts")
            query = f"{rows.merge(self.rollup, 'parts', self.grain)} ORDER BY ALL"
            return connection.sql(query).to_arrow_table().cast(self.rollup.schema)

    def _pieces(self, merged: pa.Table):  # type: ignore[no-untyped-def]
        """Cut the rows by event hour, or by day where the day is over."""
        seconds = merged["ts"].cast(pa.int64()).to_numpy() // 1_000_000
        days, hours = seconds // _DAY, seconds // _HOUR
        cut = self.split.timestamp() // _DAY if self.split and self.level == HOUR else float("inf")
        keys = pa.array(np.where(days < cut, days * 24, hours))
        for key in pc.unique(keys).to_pylist():
            yield (DAY if key // 24 < cut else HOUR), merged.filter(pc.equal(keys, key))


def after_flush(state: State, deltas: Sequence[Delta], sources: Sequence[Source]) -> State:
    """Return the state with what a flush says of sources: progress, rejects, key state."""
    progress = {source: dict(shards) for source, shards in state.progress.items()}
    rejects = {source: dict(reasons) for source, reasons in state.rejects.items()}
    samples = list(state.samples)
    for delta in deltas:
        for source, one in delta.progress.items():
            progress.setdefault(source, {})[delta.shard] = one
        for source, some in delta.rejects.items():
            counts = rejects.setdefault(source, {})
            for reason, lines in some.counts.items():
                counts[reason] = counts.get(reason, 0) + lines
            samples += [(source, sample) for sample in some.samples]
    known = {**state.sources, **{source.id: source for source in sources}}
    clicks = [delta.clicks for delta in deltas if delta.clicks is not None]
    return replace(
        state,
        sources={id_: known[id_] for id_ in progress},
        progress=progress,
        rejects=rejects,
        samples=tuple(samples[-1000:]),
        clicks=pa.concat_tables(clicks) if clicks else None,
    )


def plan(root: Path, state: State, rollups: Mapping[str, Rollup]) -> list[Task]:
    """Return the merges that are due."""
    return [task for name, parts in _by_rollup(state, rollups) for task in _due(root, rollups[name], parts)]


def plan_all(root: Path, state: State, rollups: Mapping[str, Rollup]) -> list[Task]:
    """Return the merges that leave one part per rollup and day."""
    tasks = []
    for name, parts in _by_rollup(state, rollups):
        for group in _overlapping_days(parts):
            if len(group) > 1 or group[0].level != DAY:
                tasks.append(Task(root, rollups[name], tuple(group), HOUR, datetime.max.replace(tzinfo=group[0].max_ts.tzinfo)))
    return tasks


def plan_expiry(
    root: Path, state: State, rollups: Mapping[str, Rollup], keep: Retention, now: float
) -> list[Task]:
    """Return what retention asks for: parts wholly past their time, to be coarsened or dropped."""
    tasks = []
    for name, parts in _by_rollup(state, rollups):
        for part in parts:
            age = now - part.max_ts.timestamp()
            if part.level == FLUSH:
                continue
            if keep.day is not None and age > keep.day:
                tasks.append(Task(root, rollups[name], (part,), DAY, drop=True, kind="expire"))
            elif keep.hour is not None and age > keep.hour and part.grain < _DAY:
                tasks.append(_coarsen(root, rollups[name], part, _DAY))
            elif keep.minute is not None and age > keep.minute and part.grain < _HOUR:
                tasks.append(_coarsen(root, rollups[name], part, _HOUR))
    return tasks


def _coarsen(root: Path, rollup: Rollup, part: Part, grain: int) -> Task:
    return Task(root, rollup, (part,), HOUR, part.max_ts + timedelta(days=1), grain, kind="expire")


def _by_rollup(state: State, rollups: Mapping[str, Rollup]):  # type: ignore[no-untyped-def]
    """Group the parts of the rollups that are still defined; those of others stay as they are."""
    for name in rollups:
        parts = [part for part in state.parts if part.rollup == name]
        if parts:
            yield name, parts


def _due(root: Path, rollup: Rollup, parts: Sequence[Part]) -> list[Task]:
    newest = max(part.max_ts for part in parts)
    open_from = newest.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    flushed = [part for part in parts if part.level == FLUSH]
    if len(flushed) >= FLUSHES:
        return [Task(root, rollup, tuple(flushed), HOUR, open_from)]
    hours: dict[int, list[Part]] = {}
    for part in parts:
        if part.level == HOUR:
            hours.setdefault(int(part.min_ts.timestamp()) // _HOUR, []).append(part)
    crowded = [group for group in hours.values() if len(group) >= HOURS]
    if crowded:
        return [Task(root, rollup, tuple(group), HOUR, open_from) for group in crowded]
    return _over(root, rollup, [part for part in parts if part.level != FLUSH and part.max_ts < open_from], open_from)


def _over(root: Path, rollup: Rollup, parts: Sequence[Part], open_from: datetime) -> list[Task]:
    """Merge the days that are over, once they have hours, or enough late days, to merge."""
    tasks = []
    for group in _overlapping_days(parts):
        if any(part.level == HOUR for part in group) or len(group) >= HOURS:
            tasks.append(Task(root, rollup, tuple(group), HOUR, open_from))
    return tasks


def _overlapping_days(parts: Sequence[Part]) -> list[list[Part]]:
    """Group parts whose days overlap, so that each group can be merged by itself."""
    groups: list[list[Part]] = []
    last = -1
    for part in sorted(parts, key=lambda part: part.min_ts):
        first = int(part.min_ts.timestamp()) // _DAY
        if groups and first <= last:
            groups[-1].append(part)
        else:
            groups.append([part])
            last = -1
        last = max(last, int(part.max_ts.timestamp()) // _DAY)
    return groups
