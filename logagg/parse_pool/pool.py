"""Parsers: chunks -> events, beside one another and the rest, in processes of their own where that can be.

Parsing is thousands of short steps in numpy and Arrow, and between any two of them a thread of Python waits for all
others: two parsers in threads are hardly faster than one (docs/decisions/0009). Processes do not wait.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import Any

from logagg.clock import Clock, LatestTime
from logagg.memory import Budget
from logagg.notices import Report, ignore, parser_ended
from logagg.parse.events.addresses import without_addresses
from logagg.parse.events.classify import Classifier
from logagg.parse.formats.compile import Format
from logagg.parse.lines import fast
from logagg.parse_pool.child import BufferPool, Channel, Child
from logagg.records import Batch, Chunk

SEATS = 2  # of a parser: while it reads the chunk at one, the next is brought to the other
AHEAD = 2  # chunks beside those at the seats: one that is being read, and one that waits
_EVENTS = 2  # times the size of a chunk: room for its events; they take less than its lines, unless those are short
_BATCHES = 8  # of a parser, until their events are rolled up together


@dataclass(frozen=True, slots=True)
class ParseTask:
    """How the lines of a chunk become what a parser hands on."""

    classifier: Classifier
    max_line: int = 1 << 20  # bytes; a longer line is a reject
    addresses_in_samples: bool = False  # of rejects
    then: Callable[..., Any] | None = None  # what a parser makes of a chunk, its events, and what came with the chunk

    def __call__(self, chunk: Chunk, fmt: Format, now: float, *more: Any) -> Any:
        """Return a batch whose table holds events, or what `then` makes of it."""
        batch = fast.parse(chunk, fmt, now, self.max_line)
        rejects = batch.rejects if self.addresses_in_samples else without_addresses(batch.rejects)
        events = Batch(self.classifier.classify(batch.table), rejects)
        return self.then(without_data(chunk), events, *more) if self.then else events

    def asking(self, key_of: Callable[[int], bytes] | None) -> ParseTask:
        """Return the same with another one to ask for the keys of visitors."""
        return replace(self, classifier=replace(self.classifier, key_of=key_of))


def without_data(chunk: Chunk) -> Chunk:
    """What is read can go: only where it came from travels on."""
    return replace(chunk, data=b"")


class Parsers:
    """Some parsers, each of which takes one chunk at a time.

    Processes are forked here and now, before there are threads and locks, or else it is not safe: then they are threads.
    They hold nothing that counts, and end when we do. One that dies (the system was short of memory) is not replaced:
    its chunk, and what it would have read, is read in this process.
    """

    def __init__(self, budget: Budget, clock: Clock) -> None:
        self._latest = LatestTime(clock)
        self._report: Report = ignore
        self._reading: ParseTask | None = None
        self._there: ParseTask | None = None  # the same, for another process
        self._rooms = BufferPool(budget.parsers * SEATS + AHEAD, budget.chunk)
        self._children = _fork(budget, self._rooms)
        self.memory = budget.parser * len(self._children)  # what they may take beside this process
        places = [_Slot(child, seat) for child in self._children for seat in child.seats]
        self.count = len(places) or budget.parsers
        self._free: SimpleQueue[_Slot] = SimpleQueue()
        for place in places or [_HERE] * budget.parsers:
            self._free.put(place)
        self._threads = ThreadPoolExecutor(self.count, "parser")
        self._ended: list[Child] = []
        self._lock = threading.Lock()
        if not self._children:
            threading.Thread(target=_prepare, daemon=True).start()

    def __enter__(self) -> Parsers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pids(self) -> list[int]:
        """The processes that parse."""
        return [child.pid for child in self._children]

    def use(self, reading: ParseTask, report: Report) -> None:
        """Read so from now on, and report when a parser dies."""
        self._reading, self._there, self._report = reading, reading.asking(None), report

    def room(self) -> memoryview:
        """Return memory to read a chunk into, for parsers to have it without a copy; none where there is none."""
        return self._rooms.take() if self._children else memoryview(b"")

    def submit(self, chunk: Chunk, fmt: Format, *more: Any, written: float = 0.0) -> Future[Any]:
        """Let a parser read a chunk, which was `written` no later than that, in the way that is in use now."""
        assert self._reading and self._there, "who submits has said how to read"
        return self._threads.submit(self._read, self._reading, self._there, written, chunk, fmt, *more)

    def close(self) -> None:
        """End; chunks that no parser has begun are dropped."""
        self._threads.shutdown(cancel_futures=True)
        for child in self._children:
            child.close()

    def _read(self, reading: ParseTask, there: ParseTask, written: float, chunk: Chunk, fmt: Format, *more: Any) -> Any:
        place, now = self._free.get(), self._latest.of(written)
        try:
            if place.seat:
                ask = reading.classifier.key_of
                return place.seat.call(there, chunk.data, without_data(chunk), fmt, now, *more, ask=ask)
        except (EOFError, ConnectionError):
            self._give_up(place)
            place = _HERE
        finally:
            self._free.put(place)
        return reading(chunk, fmt, now, *more)

    def _give_up(self, place: _Slot) -> None:
        """Report once that a child has ended."""
        assert place.child, "what is read here does not end"
        with self._lock:
            if place.child not in self._ended:
                self._ended.append(place.child)
                how = place.child.end()
                self._report(parser_ended(how))


@dataclass(frozen=True, slots=True)
class _Slot:
    """Where a chunk is read: at a seat of a child, or in this process."""

    child: Child | None = None
    seat: Channel | None = None


_HERE = _Slot()


def _prepare() -> None:
    from logagg.parse.events import agents  # not in a process that others parse for: it is large

    agents.prepare()


def _fork(budget: Budget, rooms: BufferPool) -> Sequence[Child]:
    """Fork parsers, unless there is one core only, for which they would take turns with us anyway, or it is not safe."""
    children: list[Child] = []
    if (os.cpu_count() or 1) > 1 and sys.platform == "linux" and threading.active_count() == 1:
        gc.freeze()  # looking for cycles would write to all there is, and so make a copy of it for each process
        results = BufferPool(budget.parsers * _BATCHES, _EVENTS * budget.chunk)
        for _ in range(budget.parsers):
            children.append(Child(_read_here, _prepare, rooms, results, budget.parser, children, SEATS))
    return children


def _read_here(ask: Callable[[Any], Any], reading: ParseTask, data: memoryview, chunk: Chunk, *rest: Any) -> Any:
    """Read a chunk in a parser's process."""
    return reading.asking(ask)(replace(chunk, data=data), *rest)
