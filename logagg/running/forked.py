"""A process beside this one that works for it: bytes there, a result back, both through memory that the two share.

    parent                                     child
    seat.call(task, data, ...)  ── inbox ──▶   work(ask, task, data, ...)
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
from multiprocessing.connection import Connection, wait
from typing import Any

from logagg.running.process import Heap, resident

_ALIGNMENT = 64  # bytes, as Arrow wants its buffers
_RESULT = 4  # times the room for data: that for a result; what is larger takes the long way

Buffer = bytes | memoryview


class Seat:
    """A place where calls to a child wait until it is their turn; one thread at a time may use it.

    While the child works for one seat, the data of the next call are brought to another, and results are fetched from it.
    """

    def __init__(self, room: int) -> None:
        self.inbox, self.outbox = _Room(room), _Room(_RESULT * room)
        self.connection, self.theirs = multiprocessing.Pipe()
        self._task: Any = None

    def call(self, task: Any, data: Buffer, *arguments: Any, ask: Callable[[Any], Any] | None = None) -> Any:
        """Return what `work` makes of a task, data and arguments over there; `ask` answers what it asks meanwhile.

        A task that was the last one, too, is not sent again. Raises what `work` raises, and EOFError or ConnectionError when
        the process has ended.
        """
        if task is not self._task:
            self.connection.send(_Task(task))
            self._task = task
        self.connection.send(arguments)
        self.inbox.send(self.connection, [data])
        while isinstance(answer := self.connection.recv(), _Question):
            self.connection.send(_attempt(ask, answer.about))
        if isinstance(answer, Exception):
            raise answer
        return pickle.loads(answer, buffers=[bytes(one) for one in self.outbox.receive(self.connection)])  # noqa: S301


class Child:
    """A forked process, as its parent sees it."""

    def __init__(
        self,
        work: Callable[..., Any],
        prepare: Callable[[], None],
        room: int,
        memory: int,
        siblings: Sequence[Child] = (),
        seats: int = 1,
    ) -> None:
        """Fork. `work` does what is called for, after `prepare` has been done once; `room` is for data, in bytes."""
        self.seats = [Seat(room) for _ in range(seats)]
        desks = [_Desk(seat.theirs, seat.inbox, seat.outbox, work) for seat in self.seats]
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


@dataclass(slots=True)
class _Desk:
    """A seat, as the child sees it."""

    connection: Connection
    inbox: _Room
    outbox: _Room
    work: Callable[..., Any]
    task: Any = None

    def serve(self) -> None:
        """Do what is asked for next. Raises EOFError or ConnectionError when the parent is gone."""
        message = self.connection.recv()
        if isinstance(message, _Task):
            self.task = message.value
        else:
            self._answer(_attempt(self._done, self.task, message))

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


def _live(desks: Sequence[_Desk], prepare: Callable[[], None], memory: int, inherited: Sequence[Connection]) -> None:
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
    except Exception as failure:  # noqa: BLE001  # the other process raises it
        return failure
