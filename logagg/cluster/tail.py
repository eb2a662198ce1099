"""`logagg tail --gearman`: reads, parses and classifies here; sends a job to each shard for each chunk."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.compute as pc

from logagg.cargo import Chunk, KnownSource, Source
from logagg.clock import Clock, SystemClock
from logagg.cluster.dispatch import ClusterError, Dispatch, Identity, proof_of
from logagg.cluster.lanes import Flight, LostGround
from logagg.errors import ConfigError, FormatError, LogaggError, SourceError
from logagg.intake.forms import held
from logagg.intake.sources import STDIN, find
from logagg.intake.sources import check as check_paths
from logagg.intake.tail import Tailer
from logagg.intake.watch import Waker
from logagg.metrics import Number, served
from logagg.notices import Notices
from logagg.parse import agents, columns
from logagg.parse.book import FormatBook
from logagg.parse.events import Classifier
from logagg.parse.formats import Format
from logagg.pipeline import TailOptions, counted
from logagg.progress import CatchUpBar, StatusLine, summary
from logagg.queues import wire
from logagg.queues.contract import Closed
from logagg.queues.deal import deal
from logagg.queues.gearman import Server
from logagg.queues.local import Channel
from logagg.queues.wire import Parcel
from logagg.river import LOOK_AGAIN, Tally
from logagg.signals import Wishes

REFRESH = 0.25  # seconds between looks of the status line
LAST_FLUSH = 10.0  # seconds that a tail that is told to stop waits until all is committed


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where the workers are, and who we are to them."""

    servers: Sequence[Server]
    name: str
    secret: Path


def tail(options: TailOptions, cluster: Cluster, clock: Clock | None = None, wishes: Wishes | None = None) -> None:
    """Follow logs, or read them once, for workers elsewhere. Raises LogaggError."""
    clock, wishes = clock or SystemClock(), wishes or Wishes()
    check_paths(options.paths)
    if STDIN in options.paths:
        raise SourceError("standard input cannot be sent to workers", "it could not be read again; write it to a file")
    secret = _secret(cluster.secret)
    threading.Thread(target=agents.prepare, daemon=True).start()
    notices, began = Notices(clock, verbosity=options.verbosity), clock.monotonic()
    while (session := _Session(options, cluster, secret, clock, wishes, notices)).run() == "again":
        pass
    if options.once and options.verbosity >= 0:
        for line in summary(session.tally, clock.monotonic() - began, options.lake):
            options.say(line)
    session.complain()


def _secret(path: Path) -> bytes:
    try:
        secret = path.read_bytes()
    except OSError as error:
        hint = "copy the file secret out of the lake, and name it with --secret"
        raise ClusterError(f"{path}: the lake's secret cannot be read: {error.strerror}", hint) from error
    if len(secret) < 16:
        raise ClusterError(f"{path}: too short to be the secret of a lake", "copy it again")
    return secret


@dataclass(frozen=True, slots=True)
class _Packed:
    """A chunk, ready to be sent."""

    chunk: Chunk
    kinds: dict[str, int]
    rejects: dict[str, int]
    flights: tuple[tuple[int, Flight], ...]


class _Session:
    """From how far the shards have come, on; ends when told to, or when the shards have less than they said."""

    def __init__(
        self,
        options: TailOptions,
        cluster: Cluster,
        secret: bytes,
        clock: Clock,
        wishes: Wishes,
        notices: Notices,
    ) -> None:
        if options.config.privacy.rotate:
            raise ConfigError("privacy.rotate: its salts are in the lake, which this tail does not have", "leave it out with --gearman")
        self._options, self._cluster, self._clock, self._wishes = options, cluster, clock, wishes
        self.tally, self._notices, self._config = Tally(), notices, options.config
        self._memory = options.memory or options.config.tail.memory
        self._flush = options.flush if options.flush is not None else options.config.tail.flush
        self._classifier = Classifier.of(options.config, secret)
        self._who = Identity(cluster.name, time.time_ns(), proof_of(secret))
        self._dispatch = Dispatch(
            cluster.servers, self._who, clock, notices.report, room=self._memory // 4, poll=max(0.2, self._flush / 2)
        )
        self._waker = Waker(notices.report)
        self._parsers = ThreadPoolExecutor(os.cpu_count() or 1, "parser")
        self._packed: Channel[Future[_Packed]] = Channel(os.cpu_count() or 1)
        self._stopping = threading.Event()
        self._done = threading.Event()
        self._failure: BaseException | None = None
        self._told: dict[str, Source] = {}
        self._refused: dict[str, str] = {}
        self._unreadable: list[LogaggError] = []

    def run(self) -> str:
        """Return "again" when another session is to go on."""
        try:
            with served(self._options.metrics, self._numbers):
                known = self._dispatch.greet(lambda: self._wishes.leaving)
                if known is None:
                    return "left"
                self._begin(known)
                return self._watch()
        except LostGround as lost:
            self._notices.report("again", f"{lost}; reading again from what is committed")
            return "again"
        finally:
            self._end()

    def _numbers(self) -> Iterator[Number]:
        yield from self.tally.numbers()
        yield from self._dispatch.numbers()
        yield from counted(self._notices)

    def complain(self) -> None:
        """Fail when a log could not be read, or matches no format."""
        failures = [*self._unreadable, *map(self._no_format, self._refused.values())]
        for error in failures[1:]:
            self._notices.report("unread", str(error))
        if failures and self._options.once:
            raise failures[0]

    def _begin(self, known: Sequence[KnownSource]) -> None:
        config, options = self._config, self._options
        nobodys = [one for one in known if not one.source.tailer]  # read before there was a cluster, here or elsewhere
        known = [one for one in known if one.source.tailer == self._cluster.name] + held(nobodys, find(options.paths))
        self._tailer = Tailer(
            options.paths,
            known,
            start_at=options.start or config.tail.begin,
            chunk_bytes=min(config.tail.chunk, max(self._memory // 32, 1 << 16)),
            max_line=config.tail.max_line,
            idle=config.tail.idle,
            forget=config.tail.forget,
            clock=self._clock,
            notice=self._notice,
        )
        formats = {one.source.id: one.source.format for one in known if one.source.format}
        given = options.log_format or config.log_format
        self._formats = FormatBook(given, formats, self._clock, self._refuse, config.visitor)
        self._told = {one.source.id: one.source for one in known}
        self._dispatch.start()
        self._threads = [threading.Thread(target=self._guard, args=(stage,), daemon=True) for stage in (self._read, self._send)]
        for thread in self._threads:
            thread.start()

    def _watch(self) -> str:
        loud = self._options.verbosity >= 0
        display = CatchUpBar(self.tally, loud) if self._options.once else StatusLine(self.tally, self._clock, loud)
        try:
            while not self._done.wait(REFRESH) and not self._dispatch.failure:
                if self._wishes.leaving:
                    self._stopping.set()
                    self._waker.wake()
                self._dispatch.unread = backlog = self._tailer.backlog()
                display.refresh(backlog)
        finally:
            display.close()
        if self._dispatch.failure or self._failure:
            raise self._dispatch.failure or self._failure  # type: ignore[misc]
        self._await_commits()
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
                    self._notices.report("stopped", "not all is committed; the same command goes on from there")
                    return

    def _end(self) -> None:
        self._stopping.set()
        self._packed.cut()
        self._dispatch.stop()
        self._waker.wake()
        for thread in getattr(self, "_threads", ()):
            thread.join()
        self._parsers.shutdown(cancel_futures=True)
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
            self._done.set()

    # reader

    def _read(self) -> None:
        try:
            while not self._stopping.is_set():
                before = self.tally.bytes
                for chunk in self._tailer.poll():
                    self._submit(chunk)
                    if self._stopping.is_set():
                        return
                self._tell()
                if self._options.once:
                    break
                self._rest(self.tally.bytes > before)
            if not self._stopping.is_set():
                for chunk in self._tailer.drain_ends(self._formats.is_whole):
                    self._submit(chunk)
            self._tell()
        finally:
            self._packed.close()

    def _submit(self, chunk: Chunk) -> None:
        fmt = self._formats.format_of(chunk)
        if fmt is None:
            self._tailer.refuse(chunk.source)
            return
        if chunk.data:
            self._tailer.set_format(chunk.source, fmt.name)
        source = self._named(self._tailer.source(chunk.source))
        self._told[source.id] = source
        self._packed.put(self._parsers.submit(self._pack, chunk, fmt, source))

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
        self._stopping.wait(self._flush)

    # parsers, and what follows them

    def _pack(self, chunk: Chunk, fmt: Format, source: Source) -> _Packed:
        batch = columns.parse(chunk, fmt, self._clock.now(), self._config.tail.max_line)
        events = self._classifier.classify(batch.table)
        kinds = {pair["values"]: pair["counts"] for pair in pc.value_counts(events["kind"].cast("string")).to_pylist()}
        shards = len(self._dispatch.lanes)
        flights = tuple(
            (
                job.shard,
                Flight(
                    job.source,
                    job.origin,
                    job.start,
                    job.end,
                    wire.pack(Parcel(self._who.tailer, self._who.epoch, shards, source, job)),
                ),
            )
            for job in deal(chunk, events, batch.rejects, shards)
        )
        return _Packed(chunk, kinds, dict(batch.rejects.counts), flights)

    def _send(self) -> None:
        with contextlib.suppress(Closed):
            while True:
                packed = self._packed.get().result()
                if not self._dispatch.put(packed.flights):
                    break
                self.tally.add(packed.chunk, packed.kinds, packed.rejects)
        self._done.set()

    # what is left unread

    def _notice(self, kind: str, text: str) -> None:
        if kind == "unreadable" and self._options.once:
            self._unreadable.append(SourceError(text.removesuffix("; trying again")))
        else:
            self._notices.report(kind, text)

    def _refuse(self, source: str) -> None:
        if source not in self._refused:
            path = self._tailer.source(source).path
            self._refused[source] = path
            if not self._options.once:
                self._notices.report("format", str(self._no_format(path)))

    def _no_format(self, path: str) -> FormatError:
        given = self._options.log_format or self._config.log_format
        what = f"the log format {given!r} matches none" if given else "no known log format matches most"
        return FormatError(f"{path}: {what} of its first lines", "say it with --log-format; nothing of it was counted")
