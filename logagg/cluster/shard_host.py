"""One shard in a worker: takes jobs, answers requests, returns deltas to be committed."""

from __future__ import annotations

import math
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from logagg.cluster.epochs import Epochs
from logagg.cluster.handshake import MISFIT
from logagg.cluster.protocol import (
    TOKEN,
    JobMessage,
    OwnerRequest,
    PositionsRequest,
    Reply,
    SourcePosition,
)
from logagg.cluster.quarantine import Attempts
from logagg.cluster.refusals import REPLAYED, Refusals
from logagg.heartbeat import Heartbeat, encode_short
from logagg.metrics import DUPLICATES, GAPS, HELD, TAKEN, Sample
from logagg.quantities import counted
from logagg.records import Delta, KnownSource, Source
from logagg.rollup.shard import Gap, Shard


@dataclass(frozen=True, slots=True)
class Ownership:
    """The state of a shard in the process that owns it."""

    attempts: Attempts
    epochs: Epochs
    refusals: Refusals
    release: Callable[[], None]
    limit: int  # bytes that a job may unpack to


class ShardHost:
    """A shard that this process owns, with its state in the lake at the takeover.

    Messages are addressed to this owner by its token; so a recorded message to another owner, of this or any other shard
    or lake, cannot be replayed here. For one owner a request counts once, by its number, and a job by its positions.
    """

    def __init__(self, shard: Shard, shards: int, known: Sequence[KnownSource], owned: Ownership) -> None:
        self.number = shard.number
        self.owner = secrets.token_hex(TOKEN)
        self.taken = self.duplicates = self.gaps = self.commits = 0
        self._committed_at: float | None = None  # seconds since the epoch
        self._once = secrets.token_hex(TOKEN)  # the token for the next StatusRequest, which has no number
        self._shard, self._shards, self.owned, self.attempts = shard, shards, owned, owned.attempts
        self._committed = {one.source.id: one.progress[shard.number].position for one in known}
        self._applied = dict(self._committed)
        self._sources = {one.source.id: one.source for one in known}
        self._progress = {one.source.id: one.progress[shard.number] for one in known}
        self._news: dict[str, Source] = {}
        self._counts: dict[str, tuple[str, int]] = {}  # by tailer: its run, and the number of its last request
        self._reports: dict[str, dict[str, int]] = {}  # by tailer, with the time of receipt
        self._heartbeats: dict[str, str] = {}  # of tailers

    @property
    def nbytes(self) -> int:
        return self._shard.nbytes

    @property
    def is_dirty(self) -> bool:
        """Return whether there is something to commit."""
        return bool(self._news)

    @property
    def waits(self) -> bool:
        """Return whether there are jobs that are not rolled up yet."""
        return self._shard.waits

    def objects(self, message: JobMessage | PositionsRequest, owner: bytes) -> Reply | None:
        """Return the reply to a message that does not count here, or None; nothing has been done with it yet."""
        if owner.hex() != self.owner:
            return self.says("moved")
        if isinstance(message, JobMessage) and message.shards != self._shards:
            return self.says(
                "refused",
                reason=f"{MISFIT}the lake has {counted(self._shards, 'shard')}, the tailer divides by {message.shards}",
            )
        if not self.owned.epochs.admits(message.tailer, message.epoch, message.run):
            return self.says("superseded")
        if isinstance(message, PositionsRequest) and not self._is_new(message):
            self.owned.refusals.add(
                REPLAYED, f"shard {self.number}: a request of tailer {message.tailer} came a second time"
            )
            return self.says("refused", reason="the request came a second time")
        return None

    def take(self, message: JobMessage) -> Reply:
        """Absorb a job, if it is the next of its source. After an exception the shard must be restarted."""
        id_ = message.source.id
        try:
            is_new = self._shard.absorb(message.job)
            if self.attempts.careful:
                self._shard.roll_up()
        except Gap as gap:
            self.gaps += 1
            outcome = "overlap" if message.job.start < gap.position < message.job.end else "gap"
            return self.says(outcome, [id_], str(gap))
        if not is_new:
            self.duplicates += 1
            return self.says("duplicate", [id_])
        self.taken += 1
        self._applied[id_] = message.job.end
        self._sources[id_] = self._news[id_] = message.source
        return self.says("taken", [id_])

    def tell_owner(self, request: OwnerRequest) -> Reply:
        """Return the token of the shard's owner and the last epoch of a tailer, which other messages need."""
        owner = self._once if request.for_status else self.owner
        return Reply("taken", self._shards, owner, epoch=self.owned.epochs.last(request.tailer), limit=self.owned.limit)

    def tell_positions(self, request: PositionsRequest) -> Reply:
        """Return the positions of a tailer's sources."""
        if request.report:
            self._reports[request.tailer] = dict(request.report)
        for source in request.sources:
            if self._sources.get(source.id) != source:
                self._sources[source.id] = self._news[source.id] = source
        mine = [id_ for id_, source in self._sources.items() if source.tailer == request.tailer]
        answer = self.says("taken", mine)
        return replace(answer, known=self._known(request.tailer)) if request.begins else answer

    def note(self, heartbeat: Heartbeat) -> None:
        """Keep a tailer's heartbeat for `logagg status`."""
        self._heartbeats[heartbeat.tailer] = encode_short(heartbeat)

    def tell_status(self, owner: bytes, now: float) -> Reply:
        """Return the numbers of the shard and its tailers; each token is valid for one such reply."""
        if owner.hex() != self._once:
            return Reply("moved", self._shards, self._once)
        self._once = secrets.token_hex(TOKEN)
        refusals = self.owned.refusals
        shard = {"taken": self.taken, "duplicates": self.duplicates, "gaps": self.gaps, "held": self.nbytes}
        shard |= {"commits": self.commits, "pid": os.getpid()}
        shard |= {} if self._committed_at is None else {"committed_at": int(self._committed_at)}
        shard["at"] = math.ceil(now)  # rounded up, so that no age is understated
        shard |= {"refused": refusals.total} | ({} if refusals.age is None else {"refused_age": refusals.age})
        tailers: dict[str, dict[str, int]] = {}
        for id_, source in self._sources.items():
            one = tailers.setdefault(source.tailer, {"sources": 0, "committed": 0, "applied": 0})
            one["sources"] += 1
            one["committed"] += self._committed.get(id_, 0)
            one["applied"] += self._applied.get(id_, 0)
        for name, report in self._reports.items():
            since = {"silent": max(0, int(now) - report["at"])} if "at" in report else {}
            tailers[name] = tailers.get(name, {}) | report | since
        heartbeats = tuple(self._heartbeats.values())
        return Reply("taken", self._shards, self.owner, reports={**tailers, "": shard}, heartbeats=heartbeats)

    def is_committed(self, tailer: str) -> bool:
        """Return whether everything from a tailer is committed."""
        ours = [id_ for id_, source in self._sources.items() if source.tailer in (tailer, "")]
        return all(self._applied.get(id_) == self._committed.get(id_) for id_ in ours)

    def numbers(self) -> Iterator[Sample]:
        """Return what a scrape shows."""
        shard = str(self.number)
        yield TAKEN.of(self.taken, shard)
        yield DUPLICATES.of(self.duplicates, shard)
        yield GAPS.of(self.gaps, shard)
        yield HELD.of(self.nbytes, shard)

    def drain(self) -> tuple[Delta, list[Source]]:
        """Return the delta to commit."""
        news, self._news = self._news, {}
        return self._shard.drain(), list(news.values())

    def committed(self, delta: Delta, now: float) -> None:
        """Note that a delta of this shard was committed."""
        self.commits += 1
        self._committed_at = now
        self._progress.update(delta.progress)
        self._committed.update({id_: progress.position for id_, progress in delta.progress.items()})

    def close(self) -> None:
        self._shard.close()

    def says(self, outcome: str, sources: Sequence[str] = (), reason: str = "") -> Reply:
        positions = {id_: (self._committed[id_], self._applied[id_]) for id_ in sources if id_ in self._committed}
        missing = {id_: (0, self._applied[id_]) for id_ in sources if id_ in self._applied and id_ not in positions}
        return Reply(outcome, self._shards, self.owner, positions | missing, reason=reason)

    def _known(self, tailer: str) -> tuple[SourcePosition, ...]:
        """Return the sources of a tailer, and those of a tail without a name."""
        ours = [source for source in self._sources.values() if source.tailer in (tailer, "")]
        return tuple(SourcePosition(source, self._progress.get(source.id)) for source in ours)

    def _is_new(self, request: PositionsRequest) -> bool:
        """Return whether a request of a tailer's last run is received for the first time."""
        run, last = self._counts.get(request.tailer, ("", 0))
        if request.count <= (last if run == request.run else 0):
            return False
        self._counts[request.tailer] = request.run, request.count
        return True
