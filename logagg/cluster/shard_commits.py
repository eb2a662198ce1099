"""The commits of a worker: all its shards together, in a thread beside the one that takes messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from logagg.clock import Clock
from logagg.cluster.shard_host import ShardHost
from logagg.lake import retry
from logagg.lake.lake import Lake
from logagg.lake.maintenance import Merger
from logagg.notice_log import Notices
from logagg.records import Delta, Source
from logagg.tail.signals import ControlRequests


@dataclass(frozen=True, slots=True)
class CommitPace:
    """How often a worker commits, and sooner if its shards hold much."""

    flush: float  # seconds
    memory: int  # bytes that the worker may take


class ShardCommits:
    """Commits what shards hold, one commit at a time, and merges between commits."""

    def __init__(
        self,
        lake: Lake,
        hosts: Mapping[int, ShardHost],
        pace: CommitPace,
        clock: Clock,
        notices: Notices,
        requests: ControlRequests,
        restart: Callable[[ShardHost], None],
    ) -> None:
        self._lake, self._hosts, self._pace, self._clock = lake, hosts, pace, clock
        self._notices, self._requests, self._restart = notices, requests, restart
        self._flushed = clock.monotonic()
        self._committer = ThreadPoolExecutor(1, "committer")
        self._running: Future[list[Delta]] | None = None
        lake.merging.notice = notices.report
        self._merger = Merger(lake, clock, notices)

    def flush_if_due(self) -> None:
        """Begin a commit after the flush interval, or if the shards hold an eighth of the memory."""
        held, memory = sum(host.nbytes for host in self._hosts.values()), self._pace.memory
        if self._running and (self._running.done() or held > memory // 4):
            self.wait()
        due = self._clock.monotonic() - self._flushed >= self._pace.flush or held > memory // 8
        if due and not self._running and any(host.is_dirty for host in self._hosts.values()):
            self._begin()

    def commit_all(self) -> None:
        """Commit everything that the shards hold, and wait for it."""
        self.wait()
        if any(host.is_dirty for host in self._hosts.values()):
            self._begin()
            self.wait()

    def commit_alone(self, host: ShardHost) -> None:
        """Commit what one shard holds before anything else."""
        self.wait()
        self._submit([host.drain()])
        self.wait()

    def wait(self) -> None:
        """Wait for the running commit, and tell the shards which positions it has committed."""
        if self._running:
            commit, self._running = self._running, None
            for delta in commit.result():
                self._hosts[delta.shard].committed(delta, self._clock.now())
            self._merger.begin()

    def close(self) -> None:
        self._committer.shutdown()
        self._merger.close()

    def _begin(self) -> None:
        self._flushed = self._clock.monotonic()
        drained = [one for host in list(self._hosts.values()) if host.is_dirty and (one := self._drained(host))]
        if drained:
            self._submit(drained)

    def _submit(self, drained: Sequence[tuple[Delta, list[Source]]]) -> None:
        deltas = [delta for delta, _ in drained]
        sources = {source.id: source for _, some in drained for source in some}
        sources |= {source.id: source for delta, some in drained if delta.shard == 0 for source in some}
        self._running = self._committer.submit(self._write, deltas, list(sources.values()))

    def _drained(self, host: ShardHost) -> tuple[Delta, list[Source]] | None:
        """Return what a shard has to commit; None if it fails: then it is restarted, and its jobs are sent again."""
        try:
            with host.attempts.work():
                return host.drain()
        except Exception:  # `attempts` reports it, and finds the job that is the cause
            self._restart(host)
            return None

    def _write(self, deltas: list[Delta], sources: list[Source]) -> list[Delta]:
        retry.commit_until_done(self._lake, deltas, sources, lambda: self._requests.leaving, self._clock, self._notices)
        return deltas
