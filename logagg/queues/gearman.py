"""Messages through gearmand: one function per shard, foreground jobs, an answer to each.

A foreground job tells its sender what became of it, and dies with its sender: what a killed tailer had sent does not come
later. The packets are made and read by pygearman; the loops around them are ours, because its client waits for ever where
a server does not answer, and takes the answers of other jobs for its own once a queue is full.

Nothing here is exact, nor needs to be: a message may be lost, come twice, or come late.
"""

from __future__ import annotations

import hashlib
import random
import select
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from gearman import protocol
from gearman.errors import GearmanError

from logagg.clock import Clock
from logagg.errors import LogaggError

PORT = 4730
CONNECT = 3.0  # seconds that a server may take to answer at first,
SILENCE = 5.0  # seconds after which a silent server is asked for a sign of life,
PATIENCE = 10.0  # and how long it may take
BACKOFF = 0.2, 5.0  # seconds before the next attempt to connect: the first time, and at most
LARGEST = 1 << 28  # bytes of a packet
_PIECE = 1 << 18
_HEADER = protocol.COMMAND_HEADER_SIZE

Notice = Callable[[str, str], None]


class ServerError(LogaggError):
    """A job server does not answer, or is none."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where a job server listens."""

    host: str
    port: int = PORT

    @classmethod
    def listed(cls, text: str) -> tuple[Server, ...]:
        """Read `HOST:PORT[,HOST:PORT]`. Raises ValueError."""
        return tuple(cls._read(one.strip()) for one in text.split(","))

    @classmethod
    def _read(cls, text: str) -> Server:
        host, colon, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
        if not colon:
            host, port = text, str(PORT)
        if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
            raise ValueError("write HOST:PORT, or several with commas between them")
        return cls(host.strip("[]"), int(port))

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


Packet = tuple[int, dict[str, bytes]]


class Connection:
    """Packets to and from one server; whatever goes wrong is a ServerError, and the end of the connection."""

    def __init__(self, server: Server, clock: Clock) -> None:
        self.server, self._clock = server, clock
        self._buffer = bytearray()
        self._heard = clock.monotonic()
        self._probed = False
        try:
            self._socket = socket.create_connection((server.host, server.port), CONNECT)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.settimeout(PATIENCE)
        except OSError as error:
            raise ServerError(f"{server}: no job server answers: {error.strerror or error}", "start gearmand there") from error
        try:
            self._greet()
        except ServerError:
            self.close()
            raise

    def _greet(self) -> None:
        """See that a job server listens, and not something else."""
        self.send(protocol.GEARMAN_COMMAND_ECHO_REQ, data=b"logagg")
        end = self._clock.monotonic() + CONNECT
        while not (packets := self.packets(max(0.0, end - self._clock.monotonic()))):
            if self._clock.monotonic() >= end:
                raise ServerError(f"{self.server}: something listens there, but gives no answer", "is it gearmand?")
        if packets[0] != (protocol.GEARMAN_COMMAND_ECHO_RES, {"data": b"logagg"}):
            raise ServerError(f"{self.server}: not a job server", "name the port of gearmand")

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, kind: int, **arguments: bytes) -> None:
        """Send a packet. Raises ServerError."""
        try:
            self._socket.sendall(protocol.pack_binary_command(kind, arguments))
        except OSError as error:
            raise ServerError(f"{self.server}: connection lost: {error.strerror or error}") from error

    def packets(self, timeout: float = 0.0) -> list[Packet]:
        """Return the packets that have come; wait for some bytes so long. Raises ServerError."""
        if select.select([self._socket], [], [], timeout)[0]:
            self._read()
        found = list(iter(self._parsed, None))
        return found

    def probe(self) -> None:
        """Ask a silent server for a sign of life. Raises ServerError when it owes us one for too long."""
        silent = self._clock.monotonic() - self._heard
        if silent > SILENCE + PATIENCE:
            raise ServerError(f"{self.server}: no answer for {silent:.0f} s")
        if silent > SILENCE and not self._probed:
            self._probed = True
            self.send(protocol.GEARMAN_COMMAND_ECHO_REQ, data=b"logagg")

    def close(self) -> None:
        self._socket.close()

    def _read(self) -> None:
        try:
            data = self._socket.recv(_PIECE)
        except OSError as error:
            raise ServerError(f"{self.server}: connection lost: {error.strerror or error}") from error
        if not data:
            raise ServerError(f"{self.server}: the server closed the connection")
        self._buffer += data
        self._heard, self._probed = self._clock.monotonic(), False

    def _parsed(self) -> Packet | None:
        """Take the first packet out of the buffer, if it is there as a whole. Raises ServerError."""
        if len(self._buffer) < _HEADER:
            if not protocol.MAGIC_RES_STRING.startswith(self._buffer[:4]):
                raise ServerError(f"{self.server}: not a job server", "name the port of gearmand")
            return None
        size = _HEADER + int.from_bytes(self._buffer[8:_HEADER], "big")
        if len(self._buffer) < min(size, LARGEST):
            self._check_magic()
            return None
        try:
            kind, arguments, _ = protocol.parse_binary_command(memoryview(bytes(self._buffer[:size])), is_response=True)
        except (GearmanError, ValueError) as error:
            raise ServerError(f"{self.server}: not a job server: {error}", "name the port of gearmand") from error
        del self._buffer[:size]
        return kind, arguments or {}

    def _check_magic(self) -> None:
        if not self._buffer.startswith(protocol.MAGIC_RES_STRING):
            raise ServerError(f"{self.server}: not a job server", "name the port of gearmand")


class _Links:
    """A connection to each server that answers; to the others, an attempt now and then."""

    def __init__(self, servers: Sequence[Server], clock: Clock, notice: Notice) -> None:
        self.up: dict[Server, Connection] = {}
        self._servers, self._clock, self._notice = servers, clock, notice
        self._attempt = dict.fromkeys(servers, 0)
        self._not_before = dict.fromkeys(servers, clock.monotonic())

    def connect(self) -> list[Connection]:
        """Connect where that is due; return the new connections."""
        now, new = self._clock.monotonic(), []
        for server in self._servers:
            if server in self.up or now < self._not_before[server]:
                continue
            try:
                self.up[server] = Connection(server, self._clock)
            except ServerError as error:
                self._put_off(server, error)
                continue
            if self._attempt[server]:
                self._notice("server", f"{server}: connected again")
            self._attempt[server] = 0
            new.append(self.up[server])
        return new

    def drop(self, connection: Connection, why: ServerError) -> None:
        connection.close()
        if self.up.pop(connection.server, None):
            self._put_off(connection.server, why)

    def close(self) -> None:
        for connection in self.up.values():
            connection.close()
        self.up.clear()

    def _put_off(self, server: Server, why: ServerError) -> None:
        first, most = BACKOFF
        if not self._attempt[server]:
            self._notice("server", f"{why}; trying again")
        wait = min(most, first * 2 ** min(self._attempt[server], 10))
        self._not_before[server] = self._clock.monotonic() + wait * random.uniform(0.5, 1.0)
        self._attempt[server] += 1


@dataclass(slots=True, eq=False)
class Ticket:
    """A message that was sent and not answered yet."""

    of: Any  # what the sender knows it by
    connection: Connection
    deadline: float
    handle: bytes = b""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message: an answer, or why there is none."""

    of: Any
    data: bytes | None
    reason: str = ""  # "lost", "late", "full" or "failed"


class Sender:
    """Sends messages to functions, each through the server of its shard, and tells what became of them.

    The server of a shard is chosen by hashing the shard over the servers that answer, so that all senders agree.
    """

    def __init__(self, servers: Sequence[Server], clock: Clock, notice: Notice) -> None:
        self._links, self._clock = _Links(servers, clock, notice), clock
        self._awaiting: dict[Connection, deque[Ticket]] = {}  # their handles come in the order they were sent
        self._running: dict[Connection, dict[bytes, Ticket]] = {}
        self._outcomes: list[Outcome] = []
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
        """Send a message that may take so long; tell whether there was a server to send it to."""
        server = chosen(shard, self._links.up)
        if server is None:
            return False
        connection = self._links.up[server]
        self._awaiting[connection].append(Ticket(of, connection, self._clock.monotonic() + patience))
        with self._guarded(connection):
            submit = protocol.GEARMAN_COMMAND_SUBMIT_JOB
            connection.send(submit, task=function.encode(), unique=unique.encode(), data=data)
        return True

    def poll(self, timeout: float) -> list[Outcome]:
        """Wait so long, or until something came or `wake` was called; return what became of messages."""
        connections = list(self._links.up.values())
        sockets: list[socket.socket | Connection] = [self._inner, *connections]
        waiting = select.select(sockets, [], [], 0 if self._outcomes else timeout)[0]
        if self._inner in waiting:
            self._inner.recv(1 << 12)
        for connection in connections:
            with self._guarded(connection):
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

    def _hear(self, connection: Connection, readable: bool) -> None:  # noqa: FBT001
        for packet in connection.packets() if readable else ():
            self._take(connection, *packet)
        connection.probe()
        now = self._clock.monotonic()
        if any(ticket.deadline < now for ticket in self._tickets(connection)):
            # Who goes takes his jobs with him: none of them is done later, by a worker that comes back.
            raise ServerError(f"{connection.server}: a job was not done in time")

    def _tickets(self, connection: Connection) -> list[Ticket]:
        return [*self._awaiting[connection], *self._running[connection].values()]

    def _take(self, connection: Connection, kind: int, arguments: dict[str, bytes]) -> None:
        if kind == protocol.GEARMAN_COMMAND_JOB_CREATED and self._awaiting[connection]:
            ticket = self._awaiting[connection].popleft()
            ticket.handle = arguments["job_handle"]
            if twin := self._running[connection].pop(ticket.handle, None):
                self._outcomes.append(Outcome(twin.of, None, "lost"))  # sent again while it was on its way
            self._running[connection][ticket.handle] = ticket
        elif kind == protocol.GEARMAN_COMMAND_ERROR and self._awaiting[connection]:
            reason = "full" if b"FULL" in arguments["error_code"].upper() else "failed"
            self._outcomes.append(Outcome(self._awaiting[connection].popleft().of, None, reason))
        elif kind in (protocol.GEARMAN_COMMAND_WORK_COMPLETE, protocol.GEARMAN_COMMAND_WORK_FAIL):
            if done := self._running[connection].pop(arguments["job_handle"], None):
                self._outcomes.append(Outcome(done.of, arguments.get("data"), "" if "data" in arguments else "failed"))

    @contextmanager
    def _guarded(self, connection: Connection) -> Iterator[None]:
        """Do something with a connection; if that is its end, so it is for what went through it."""
        try:
            yield
        except ServerError as error:
            self._links.drop(connection, error)
            lost = self._awaiting.pop(connection, ()), self._running.pop(connection, {}).values()
            self._outcomes += [Outcome(ticket.of, None, "lost") for tickets in lost for ticket in tickets]


def chosen(shard: int, servers: Iterable[Server]) -> Server | None:
    """Return the server of a shard among those that answer: whoever sees the same servers, chooses the same."""
    return max(servers, key=lambda server: hashlib.blake2b(f"{server} {shard}".encode()).digest(), default=None)


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """A message that a server has given to us, and that waits for our answer."""

    connection: Connection
    handle: bytes
    function: str
    unique: str
    data: bytes


@dataclass(slots=True)
class _Turn:
    """How we stand with one server."""

    state: str = "idle"  # then "asked", and "asleep" where there was nothing to do
    served: set[str] = field(default_factory=set)


class Receiver:
    """Receives the messages of some functions from all servers, one at a time from each."""

    def __init__(self, servers: Sequence[Server], clock: Clock, notice: Notice, name: str) -> None:
        self._links, self._name = _Links(servers, clock, notice), name.encode()
        self._turns: dict[Connection, _Turn] = {}
        self._assigned: deque[Assignment] = deque()
        self._functions: set[str] = set()

    def serve(self, functions: Iterable[str]) -> None:
        """Say whose messages we take from now on."""
        self._functions = set(functions)

    def next(self, timeout: float) -> Assignment | None:
        """Return a message; None where none came for so long. What is returned must be answered."""
        self._ask()
        if not self._assigned:
            connections = list(self._turns)
            ready = select.select(connections, [], [], timeout)[0]
            for connection in connections:
                with self._guarded(connection):
                    self._hear(connection, connection in ready)
            self._ask()
        return self._assigned.popleft() if self._assigned else None

    def answer(self, assignment: Assignment, data: bytes) -> None:
        """Answer a message; if the server has gone meanwhile, the sender will ask again."""
        connection = assignment.connection
        if connection in self._turns:
            self._turns[connection].state = "idle"
            with self._guarded(connection):
                connection.send(protocol.GEARMAN_COMMAND_WORK_COMPLETE, job_handle=assignment.handle, data=data)

    def close(self) -> None:
        """Leave: what was given to us and not answered goes to others."""
        self._links.close()
        self._turns.clear()
        self._assigned.clear()

    def _ask(self) -> None:
        """Connect where that is due, and ask each server for a message that does not know yet that we wait for one."""
        for connection in self._links.connect():
            self._turns[connection] = _Turn()
            with self._guarded(connection):
                connection.send(protocol.GEARMAN_COMMAND_SET_CLIENT_ID, client_id=self._name)
        for connection in list(self._turns):
            with self._guarded(connection):
                self._ask_one(connection)

    def _ask_one(self, connection: Connection) -> None:
        turn = self._turns[connection]
        for function in self._functions - turn.served:
            connection.send(protocol.GEARMAN_COMMAND_CAN_DO, task=function.encode())
        for function in turn.served - self._functions:
            connection.send(protocol.GEARMAN_COMMAND_CANT_DO, task=function.encode())
        if turn.served != self._functions and turn.state == "asleep":
            turn.state = "idle"
        turn.served = set(self._functions)
        if turn.state == "idle" and turn.served:
            connection.send(protocol.GEARMAN_COMMAND_GRAB_JOB_UNIQ)
            turn.state = "asked"
        connection.probe()

    def _hear(self, connection: Connection, readable: bool) -> None:  # noqa: FBT001
        turn = self._turns[connection]
        for kind, arguments in connection.packets() if readable else ():
            if kind == protocol.GEARMAN_COMMAND_NO_JOB:
                connection.send(protocol.GEARMAN_COMMAND_PRE_SLEEP)
                turn.state = "asleep"
            elif turn.state == "asleep" and kind in (protocol.GEARMAN_COMMAND_NOOP, protocol.GEARMAN_COMMAND_ECHO_RES):
                turn.state = "idle"  # to ask now and then makes up for a call that was missed
            elif kind == protocol.GEARMAN_COMMAND_JOB_ASSIGN_UNIQ:
                turn.state = "busy"
                handle, unique, data = arguments["job_handle"], arguments["unique"], arguments["data"]
                self._assigned.append(Assignment(connection, handle, arguments["task"].decode(), unique.decode(), data))

    @contextmanager
    def _guarded(self, connection: Connection) -> Iterator[None]:
        try:
            yield
        except ServerError as error:
            self._links.drop(connection, error)
            self._turns.pop(connection, None)
            self._assigned = deque(one for one in self._assigned if one.connection is not connection)
