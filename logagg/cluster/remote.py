"""`logagg tail --gearman`: reads, parses and classifies here, and sends a job of each chunk to each shard's worker."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from logagg.clock import Clock, SystemClock
from logagg.cluster import protocol
from logagg.cluster.auth import Keys
from logagg.cluster.bounds import chunk_bytes, message_bytes
from logagg.cluster.gearman import Server
from logagg.cluster.handshake import Identity
from logagg.cluster.outbox import PendingJob
from logagg.cluster.protocol import JobMessage
from logagg.cluster.secret import read_secret
from logagg.cluster.sender import Dispatch
from logagg.config.logs import apart_of
from logagg.config.sections import Config
from logagg.errors import ClusterError, ConfigError, SourceError
from logagg.heartbeat import Heartbeat, encode_short
from logagg.intake.discover import find
from logagg.intake.match import sources_in
from logagg.intake.names import STDIN
from logagg.metrics import Sample
from logagg.notice_log import Notices
from logagg.notices import stopped_before_commit
from logagg.parse.events.classify import Classifier
from logagg.parse_pool.pool import Parsers
from logagg.parse_pool.task import Then
from logagg.quantities import counted
from logagg.records import Batch, Chunk, KnownSource, Source
from logagg.sharding import shard_jobs
from logagg.tail.options import TailOptions
from logagg.tail.queues import BoundedQueue
from logagg.tail.run import Run
from logagg.tail.signals import ControlRequests
from logagg.tail.sink import Beginning, Closed, Destination
from logagg.tail.stats import Stats, Tally, kinds_of

LAST_WORD = 2.0  # seconds to wait at the end for a worker to receive the last heartbeat
LAST_FLUSH = 10.0  # seconds to wait after a signal until everything is committed
LOOK = 0.25  # seconds between two checks of that


@dataclass(frozen=True, slots=True)
class Cluster:
    """The job servers, and the identity of this tail."""

    servers: Sequence[Server]
    name: str
    secret: Path


def tail(
    options: TailOptions,
    cluster: Cluster,
    clock: Clock | None = None,
    requests: ControlRequests | None = None,
    parsers: Parsers | None = None,
) -> None:
    """Follow logs, or read them once, for workers elsewhere. Raises LogaggError."""
    clock, requests = clock or SystemClock(), requests or ControlRequests()
    options.check_paths()
    if STDIN in options.paths:
        raise SourceError("standard input cannot be sent to workers", "it could not be read again; write it to a file")
    check(options.config)
    notices = Notices(clock, verbosity=options.verbosity, as_json=options.log_json)
    with parsers or Parsers(options.budget, clock) as ready:
        destination = RemoteDestination(cluster, options, clock, notices, ready.count)
        Run(options, destination, clock, notices, requests, ready).run()


def check(config: Config) -> None:
    """Raise ConfigError for settings that a tail without a lake cannot follow."""
    if config.privacy.rotate:
        raise ConfigError(
            "privacy.rotate: its salts are in the lake, which this tail does not have", "leave it out with --gearman"
        )


class RemoteDestination(Destination):
    """The workers that own the shards, through job servers."""

    def __init__(self, cluster: Cluster, options: TailOptions, clock: Clock, notices: Notices, parsers: int) -> None:
        self.tailer = cluster.name
        self._cluster, self._options, self._clock, self._notices = cluster, options, clock, notices
        self._parsers, self._budget = parsers, options.budget
        self._secret = read_secret(cluster.secret)
        self._dispatch: Dispatch | None = None  # of the session

    def begin(self, stats: Stats, leaving: Callable[[], bool]) -> Beginning | None:
        options, who = self._options, Identity(self.tailer, Keys(self._secret))
        flush = options.flush if options.flush is not None else options.config.tail.flush
        self._dispatch = dispatch = Dispatch(
            self._cluster.servers,
            who,
            self._clock,
            self._notices.report,
            memory=self._budget.memory,
            poll=max(0.2, flush / 2),
            freshness=stats.freshness,
        )
        met = dispatch.greet(leaving, once=options.once)
        if met is None:
            return None
        known = self._ours(met)
        session = Session(who.tailer, dispatch.epoch, who.run, len(dispatch.outboxes), dispatch.limit)
        sources = [one.source for one in known]
        self._sink = RemoteSink(dispatch, session, sources, self._parsers, self._clock, self._notices, stats.tally)
        connections = len(self._cluster.servers)
        return Beginning(known, min(self._budget.chunk, chunk_bytes(dispatch.limit)), connections)

    def classifier(self, config: Config) -> Classifier:
        return Classifier.of(config, self._secret)

    def check(self, config: Config) -> None:
        check(config)

    def sink(self, config: Config) -> RemoteSink:
        return self._sink

    def adopt(self, config: Config) -> RemoteSink:
        return self._sink  # lines that were read before keep their classification

    def say(self, heartbeat: Heartbeat) -> None:
        if self._dispatch:
            self._dispatch.unread = heartbeat.unread
            uncommitted, resent = self._dispatch.progress()
            self._dispatch.say(encode_short(replace(heartbeat, uncommitted=uncommitted, resent=resent)))

    def numbers(self) -> Iterator[Sample]:
        if self._dispatch:
            yield from self._dispatch.numbers()

    def tidy(self) -> None:
        """Do nothing: the workers merge files."""

    def refuse_damaged(self) -> None:
        """Raise nothing: the workers check the lake."""

    def end(self) -> None:
        if self._dispatch:
            self._dispatch.wait_until_said(LAST_WORD)
            self._dispatch.stop()

    def _ours(self, known: Sequence[KnownSource]) -> list[KnownSource]:
        """Return the sources whose content is here, of this tail or of a tail without a name, as before there was a cluster."""
        unnamed = [one for one in known if not one.source.tailer]
        named = [one for one in known if one.source.tailer == self.tailer]
        config = self._options.config
        return named + sources_in(unnamed, find(self._options.follows(config), apart_of(config.logs)))


@dataclass(frozen=True, slots=True)
class Session:
    """The fields that all jobs of one session have in common."""

    tailer: str
    epoch: int
    run: str
    shards: int
    limit: int  # bytes that a job may unpack to


@dataclass(frozen=True, slots=True)
class PackedChunk:
    """The jobs of a chunk, ready to be sent."""

    chunk: Chunk
    kinds: Mapping[str, int]
    rejects: Mapping[str, int]
    pending: tuple[tuple[int, PendingJob], ...]


class RemoteSink:
    """Sends jobs to the workers that own the shards; each worker commits by itself (see `Sink`)."""

    def __init__(
        self,
        dispatch: Dispatch,
        session: Session,
        known: Sequence[Source],
        parsers: int,
        clock: Clock,
        notices: Notices,
        tally: Tally,
    ) -> None:
        self.then: Then | None = partial(pack, session)
        self._dispatch, self._clock, self._notices, self._tally = dispatch, clock, notices, tally
        self._tailer = session.tailer
        self._told = {source.id: source for source in known}  # the record of each source that the shards have
        self._packed: BoundedQueue[Future[PackedChunk] | float] = BoundedQueue(parsers)
        self._is_cut = False
        self._leave_by = float("inf")  # monotonic clock
        self._failed: Callable[[], None] = lambda: None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)
        self._started = False

    # for the read loop

    def put(self, source: Source, chunk: Chunk, parsed: Future[PackedChunk]) -> None:
        self._told[source.id] = self._named(source)
        self._packed.put(parsed)

    def read(self, at: float) -> None:
        self._packed.put(at)

    def due(self) -> bool:
        return False  # the workers decide when to commit early

    def ready(self, seconds: float | None = 0) -> bool:
        return True

    def flush(self, sources: Sequence[Source], *, changed: bool) -> None:
        """Send the changed records of sources that gave no chunk; the workers commit by their own interval."""
        if not changed:
            return
        named = [self._named(source) for source in sources]
        news = [source for source in named if source.id in self._told and self._told[source.id] != source]
        self._told.update({source.id: source for source in news})
        if news:
            self._dispatch.tell(news)

    # for the run

    def start(self, failed: Callable[[], None]) -> None:
        self._failed = self._dispatch.failed = failed
        if not self._started:
            self._started = True
            self._dispatch.start()
            self._thread.start()

    def leave(self) -> None:
        self._leave_by = self._clock.monotonic() + LAST_FLUSH

    def pause(self) -> None:
        self._raise_failure()

    def finish(self) -> None:
        self._packed.close()
        self._thread.join()
        self._raise_failure()
        self._await_commits()

    def cut(self) -> None:
        self._is_cut = True
        self._packed.cut()

    def _raise_failure(self) -> None:
        if failure := self._dispatch.failure or self._failure:
            raise failure

    def _await_commits(self) -> None:
        """Wait until everything that was sent is committed; after `leave` only for a while, since the rest is read again."""
        while not (self._is_cut or self._dispatch.wait_until_committed(LOOK)):
            self._raise_failure()
            if self._gives_up():
                self._is_cut = True
                self._notices.report(stopped_before_commit())

    def _gives_up(self) -> bool:
        return self._clock.monotonic() > self._leave_by

    def _named(self, source: Source) -> Source:
        return replace(source, tailer=self._tailer)

    # sender

    def _run(self) -> None:
        try:
            with contextlib.suppress(Closed):
                while self._send(self._packed.get()):
                    pass
        except BaseException as failure:
            self._failure = failure
        self._packed.cut()
        if self._failure:
            self._failed()

    def _send(self, item: Future[PackedChunk] | float) -> bool:
        """Put the next jobs into the outboxes, in the order of their chunks; return whether more can be sent."""
        if isinstance(item, float):
            self._dispatch.read(item)
            return True
        packed = item.result()
        if not self._dispatch.put(packed.pending, self._gives_up):
            return False
        self._tally.add(packed.chunk, packed.kinds, packed.rejects)
        return True


def pack(session: Session, chunk: Chunk, batch: Batch, source: Source) -> PackedChunk:
    """Pack the events of a chunk as jobs; runs in the parser's process. Raises ClusterError."""
    source, pending = replace(source, tailer=session.tailer), []
    for job in shard_jobs(chunk, batch.table, batch.rejects, session.shards):
        packed = protocol.pack(JobMessage(session.tailer, session.epoch, session.shards, source, job, session.run))
        if protocol.opened(packed).size > session.limit or len(packed) > message_bytes(session.limit):
            hint = "give the workers more --memory, or this tail a smaller tail.chunk"
            raise ClusterError(
                f"{source.path}: a job of {counted(len(packed), 'byte')} is more than the workers take", hint
            )
        pending.append((job.shard, PendingJob(job.source, job.origin, job.start, job.end, packed)))
    return PackedChunk(chunk, kinds_of(batch.table), batch.rejects.counts, tuple(pending))
