"""Parsers: chunks -> events, in parallel, in processes of their own if possible.

Parsing is thousands of short steps in numpy and Arrow, and between any two of them a Python thread waits for the
interpreter's lock: two parsers in threads are hardly faster than one (docs/decisions/0009). Processes do not wait.
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
from logagg.closing import Closing
from logagg.memory import Budget
from logagg.notices import Report, ignore, parser_ended
from logagg.parse.formats.format import Format
from logagg.parse_pool import transfer
from logagg.parse_pool.child import BufferPool, Channel, Child
from logagg.parse_pool.task import Parsed, ParseTask, without_data
from logagg.records import Chunk

CHANNELS = 2  # of a parser: while it parses the chunk of one, the next chunk is sent through the other
AHEAD = 2  # chunks besides those in the channels: one that is being read, and one that waits
_EVENTS = 2  # buffer for the events of a chunk, in chunk sizes; events take less than lines, unless lines are short
_BATCHES = 8  # batches of a parser that wait to be rolled up together

Learn = Callable[[str, tuple[str, ...]], None]  # takes a source, and the names of formats that were found in it


def forget(source: str, formats: tuple[str, ...]) -> None:
    """Do not remember formats."""


class Parsers(Closing):
    """Some parsers, each of which takes one chunk at a time.

    Processes are forked by the constructor, which is safe only before there are threads and locks; otherwise parsers are
    threads. Parsers hold no state that must survive, and end with this process. One that dies (often because the system
    is short of memory) is not replaced: its chunk, and its share of later ones, is parsed in this process.
    """

    def __init__(self, budget: Budget, clock: Clock) -> None:
        self._latest = LatestTime(clock)
        self._report: Report = ignore
        self._learn: Learn = forget
        self._local_task: ParseTask | None = None
        self._child_task: ParseTask | None = None  # the same, but it asks this process for visitor keys
        self._buffers = BufferPool(budget.parsers * CHANNELS + AHEAD, budget.chunk)
        self._children = _fork(budget, self._buffers)
        self.memory = budget.parser * len(self._children)  # bytes that the children may take
        slots = [_Slot(child, channel) for child in self._children for channel in child.channels]
        self.count = len(slots) or budget.parsers
        self._free: SimpleQueue[_Slot] = SimpleQueue()
        for slot in slots or [_LOCAL] * budget.parsers:
            self._free.put(slot)
        self._threads = ThreadPoolExecutor(self.count, "parser")
        self._ended: list[Child] = []
        self._lock = threading.Lock()
        if not self._children:
            threading.Thread(target=_prepare, daemon=True).start()

    @property
    def pids(self) -> list[int]:
        """The ids of the parser processes."""
        return [child.pid for child in self._children]

    def use(self, task: ParseTask, report: Report, learn: Learn = forget) -> None:
        """Use this task from now on, report when a parser dies, and `learn` which further formats a source has."""
        self._local_task, self._child_task, self._report, self._learn = task, task.asking(None), report, learn

    def take_buffer(self) -> memoryview:
        """Return a shared buffer to read a chunk into, so that it is not copied; empty if none is free."""
        return self._buffers.take() if self._children else memoryview(b"")

    def submit(self, chunk: Chunk, fmt: Format, *more: Any, written: float = 0.0, site: str = "") -> Future[Any]:
        """Let a parser parse a chunk by the task in use.

        It may have been written as late as `written`; `site` is that of lines that do not name theirs.
        """
        assert self._local_task and self._child_task, "`use` was called"
        return self._threads.submit(self._parse, self._local_task, self._child_task, written, chunk, fmt, site, *more)

    def close(self) -> None:
        """End the parsers; chunks that are still queued are dropped."""
        self._threads.shutdown(cancel_futures=True)
        for child in self._children:
            child.close()

    def _parse(self, local: ParseTask, remote: ParseTask, written: float, chunk: Chunk, fmt: Format, *more: Any) -> Any:
        parsed = self._parsed(local, remote, written, chunk, fmt, *more)
        if parsed.formats:
            self._learn(chunk.source, parsed.formats)
        return parsed.result

    def _parsed(
        self, local: ParseTask, remote: ParseTask, written: float, chunk: Chunk, fmt: Format, *more: Any
    ) -> Parsed:
        slot, now = self._free.get(), self._latest.of(written)
        try:
            if slot.channel:
                ask = local.classifier.key_of
                found = slot.channel.call(remote, chunk.data, without_data(chunk), fmt, now, *more, ask=ask)
                return replace(found, result=transfer.unpacked(found.result))
        except (EOFError, ConnectionError):
            self._give_up(slot)
            slot = _LOCAL
        finally:
            self._free.put(slot)
        return local(chunk, fmt, now, *more)

    def _give_up(self, slot: _Slot) -> None:
        """Report once that a child has ended."""
        assert slot.child, "only children end"
        with self._lock:
            if slot.child not in self._ended:
                self._ended.append(slot.child)
                how = slot.child.end()
                self._report(parser_ended(how))


@dataclass(frozen=True, slots=True)
class _Slot:
    """Where a chunk is parsed: in a child, through one of its channels, or in this process."""

    child: Child | None = None
    channel: Channel | None = None


_LOCAL = _Slot()  # this process


def _prepare() -> None:
    from logagg.parse.events import agents  # large, so only parsers import it

    agents.prepare()


def _fork(budget: Budget, buffers: BufferPool) -> Sequence[Child]:
    """Fork parsers if that is safe, and there is more than one core to run them on."""
    children: list[Child] = []
    if (os.cpu_count() or 1) > 1 and sys.platform == "linux" and threading.active_count() == 1:
        gc.freeze()  # otherwise garbage collection would write to shared pages, and so copy them for each process
        results = BufferPool(budget.parsers * _BATCHES, _EVENTS * budget.chunk)
        for _ in range(budget.parsers):
            children.append(Child(_parse_in_child, _prepare, buffers, results, budget.parser, children, CHANNELS))
    return children


def _parse_in_child(ask: Callable[[Any], Any], task: ParseTask, data: memoryview, chunk: Chunk, *rest: Any) -> Any:
    """Parse a chunk in a parser's process."""
    parsed = task.asking(ask)(replace(chunk, data=data), *rest)
    return replace(parsed, result=transfer.packed(parsed.result))
