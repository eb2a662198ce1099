"""A child process that does work for this one: data go there and results come back through shared memory.

    parent                                        child
    channel.call(task, data, ...)  ── data ──▶    work(ask, task, data, ...)
               result              ◀── result ──

Data in a buffer of a `BufferPool` are not copied on their way to the child, and a result is a view of a buffer too. The
two processes, which run the same program, exchange pickles; the bytes of logs are never unpickled.
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
Sent = slice | bytes  # a slice of the shared memory, or a copy of data from elsewhere


class BufferPool:
    """Buffers of one size, in memory that this process shares with the processes it forks afterwards.

    Buffers are released by garbage collection: a buffer returns to the pool when the last memoryview or Arrow object
    referring to it is gone. Pages that were never written to take no memory.
    """

    def __init__(self, count: int, size: int) -> None:
        size = _rounded(size, PAGESIZE)
        self._memory = np.frombuffer(mmap(-1, count * size), np.uint8)
        # A stack, so that few buffers are used, and few pages.
        self._free = [slice(start, start + size) for start in range(0, count * size, size)]

    def take(self) -> memoryview:
        """Return a free buffer; an empty one if all are taken."""
        try:
            place = self._free.pop()
        except IndexError:
            return _NOWHERE
        buffer = self._memory[place]
        finalize(buffer, self._free.append, place)
        return buffer.data

    def sent(self, data: Buffer) -> Sent:
        """Return what to send for data: their slice of the shared memory, or a copy if they lie elsewhere."""
        start = _address(data) - _address(self._memory)
        return slice(start, start + len(data)) if 0 <= start < len(self._memory) else bytes(data)

    def received(self, sent: Sent) -> memoryview:
        """Return the data that were sent."""
        return self._memory[sent].data if isinstance(sent, slice) else memoryview(sent)


class Channel:
    """A connection for calls to a child, one call at a time; one thread at a time may use it.

    A child has several, so that it works on one call while the next one is sent and a result is received.
    """

    def __init__(self, data: BufferPool, results: BufferPool) -> None:
        self.connection, self.theirs = multiprocessing.Pipe()
        self._data, self._results = data, results
        self._task: Any = None

    def call(self, task: Any, data: Buffer, *arguments: Any, ask: Callable[[Any], Any] | None = None) -> Any:
        """Return the result of `work` with a task, data and arguments in the child; `ask` answers its requests meanwhile.

        A task that equals the previous one is not sent again. Raises what `work` raises, and EOFError or ConnectionError
        when the process has ended.
        """
        if task is not self._task:
            self.connection.send(_Task(task))
            self._task = task
        buffer = self._results.take()
        self.connection.send(_Call(arguments, self._data.sent(data), self._results.sent(buffer)))
        while isinstance(reply := self.connection.recv(), _Callback):
            self.connection.send(_attempt(ask, reply.about))
        if isinstance(reply, Exception):
            raise reply
        return reply.unpack(buffer.toreadonly())


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
        channels: int = 1,
    ) -> None:
        """Fork; the child calls `prepare` once, then `work` for each call."""
        self.channels = [Channel(data, results) for _ in range(channels)]
        endpoints = [_Endpoint(channel.theirs, data, results, work) for channel in self.channels]
        inherited = [channel.connection for child in (self, *siblings) for channel in child.channels]
        self._process = multiprocessing.get_context("fork").Process(
            target=_live, args=(endpoints, prepare, memory, inherited), daemon=True
        )
        self._process.start()
        for channel in self.channels:
            channel.theirs.close()

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    def close(self) -> None:
        """Let the process end, and wait for that."""
        for channel in self.channels:
            channel.connection.close()
        self._process.join()

    def end(self) -> str:
        """Wait until the process has ended; return how it ended."""
        self._process.join()
        status = self._process.exitcode or 0
        return f"signal {-status}" if status < 0 else f"status {status}"


@dataclass(frozen=True, slots=True)
class _Task:
    """The task of all following calls."""

    value: Any


@dataclass(frozen=True, slots=True)
class _Call:
    """The arguments of one call, and the buffer for its result."""

    arguments: tuple[Any, ...]
    data: Sent
    buffer: Sent


@dataclass(frozen=True, slots=True)
class _Callback:
    """A request of the child in the middle of a call."""

    about: Any


@dataclass(frozen=True, slots=True)
class _Result:
    """A pickled result, whose out-of-band buffers lie in the shared buffer as far as they fit."""

    head: bytes
    buffers: list[Sent]

    @classmethod
    def pack(cls, result: Any, shared: memoryview) -> _Result:
        buffers: list[pickle.PickleBuffer] = []
        head = pickle.dumps(result, protocol=5, buffer_callback=buffers.append)
        laid: list[Sent] = []
        end = 0
        for buffer in buffers:
            view = buffer.raw()
            place = slice(end, end + len(view))
            if view and place.stop <= len(shared):
                shared[place] = view
                laid.append(place)
                end = _rounded(place.stop, _ALIGNMENT)
            else:
                laid.append(bytes(view))
        return cls(head, laid)

    def unpack(self, shared: memoryview) -> Any:
        buffers = [shared[one] if isinstance(one, slice) else one for one in self.buffers]
        return pickle.loads(self.head, buffers=buffers)


@dataclass(slots=True)
class _Endpoint:
    """The child's end of a channel."""

    connection: Connection
    data: BufferPool
    results: BufferPool
    work: Callable[..., Any]
    task: Any = None

    def serve(self) -> None:
        """Serve the next call. Raises EOFError or ConnectionError when the parent is gone."""
        message = self.connection.recv()
        if isinstance(message, _Task):
            self.task = message.value
        else:
            self.connection.send(_attempt(self._done, message))

    def _done(self, call: _Call) -> _Result:
        result = self.work(self._ask, self.task, self.data.received(call.data).toreadonly(), *call.arguments)
        return _Result.pack(result, self.results.received(call.buffer))

    def _ask(self, about: Any) -> Any:
        self.connection.send(_Callback(about))
        reply = self.connection.recv()
        if isinstance(reply, Exception):
            raise reply
        return reply


def _live(
    endpoints: Sequence[_Endpoint], prepare: Callable[[], None], memory: int, inherited: Sequence[Connection]
) -> None:
    """Run the child until the parent is gone."""
    for connection in inherited:  # an open copy of the parent's end would hide that the parent is gone
        connection.close()
    # The parent handles signals: before it ends, it commits the lines that were read.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    prepare()
    heap, waiting = Heap(resident() + memory), {endpoint.connection: endpoint for endpoint in endpoints}
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            for ready in wait(list(waiting)):
                waiting[ready].serve()  # type: ignore[index]  # one of the connections in `waiting`
                heap.trim()


def _attempt(function: Callable[..., Any] | None, *arguments: Any) -> Any:
    """Return the result of a function, or the exception that it raises."""
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
