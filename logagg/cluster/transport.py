"""Messages through gearmand: one function per shard, foreground jobs, an answer to each.

A foreground job reports its outcome to its sender, and dies with its sender: messages of a killed tailer do not arrive
later. Nothing here is exact, nor needs to be: a message may be lost, arrive twice, or arrive late.
"""

from __future__ import annotations

import hashlib
import select
import socket
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from logagg.clock import Clock
from logagg.cluster.gearman import LARGEST, OMITTED, Connection, ConnectionPool, PacketType, Server
from logagg.errors import ServerError
from logagg.notices import Report


@dataclass(slots=True, eq=False)
class InFlight:
    """A message that was sent and not answered yet."""

    of: Any  # the sender's own reference to it
    connection: Connection
    deadline: float
    handle: bytes = b""


@dataclass(frozen=True, slots=True)
class SendResult:
    """The outcome of a message: its answer, or the reason why it has none."""

    of: Any
    data: bytes | None
    reason: str = ""  # "lost", "full", "failed", or what the server says


class Sender:
    """Sends messages to functions, each through the server of its shard, and returns their outcomes.

    The server of a shard is chosen by hashing the shard over the servers that answer, so that all senders agree.
    """

    def __init__(self, servers: Sequence[Server], clock: Clock, notice: Report, *, largest: int = LARGEST) -> None:
        self._links, self._clock = ConnectionPool(servers, clock, notice, self._lose, largest), clock
        self._awaiting: dict[Connection, deque[InFlight]] = {}  # job handles arrive in the order of sending
        self._running: dict[Connection, dict[bytes, InFlight]] = {}
        self._outcomes: list[SendResult] = []
        self._inner, self._outer = socket.socketpair()
        self._inner.setblocking(False)
        self._outer.setblocking(False)

    @property
    def servers(self) -> list[Server]:
        """Return the servers that answer."""
        return list(self._links.up)

    def connect(self) -> None:
        for connection in self._links.connect():
            self._awaiting[connection], self._running[connection] = deque(), {}

    def send(self, of: Any, shard: int, function: str, unique: str, data: bytes, patience: float) -> bool:
        """Send a message that may take `patience` seconds; return whether there was a server to send it to."""
        server = chosen(shard, self._links.up)
        if server is None:
            return False
        connection = self._links.up[server]
        self._awaiting[connection].append(InFlight(of, connection, self._clock.monotonic() + patience))
        with self._links.guarded(connection):
            submit = PacketType.SUBMIT_JOB
            connection.send(submit, task=function.encode(), unique=unique.encode(), data=data)
        return True

    def poll(self, timeout: float) -> list[SendResult]:
        """Wait for outcomes, at most `timeout` seconds or until `wake` is called; return them."""
        connections = list(self._links.up.values())
        sockets: list[socket.socket | Connection] = [self._inner, *connections]
        waiting = select.select(sockets, [], [], 0 if self._outcomes else timeout)[0]
        if self._inner in waiting:
            self._inner.recv(1 << 12)
        for connection in connections:
            with self._links.guarded(connection):
                self._hear(connection, connection in waiting)
        outcomes, self._outcomes = self._outcomes, []
        return outcomes

    def wake(self) -> None:
        """End a `poll` in another thread."""
        try:
            self._outer.send(b"!")
        except BlockingIOError:
            return  # it is woken already

    def close(self) -> None:
        self._links.close()
        self._inner.close()
        self._outer.close()

    def _hear(self, connection: Connection, readable: bool) -> None:
        for packet in connection.packets() if readable else ():
            self._take(connection, *packet)
        connection.probe()
        now = self._clock.monotonic()
        if any(sent.deadline < now for sent in self._sent(connection)):
            # Closing the connection cancels its jobs: none is done later, by a worker that comes back.
            raise ServerError(f"{connection.server}: a job was not done in time")

    def _sent(self, connection: Connection) -> list[InFlight]:
        return [*self._awaiting[connection], *self._running[connection].values()]

    def _take(self, connection: Connection, kind: int, arguments: dict[str, bytes]) -> None:
        if kind == PacketType.JOB_CREATED and self._awaiting[connection]:
            sent = self._awaiting[connection].popleft()
            sent.handle = arguments["job_handle"]
            if twin := self._running[connection].pop(sent.handle, None):
                self._outcomes.append(SendResult(twin.of, None, "lost"))  # sent again while it was on its way
            self._running[connection][sent.handle] = sent
        elif kind == PacketType.ERROR and self._awaiting[connection]:
            said = arguments["error_code"] + b" " + arguments["error_text"]
            reason = "full" if b"full" in said.lower() else said.decode(errors="replace")
            self._outcomes.append(SendResult(self._awaiting[connection].popleft().of, None, reason))
        elif kind in (PacketType.WORK_COMPLETE, PacketType.WORK_FAIL):
            if done := self._running[connection].pop(arguments["job_handle"], None):
                self._outcomes.append(
                    SendResult(done.of, arguments.get("data"), "" if "data" in arguments else "failed")
                )

    def _lose(self, connection: Connection) -> None:
        """Report the messages sent through a connection as lost."""
        lost = self._awaiting.pop(connection, ()), self._running.pop(connection, {}).values()
        self._outcomes += [SendResult(sent.of, None, "lost") for in_flight in lost for sent in in_flight]


def chosen(shard: int, servers: Iterable[Server]) -> Server | None:
    """Return the server of a shard among those that answer; all senders that see the same servers choose the same."""
    return max(servers, key=lambda server: hashlib.blake2b(f"{server} {shard}".encode()).digest(), default=None)


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """A message that a server has delivered, and that waits for an answer."""

    connection: Connection
    handle: bytes
    function: str
    unique: str
    data: bytes
    omitted: int = 0  # bytes of a message that is too large, which were skipped


@dataclass(slots=True)
class _WorkerState:
    """The state of a worker's connection to one server."""

    state: str = "idle"  # then "asked"; "busy" with a message, or "asleep" without one
    served: set[str] = field(default_factory=set)


class Receiver:
    """Receives the messages of some functions from all servers, one at a time from each."""

    def __init__(
        self, servers: Sequence[Server], clock: Clock, notice: Report, name: str, *, largest: int = LARGEST
    ) -> None:
        self._links, self._name = ConnectionPool(servers, clock, notice, self._lose, largest), name.encode()
        self._states: dict[Connection, _WorkerState] = {}
        self._assigned: deque[Delivery] = deque()
        self._functions: set[str] = set()

    def serve(self, functions: Iterable[str]) -> None:
        """Receive messages of these functions from now on."""
        self._functions = set(functions)

    def next(self, timeout: float) -> Delivery | None:
        """Return a message, which must be answered; None if none arrives within `timeout` seconds."""
        self._ask()
        if not self._assigned:
            connections = list(self._states)
            ready = select.select(connections, [], [], timeout)[0]
            for connection in connections:
                with self._links.guarded(connection):
                    self._hear(connection, connection in ready)
            self._ask()
        return self._assigned.popleft() if self._assigned else None

    def answer(self, delivery: Delivery, data: bytes) -> None:
        """Answer a message; if the server is lost before, the sender sends it again."""
        connection = delivery.connection
        if connection in self._states:
            self._states[connection].state = "idle"
            with self._links.guarded(connection):
                connection.send(PacketType.WORK_COMPLETE, job_handle=delivery.handle, data=data)

    def close(self) -> None:
        """Disconnect: unanswered messages go to other workers."""
        self._links.close()
        self._states.clear()
        self._assigned.clear()

    def _ask(self) -> None:
        """Connect to the servers that are due, and ask each idle one for a message."""
        for connection in self._links.connect():
            self._states[connection] = _WorkerState()
            with self._links.guarded(connection):
                connection.send(PacketType.SET_CLIENT_ID, client_id=self._name)
        for connection in list(self._states):
            with self._links.guarded(connection):
                self._ask_one(connection)

    def _ask_one(self, connection: Connection) -> None:
        worker = self._states[connection]
        for function in self._functions - worker.served:
            connection.send(PacketType.CAN_DO, task=function.encode())
        for function in worker.served - self._functions:
            connection.send(PacketType.CANT_DO, task=function.encode())
        if worker.served != self._functions and worker.state == "asleep":
            worker.state = "idle"
        worker.served = set(self._functions)
        if worker.state == "idle" and worker.served:
            connection.send(PacketType.GRAB_JOB_UNIQ)
            worker.state = "asked"
        connection.probe()

    def _hear(self, connection: Connection, readable: bool) -> None:
        worker = self._states[connection]
        for kind, arguments in connection.packets() if readable else ():
            if kind == PacketType.NO_JOB:
                connection.send(PacketType.PRE_SLEEP)
                worker.state = "asleep"
            elif worker.state == "asleep" and kind in (PacketType.NOOP, PacketType.ECHO_RES):
                worker.state = "idle"  # asking now and then makes up for a missed wake-up
            elif kind == PacketType.JOB_ASSIGN_UNIQ:
                worker.state = "busy"
                function, unique = (arguments[name].decode(errors="backslashreplace") for name in ("task", "unique"))
                omitted = int(arguments.get(OMITTED, 0))
                self._assigned.append(
                    Delivery(connection, arguments["job_handle"], function, unique, arguments["data"], omitted)
                )

    def _lose(self, connection: Connection) -> None:
        """Forget the messages of a lost connection: its server gives them to other workers."""
        self._states.pop(connection, None)
        self._assigned = deque(one for one in self._assigned if one.connection is not connection)
