"""Programs on a job server beside tails and workers: with or without the lake's secret, and a relay that records and changes messages."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
from gearman import protocol as gearman

from logagg.clock import SystemClock
from logagg.cluster import protocol
from logagg.cluster.auth import Keys
from logagg.cluster.gearman import Server
from logagg.cluster.protocol import NO_OWNER, JobMessage, OwnerRequest, Reply, Wired
from logagg.cluster.transport import Sender
from logagg.intake.registry import new_source
from logagg.parse.schemas import EVENT_SCHEMA
from logagg.records import Fingerprint, Job, Rejects

NONCE = b"a nonce of tests"
DONE = {gearman.GEARMAN_COMMAND_WORK_COMPLETE}
SENT = {gearman.GEARMAN_COMMAND_SUBMIT_JOB}


def submit(port: int, function: str, data: bytes, unique: str = "u", patience: float = 60) -> bytes | None:
    """Send bytes to a function, as any program that reaches the job server can; return the reply."""
    sender = Sender([Server("127.0.0.1", port)], SystemClock(), lambda notice: None)
    sender.connect()
    sender.send(None, 0, function, unique, data, patience)
    while not (outcomes := sender.poll(0.2)):
        pass
    sender.close()
    return outcomes[0].data


class Peer:
    """A program that communicates with the workers of a lake."""

    def __init__(self, port: int, lake: Path | None = None, secret: bytes | None = None) -> None:
        """Use the secret of a lake, another secret, or none."""
        self._port = port
        secret = (lake / "secret").read_bytes() if lake else secret
        self.keys = Keys(secret) if secret else None

    def ask(self, message: Wired | bytes, owner: bytes = NO_OWNER, *, function: str = "", shard: int = 0) -> Reply:
        """Send a message; return the reply. Signed messages get signed replies, other messages unsigned ones."""
        data = message if isinstance(message, bytes) else protocol.pack(message)
        if self.keys and not isinstance(message, bytes):
            data = self.keys.sign(data, NONCE, owner)
        function = function or f"logagg.{'shard' if data[7:8] == protocol.JOB else 'positions'}.{shard}"
        answered = submit(self._port, function, data)
        assert answered
        answer = protocol.unpack(answered, EVENT_SCHEMA)
        assert isinstance(answer, Reply)
        if self.keys and not isinstance(message, bytes):
            assert self.keys.check(answered).nonce == NONCE
        return answer

    def owner(self, shard: int = 0) -> bytes:
        """Ask for the token of a shard's owner."""
        return bytes.fromhex(self.ask(OwnerRequest("", shard), shard=shard).owner)


def job_message(
    *,
    tailer: str = "other",
    epoch: int = 1,
    shards: int = 2,
    shard: int = 0,
    end: int = 10,
    events: pa.Table | None = None,
) -> JobMessage:
    """Return a job_message with a job of one reject, or of events."""
    source = replace(new_source("made-up.log"), tailer=tailer)
    rejects = Rejects() if events is not None else Rejects({"format": 1})
    job = Job(
        shard,
        source.id,
        0,
        0,
        end,
        Fingerprint.blank(end),
        EVENT_SCHEMA.empty_table() if events is None else events,
        rejects,
    )
    return JobMessage(tailer, epoch, shards, source, job, "a run")


class Tap:
    """A relay between a tail and its job server: records messages in both directions, and may change the replies."""

    def __init__(self, port: int) -> None:
        self.sent: list[tuple[str, bytes]] = []  # functions and messages of the tail
        self.answers: list[bytes] = []
        self.change: Callable[[bytes], bytes] = lambda data: data
        self._upstream = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets = [self._listener]
        self._threads: list[threading.Thread] = []
        self._begin(self._accept)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def jobs(self) -> list[tuple[str, bytes]]:
        return [one for one in self.sent if one[1][7:8] == protocol.JOB]

    def questions(self) -> list[tuple[str, bytes]]:
        return [one for one in self.sent if one[1][7:8] == protocol.REQUEST]

    def close(self) -> None:
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for one in self._sockets:
            one.close()

    def _begin(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                tail, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._upstream))
                self._sockets += [tail, server]
                self._begin(self._relay, tail, server, self._see_sent)
                self._begin(self._relay, server, tail, self._see_done)

    def _relay(self, source: socket.socket, target: socket.socket, see: Callable[[int, bytes], bytes]) -> None:
        buffer = bytearray()
        with suppress(OSError):
            while data := source.recv(1 << 16):
                buffer += data
                while len(buffer) >= 12 and len(buffer) >= (size := 12 + int.from_bytes(buffer[8:12], "big")):
                    payload = see(int.from_bytes(buffer[4:8], "big"), bytes(buffer[12:size]))
                    target.sendall(bytes(buffer[:8]) + len(payload).to_bytes(4, "big") + payload)
                    del buffer[:size]
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _see_sent(self, kind: int, payload: bytes) -> bytes:
        if kind in SENT:
            function, _, data = payload.split(b"\0", 2)
            self.sent.append((function.decode(), data))
        return payload

    def _see_done(self, kind: int, payload: bytes) -> bytes:
        if kind not in DONE:
            return payload
        handle, data = payload.split(b"\0", 1)
        self.answers.append(data)
        return handle + b"\0" + self.change(data)
