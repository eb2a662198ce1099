"""`logagg tail` into the lake of this process: one thread a stage, bounded queues between them.

    read loop ──▶ parsers ──▶ sharder ──▶ shards ──▶ flusher
    chunks        futures     jobs       deltas     one commit

A flush sends a barrier through the stages. It is the same cut through all sources for every shard, so what one commit
makes visible is exactly the lines up to a position of each source.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future

from logagg.alert.service import AlertService
from logagg.clock import Clock, SystemClock
from logagg.config.sections import Config
from logagg.heartbeat import Heartbeat
from logagg.lake import flush, heartbeats, merge, retry
from logagg.lake.lake import Lake
from logagg.lake.maintenance import Merger
from logagg.metrics import Sample
from logagg.notice_log import Notices
from logagg.parse.events.classify import Classifier
from logagg.parse_pool.pool import Parsers
from logagg.parse_pool.task import Then
from logagg.records import Batch, Chunk, Delta, Source
from logagg.rollup.configured import requests_of, rollups_of, tables_of
from logagg.rollup.shard import Shard, ShardSettings
from logagg.sharding import shard_jobs
from logagg.tail.barriers import Barrier, Barriers, Message
from logagg.tail.console import merge_line
from logagg.tail.options import TailOptions
from logagg.tail.queues import BoundedQueue, ShardQueues
from logagg.tail.run import Run, maintained
from logagg.tail.signals import ControlRequests
from logagg.tail.sink import Beginning, Closed, Destination
from logagg.tail.stats import Stats, kinds_of

# Files of the lake that are open at a time: those of a merge and what it makes of them, a new part on each core, a catalog.
DESCRIPTORS = merge.FILES + 1 + flush.WRITERS + 3
HEAD_START = 0.1  # seconds at most before the lake is prepared, so that the parsers have work first


def tail(
    options: TailOptions,
    clock: Clock | None = None,
    requests: ControlRequests | None = None,
    parsers: Parsers | None = None,
) -> None:
    """Follow logs into a lake until told to stop, or read them once. Raises LogaggError."""
    clock, requests = clock or SystemClock(), requests or ControlRequests()
    options.check_paths()
    with parsers or Parsers(options.budget, clock) as ready:
        config = options.config
        lake = Lake.open(options.lake, tables_of(config), clock=clock, config=config, begin=False, patient=True)
        try:
            lake.refuse_missing()
            notices = Notices(clock, verbosity=options.verbosity, as_json=options.log_json)
            alerts = AlertService(options.lake, config, clock, notices.report)
            destination = LocalDestination(lake, options, clock, notices, requests, ready.count, alerts)
            with alerts.running(once=options.once):
                Run(options, destination, clock, notices, requests, ready).run()
        finally:
            lake.close()


class LocalDestination(Destination):
    """The lake of this process."""

    def __init__(
        self,
        lake: Lake,
        options: TailOptions,
        clock: Clock,
        notices: Notices,
        requests: ControlRequests,
        parsers: int,
        alerts: AlertService,
    ) -> None:
        self._alerts = alerts
        self._lake, self._options, self._clock, self._notices, self._parsers = lake, options, clock, notices, parsers
        self._shards, self._budget = options.shard_count, options.budget
        self.lock = heartbeats.lock_state(options.lake).taken
        lake.tell(notices.report)
        lake.merging.notice, lake.merging.leaving = notices.report, lambda: requests.leaving

    def begin(self, stats: Stats, leaving: Callable[[], bool]) -> Beginning | None:
        self._stats = stats
        known = self._lake.known_sources(self._shards)
        return Beginning(known, self._budget.chunk, DESCRIPTORS, self._lake.written_at)

    def classifier(self, config: Config) -> Classifier:
        return Classifier.of(config, self._lake.secret, self._lake.salts.key)

    def check(self, config: Config) -> None:
        rollups_of(config)

    def sink(self, config: Config) -> LocalSink:
        known = self._lake.known_sources(self._shards)
        settings = ShardSettings(
            rollups_of(config),
            config.clicks.window,
            config.limits.keys,
            clicks_bytes=self._budget.clicks,
            events_bytes=self._budget.events,
            requests=requests_of(config),
        )
        clicks = [self._lake.clicks(number, self._shards) for number in range(self._shards)]
        return LocalSink(
            [Shard(number, settings, known, recent) for number, recent in enumerate(clicks)],
            self._lake,
            self._clock,
            self._notices,
            self._stats,
            memory=self._budget.waiting,
            parsers=self._parsers,
            leaving=self._options.once,  # a run that ends does not wait for a full disk
        )

    def adopt(self, config: Config) -> LocalSink:
        self._lake.reconfigure(tables_of(config), config)
        self._alerts.adopt(config)
        return self.sink(config)

    def say(self, heartbeat: Heartbeat) -> None:
        with contextlib.suppress(OSError):  # a full disk is reported by the next commit
            heartbeats.write(self._options.lake, heartbeat)

    def last_heartbeat(self) -> Heartbeat | None:
        return heartbeats.read(self._options.lake)

    def numbers(self) -> Iterator[Sample]:
        yield from maintained(self._lake)
        yield from self._alerts.numbers()

    def may_forget(self) -> bool:
        return self._lake.clock_is_settled()

    @property
    def activity(self) -> str:
        return self._lake.merging.text

    def tidy(self) -> None:
        with merge_line(self._lake.merging, self._options.shows_progress):
            self._lake.compact_due()

    def refuse_damaged(self) -> None:
        self._lake.refuse_damaged()

    def end(self) -> None:
        """End a session: the lake stays open for the end of the run."""


class LocalSink:
    """Shards in this process, and one commit for all of them at each flush (see `Sink`)."""

    then: Then | None = None

    def __init__(
        self,
        shards: Sequence[Shard],
        lake: Lake,
        clock: Clock,
        notices: Notices,
        stats: Stats,
        *,
        memory: int,  # uncommitted bytes, at most
        parsers: int,
        leaving: bool = False,
    ) -> None:
        self._shards, self._lake, self._clock, self._notices = shards, lake, clock, notices
        self._tally, self._freshness = stats.tally, stats.freshness
        self._memory, self._leaving = memory, leaving
        self._parsed: BoundedQueue[tuple[Chunk, Future[Batch]] | Barrier] = BoundedQueue(max(1, parsers - 1))
        self._queue = ShardQueues(len(shards))
        self._flushes: BoundedQueue[tuple[Barrier, Delta]] = BoundedQueue(len(shards))
        self._under_way = threading.Event()  # a parser has work
        self._is_clean = True  # nothing was put since the last flush
        self._is_cut = False
        self._failed: Callable[[], None] = lambda: None
        self._failure: BaseException | None = None
        self._barriers = Barriers()
        self._held = [0] * len(shards)  # by shard: bytes that it holds
        self._sinking = [0] * len(shards)  # by shard: bytes drained but not committed
        self._merger = Merger(lake, clock, notices)
        self._workers = [self._thread(self._worker(shard)) for shard in shards]
        self._threads = [*map(self._thread, (self._shard_chunks, self._write)), *self._workers]

    # for the read loop

    def put(self, source: Source, chunk: Chunk, parsed: Future[Batch]) -> None:
        self._is_clean = False
        self._parsed.put((chunk, parsed))
        self._under_way.set()
        if sum(self._held) + sum(self._sinking) + self._merger.bytes > self._memory:
            self._barriers.wait_for_commit()

    def read(self, at: float) -> None:
        self._merger.serve()  # also while no lines come, and so no commits
        self._freshness.read(at)
        if self._is_clean and self._barriers.idle():
            self._freshness.idle()

    def due(self) -> bool:
        return sum(self._held) > self._memory // 2

    def ready(self, seconds: float | None = 0) -> bool:
        return self._barriers.wait_for_commit(seconds)

    def flush(self, sources: Sequence[Source], *, changed: bool) -> None:
        self._is_clean = True
        self._freshness.cut()
        self._parsed.put(self._barriers.next(tuple(sources)))

    # for the run

    def start(self, failed: Callable[[], None]) -> None:
        self._failed = failed
        for thread in reversed(self._threads):  # downstream first: a stage that ends at once joins the ones after it
            thread.start()

    def leave(self) -> None:
        self._leaving = True

    def pause(self) -> None:
        self.finish()  # another configuration needs other shards

    def finish(self) -> None:
        self._parsed.close()
        for thread in self._threads:
            thread.join()
        self._merger.close()
        if self._failure:
            raise self._failure

    def cut(self) -> None:
        self._is_cut = self._leaving = True  # a failing commit is not retried
        self._barriers.give_up()
        self._parsed.cut()
        self._queue.cut()
        self._flushes.cut()

    def _thread(self, stage: Callable[[], None]) -> threading.Thread:
        return threading.Thread(target=self._guard, args=(stage,), name=stage.__name__, daemon=True)

    def _guard(self, stage: Callable[[], None]) -> None:
        """Run a stage; if it fails, stop them all. Uncommitted lines are read again at the next start."""
        try:
            stage()
        except Closed:
            pass
        except BaseException as failure:
            if not self._is_cut:  # otherwise another failure came first
                self._failure = failure
                self.cut()
                self._failed()

    # sharder

    def _shard_chunks(self) -> None:
        try:
            while True:
                item = self._parsed.get()
                if isinstance(item, Barrier):
                    for shard in self._shards:
                        self._queue.send(shard.number, item)
                else:
                    chunk, batch = item
                    self._put_jobs(chunk, batch.result())
        finally:
            self._queue.close()
            for worker in self._workers:
                worker.join()
            self._flushes.close()

    def _put_jobs(self, chunk: Chunk, batch: Batch) -> None:
        events, rejects = batch.table, batch.rejects
        self._tally.add(chunk, kinds_of(events), rejects.counts)
        for job in shard_jobs(chunk, events, rejects, len(self._shards)):
            self._queue.send(job.shard, job)

    # shards

    def _worker(self, shard: Shard) -> Callable[[], None]:
        def work() -> None:
            while True:
                self._serve(shard, self._queue.receive(shard.number))

        return work

    def _serve(self, shard: Shard, message: Message) -> None:
        if isinstance(message, Barrier):
            self._sinking[shard.number], self._held[shard.number] = shard.nbytes, 0
            self._flushes.put((message, shard.drain()))
        else:
            shard.absorb(message)
            self._held[shard.number] = shard.nbytes

    # flusher

    def _write(self) -> None:
        self._under_way.wait(HEAD_START)
        self._lake.begin()
        deltas: list[Delta] = []
        while True:
            barrier, delta = self._flushes.get()
            deltas.append(delta)
            if len(deltas) == len(self._shards):
                self._commit(barrier, deltas)
                deltas = []

    def _commit(self, barrier: Barrier, deltas: Sequence[Delta]) -> None:
        retry.commit_until_done(self._lake, deltas, barrier.sources, lambda: self._leaving, self._clock, self._notices)
        self._sinking = [0] * len(self._shards)
        self._freshness.committed()
        self._barriers.committed(barrier)
        self._merger.begin()
