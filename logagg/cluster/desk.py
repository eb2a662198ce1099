"""One shard in a worker: takes parcels, answers questions, gives deltas to be committed."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from logagg.cargo import Delta, KnownSource, Source
from logagg.cluster.dispatch import MISFIT
from logagg.cluster.poison import Attempts
from logagg.heartbeat import Heartbeat, encode_short
from logagg.metrics import Number
from logagg.queues.wire import Answer, Known, Parcel, Question
from logagg.rollup.shard import Gap, Shard


class Desk:
    """A shard that this process owns, with what the lake had of it when it took over."""

    def __init__(
        self, shard: Shard, shards: int, known: Sequence[KnownSource], attempts: Attempts, release: Callable[[], None]
    ) -> None:
        self.number = shard.number
        self.owner = secrets.token_hex(4)
        self.taken = self.duplicates = self.gaps = 0
        self._shard, self._shards, self.attempts, self.release = shard, shards, attempts, release
        self._committed = {one.source.id: one.progress[shard.number].position for one in known}
        self._applied = dict(self._committed)
        self._sources = {one.source.id: one.source for one in known}
        self._progress = {one.source.id: one.progress[shard.number] for one in known}
        self._news: dict[str, Source] = {}
        self._epochs: dict[str, int] = {}
        self._reports: dict[str, dict[str, int]] = {}  # of tailers, with when they came
        self._heartbeats: dict[str, str] = {}  # of tailers

    @property
    def nbytes(self) -> int:
        return self._shard.nbytes

    @property
    def is_dirty(self) -> bool:
        """Tell whether there is something to commit."""
        return bool(self._news)

    @property
    def waits(self) -> bool:
        """Tell whether there are jobs that are not rolled up yet."""
        return self._shard.waits

    def take(self, parcel: Parcel) -> Answer:
        """Absorb a job, if it is the next of its source. What is raised leaves the shard in no state to go on."""
        if parcel.shards != self._shards:
            return self.says("refused", reason=f"{MISFIT}the lake has {self._shards} shards, the tailer deals to {parcel.shards}")
        if not self._is_current(parcel.tailer, parcel.epoch):
            return self.says("superseded")
        id_ = parcel.source.id
        try:
            is_new = self._shard.absorb(parcel.job)
            if self.attempts.careful:
                self._shard.roll_up()
        except Gap as gap:
            self.gaps += 1
            verdict = "overlap" if parcel.job.start < gap.position < parcel.job.end else "gap"
            return self.says(verdict, [id_], str(gap))
        if not is_new:
            self.duplicates += 1
            return self.says("duplicate", [id_])
        self.taken += 1
        self._applied[id_] = parcel.job.end
        self._sources[id_] = self._news[id_] = parcel.source
        return self.says("taken", [id_])

    def hears(self, question: Question) -> Answer:
        """Say how far the sources of a tailer have come."""
        if not self._is_current(question.tailer, question.epoch):
            return self.says("superseded")
        if question.report:
            self._reports[question.tailer] = dict(question.report)
        for source in question.sources:
            if self._sources.get(source.id) != source:
                self._sources[source.id] = self._news[source.id] = source
        mine = [id_ for id_, source in self._sources.items() if source.tailer == question.tailer]
        answer = self.says("taken", mine)
        return replace(answer, known=self._known(question.tailer)) if question.begins else answer

    def note(self, heartbeat: Heartbeat) -> None:
        """Remember how a tailer does, for those who look."""
        self._heartbeats[heartbeat.tailer] = encode_short(heartbeat)

    def shows(self, now: float) -> Answer:
        """Say how the shard and its tailers do, to one who looks."""
        shard = {"taken": self.taken, "duplicates": self.duplicates, "gaps": self.gaps, "held": self.nbytes, "at": int(now)}
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
        return Answer("taken", self._shards, self.owner, reports={**tailers, "": shard}, heartbeats=heartbeats)

    def begins(self, question: Question) -> bool:
        """Take no more from a tailer's earlier epochs; tell whether all that came from them is committed."""
        self._is_current(question.tailer, question.epoch)
        ours = [id_ for id_, source in self._sources.items() if source.tailer in (question.tailer, "")]
        return all(self._applied.get(id_) == self._committed.get(id_) for id_ in ours)

    def numbers(self) -> Iterator[Number]:
        """Return what a scrape shows."""
        label = ("shard", str(self.number))
        yield Number("logagg_jobs_taken_total", "Jobs that count.", self.taken, label)
        yield Number("logagg_jobs_duplicate_total", "Jobs that counted before, and were dropped.", self.duplicates, label)
        yield Number("logagg_gaps_total", "Jobs that came before those before them.", self.gaps, label)
        yield Number("logagg_held_bytes", "What is in memory and not committed yet.", self.nbytes, label)

    def drain(self) -> tuple[Delta, list[Source]]:
        """Return what is to be committed."""
        news, self._news = self._news, {}
        return self._shard.drain(), list(news.values())

    def committed(self, delta: Delta) -> None:
        """Note that a delta of this shard is committed."""
        self._progress.update(delta.progress)
        self._committed.update({id_: progress.position for id_, progress in delta.progress.items()})

    def close(self) -> None:
        self._shard.close()

    def says(self, verdict: str, sources: Sequence[str] = (), reason: str = "") -> Answer:
        positions = {id_: (self._committed[id_], self._applied[id_]) for id_ in sources if id_ in self._committed}
        missing = {id_: (0, self._applied[id_]) for id_ in sources if id_ in self._applied and id_ not in positions}
        return Answer(verdict, self._shards, self.owner, positions | missing, reason=reason)

    def _known(self, tailer: str) -> tuple[Known, ...]:
        """Return the sources of a tailer, and those that a tail without a name has read."""
        ours = [source for source in self._sources.values() if source.tailer in (tailer, "")]
        return tuple(Known(source, self._progress.get(source.id)) for source in ours)

    def _is_current(self, tailer: str, epoch: int) -> bool:
        newest = self._epochs[tailer] = max(epoch, self._epochs.get(tailer, epoch))
        return epoch == newest

