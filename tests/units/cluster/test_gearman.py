"""Packets of a job server are parsed, or skipped if they are too large."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

import pytest
from gearman import protocol

from logagg.clock import SystemClock
from logagg.cluster.gearman import OMITTED, Connection, PacketType, Server
from logagg.errors import ServerError

LIMIT = 10_000


@pytest.mark.parametrize("text", ["", ":1", "one:", "one:0", "one:65536", "one:x", "a..b", "a..b:1", "x" * 64, "one,"])
def test_addresses_that_are_not_valid(text: str) -> None:
    with pytest.raises(ValueError, match="write HOST:PORT"):
        Server.listed(text)


def test_addresses() -> None:
    assert [str(server) for server in Server.listed("one, [::1]:7,büro.example:8")] == [
        "one:4730",
        "::1:7",
        "büro.example:8",
    ]


def packet(kind: int, *arguments: bytes) -> bytes:
    payload = b"\0".join(arguments)
    return b"\0RES" + kind.to_bytes(4, "big") + len(payload).to_bytes(4, "big") + payload


ECHO = packet(PacketType.ECHO_RES, b"logagg")


def connected(sent: bytes, act: Callable[[Connection], None]) -> None:
    """Let a server greet, and send these bytes on request."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):  # the client may have closed the connection
                connection.recv(1000)
                connection.sendall(ECHO)
                connection.recv(1000)
                connection.sendall(sent)
                connection.recv(1000)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        connection = Connection(Server("127.0.0.1", server.getsockname()[1]), SystemClock(), LIMIT)
        connection.send(PacketType.PRE_SLEEP)
        try:
            act(connection)
        finally:
            connection.close()
        thread.join(60)


def received(sent: bytes, count: int) -> list[tuple[int, dict[str, bytes]]]:
    found: list[tuple[int, dict[str, bytes]]] = []

    def act(connection: Connection) -> None:
        found.extend(connection.packets())
        while len(found) < count:
            found.extend(connection.packets(0.2))
            assert len(connection._buffer) <= LIMIT + (1 << 18)

    connected(sent, act)
    return found


def job(data: bytes, unique: bytes = b"u") -> bytes:
    return packet(PacketType.JOB_ASSIGN_UNIQ, b"H:1", b"logagg.shard.0", unique, data)


def test_packets_are_parsed() -> None:
    sent = job(b"a\0b\0") + packet(PacketType.NO_JOB) + packet(PacketType.WORK_COMPLETE, b"H:2", b"")
    assert received(sent, 3) == [
        (
            PacketType.JOB_ASSIGN_UNIQ,
            {"job_handle": b"H:1", "task": b"logagg.shard.0", "unique": b"u", "data": b"a\0b\0"},
        ),
        (PacketType.NO_JOB, {}),
        (PacketType.WORK_COMPLETE, {"job_handle": b"H:2", "data": b""}),
    ]


@pytest.mark.parametrize("size", [LIMIT + 1, 1 << 20, 30 << 20])
def test_a_packet_that_is_too_large_is_skipped_and_the_next_one_is_read(size: int) -> None:
    first, second = received(job(b"x" * size) + job(b"next"), 2)
    assert first[1]["job_handle"] == b"H:1" and first[1]["task"] == b"logagg.shard.0"
    assert len(first[1]["data"]) + int(first[1][OMITTED]) == size and len(first[1]["data"]) <= 4096
    assert second[1]["data"] == b"next" and OMITTED not in second[1]


def test_the_largest_packet_that_is_accepted() -> None:
    data = b"x" * (LIMIT - len(job(b"")))
    [found] = received(job(data), 1)
    assert found[1]["data"] == data and OMITTED not in found[1]


@pytest.mark.parametrize(
    "junk",
    [
        packet(9999, b"x"),
        packet(PacketType.JOB_ASSIGN_UNIQ, b"only one argument"),
        packet(PacketType.NO_JOB, b"an argument"),
        packet(protocol.GEARMAN_COMMAND_TEXT_COMMAND, b"x"),
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        packet(PacketType.JOB_ASSIGN_UNIQ, b"x" * (1 << 20)),
    ],
)
def test_bytes_that_are_not_a_packet_end_the_connection(junk: bytes) -> None:
    with pytest.raises(ServerError, match="not a job server"):
        received(junk, 2)
