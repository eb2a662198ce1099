"""A process beside this one that works for it: bytes there, a result back, both through memory that the two share.

    parent                                   child
    seat.call(task, data, ...)  ── data ──▶  work(ask, task, data, ...)
               result          ◀── room ──

What lies in a room of `BufferPool` is not copied on its way there, and what comes back is a view of a room, too. Pickles cross
between the two, which are the same program; nothing of a log is unpickled, its bytes stay bytes.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import pickle
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from mmap import PAGESIZE, mmap
from multiprocessing.connection import Connection, wait
from typing import Any
from weakref import finalize

import numpy as np

from logagg.heap import Heap, resident

_ALIGNMENT = 64  # bytes, as Arrow wants its buffers
_NOWHERE = memoryview(b"")

Buffer = bytes | memoryview
Sent = slice | bytes  # a place in memory that both have, or what does not lie there


class BufferPool:
    """Memory that this process shares with those it forks from now on, in rooms of one size.

    Who has a view of a room has the room, and so has an array, a table or a chunk that is made of such views: nobody gives
    a room back, it is free when the last view is gone. Memory that was never written to takes none.
    """

    def __init__(self, count: int, size: int) -> None:
        size = _rounded(size, PAGESIZE)
        self._memory = np.frombuffer(mmap(-1, count * size), np.uint8)
        self._free = [
            slice(start, start + size) for start in range(0, count * size, size)
        ]  # the last one is taken first

    def take(self) -> memoryview:
        """Return a room for oneself; an empty one where all are taken."""
        try:
            place = self._free.pop()
        except IndexError:
            return _NOWHERE
        room = self._memory[place]
        finalize(room, self._free.append, place)
        return room.data

    def sent(self, data: Buffer) -> Sent:
        """Return what another process needs to have data: where they lie, or what they are if that is elsewhere."""
        start = _address(data) - _address(self._memory)
        return slice(start, start + len(data)) if 0 <= start < len(self._memory) else bytes(data)

    def received(self, sent: Sent) -> memoryview:
        """Return what was sent."""
        return self._memory[sent].data if isinstance(sent, slice) else memoryview(sent)


class Channel:
    """A place where calls to a child wait until it is their turn; one thread at a time may use it.

    While the child works for one seat, the data of the next call are brought to another, and results are fetched from it.
    """

    def __init__(self, data: BufferPool, results: BufferPool) -> None:
        self.connection, self.theirs = multiprocessing.Pipe()
        self._data, self._results = data, results
        self._task: Any = None

    def call(self, task: Any, data: Buffer, *arguments: Any, ask: Callable[[Any], Any] | None = None) -> Any:
        """Return what `work` makes of a task, data and arguments over there; `ask` answers what it asks meanwhile.

        A task that was the last one, too, is not sent again. Raises what `work` raises, and EOFError or ConnectionError when
        the process has ended.
        """
        if task is not self._task:
            self.connection.send(_Task(task))
            self._task = task
        room = self._results.take()
        self.connection.send(_Call(arguments, self._data.sent(data), self._results.sent(room)))
        while isinstance(answer := self.connection.recv(), _Question):
            self.connection.send(_attempt(ask, answer.about))
        if isinstance(answer, Exception):
            raise answer
        return answer.result(room.toreadonly())


class Child:
    """A forked process, as its parent sees it."""

    def __init__(
        self,
        work: Callable[..., Any],
        prepare: Callable[[], None],
        data: BufferPool,
        results: BufferPool,
        memory: int,
        siblings: Sequence[Child] = (),
        seats: int = 1,
    ) -> None:
        """Fork. `work` does what is called for, after `prepare` has been done once."""
        self.seats = [Channel(data, results) for _ in range(seats)]
        desks = [_Endpoint(seat.theirs, data, results, work) for seat in self.seats]
        inherited = [seat.connection for child in (self, *siblings) for seat in child.seats]
        self._process = multiprocessing.get_context("fork").Process(
            target=_live, args=(desks, prepare, memory, inherited), daemon=True
        )
        self._process.start()
        for seat in self.seats:
            seat.theirs.close()

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    def close(self) -> None:
        """Let it end, and wait until it has."""
        for seat in self.seats:
            seat.connection.close()
        self._process.join()

    def end(self) -> str:
        """Wait until it has ended; return how."""
        self._process.join()
        status = self._process.exitcode or 0
        return f"signal {-status}" if status < 0 else f"status {status}"


@dataclass(frozen=True, slots=True)
class _Task:
    """What the calls from now on are for."""

    value: Any


@dataclass(frozen=True, slots=True)
class _Call:
    """What to do the task with, and where there is room for the result."""

    arguments: tuple[Any, ...]
    data: Sent
    room: Sent


@dataclass(frozen=True, slots=True)
class _Question:
    """What the child wants to know before it can go on."""

    about: Any


@dataclass(frozen=True, slots=True)
class _Answer:
    """A result, pickled; its buffers lie in a room as far as they fit."""

    head: bytes
    buffers: list[Sent]

    @classmethod
    def of(cls, result: Any, room: memoryview) -> _Answer:
        buffers: list[pickle.PickleBuffer] = []
        head = pickle.dumps(result, protocol=5, buffer_callback=buffers.append)
        laid: list[Sent] = []
        end = 0
        for buffer in buffers:
            view = buffer.raw()
            place = slice(end, end + len(view))
            if view and place.stop <= len(room):
                room[place] = view
                laid.append(place)
                end = _rounded(place.stop, _ALIGNMENT)
            else:
                laid.append(bytes(view))
        return cls(head, laid)

    def result(self, room: memoryview) -> Any:
        buffers = [room[one] if isinstance(one, slice) else one for one in self.buffers]
        return pickle.loads(self.head, buffers=buffers)


@dataclass(slots=True)
class _Endpoint:
    """A seat, as the child sees it."""

    connection: Connection
    data: BufferPool
    results: BufferPool
    work: Callable[..., Any]
    task: Any = None

    def serve(self) -> None:
        """Do what is asked for next. Raises EOFError or ConnectionError when the parent is gone."""
        message = self.connection.recv()
        if isinstance(message, _Task):
            self.task = message.value
        else:
            self.connection.send(_attempt(self._done, message))

    def _done(self, call: _Call) -> _Answer:
        result = self.work(self._ask, self.task, self.data.received(call.data).toreadonly(), *call.arguments)
        return _Answer.of(result, self.results.received(call.room))

    def _ask(self, about: Any) -> Any:
        self.connection.send(_Question(about))
        answer = self.connection.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer


def _live(
    desks: Sequence[_Endpoint], prepare: Callable[[], None], memory: int, inherited: Sequence[Connection]
) -> None:
    """Be a child until the parent is gone."""
    for connection in inherited:  # as long as anybody has the parent's end, the parent does not seem gone
        connection.close()
    # Signals are for the parent, which lets what was read be committed before it ends.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    prepare()
    heap, waiting = Heap(resident() + memory), {desk.connection: desk for desk in desks}
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            for ready in wait(list(waiting)):
                waiting[ready].serve()  # type: ignore[index]  # one of those it was given
                heap.tidy()


def _attempt(function: Callable[..., Any] | None, *arguments: Any) -> Any:
    """Return what a function returns, or raises."""
    try:
        return function(*arguments) if function else None
    except (EOFError, ConnectionError):
        raise
    except Exception as failure:  # the other process raises it
        return failure


def _address(data: Buffer | np.ndarray[Any, Any]) -> int:
    return int(np.frombuffer(data, np.uint8).ctypes.data)


def _rounded(size: int, unit: int) -> int:
    """Return the next multiple of a unit."""
    return -(-size // unit) * unit
