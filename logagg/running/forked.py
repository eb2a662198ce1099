"""A process beside this one that works for it: bytes there, a result back, both through memory that the two share.

    parent                                child
    call(task, data, ...)  ── inbox ──▶   work(ask, task, data, ...)
          result           ◀── outbox ──

Pickles cross between the two, which are the same program; nothing of a log is unpickled, its bytes stay bytes.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import pickle
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from mmap import mmap
from multiprocessing.connection import Connection
from typing import Any

from logagg.running.process import Heap, resident

_ALIGNMENT = 64  # bytes, as Arrow wants its buffers
_RESULT = 4  # times the room for data: that for a result; what is larger takes the long way

Buffer = bytes | memoryview


class Child:
    """A forked process, as its parent sees it; one thread at a time may use it."""

    def __init__(
        self, work: Callable[..., Any], prepare: Callable[[], None], room: int, memory: int, siblings: Sequence[Child]
    ) -> None:
        """Fork. `work` does what is called for, after `prepare` has been done once; `room` is for data, in bytes."""
        self._inbox, self._outbox = _Room(room), _Room(_RESULT * room)
        self._connection, theirs = multiprocessing.Pipe()
        self._task: Any = None
        desk = _Desk(theirs, self._inbox, self._outbox, work)
        inherited = [self._connection, *(sibling._connection for sibling in siblings)]
        self._process = multiprocessing.get_context("fork").Process(
            target=_live, args=(desk, prepare, memory, inherited), daemon=True
        )
        self._process.start()
        theirs.close()

    def call(self, task: Any, data: Buffer, *arguments: Any, ask: Callable[[Any], Any] | None = None) -> Any:
        """Return what `work` makes of a task, data and arguments over there; `ask` answers what it asks meanwhile.

        A task that was the last one, too, is not sent again. Raises what `work` raises, and EOFError or ConnectionError when
        the process has ended.
        """
        if task is not self._task:
            self._connection.send(_Task(task))
            self._task = task
        self._connection.send(arguments)
        self._inbox.send(self._connection, [data])
        while isinstance(answer := self._connection.recv(), _Question):
            self._connection.send(_attempt(ask, answer.about))
        if isinstance(answer, Exception):
            raise answer
        return pickle.loads(answer, buffers=[bytes(one) for one in self._outbox.receive(self._connection)])  # noqa: S301

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    def close(self) -> None:
        """Let it end, and wait until it has."""
        self._connection.close()
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
class _Question:
    """What the child wants to know before it can go on."""

    about: Any


class _Room:
    """Memory that two processes share; what does not fit goes through their connection."""

    def __init__(self, size: int) -> None:
        self._memory = mmap(-1, size)

    def send(self, connection: Connection, buffers: Sequence[Buffer | pickle.PickleBuffer]) -> None:
        views = [memoryview(buffer).cast("B") for buffer in buffers]
        sizes = [len(view) for view in views]
        connection.send(sizes)
        if self._places(sizes)[-1] > len(self._memory):
            for view in views:
                connection.send_bytes(view)
            return
        for place, view in zip(self._places(sizes), views, strict=False):
            self._memory[place : place + len(view)] = view
        connection.send_bytes(b"")  # it is all there

    def receive(self, connection: Connection) -> list[Buffer]:
        """Return what was sent: views of the memory, good until the next is sent."""
        sizes: list[int] = connection.recv()
        places = self._places(sizes)
        if places[-1] > len(self._memory):
            return [connection.recv_bytes() for _ in sizes]
        connection.recv_bytes()
        memory = memoryview(self._memory)
        return [memory[place : place + size] for place, size in zip(places, sizes, strict=False)]

    @staticmethod
    def _places(sizes: Sequence[int]) -> list[int]:
        """Return where each buffer begins, and where the last one ends."""
        places = [0]
        for size in sizes:
            places.append(places[-1] + -(-size // _ALIGNMENT) * _ALIGNMENT)
        return places


@dataclass(frozen=True, slots=True)
class _Desk:
    """Where the child takes calls, one after the other."""

    connection: Connection
    inbox: _Room
    outbox: _Room
    work: Callable[..., Any]

    def serve(self, task: Any, heap: Heap) -> None:
        """Work until the parent is gone: EOFError or ConnectionError."""
        while True:
            message = self.connection.recv()
            if isinstance(message, _Task):
                task = message.value
            else:
                self._answer(_attempt(self._done, task, message))
                heap.tidy()

    def _done(self, task: Any, arguments: tuple[Any, ...]) -> tuple[bytes, list[pickle.PickleBuffer]]:
        (data,) = self.inbox.receive(self.connection)
        buffers: list[pickle.PickleBuffer] = []
        result = self.work(self._ask, task, data, *arguments)
        return pickle.dumps(result, protocol=5, buffer_callback=buffers.append), buffers

    def _answer(self, done: tuple[bytes, list[pickle.PickleBuffer]] | Exception) -> None:
        if isinstance(done, Exception):
            self.connection.send(done)
            return
        head, buffers = done
        self.connection.send(head)
        self.outbox.send(self.connection, buffers)

    def _ask(self, about: Any) -> Any:
        self.connection.send(_Question(about))
        answer = self.connection.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer


def _live(desk: _Desk, prepare: Callable[[], None], memory: int, inherited: Sequence[Connection]) -> None:
    """Be a child until the parent is gone."""
    for connection in inherited:  # as long as anybody has the parent's end, the parent does not seem gone
        connection.close()
    # Signals are for the parent, which lets what was read be committed before it ends.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    prepare()
    with contextlib.suppress(EOFError, ConnectionError):
        desk.serve(None, Heap(resident() + memory))


def _attempt(function: Callable[..., Any] | None, *arguments: Any) -> Any:
    """Return what a function returns, or raises."""
    try:
        return function(*arguments) if function else None
    except (EOFError, ConnectionError):
        raise
    except Exception as failure:  # noqa: BLE001  # the other process raises it
        return failure
