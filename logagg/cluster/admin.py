"""The state of job servers, by Gearman's admin protocol: version, functions, and the workers connected.

None of it is authenticated: any client of a job server can register functions and workers, of any name. So answers have
a limit, lines of another form are skipped, and all servers together are given a few seconds.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from logagg.clock import Clock
from logagg.closing import Closing
from logagg.cluster.gearman import Server
from logagg.errors import ServerError

WAIT = 3.0  # seconds that all servers have to answer
LARGEST = 8 << 20  # bytes of the answers of one server
LONGEST = 200  # characters of the name of a function or a worker
_GRACE = 0.5  # seconds in which a thread that is late reports so itself
_PIECE = 1 << 16
_WORKER = re.compile(r"\S+ \S+ (.*?) :(.*)")  # descriptor, address, client id, functions


@dataclass(frozen=True, slots=True)
class Function:
    """A function of a job server."""

    name: str
    queued: int  # jobs that wait for a worker
    running: int  # jobs that a worker has
    workers: int  # connected workers that can do it, also those that are busy


@dataclass(frozen=True, slots=True)
class ServerState:
    """A job server at one moment; it is up if it has answered."""

    server: Server
    up: bool
    problem: str = ""
    version: str = ""
    functions: tuple[Function, ...] = ()
    workers: tuple[tuple[str, frozenset[str]], ...] = ()  # the client ids of workers, with their functions


def look_at(servers: Sequence[Server], clock: Clock) -> list[ServerState]:
    """Ask all servers at the same time; one that gives no answer in time is down."""
    found: dict[Server, ServerState] = {}
    end = clock.monotonic() + WAIT

    def ask(server: Server) -> None:
        found[server] = _state(server, clock, end)

    # Threads, since the look-up of a name cannot be given a limit; one that hangs there is left behind.
    threads = [threading.Thread(target=ask, args=(server,), name="admin", daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end + _GRACE - clock.monotonic()))
    return [found.get(server) or ServerState(server, up=False, problem=str(_silent(server))) for server in servers]


def _state(server: Server, clock: Clock, end: float) -> ServerState:
    try:
        with _Talk(server, clock, end) as talk:
            version = talk.version()
            functions = tuple(_functions(talk.table("status")))
            return ServerState(server, True, "", version, functions, tuple(_workers(talk.table("workers"))))
    except ServerError as error:
        return ServerState(server, up=False, problem=str(error))


class _Talk(Closing):
    """A connection to a server for admin commands, until a given time. All methods raise ServerError."""

    def __init__(self, server: Server, clock: Clock, end: float) -> None:
        self._server, self._clock, self._end = server, clock, end
        self._buffer, self._read = bytearray(), 0
        try:
            self._socket = socket.create_connection((server.host, server.port), self._left())
        except OSError as error:
            raise ServerError(
                f"{server}: no job server answers: {error.strerror or error}", "start gearmand there"
            ) from error

    def close(self) -> None:
        self._socket.close()

    def version(self) -> str:
        """Return the version of the server; an answer of another form shows that it is not a job server."""
        self._send("version")
        word, _, version = self._line().partition(" ")
        if word != "OK":
            raise _not_one(self._server)
        return version[:LONGEST]

    def table(self, command: str) -> list[str]:
        """Return the lines of an answer; none if the server does not know the command."""
        self._send(command)
        lines: list[str] = []
        while (line := self._line()) != ".":
            if line.startswith("ERR ") and not lines:
                return []
            lines.append(line)
        return lines

    def _send(self, command: str) -> None:
        self._socket.settimeout(self._left())
        try:
            self._socket.sendall(f"{command}\n".encode())
        except OSError as error:
            raise _lost(self._server, error) from error

    def _line(self) -> str:
        while (end := self._buffer.find(b"\n")) < 0:
            self._receive()
        line = self._buffer[:end].decode(errors="replace").rstrip("\r")
        del self._buffer[: end + 1]
        return line

    def _receive(self) -> None:
        self._socket.settimeout(self._left())
        try:
            data = self._socket.recv(_PIECE)
        except OSError as error:
            raise _lost(self._server, error) from error
        if not data:
            raise _not_one(self._server)
        self._buffer += data
        self._read += len(data)
        if self._read > LARGEST:
            hint = "programs have registered too many functions there"
            raise ServerError(f"{self._server}: answers with more than {LARGEST >> 20} MB", hint)

    def _left(self) -> float:
        """Return the seconds that are left."""
        if (left := self._end - self._clock.monotonic()) <= 0:
            raise _silent(self._server)
        return left


def _functions(lines: Sequence[str]) -> Iterator[Function]:
    for line in lines:
        name, *numbers = line.split("\t")
        if len(numbers) == 3 and all(one.isdecimal() and len(one) < 16 for one in numbers):
            jobs, running, workers = map(int, numbers)
            yield Function(name[:LONGEST], max(0, jobs - running), running, workers)


def _workers(lines: Sequence[str]) -> Iterator[tuple[str, frozenset[str]]]:
    for line in lines:
        if (found := _WORKER.fullmatch(line)) and found[2].strip():
            yield found[1][:LONGEST], frozenset(found[2].split())


def _lost(server: Server, error: OSError) -> ServerError:
    if isinstance(error, TimeoutError):
        return _silent(server)
    return ServerError(f"{server}: connection lost: {error.strerror or error}")


def _silent(server: Server) -> ServerError:
    return ServerError(f"{server}: something listens there, but gives no answer", "is it gearmand?")


def _not_one(server: Server) -> ServerError:
    return ServerError(f"{server}: not a job server", "name the port of gearmand")
