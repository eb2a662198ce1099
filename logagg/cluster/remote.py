"""One session of a tail that sends its jobs to workers: reads, parses and classifies here; a job to each shard for each chunk."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path

from logagg.clock import Clock
from logagg.cluster import protocol
from logagg.cluster.auth import Keys
from logagg.cluster.bounds import chunk_bytes, message_bytes
from logagg.cluster.gearman import Server
from logagg.cluster.outbox import PendingJob, PositionMismatch
from logagg.cluster.protocol import JobMessage
from logagg.cluster.sender import ClusterError, Dispatch, Identity
from logagg.config.sections import Config
from logagg.errors import ConfigError
from logagg.heartbeat import encode_short
from logagg.intake.discover import find
from logagg.intake.match import sources_in
from logagg.intake.tail import Tailer
from logagg.intake.waker import Waker
from logagg.metrics import Sample, served
from logagg.notice_log import Notices
from logagg.notices import configuration_reloaded, reading_again, stopped_before_commit
from logagg.parse.events.classify import Classifier
from logagg.parse_pool.pool import Parsers
from logagg.parse_pool.task import Interpreter
from logagg.records import Batch, Chunk, KnownSource, Source
from logagg.sharding import shard_jobs
from logagg.tail.channels import Channel
from logagg.tail.console import CatchUpBar, StatusLine
from logagg.tail.freshness import Freshness
from logagg.tail.local import LOOK_AGAIN, Tally, kinds_of
from logagg.tail.options import TailOptions
from logagg.tail.reload import reloaded
from logagg.tail.reporter import Reporter
from logagg.tail.run import counted
from logagg.tail.signals import Requests
from logagg.tail.sink import Closed
from logagg.tail.skipped import SkippedLogs

REFRESH = 0.25  # seconds between looks of the status line
LAST_WORD = 2.0  # seconds that a tail that ends waits until a worker has heard so
LAST_FLUSH = 10.0  # seconds that a tail that is told to stop waits until all is committed


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where the workers are, and who we are to them."""

    servers: Sequence[Server]
    name: str
    secret: Path


def check(config: Config) -> None:
    """Raise ConfigError where a configuration asks for what a tail without a lake cannot do."""
    if config.privacy.rotate:
        raise ConfigError(
            "privacy.rotate: its salts are in the lake, which this tail does not have", "leave it out with --gearman"
        )


@dataclass(frozen=True, slots=True)
class _Packed:
    """A chunk, ready to be sent."""

    chunk: Chunk
    kinds: Mapping[str, int]
    rejects: Mapping[str, int]
    pending: tuple[tuple[int, PendingJob], ...]


@dataclass(frozen=True, slots=True)
class _Run:
    """What the jobs of a session have in common."""

    tailer: str
    epoch: int
    run: str
    shards: int
    limit: int  # bytes that one may unpack to


class Session:
    """From how far the shards have come, on; ends when told to, or when the shards have less than they said."""

    def __init__(
        self,
        options: TailOptions,
        cluster: Cluster,
        secret: bytes,
        clock: Clock,
        requests: Requests,
        notices: Notices,
        unread: SkippedLogs,
        parsers: Parsers,
    ) -> None:
        self._options, self._cluster, self._secret = options, cluster, secret
        self._clock, self._wishes, self._notices, self._unread = clock, requests, notices, unread
        self._parsers, self._budget = parsers, options.budget
        self.tally, self.config = Tally(record=unread.record), options.config
        self._freshness = Freshness(clock)
        self._wished: Config | None = None  # that the reader shall go on with
        self._who = Identity(cluster.name, Keys(secret))
        self._dispatch = Dispatch(
            cluster.servers,
            self._who,
            clock,
            notices.report,
            memory=self._budget.memory,
            poll=max(0.2, self._flush / 2),
            freshness=self._freshness,
        )
        self._reporter = Reporter(
            options,
            lambda heartbeat: self._dispatch.say(encode_short(heartbeat)),
            unread.record,
            self._freshness,
            clock,
            tailer=cluster.name,
        )
        self._waker = Waker(notices.report)
        self._packed: Channel[Future[_Packed] | float] = Channel(parsers.count)
        self._stopping, self._done = threading.Event(), threading.Event()
        self._no_rest = threading.Event()  # the reader is to stop, or has another configuration
        self._failure: BaseException | None = None
        self._told: dict[str, Source] = {}

    def run(self) -> str:
        """Return "again" when another session is to go on."""
        try:
            with served(self._options.metrics, self._numbers):
                known = self._dispatch.greet(lambda: self._wishes.leaving, once=self._options.once)
                if known is None:
                    return "left"
                self._begin(known)
                with self._reporter.of_run(self._tailer, but=PositionMismatch):
                    return self._watch()
        except PositionMismatch as lost:
            self._notices.report(reading_again(str(lost)))
            return "again"
        finally:
            self._end()

    def _numbers(self) -> Iterator[Sample]:
        yield from self.tally.numbers()
        yield from self._dispatch.numbers()
        yield from self._reporter.numbers()
        yield from counted(self._notices)

    @property
    def _flush(self) -> float:
        return self._options.flush if self._options.flush is not None else self.config.tail.flush

    def _begin(self, known: Sequence[KnownSource]) -> None:
        config, options = self.config, self._options
        self._reporter.flush = self._flush
        nobodys = [one for one in known if not one.source.tailer]  # read before there was a cluster, here or elsewhere
        known = [one for one in known if one.source.tailer == self._cluster.name] + sources_in(
            nobodys, find(options.paths)
        )
        self._tailer = Tailer(
            options.paths,
            known,
            start_at=options.start or config.tail.begin,
            chunk_bytes=min(self._budget.chunk, chunk_bytes(self._dispatch.limit)),
            max_line=config.tail.max_line,
            idle=config.tail.idle,
            forget=config.tail.forget,
            room=self._parsers.room,
            once=options.once,
            clock=self._clock,
            notice=self._unread.report,
        )
        if options.ends:
            self._tailer.check_clock()
        self._interpreter = self._make_interpreter(config)
        self._parsers.use(self._interpreter.reading, self._notices.report)
        self._told = {one.source.id: one.source for one in known}
        self._dispatch.start()
        self._threads = [
            threading.Thread(target=self._guard, args=(stage,), daemon=True) for stage in (self._read, self._send)
        ]
        for thread in self._threads:
            thread.start()

    def _watch(self) -> str:
        loud = self._options.shows_progress
        display = CatchUpBar(self.tally, loud) if self._options.once else StatusLine(self.tally, self._clock, loud)
        try:
            while not self._done.is_set() and not self._dispatch.failure:
                wish = self._wishes.wait(REFRESH)
                if wish == "stop":
                    self._stop_reading()
                elif wish == "reload":
                    self._reload()
                self._dispatch.unread = backlog = self._tailer.backlog()
                self._reporter.tick(self._tailer)
                display.refresh(backlog)
        finally:
            display.close()
        if self._dispatch.failure or self._failure:
            raise self._dispatch.failure or self._failure  # type: ignore[misc]
        self._await_commits()
        if self._options.ends:
            self._tailer.check_clock()
        return "done"

    def _await_commits(self) -> None:
        """Wait until all that was read is committed; when told to stop, not for ever, since it will be read again."""
        end = None
        while not self._dispatch.wait_until_committed(REFRESH):
            if self._dispatch.failure:
                raise self._dispatch.failure
            if self._wishes.leaving:
                end = end or self._clock.monotonic() + LAST_FLUSH
                if self._clock.monotonic() > end:
                    self._notices.report(stopped_before_commit())
                    return

    def _end(self) -> None:
        self._stop_reading()
        self._packed.cut()
        self._dispatch.wait_until_said(LAST_WORD)
        self._dispatch.stop()
        for thread in getattr(self, "_threads", ()):
            thread.join()
        self._waker.stop()
        if hasattr(self, "_tailer"):
            self._tailer.close()

    def _guard(self, stage) -> None:  # type: ignore[no-untyped-def]
        try:
            stage()
        except Closed:
            pass
        except BaseException as failure:  # noqa: BLE001  # the main thread says it
            self._failure = self._failure or failure
            self._stopping.set()
            self._packed.cut()
            self._end_watch()

    def _end_watch(self) -> None:
        self._done.set()
        self._wishes.put("ended")

    def _stop_reading(self) -> None:
        self._stopping.set()
        self._wake()

    def _wake(self) -> None:
        self._no_rest.set()
        self._waker.wake()

    # another configuration

    def _reload(self) -> None:
        before = self._wished or self.config
        if config := reloaded(self._options.reload, before, self._make_interpreter, self._notices):
            self._wished = config
            self._wake()

    def _adopt(self, config: Config) -> None:
        """Go on with another configuration: what was read before counts as it was."""
        self._wished = None
        self.config, self._interpreter = config, self._make_interpreter(config)
        self._parsers.use(self._interpreter.reading, self._notices.report)
        self._reporter.flush = self._flush
        self._tailer.reconsider()
        self._notices.report(configuration_reloaded())

    def _make_interpreter(self, config: Config) -> Interpreter:
        """Return what reads as a configuration says. Raises LogaggError where that cannot be."""
        check(config)
        given = self._options.log_format or config.log_format
        classifier, sources = Classifier.of(config, self._secret), self._tailer.sources()
        return Interpreter(
            config,
            given,
            classifier,
            sources,
            self._clock,
            lambda id_: self._unread.refuse(self._tailer.source(id_), given),
            then=_pack,
        )

    # reader

    def _read(self) -> None:
        try:
            while self._goes_on():
                before, began = self.tally.bytes, self._clock.monotonic()
                for chunk in self._tailer.poll():
                    self._submit(chunk)
                    if self._no_rest.is_set():
                        break
                else:
                    self._packed.put(began)
                self._tell()
                if self._options.once:
                    break
                self._rest(self.tally.bytes > before)
            if not self._stopping.is_set():
                for chunk in self._tailer.drain_ends(self._interpreter.is_whole):
                    self._submit(chunk)
            self._tell()
        finally:
            self._packed.close()

    def _goes_on(self) -> bool:
        """Tell whether to read on; where another configuration is wished for, with that."""
        self._no_rest.clear()  # first: it may be set again by now
        if wished := self._wished:
            self._adopt(wished)
        return not self._stopping.is_set()

    def _submit(self, chunk: Chunk) -> None:
        if fmt := self._interpreter.format_of(chunk, self._tailer):
            source = self._named(self._tailer.source(chunk.source))
            self._told[source.id] = source
            run = _Run(
                self._who.tailer,
                self._dispatch.epoch,
                self._who.run,
                len(self._dispatch.outboxes),
                self._dispatch.limit,
            )
            written = self._interpreter.written(chunk, self._tailer)
            self._packed.put(self._parsers.submit(chunk, fmt, source, run, written=written))

    def _tell(self) -> None:
        """Tell what has changed of sources that gave no chunk since."""
        if self._tailer.take_changes():
            sources = [self._named(source) for source in self._tailer.sources()]
            news = [source for source in sources if self._told.get(source.id) != source and source.id in self._told]
            self._told.update({source.id: source for source in news})
            if news:
                self._dispatch.tell(news)

    def _named(self, source: Source) -> Source:
        return replace(source, tailer=self._cluster.name)

    def _rest(self, busy: bool) -> None:  # noqa: FBT001
        """Wait until something is written, but read no more often than is flushed."""
        if not busy:
            self._waker.watch(self._tailer.folders())
            self._waker.wait(LOOK_AGAIN)
        self._no_rest.wait(self._flush)

    # what follows the parsers

    def _send(self) -> None:
        with contextlib.suppress(Closed):
            while True:
                item = self._packed.get()
                if isinstance(item, float):
                    self._dispatch.read(item)
                    continue
                packed = item.result()
                if not self._dispatch.put(packed.pending):
                    break
                self.tally.add(packed.chunk, packed.kinds, packed.rejects)
        self._end_watch()


def _pack(chunk: Chunk, batch: Batch, source: Source, run: _Run) -> _Packed:
    """Make jobs of the events of a chunk, as they are sent; a parser does it, when it has read the chunk. Raises ClusterError."""
    pending = []
    for job in shard_jobs(chunk, batch.table, batch.rejects, run.shards):
        packed = protocol.pack(JobMessage(run.tailer, run.epoch, run.shards, source, job, run.run))
        if protocol.opened(packed).size > run.limit or len(packed) > message_bytes(run.limit):
            hint = "give the workers more --memory, or this tail a smaller tail.chunk"
            raise ClusterError(f"{source.path}: a job of {len(packed):,} bytes is more than the workers take", hint)
        pending.append((job.shard, PendingJob(job.source, job.origin, job.start, job.end, packed)))
    return _Packed(chunk, kinds_of(batch.table), batch.rejects.counts, tuple(pending))
