"""The read loop: polls the logs, submits new chunks to the parsers, puts them into a sink, flushes, and waits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from logagg.clock import Clock
from logagg.config.logs import LogTable
from logagg.intake.tail import Tailer
from logagg.intake.waker import Waker
from logagg.parse.source_formats import SourceFormats
from logagg.parse_pool.pool import Parsers
from logagg.parse_pool.task import without_data
from logagg.records import Chunk, Source
from logagg.tail.sink import Closed, Sink

LOOK_AGAIN = 0.5  # seconds between polls without an event
SHORT = 0.01  # seconds between two polls, at least
BUSY = 1 << 20  # bytes between two flushes, above which a log is read in portions instead of all before the flush
PORTIONS = 4  # of a busy log between two flushes
WRITTEN = 2.0  # seconds after which no more is expected of a line
WRITING = 0.2  # seconds in which the rest of a line comes, at most


class _Parsing:
    """Counts the chunks that parsers have not finished."""

    def __init__(self) -> None:
        self._chunks, self._changed = 0, threading.Condition()

    def add(self, parsed: Future[Any]) -> None:
        with self._changed:
            self._chunks += 1
        parsed.add_done_callback(self._done)

    def wait(self) -> None:
        """Wait until no chunk is uncommitted."""
        with self._changed:
            self._changed.wait_for(lambda: not self._chunks)

    def _done(self, parsed: Future[Any]) -> None:
        with self._changed:
            self._chunks -= 1
            self._changed.notify_all()


@dataclass(frozen=True, slots=True)
class Pace:
    """The flush interval, and whether the loop ends by itself."""

    flush: float = 1.0  # seconds
    once: bool = False  # read all there is, then stop


class ReadLoop:
    """Reads in its own thread, with one configuration, until everything is read (`once`), `stop` is called, or its sink fails."""

    def __init__(
        self,
        tailer: Tailer,
        waker: Waker,
        formats: SourceFormats,
        logs: LogTable,
        parsers: Parsers,
        sink: Sink,
        pace: Pace,
        clock: Clock,
        written_at: float = 0.0,
        *,
        found: Callable[[Source, str], None],
    ) -> None:
        self._tailer, self._waker, self._parsers = tailer, waker, parsers
        self._formats, self._logs = formats, logs
        self._sink, self._pace, self._clock = sink, pace, clock
        self._written_at = written_at  # when the lake was last written, in case the clock is behind that
        self._found = found  # is told of a further format of a source
        self._parsing = _Parsing()
        self._put = self._changed = False  # since the last flush: a chunk was put; a source changed without one
        self._bytes = self._bytes_before = 0  # put since the last flush, and in the interval before
        self._flushed = clock.monotonic()
        self._stopping = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="reader", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Read no further; chunks that the tailer has yielded are put and flushed."""
        self._stopping.set()
        self._waker.wake()

    def join(self) -> None:
        """Wait for the end. Raises the exception that ended the loop; failures of the sink are raised by the sink."""
        self._thread.join()
        if self._failure:
            raise self._failure

    def _run(self) -> None:
        try:
            self._read()
        except Closed:
            pass
        except BaseException as failure:
            self._failure = failure
            self._sink.cut()

    def _read(self) -> None:
        while not self._stopping.is_set():
            self._read_what_is_there()
            if self._pace.once and self._tailer.is_piped():
                if self._tailer.waits_for_clock():
                    self._stopping.wait(LOOK_AGAIN)
                continue
            self._flush()
            if self._pace.once or self._tailer.ended():
                break
            self._rest()
        if not self._stopping.is_set():
            for chunk in self._tailer.drain_ends(self._is_whole):
                self._submit(chunk)
        self._sink.ready(None)
        self._parsing.wait()  # so that the last commit has the formats that the last chunks have
        self._flush()

    def _read_what_is_there(self) -> None:
        began = self._clock.monotonic()
        for chunk in self._tailer.poll():
            self._submit(chunk)  # the tailer does not yield a chunk again
            if self._tailer.only_stdin:
                self._sink.read(self._clock.monotonic())
            if self._stopping.is_set():
                return
            if self._sink.due() or not self._remaining():
                self._flush()
        self._sink.read(began)

    def _submit(self, chunk: Chunk) -> None:
        """Submit a chunk to the parsers and put it; the tailer takes it back if no format matches."""
        written = max(self._written_at, self._tailer.source(chunk.source).modified)
        fmt = self._formats.format_of(chunk, written)
        if fmt is None:
            self._tailer.refuse(chunk.source)
            return
        # A hole, or a line over the limit, has no format.
        if chunk.data and not self._tailer.set_format(chunk, self._formats.name_of(chunk.source, fmt.name)):
            return
        source = self._tailer.set_site(chunk.source, self._logs.site_of(*self._tailer.names(chunk.source)))
        self._put = True
        self._bytes += chunk.end - chunk.start
        parsed = self._parsers.submit(chunk, fmt, source, written=written, site=source.site)
        self._parsing.add(parsed)
        self._sink.put(source, without_data(chunk), parsed)

    def _is_whole(self, source: str, fragment: bytes) -> bool:
        """Tell whether a last line without a newline is complete: it parses, and nothing more is written to it."""
        if not self._formats.reads(source, fragment):
            return False
        age = self._clock.now() - self._tailer.source(source).modified
        if self._formats.is_closed(source) or age > WRITTEN:
            return True
        self._stopping.wait(WRITING)
        return self._tailer.fragment(source) == fragment

    def _flush(self) -> None:
        self._changed |= self._tailer.take_changes() | self._learn()
        if (self._put or self._changed) and self._sink.ready():
            self._sink.flush(self._tailer.sources(), changed=self._changed)
            self._put = self._changed = False
            self._bytes, self._bytes_before = 0, self._bytes
            self._flushed = self._clock.monotonic()

    def _learn(self) -> bool:
        """Remember the formats that parsers have found; return whether there were any."""
        learned = self._formats.take_learned()
        for source, names in learned.items():
            self._tailer.note_format(source, self._formats.name_of(source))
            for name in names:
                self._found(self._tailer.source(source), name)
        return bool(learned)

    def _remaining(self) -> float:
        """Return the seconds until the next flush."""
        return max(0.0, self._flushed + self._pace.flush - self._clock.monotonic())

    def _rest(self) -> None:
        """Wait for new data, and for the time to flush; a busy log is read in portions meanwhile."""
        if not (self._put or self._changed):
            self._wait_for_more()
        while (left := self._remaining()) and not self._stopping.is_set():
            if not self._is_busy():
                self._stopping.wait(left)
                return
            self._stopping.wait(min(left, self._pace.flush / PORTIONS))
            if self._remaining():
                self._read_what_is_there()
        # The commit takes longer than the interval: polling again and again would only take its core.
        self._sink.ready(min(LOOK_AGAIN, self._pace.flush / PORTIONS + SHORT))

    def _wait_for_more(self) -> None:
        if not self._remaining():  # a whole interval without a line
            self._bytes = self._bytes_before = 0
        if not self._is_busy():
            self._waker.watch(self._tailer.folders())
            self._waker.wait(LOOK_AGAIN)

    def _is_busy(self) -> bool:
        return max(self._bytes, self._bytes_before) > BUSY
