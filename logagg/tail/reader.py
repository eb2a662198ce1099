"""The read loop: looks at the logs, has parsers read what is new, hands that to a sink, flushes, rests."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from logagg.clock import Clock
from logagg.intake.tail import Tailer
from logagg.intake.waker import Waker
from logagg.parse.source_formats import SourceFormats
from logagg.parse_pool.pool import Parsers
from logagg.parse_pool.task import without_data
from logagg.records import Chunk
from logagg.tail.sink import Closed, Sink

LOOK_AGAIN = 0.5  # seconds between reconciling polls when nothing woke us
SHORT = 0.01  # seconds between two looks at the least
BUSY = 1 << 20  # bytes between two flushes: of more, not all is left for the last moment
PORTIONS = 4  # in which a busy log is read between two flushes


@dataclass(frozen=True, slots=True)
class Pace:
    """How often to flush, and when to end."""

    flush: float = 1.0  # seconds
    once: bool = False  # read all there is, then stop


class ReadLoop:
    """Reads in a thread of its own, by one configuration, until all is read (`once`), `stop` is called, or its sink fails."""

    def __init__(
        self,
        tailer: Tailer,
        waker: Waker,
        formats: SourceFormats,
        parsers: Parsers,
        sink: Sink,
        pace: Pace,
        clock: Clock,
        written_at: float = 0.0,
    ) -> None:
        self._tailer, self._waker, self._formats, self._parsers = tailer, waker, formats, parsers
        self._sink, self._pace, self._clock = sink, pace, clock
        self._written_at = written_at  # when the lake was last written: the clock may be behind that
        self._put = self._changed = False  # something since the last flush: a chunk, or a change without one
        self._bytes = self._bytes_before = 0  # put since the last flush, and between the two before
        self._flushed = clock.monotonic()
        self._stopping = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="reader", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Read no further; what the tailer gave out is put and flushed."""
        self._stopping.set()
        self._waker.wake()

    def join(self) -> None:
        """Wait for the end. Raises what made the loop fail; that its sink has failed, the sink says itself."""
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
            for chunk in self._tailer.drain_ends(self._formats.is_whole):
                self._submit(chunk)
        self._sink.ready(None)
        self._flush()

    def _read_what_is_there(self) -> None:
        began = self._clock.monotonic()
        for chunk in self._tailer.poll():
            self._submit(chunk)  # what the tailer has given out it does not give again
            if self._tailer.only_stdin:
                self._sink.read(self._clock.monotonic())
            if self._stopping.is_set():
                return
            if self._sink.due() or not self._remaining():
                self._flush()
        self._sink.read(began)

    def _submit(self, chunk: Chunk) -> None:
        """Have a chunk parsed, and put it; the tailer takes it back where no format fits."""
        written = max(self._written_at, self._tailer.source(chunk.source).modified)
        fmt = self._formats.format_of(chunk, written)
        if fmt is None:
            self._tailer.refuse(chunk.source)
            return
        if chunk.data:  # a hole, or a line over the limit, does not show its format
            self._tailer.set_format(chunk.source, fmt.name)
        source = self._tailer.source(chunk.source)
        self._put = True
        self._bytes += chunk.end - chunk.start
        self._sink.put(source, without_data(chunk), self._parsers.submit(chunk, fmt, source, written=written))

    def _flush(self) -> None:
        self._changed |= self._tailer.take_changes()
        if (self._put or self._changed) and self._sink.ready():
            self._sink.flush(self._tailer.sources(), changed=self._changed)
            self._put = self._changed = False
            self._bytes, self._bytes_before = 0, self._bytes
            self._flushed = self._clock.monotonic()

    def _remaining(self) -> float:
        """Return the seconds until the next flush."""
        return max(0.0, self._flushed + self._pace.flush - self._clock.monotonic())

    def _rest(self) -> None:
        """Wait until something is written, and until it is time to flush; a busy log is read meanwhile, in portions."""
        if not (self._put or self._changed):
            self._wait_for_more()
        while (left := self._remaining()) and not self._stopping.is_set():
            if not self._is_busy():
                self._stopping.wait(left)
                return
            self._stopping.wait(min(left, self._pace.flush / PORTIONS))
            if self._remaining():
                self._read_what_is_there()
        # A commit that takes longer than the interval: to look at the logs over and over would only take its core.
        self._sink.ready(min(LOOK_AGAIN, self._pace.flush / PORTIONS + SHORT))

    def _wait_for_more(self) -> None:
        if not self._remaining():  # a whole interval without a line
            self._bytes = self._bytes_before = 0
        if not self._is_busy():
            self._waker.watch(self._tailer.folders())
            self._waker.wait(LOOK_AGAIN)

    def _is_busy(self) -> bool:
        return max(self._bytes, self._bytes_before) > BUSY
