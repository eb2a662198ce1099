"""Connections to job servers: packets in both directions, time-outs, and a reconnection after each failure.

The packet definitions are pygearman's. Its client is not used, because it waits forever for a silent server, and
confuses the answers of jobs once a queue is full. Its parser is not used either: here a packet above a limit is skipped
as it arrives, since any client of a job server can send packets of any size.
"""

from __future__ import annotations

import random
import select
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from gearman import protocol

from logagg.clock import Clock
from logagg.errors import ServerError
from logagg.notices import Report, server_found, server_lost

PORT = 4730
CONNECT = 3.0  # seconds that a server may take to accept a connection
SILENCE = 5.0  # seconds without a packet after which a server is probed
PATIENCE = 10.0  # seconds that it may take to answer the probe
BACKOFF = 0.2, 5.0  # seconds before the next attempt to connect: the first time, and at most
LARGEST = 1 << 28  # bytes of a packet, unless another limit is given
_KEPT = 1 << 12  # bytes kept of a skipped packet: enough for its type, function and handle
_PIECE = 1 << 18
_HEADER = protocol.COMMAND_HEADER_SIZE


@dataclass(frozen=True, slots=True)
class Server:
    """The address of a job server."""

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
        if not _is_name(host) or not port.isdecimal() or not 0 < int(port) < 1 << 16:
            raise ValueError("write HOST:PORT, or several with commas between them")
        return cls(host.strip("[]"), int(port))

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def _is_name(host: str) -> bool:
    """Return whether a host can be looked up; an invalid name would raise UnicodeError, not OSError."""
    try:
        return bool(host) and bool(host.encode("idna"))
    except UnicodeError:
        return False


class PacketType:
    """The types of packets that are sent or received here."""

    CAN_DO = protocol.GEARMAN_COMMAND_CAN_DO
    CANT_DO = protocol.GEARMAN_COMMAND_CANT_DO
    PRE_SLEEP = protocol.GEARMAN_COMMAND_PRE_SLEEP
    NOOP = protocol.GEARMAN_COMMAND_NOOP
    SUBMIT_JOB = protocol.GEARMAN_COMMAND_SUBMIT_JOB
    JOB_CREATED = protocol.GEARMAN_COMMAND_JOB_CREATED
    NO_JOB = protocol.GEARMAN_COMMAND_NO_JOB
    WORK_COMPLETE = protocol.GEARMAN_COMMAND_WORK_COMPLETE
    WORK_FAIL = protocol.GEARMAN_COMMAND_WORK_FAIL
    ECHO_REQ = protocol.GEARMAN_COMMAND_ECHO_REQ
    ECHO_RES = protocol.GEARMAN_COMMAND_ECHO_RES
    ERROR = protocol.GEARMAN_COMMAND_ERROR
    SET_CLIENT_ID = protocol.GEARMAN_COMMAND_SET_CLIENT_ID
    GRAB_JOB_UNIQ = protocol.GEARMAN_COMMAND_GRAB_JOB_UNIQ
    JOB_ASSIGN_UNIQ = protocol.GEARMAN_COMMAND_JOB_ASSIGN_UNIQ


Packet = tuple[int, dict[str, bytes]]
OMITTED = "omitted"  # an argument added to skipped packets: how many bytes are missing at the end


class Connection:
    """A connection to one server; any failure is a ServerError, and ends the connection."""

    def __init__(self, server: Server, clock: Clock, largest: int = LARGEST) -> None:
        self.server, self._clock, self._largest = server, clock, max(largest, _KEPT)
        self._buffer = bytearray()
        self._passing_over = 0  # bytes of a skipped packet that have not arrived yet
        self._heard = clock.monotonic()
        self._probed = False
        try:
            self._socket = socket.create_connection((server.host, server.port), CONNECT)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.settimeout(PATIENCE)
        except OSError as error:
            raise ServerError(
                f"{server}: no job server answers: {error.strerror or error}", "start gearmand there"
            ) from error
        try:
            self._greet()
        except ServerError:
            self.close()
            raise

    def _greet(self) -> None:
        """Check that the peer is a job server. Raises ServerError."""
        self.send(PacketType.ECHO_REQ, data=b"logagg")
        end = self._clock.monotonic() + CONNECT
        while not (packets := self.packets(max(0.0, end - self._clock.monotonic()))):
            if self._clock.monotonic() >= end:
                raise ServerError(f"{self.server}: something listens there, but gives no answer", "is it gearmand?")
        if packets[0] != (PacketType.ECHO_RES, {"data": b"logagg"}):
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
        """Return the packets that have arrived; wait at most `timeout` seconds for bytes. Raises ServerError."""
        if select.select([self._socket], [], [], timeout)[0]:
            self._read()
        found = list(iter(self._parsed, None))
        return found

    def probe(self) -> None:
        """Probe a silent server. Raises ServerError if it has not answered the last probe in time."""
        silent = self._clock.monotonic() - self._heard
        if silent > SILENCE + PATIENCE:
            raise ServerError(f"{self.server}: no answer for {silent:.0f} s")
        if silent > SILENCE and not self._probed:
            self._probed = True
            self.send(PacketType.ECHO_REQ, data=b"logagg")

    def close(self) -> None:
        self._socket.close()

    def _read(self) -> None:
        try:
            data = self._socket.recv(_PIECE)
        except OSError as error:
            raise ServerError(f"{self.server}: connection lost: {error.strerror or error}") from error
        if not data:
            raise ServerError(f"{self.server}: the server closed the connection")
        passed = min(self._passing_over, len(data))
        self._passing_over -= passed
        self._buffer += memoryview(data)[passed:]
        self._heard, self._probed = self._clock.monotonic(), False

    def _parsed(self) -> Packet | None:
        """Return the first packet in the buffer if it is complete. Raises ServerError."""
        if len(self._buffer) < _HEADER:
            if not protocol.MAGIC_RES_STRING.startswith(self._buffer[:4]):
                raise ServerError(f"{self.server}: not a job server", "name the port of gearmand")
            return None
        self._check_magic()
        size = _HEADER + int.from_bytes(self._buffer[8:_HEADER], "big")
        needed = size if size <= self._largest else _HEADER + _KEPT
        if len(self._buffer) < needed:
            return None
        packet = _split(self._buffer, needed, self.server)
        if needed < size:
            packet[1][OMITTED] = b"%d" % (size - needed)
        there = min(size, len(self._buffer))
        del self._buffer[:there]
        self._passing_over = size - there
        return packet

    def _check_magic(self) -> None:
        if not self._buffer.startswith(protocol.MAGIC_RES_STRING):
            raise ServerError(f"{self.server}: not a job server", "name the port of gearmand")


def _split(buffer: bytearray, size: int, server: Server) -> Packet:
    """Split the arguments of a packet; the last one is copied once. Raises ServerError."""
    kind = int.from_bytes(buffer[4:8], "big")
    names, at, arguments = protocol.GEARMAN_PARAMS_FOR_COMMAND.get(kind), _HEADER, dict[str, bytes]()
    if names is None or kind == protocol.GEARMAN_COMMAND_TEXT_COMMAND or (not names and size > at):
        raise ServerError(f"{server}: not a job server: a packet of kind {kind}", "name the port of gearmand")
    for name in names[:-1]:
        end = buffer.find(b"\0", at, size)
        if end < 0:
            raise ServerError(f"{server}: not a job server: a packet that is cut off", "name the port of gearmand")
        arguments[name], at = bytes(buffer[at:end]), end + 1
    if names:
        with memoryview(buffer) as whole:
            arguments[names[-1]] = bytes(whole[at:size])
    return kind, arguments


class ConnectionPool:
    """A connection to each server that answers; to the others it reconnects, with a backoff."""

    def __init__(
        self,
        servers: Sequence[Server],
        clock: Clock,
        notice: Report,
        lost: Callable[[Connection], None],
        largest: int = LARGEST,
    ) -> None:
        self.up: dict[Server, Connection] = {}
        self._largest = largest
        self._servers, self._clock, self._notice, self._lost = servers, clock, notice, lost
        self._attempt = dict.fromkeys(servers, 0)
        self._not_before = dict.fromkeys(servers, clock.monotonic())

    def connect(self) -> list[Connection]:
        """Connect to the servers that are due; return the new connections."""
        now, new = self._clock.monotonic(), []
        for server in self._servers:
            if server in self.up or now < self._not_before[server]:
                continue
            try:
                self.up[server] = Connection(server, self._clock, self._largest)
            except ServerError as error:
                self._put_off(server, error)
                continue
            if self._attempt[server]:
                self._notice(server_found(str(server)))
            self._attempt[server] = 0
            new.append(self.up[server])
        return new

    @contextmanager
    def guarded(self, connection: Connection) -> Iterator[None]:
        """Use a connection in the `with` block; on a ServerError, close it and call `lost`."""
        try:
            yield
        except ServerError as error:
            connection.close()
            if self.up.pop(connection.server, None):
                self._put_off(connection.server, error)
            self._lost(connection)

    def close(self) -> None:
        for connection in self.up.values():
            connection.close()
        self.up.clear()

    def _put_off(self, server: Server, why: ServerError) -> None:
        first, most = BACKOFF
        if not self._attempt[server]:
            self._notice(server_lost(str(server), str(why)))
        wait = min(most, first * 2 ** min(self._attempt[server], 10))
        self._not_before[server] = self._clock.monotonic() + wait * random.uniform(0.5, 1.0)
        self._attempt[server] += 1
