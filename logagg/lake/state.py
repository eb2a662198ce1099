"""What a lake holds at one commit, and what the next one makes of it; no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TypeVar

import numpy as np
import pyarrow as pa

from logagg.cargo import Delta, Mark, Progress, Reject, Source
from logagg.lake.files import Part

FORGOTTEN = "(forgotten)"  # stands for all sources that are forgotten
NEVER = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class CommitInfo:
    """What one commit did."""

    id: int
    committed_at: datetime
    kind: str  # "flush", "compact", "expire" or "open"
    rows: int
    files: int  # written
    bytes: int
    lines: int


@dataclass(frozen=True, slots=True)
class State:
    """All that a catalog says."""

    id: int = 0
    root: str = ""
    created_at: datetime = NEVER
    parts: tuple[Part, ...] = ()
    sources: Mapping[str, Source] = field(default_factory=dict)
    progress: Mapping[str, Mapping[int, Progress]] = field(default_factory=dict)  # by source, by shard
    rejects: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # by source, by reason
    samples: tuple[tuple[str, Reject], ...] = ()  # with their source
    commits: tuple[CommitInfo, ...] = ()
    clicks: pa.Table | None = None
    rollups: Mapping[str, pa.Schema] = field(default_factory=dict)  # all that have, or had, a view
    gone: datetime = NEVER  # the newest bucket that retention has dropped, of any rollup

    def lines(self) -> int:
        return sum(one.lines for shards in self.progress.values() for one in shards.values())

    def after_flush(self, deltas: Sequence[Delta], sources: Sequence[Source], shards: int, keep: int) -> State:
        """Return the state with what a flush of some of the `shards` says: progress, rejects and `keep` samples, key state."""
        progress = {source: dict(shards) for source, shards in self.progress.items()}
        rejects = {source: dict(reasons) for source, reasons in self.rejects.items()}
        samples = list(self.samples)
        for delta in deltas:
            for source, one in delta.progress.items():
                progress.setdefault(source, {})[delta.shard] = one
            for source, some in delta.rejects.items():
                counts = rejects.setdefault(source, {})
                for reason, lines in some.counts.items():
                    counts[reason] = counts.get(reason, 0) + lines
                samples += [(source, sample) for sample in some.samples]
        told = {source.id: source for source in sources}
        # Of several writers, the one with the first shard keeps the records: others may have older ones.
        known = {**self.sources, **told} if any(delta.shard == 0 for delta in deltas) else {**told, **self.sources}
        return replace(
            self,
            sources={id_: known[id_] for id_ in progress},
            progress=progress,
            rejects=rejects,
            samples=tuple(samples[max(0, len(samples) - keep) :]),
            clicks=self._clicks_after(deltas, shards),
        )

    def _clicks_after(self, deltas: Sequence[Delta], shards: int) -> pa.Table | None:
        """Return the key state with that of the shards that flush in place of what it was."""
        clicks = [delta.clicks for delta in deltas if delta.clicks is not None]
        if len(deltas) < shards and self.clicks is not None and self.clicks.num_rows:
            owner = self.clicks["visitor"].to_numpy() % shards
            others = self.clicks.filter(pa.array(~np.isin(owner, [delta.shard for delta in deltas])))
            clicks.append(others.cast(clicks[0].schema) if clicks else others)
        return pa.concat_tables(clicks) if clicks else None

    def dealt(self, former: int | None, shards: int) -> Mapping[str, Mapping[int, Progress]]:
        """Return the progress of all sources for a number of shards, each with all of them.

        `former` is the number of shards that wrote it, where they may have committed apart; what a shard has not
        committed stands where reading began. Raises ValueError when another number is to take up sources of which the
        shards stand at different positions.
        """
        return {
            id_: found if id_ == FORGOTTEN else _dealt(self.sources[id_], found, former or len(found), shards)
            for id_, found in self.progress.items()
        }

    def without_gone(self, before: float) -> State:
        """Return the state without the sources whose file is gone since before; what they add up to stays, as of one."""
        gone = {id_ for id_, source in self.sources.items() if 0 < source.gone < before}
        if not gone:
            return self
        gone.add(FORGOTTEN)
        lines: Counter[int] = Counter()
        rejects: Counter[str] = Counter()
        for id_ in gone:
            lines.update({shard: one.lines for shard, one in self.progress.get(id_, {}).items()})
            rejects.update(self.rejects.get(id_, {}))
        nothing = Mark(0, 0, "")
        return replace(
            self,
            sources={FORGOTTEN: Source(FORGOTTEN, FORGOTTEN, 0, 0, nothing, finished=True), **_without(self.sources, gone)},
            progress={
                FORGOTTEN: {shard: Progress(0, count, nothing) for shard, count in lines.items()},
                **_without(self.progress, gone),
            },
            rejects={FORGOTTEN: rejects, **_without(self.rejects, gone)},
        )


def _dealt(source: Source, found: Mapping[int, Progress], former: int, shards: int) -> Mapping[int, Progress]:
    start = Progress(source.origin, 0, Mark.blank(source.origin))
    whole = {shard: found.get(shard, start) for shard in range(former)}
    if former == shards:
        return whole
    if len({one.position for one in whole.values()}) > 1:
        raise ValueError(f"{former} shards wrote it and stand at different positions")
    # The lines of all former shards go to the first of the new ones: only their sum has a meaning.
    lines = sum(one.lines for one in found.values())
    any_ = next(iter(whole.values()))
    return {shard: replace(any_, lines=lines if shard == 0 else 0) for shard in range(shards)}


Value = TypeVar("Value")


def _without(mapping: Mapping[str, Value], keys: Container[str]) -> dict[str, Value]:
    return {key: value for key, value in mapping.items() if key not in keys}
