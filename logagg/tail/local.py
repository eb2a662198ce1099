"""The river in one process: one thread a stage, bounded channels between them.

    reader ──▶ parsers ──▶ dealer ──▶ shards ──▶ flusher
    chunks     futures     jobs       deltas     one commit

Every so often the reader lets a barrier down the river. It is the same cut through all sources for every shard, so what
one commit makes visible is exactly the lines up to a position of each source.
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from logagg.clock import Clock
from logagg.errors import CommitFailed, MergeStopped
from logagg.intake.tail import Tailer
from logagg.intake.waker import Waker
from logagg.lake import retry
from logagg.lake.compact import Replacement, joined
from logagg.lake.lake import Lake
from logagg.metrics import Sample
from logagg.notice_log import Notices
from logagg.notices import clock_doubted, merge_failed
from logagg.parse_pool.pool import Parsers, without_data
from logagg.parse_pool.task import Interpreter
from logagg.records import Batch, Chunk, Delta
from logagg.rollup.shard import Shard
from logagg.sharding import shard_jobs
from logagg.tail.barriers import Barriers
from logagg.tail.channels import Channel, LocalQueue
from logagg.tail.freshness import Freshness
from logagg.tail.parse_record import ParseRecord
from logagg.tail.sink import Barrier, Closed, Message

MERGE_AGAIN = 60.0  # seconds before files are merged again after a disk refused
HEAD_START = 0.1  # seconds at most that the lake waits before it begins, until the parsers have something to do
LOOK_AGAIN = 0.5  # seconds between reconciling polls when nothing woke us
SHORT = 0.01  # seconds between two looks at the least
BUSY = 1 << 20  # bytes between two barriers, from which on not all of them are left for the last moment,
PORTIONS = 4  # but read in so many portions


@dataclass(frozen=True, slots=True)
class Pace:
    """How often, and how much at a time."""

    flush: float = 1.0  # seconds
    memory: int = 256 << 20  # bytes of what is not committed that make an early flush
    once: bool = False  # read all there is, then stop


@dataclass(slots=True)
class Tally:
    """What has come down the river in this run; for the status line and the summary."""

    bytes: int = 0
    lines: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    rejects: Counter[str] = field(default_factory=Counter)
    record: ParseRecord = field(default_factory=ParseRecord)

    def numbers(self) -> Iterator[Sample]:
        """Return what a scrape of a tail shows."""
        yield Sample("logagg_read_bytes_total", "Bytes of the logs that have been read.", self.bytes)
        for kind, lines in list(self.kinds.items()):
            yield Sample("logagg_events_total", "Lines that became events, by kind.", lines, ("kind", kind))
        for reason, lines in list(self.rejects.items()):
            yield Sample("logagg_rejects_total", "Lines that were rejected, by reason.", lines, ("reason", reason))

    def add(self, chunk: Chunk, kinds: Mapping[str, int], rejects: Mapping[str, int]) -> None:
        lines, rejected = sum(kinds.values()) + sum(rejects.values()), sum(rejects.values())
        self.bytes += chunk.end - chunk.start
        self.lines += lines
        self.record.add(chunk.source, lines, rejected)
        self.kinds.update(kinds)
        self.rejects.update(rejects)


def kinds_of(events: pa.Table) -> dict[str, int]:
    """Return how many events there are of each kind."""
    kinds = events["kind"].combine_chunks()
    counts = np.bincount(kinds.indices.to_numpy(), minlength=len(kinds.dictionary)).tolist()
    return {kind: count for kind, count in zip(kinds.dictionary.to_pylist(), counts, strict=True) if count}


class LocalTail:
    """Runs the stages until all is read (`once`) or `stop()` is called; then commits what is left."""

    def __init__(
        self,
        tailer: Tailer,
        waker: Waker,
        interpreter: Interpreter,
        shards: Sequence[Shard],
        lake: Lake,
        pace: Pace,
        clock: Clock,
        notices: Notices,
        parsers: Parsers,
        tally: Tally | None = None,
        freshness: Freshness | None = None,
    ) -> None:
        self.tally, self._freshness = tally or Tally(), freshness or Freshness(clock)
        self._tailer, self._waker, self._interpreter = tailer, waker, interpreter
        self._shards, self._lake, self._pace, self._clock, self._notices = shards, lake, pace, clock, notices
        self._parsers = parsers
        parsers.use(interpreter.reading, notices.report)
        self._parsed: Channel[tuple[Chunk, Future[Batch]] | Barrier] = Channel(max(1, parsers.count - 1))
        self._queue = LocalQueue(len(shards))
        self._flushes: Channel[tuple[Barrier, Delta] | Future[Replacement]] = Channel(len(shards) + 1)
        self._stopping = threading.Event()
        self._under_way = threading.Event()  # a parser has something to do
        self._leaving = pace.once  # nobody waits until the disk has room again
        self._failure: BaseException | None = None
        self._bytes = self._bytes_before = 0  # submitted since the last barrier, and between the two before
        self._barriers = Barriers(clock, pace.flush)
        self._held = [0] * len(shards)  # bytes, by shard,
        self._sinking = [0] * len(shards)  # and bytes that a shard has drained and that are not committed
        self._compaction = _Compaction(lake, self._flushes, clock, notices)
        self._workers = [self._thread(self._worker(shard)) for shard in shards]
        self._threads = [*map(self._thread, (self._read, self._deal, self._flush)), *self._workers]

    def start(self) -> None:
        # From the sea up: a stage may end, and wait for those below it, as soon as it runs.
        for thread in reversed(self._threads):
            thread.start()

    def pause(self) -> None:
        """Read no further; commit what was read, however long the disk refuses. Another river can go on with the tailer."""
        self._stopping.set()
        self._waker.wake()

    def stop(self) -> None:
        """Read no further; commit what was read, or fail."""
        self._leaving = True
        self.pause()

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the end; return whether it has come. Raises what made a stage fail."""
        for thread in self._threads:
            thread.join(timeout)
        if any(thread.is_alive() for thread in self._threads):
            return False
        self._compaction.shutdown()
        if self._failure:
            raise self._failure
        return True

    def _thread(self, stage: Callable[[], None]) -> threading.Thread:
        return threading.Thread(target=self._guard, args=(stage,), name=stage.__name__, daemon=True)

    def _guard(self, stage: Callable[[], None]) -> None:
        """Run a stage; if it fails, stop them all. What was not committed is read again at the next start."""
        try:
            stage()
        except Closed:
            pass
        except BaseException as failure:
            self._failure = self._failure or failure
            self._stopping.set()
            self._waker.wake()
            self._barriers.give_up()
            self._parsed.cut()
            self._queue.cut()
            self._flushes.cut()

    # reader

    def _read(self) -> None:
        try:
            while not self._stopping.is_set():
                self._read_what_is_there()
                self._barriers.dirty |= self._tailer.take_changes()
                if self._pace.once and self._tailer.is_piped():
                    if self._tailer.waits_for_clock():
                        self._stopping.wait(LOOK_AGAIN)
                    continue
                self._let_down_barrier()
                if self._pace.once or self._tailer.ended():
                    break
                self._rest()
            if not self._stopping.is_set():
                for chunk in self._tailer.drain_ends(self._interpreter.is_whole):
                    self._submit(chunk)
            self._barriers.wait_for_commit()
            self._let_down_barrier()
        finally:
            self._parsed.close()

    def _read_what_is_there(self) -> None:
        began = self._clock.monotonic()
        for chunk in self._tailer.poll():
            self._submit(chunk)  # what the tailer has given out it does not give again
            if self._tailer.only_stdin:
                self._freshness.read(self._clock.monotonic())
            if self._stopping.is_set():
                return
            if sum(self._held) + sum(self._sinking) + self._compaction.bytes > self._pace.memory:
                self._barriers.wait_for_commit()
            if sum(self._held) > self._pace.memory // 2 or self._barriers.due():
                self._let_down_barrier()
        self._freshness.read(began)

    def _submit(self, chunk: Chunk) -> None:
        if fmt := self._interpreter.format_of(chunk, self._tailer):
            self._barriers.dirty = True
            self._bytes += chunk.end - chunk.start
            written = self._interpreter.written(chunk, self._tailer)
            self._parsed.put((without_data(chunk), self._parsers.submit(chunk, fmt, written=written)))
            self._under_way.set()

    def _let_down_barrier(self) -> None:
        if not self._barriers.idle():
            return
        if not self._barriers.dirty:
            self._freshness.idle()
        else:
            self._freshness.cut()
            self._parsed.put(self._barriers.next(tuple(self._tailer.sources())))
            self._bytes, self._bytes_before = 0, self._bytes

    def _rest(self) -> None:
        """Wait until something is written, and until it is time to flush; what is much is read meanwhile, in portions."""
        if not self._barriers.dirty:
            self._wait_for_more()
        while (left := self._barriers.remaining()) and not self._stopping.is_set():
            if not self._is_busy():
                self._stopping.wait(left)
                return
            self._stopping.wait(min(left, self._pace.flush / PORTIONS))
            if self._barriers.remaining():
                self._read_what_is_there()
        # A commit that takes longer than the interval: to look at the logs over and over would only take its core.
        self._barriers.wait_for_commit(min(LOOK_AGAIN, self._pace.flush / PORTIONS + SHORT))

    def _wait_for_more(self) -> None:
        if not self._barriers.remaining():  # a whole interval without a line
            self._bytes = self._bytes_before = 0
        if not self._is_busy():
            self._waker.watch(self._tailer.folders())
            self._waker.wait(LOOK_AGAIN)

    def _is_busy(self) -> bool:
        return max(self._bytes, self._bytes_before) > BUSY

    # dealer

    def _deal(self) -> None:
        try:
            while True:
                item = self._parsed.get()
                if isinstance(item, Barrier):
                    for shard in self._shards:
                        self._queue.send(shard.number, item)
                else:
                    chunk, batch = item
                    self._deal_out(chunk, batch.result())
        finally:
            self._queue.close()
            for worker in self._workers:
                worker.join()
            self._flushes.close()

    def _deal_out(self, chunk: Chunk, batch: Batch) -> None:
        events, rejects = batch.table, batch.rejects
        self.tally.add(chunk, kinds_of(events), rejects.counts)
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

    def _flush(self) -> None:
        self._under_way.wait(HEAD_START)
        self._lake.begin()
        deltas: list[Delta] = []
        while True:
            item = self._flushes.get()
            if isinstance(item, Future):
                self._compaction.take(item)
                continue
            barrier, delta = item
            deltas.append(delta)
            if len(deltas) == len(self._shards):
                retry.commit_until_done(
                    self._lake, deltas, barrier.sources, lambda: self._leaving, self._clock, self._notices
                )
                deltas, self._sinking = [], [0] * len(self._shards)
                self._freshness.committed()
                self._barriers.committed(barrier)
                self._compaction.begin()


class _Compaction:
    """Merges small files in the background, one round at a time; the flusher swaps the results of a round in together."""

    def __init__(
        self, lake: Lake, results: Channel[Future[Replacement] | tuple[Barrier, Delta]], clock: Clock, notices: Notices
    ) -> None:
        self._lake, self._results, self._clock, self._notices = lake, results, clock, notices
        self._executor = ThreadPoolExecutor(1, "compaction")
        self._running = self._bytes = 0
        self._done: list[Replacement] = []  # of this round
        self._not_before = clock.monotonic()

    def begin(self) -> None:
        """Start what is worth doing, unless the last round is still running, or failed a moment ago, or we are leaving."""
        if self._running or self._lake.merging.stops or self._clock.monotonic() < self._not_before:
            return
        if doubt := self._lake.new_doubt():
            self._notices.report(clock_doubted(doubt))
        tasks = self._lake.plan_compaction()
        self._bytes = max((task.memory for task in tasks), default=0)
        for task in tasks:
            self._running += 1
            self._executor.submit(task.run, self._lake.merging).add_done_callback(self._hand_over)

    @property
    def bytes(self) -> int:
        """What a merge that is running holds."""
        return self._bytes if self._running else 0

    def take(self, result: Future[Replacement]) -> None:
        """Swap the merged files in for those they were made of; where the disk refuses, leave those for a while."""
        self._running -= 1
        with self._putting_off(), contextlib.suppress(MergeStopped):
            self._done.append(result.result())
        if not self._running:
            done, self._done = self._done, []
            for one in joined(done):
                with self._putting_off():
                    self._lake.commit_replacement(one)

    @contextlib.contextmanager
    def _putting_off(self) -> Iterator[None]:
        try:
            yield
        except CommitFailed as failure:
            self._not_before = self._clock.monotonic() + MERGE_AGAIN
            self._notices.report(merge_failed(str(failure)))

    def shutdown(self) -> None:
        """Give up what is running: nothing takes its results any more, and the end does not wait for a long merge."""
        self._lake.merging.stop()
        self._executor.shutdown(cancel_futures=True)
        self._lake.merging.go_on()
        for done in self._done:
            self._lake.discard(done)

    def _hand_over(self, result: Future[Replacement]) -> None:
        try:
            self._results.put(result)
        except Closed:  # a river that has ended takes no results
            if not result.cancelled() and not result.exception():
                self._lake.discard(result.result())
