"""The state of a lake at one commit, and the transition to the next one; no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeVar

import numpy as np
import pyarrow as pa

from logagg.lake.parts import FLUSH, Part
from logagg.lake.uncounted import Ranges, Uncounted, extended, holds, without, without_sources
from logagg.lake.watermarks import Derived, Reached, Watermark, reached
from logagg.quantities import counted
from logagg.records import Delta, Fingerprint, Progress, Reject, Source
from logagg.rollup.requests import NAME as REQUESTS
from logagg.rollup.requests import minute_after
from logagg.sharding import of_all_shards, owners

COMMITS = 1000  # number of commits that a state remembers
REPAIR = "repair"  # a commit that gives damaged parts up
BACKFILL = "backfill"  # a commit that counts requests in a rollup that was not there when they were read
DERIVE = "derive"  # a commit that moves the watermark of a derivation
EVICT = "evict"  # a commit that drops rows since they take too much space
FORGOTTEN = "(forgotten)"  # the id of all forgotten sources together
NEVER = datetime.fromtimestamp(0, UTC)
LATEST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CommitInfo:
    """A summary of one commit."""

    id: int
    committed_at: datetime
    kind: str  # "flush", "compact", "expire", "check", "repair", "backfill", "derive", "evict" or "open"
    rows: int
    files: int  # written
    bytes: int
    lines: int


@dataclass(frozen=True, slots=True)
class PendingCommit:
    """A commit to be applied: its additions, and the positions that it continues from.

    Idempotent, like a job: *due* if the state is at its start positions, *already applied* if at its end positions,
    otherwise *stale* (another writer owns the shard now).
    """

    kind: str  # FLUSH, or "compact", "expire", "check", REPAIR, BACKFILL, DERIVE or EVICT
    parts: tuple[Part, ...]  # the new ones, on the disk
    old: tuple[Part, ...] = ()  # the parts that they replace
    deltas: tuple[Delta, ...] = ()  # without rows and key state, which are in the parts and in `clicks`
    sources: tuple[Source, ...] = ()
    clicks: pa.Table | None = None  # the key state of these shards, whole
    shards: int = 0  # total number of shards
    noted: tuple[Part, ...] = ()  # parts that stay, marked as damaged
    since: datetime | None = None  # after requests were dropped: the time from which on they are complete
    rollup: str = ""  # the one that is filled
    filled: Ranges = field(default_factory=dict)  # the ranges that this commit counts in it
    derived: Derived | None = None  # of a derivation: the content of its parts

    @classmethod
    def flush(
        cls, deltas: Sequence[Delta], sources: Sequence[Source], parts: Sequence[Part], shards: int
    ) -> PendingCommit:
        """Return the pending commit of deltas, whose rows are in parts."""
        clicks = [delta.clicks for delta in deltas if delta.clicks is not None]
        bare = tuple(replace(delta, rollups={}, clicks=None, requests=None) for delta in deltas)
        return cls(FLUSH, tuple(parts), (), bare, tuple(sources), pa.concat_tables(clicks) if clicks else None, shards)

    @property
    def owned(self) -> list[int]:
        """Return the shards whose deltas these are."""
        return [delta.shard for delta in self.deltas]

    def info(self, number: int, at: datetime) -> CommitInfo:
        """Return the summary of this commit."""
        rows, size = sum(part.rows for part in self.parts), sum(part.bytes for part in self.parts)
        return CommitInfo(number, at, self.kind, rows, len(self.parts), size, sum(delta.lines for delta in self.deltas))


CommitStatus = Literal["due", "applied", "stale"]


@dataclass(frozen=True, slots=True)
class LostPart:
    """A damaged part that was given up: its rows are lost."""

    rollup: str
    path: str
    rows: int
    min_ts: datetime
    max_ts: datetime
    given_up: datetime

    def __str__(self) -> str:
        return f"{counted(self.rows, 'row')} of {self.rollup}, from {self.min_ts:%Y-%m-%d %H:%M} to {self.max_ts:%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True, slots=True)
class State:
    """The content of a catalog."""

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
    uncounted: Uncounted = field(default_factory=dict)  # the ranges that rollups have not counted
    requests_from: datetime = NEVER  # the time from which on there is a request for each event of a kept kind
    requests_kinds: tuple[str, ...] = ()  # the kinds that are kept
    gone: datetime = NEVER  # the newest bucket that retention has dropped, of any rollup
    steady: datetime = NEVER  # since when the clock of the commits has run without a leap
    secret: str = ""  # the digest of the key of the visitor hash; empty: an earlier logagg wrote the lake
    lost: tuple[LostPart, ...] = ()
    derived: Mapping[str, Watermark] = field(default_factory=dict)  # by derivation
    reached: Reached = ()  # how far the logs had come
    late: int = 0  # requests that came after their time was derived
    evicted: Mapping[str, int] = field(default_factory=dict)  # by table: rows that were dropped for their space

    def lines(self) -> int:
        return sum(one.lines for shards in self.progress.values() for one in shards.values())

    def status_of(self, pending: PendingCommit) -> CommitStatus:
        """Return whether a pending commit is due, already applied, or stale, by the positions or parts that it continues from."""
        if pending.kind != FLUSH:
            if self._continues(pending):
                return "due"
            return "applied" if self._has(pending) else "stale"
        found = {self._status_in(delta, source) for delta in pending.deltas for source in delta.starts}
        return "due" if found <= {"due"} else "applied" if found == {"applied"} else "stale"

    def _continues(self, pending: PendingCommit) -> bool:
        """Tell whether the parts and ranges that a commit without deltas replaces or counts are as its writer found
        them."""
        if pending.kind == BACKFILL:
            # A rollup that has counted some of these lines meanwhile would count them twice.
            return bool(pending.filled) and holds(self.uncounted.get(pending.rollup, {}), pending.filled)
        if pending.derived and not self._continues_derived(pending.derived):
            return False
        paths = {part.path for part in self.parts}
        return paths.issuperset(part.path for part in pending.old)

    def _continues_derived(self, derived: Derived) -> bool:
        """Tell whether a watermark is where a derivation began, and whether it has read all requests up to its end.

        Requests that came meanwhile are late. Merged ones may be those that it read, or others: it has to begin again.
        """
        mark = self.derived.get(derived.name)
        others = (part for part in self.requests_in(derived.since, derived.until) if part.path not in derived.read)
        return mark is not None and mark.until == derived.since and all(part.level == FLUSH for part in others)

    def requests_in(self, since: datetime, until: datetime) -> list[Part]:
        """Return the parts that may have requests of a time."""
        return [part for part in self.parts if part.rollup == REQUESTS and part.min_ts < until and part.max_ts >= since]

    @property
    def watermark(self) -> datetime:
        """The time before which requests are late."""
        return max((mark.until for mark in self.derived.values()), default=NEVER)

    @property
    def derived_until(self) -> datetime:
        """The time up to which all that is derived of requests is derived: those before it may be dropped."""
        return min((mark.until for mark in self.derived.values() if mark.digest), default=LATEST)

    @property
    def derived_tables(self) -> set[str]:
        """The tables that derivations write."""
        return {table for mark in self.derived.values() for table in mark.tables}

    def _has(self, pending: PendingCommit) -> bool:
        """Tell whether the parts of a commit without deltas are there; for a backfill without parts that is unknown."""
        new = {part.path for part in pending.parts}
        there = new <= {part.path for part in self.parts}
        if pending.derived and not new:
            mark = self.derived.get(pending.derived.name)
            return mark is not None and mark.until >= pending.derived.until
        return there and bool(new or pending.kind != BACKFILL)

    def _status_in(self, delta: Delta, source: str) -> CommitStatus:
        at = self.progress.get(source, {}).get(delta.shard)
        if at is None:
            return "due"
        if at.position >= delta.progress[source].position:
            return "applied"
        return "due" if at.position == delta.starts[source] else "stale"

    def after(self, pending: PendingCommit, now: datetime, keep: int) -> State:
        """Return the state after a pending commit, which is due; `keep` samples of rejects stay."""
        if pending.kind == FLUSH:
            state = self._flushed(pending, now, keep)
        elif pending.kind == BACKFILL:
            state = self._filled(pending)
        elif pending.derived:
            state = self._derived(pending, pending.derived)
        else:
            state = self._replaced(pending, now)
        return replace(state, parts=(*state.parts, *pending.parts)).committed(pending.info(self.id + 1, now))

    def _filled(self, pending: PendingCommit) -> State:
        if pending.old or pending.deltas or any(part.rollup != pending.rollup for part in pending.parts):
            raise ValueError(f"a backfill of {pending.rollup} that changes other rollups")
        return replace(self, uncounted=without(self.uncounted, pending.rollup, pending.filled))

    def _derived(self, pending: PendingCommit, derived: Derived) -> State:
        mark, old = self.derived[derived.name], {part.path for part in pending.old}
        if pending.deltas or any(part.rollup not in mark.tables for part in (*pending.parts, *pending.old)):
            raise ValueError(f"a derivation of {derived.name} that changes more than that")
        marks = {**self.derived, derived.name: replace(mark, until=derived.until)}
        return replace(self, parts=tuple(part for part in self.parts if part.path not in old), derived=marks)

    def committed(self, info: CommitInfo) -> State:
        """Return the state as that of a commit."""
        return replace(self, id=info.id, commits=(*self.commits, info)[-COMMITS:])

    def _replaced(self, pending: PendingCommit, now: datetime) -> State:
        old, noted = {part.path for part in pending.old}, {part.path: part for part in pending.noted}
        parts = tuple(noted.get(part.path, part) for part in self.parts if part.path not in old)
        since = max([self.requests_from, *([pending.since] if pending.since else [])])
        if pending.kind == REPAIR:
            since = max([since, *(minute_after(part.max_ts) for part in pending.old if part.rollup == REQUESTS)])
            lost = (LostPart(one.rollup, one.path, one.rows, one.min_ts, one.max_ts, now) for one in pending.old)
            return replace(self, parts=parts, lost=(*self.lost, *lost), requests_from=since)
        others = {REQUESTS} | self.derived_tables
        dropped = () if pending.parts else [part.max_ts for part in pending.old if part.rollup not in others]
        return replace(
            self,
            parts=parts,
            gone=max([self.gone, *dropped]),
            requests_from=since,
            evicted=self._evicted_after(pending) if pending.kind == EVICT else self.evicted,
        )

    def _evicted_after(self, pending: PendingCommit) -> Mapping[str, int]:
        evicted = Counter(self.evicted)
        for part in pending.old:
            evicted[part.rollup] += part.rows
        return dict(evicted)

    def _flushed(self, pending: PendingCommit, now: datetime, keep: int) -> State:
        """Return the state with the progress, rejects and key state of some shards."""
        progress, rejects, samples = dict(self.progress), dict(self.rejects), list(self.samples)
        for delta in pending.deltas:
            for source, one in delta.progress.items():
                progress[source] = {**progress.get(source, {}), delta.shard: one}
            for source, some in delta.rejects.items():
                counts = Counter(rejects.get(source, {}))
                counts.update(some.counts)
                rejects[source] = counts
                samples += [(source, sample) for sample in some.samples]
        updated = {source.id: source for source in pending.sources}
        # Of several writers, the one with the first shard keeps the records: others may have older ones.
        known = {**self.sources, **updated} if 0 in pending.owned else {**updated, **self.sources}
        return replace(
            self,
            sources={id_: known[id_] for id_ in progress},
            progress=progress,
            rejects=rejects,
            samples=tuple(samples[max(0, len(samples) - keep) :]),
            clicks=self._clicks_after(pending),
            uncounted=extended(self.uncounted, self._that_count(), pending.deltas, pending.shards),
            requests_from=max([self.requests_from, *map(_not_kept, pending.deltas)]),
            reached=reached(self.reached, pending.deltas, now),
        )

    def _that_count(self) -> list[str]:
        others = {REQUESTS} | self.derived_tables
        return [name for name in self.rollups if name not in others]

    def _clicks_after(self, pending: PendingCommit) -> pa.Table | None:
        """Return the key state, replaced for the shards that flush."""
        clicks = [] if pending.clicks is None else [pending.clicks]
        if len(pending.owned) < pending.shards and self.clicks is not None and self.clicks.num_rows:
            owner = owners(self.clicks["visitor"], pending.shards)
            others = self.clicks.filter(pa.array(~np.isin(owner, pending.owned)))
            clicks.append(others.cast(clicks[0].schema) if clicks else others)
        return pa.concat_tables(clicks) if clicks else None

    def repartitioned(self, former: int | None, shards: int) -> Mapping[str, Mapping[int, Progress]]:
        """Return the progress of all sources for a number of shards, each with all of them.

        `former` is the number of shards that wrote it, where they may have committed apart; a shard that has
        committed nothing of a source is at its origin. Raises ValueError if the number changes while the
        shards are at different positions in a source.
        """
        return {
            id_: found if id_ == FORGOTTEN else _repartitioned(self.sources[id_], found, former or len(found), shards)
            for id_, found in self.progress.items()
        }

    def without_gone(self, before: float) -> State:
        """Return the state without sources whose file went missing before a time; their sums stay, as those of FORGOTTEN."""
        gone = {id_ for id_, source in self.sources.items() if 0 < source.gone < before}
        if not gone:
            return self
        gone.add(FORGOTTEN)
        lines: Counter[int] = Counter()
        rejects: Counter[str] = Counter()
        for id_ in gone:
            lines.update({shard: one.lines for shard, one in self.progress.get(id_, {}).items()})
            rejects.update(self.rejects.get(id_, {}))
        nothing = Fingerprint(0, 0, "")
        return replace(
            self,
            sources={
                FORGOTTEN: Source(FORGOTTEN, FORGOTTEN, 0, 0, nothing, finished=True),
                **_without(self.sources, gone),
            },
            progress={
                FORGOTTEN: {shard: Progress(0, count, nothing) for shard, count in lines.items()},
                **_without(self.progress, gone),
            },
            rejects={FORGOTTEN: rejects, **_without(self.rejects, gone)},
            uncounted=without_sources(self.uncounted, {id_ for id_ in gone if self._has_no_requests(id_)}),
        )

    def _has_no_requests(self, id_: str) -> bool:
        """Tell whether all requests of a source were dropped: they were written before its file was gone."""
        gone = self.sources[id_].gone if id_ in self.sources else 0
        return not self.requests_kinds or NEVER + timedelta(seconds=gone, days=1) < self.requests_from


def _not_kept(delta: Delta) -> datetime:
    """Return the time from which on there may be requests, after a flush that kept none."""
    return minute_after(NEVER + timedelta(microseconds=delta.not_kept)) if delta.not_kept else NEVER


def _repartitioned(source: Source, found: Mapping[int, Progress], former: int, shards: int) -> Mapping[int, Progress]:
    whole = of_all_shards(source, found, former)
    if former == shards:
        return whole
    if len({one.position for one in whole.values()}) > 1:
        raise ValueError(f"{counted(former, 'shard')} wrote it, and their positions differ")
    # The lines of all former shards go to the first of the new ones: only their sum has a meaning.
    lines = sum(one.lines for one in found.values())
    any_ = next(iter(whole.values()))
    return {shard: replace(any_, lines=lines if shard == 0 else 0) for shard in range(shards)}


Value = TypeVar("Value")


def _without(mapping: Mapping[str, Value], keys: Container[str]) -> dict[str, Value]:
    return {key: value for key, value in mapping.items() if key not in keys}
