"""Answers of job servers to admin commands: whatever answers, or does not, the others are seen, and in time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from logagg.clock import SystemClock
from logagg.cluster import admin
from logagg.cluster.admin import Function, ServerState, look_at
from logagg.cluster.gearman import Server

WAIT = 0.5
Handle = Callable[[socket.socket], None]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "WAIT", WAIT)
    monkeypatch.setattr(admin, "_GRACE", 0.1)


@contextmanager
def listening(handle: Handle) -> Iterator[Server]:
    """A server that deals with one connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                connection, _ = server.accept()
                with connection:
                    handle(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield Server("127.0.0.1", server.getsockname()[1])
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        thread.join(60)


def answering(**answers: bytes) -> Handle:
    """Answer each command with some bytes."""

    def handle(connection: socket.socket) -> None:
        while command := connection.recv(1000):
            connection.sendall(answers.get(command.decode().strip(), b"ERR UNKNOWN_COMMAND\r\n"))

    return handle


def silent(connection: socket.socket) -> None:
    while connection.recv(1000):
        pass


def drips(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"O")
        time.sleep(0.02)


def seen(handle: Handle) -> ServerState:
    with listening(handle) as server:
        began = time.monotonic()
        [state] = look_at([server], SystemClock())
        assert time.monotonic() - began < WAIT + 5
    assert state.up == (not state.problem)
    return state


def test_a_server_with_functions_and_workers() -> None:
    state = seen(
        answering(
            version=b"OK 1.1.20\n",
            status=b"resize\t3\t1\t2\nlogagg.shard.0\t0\t0\t1\n.\n",
            workers=b"38 127.0.0.1 - :\n39 127.0.0.1 host-7 : logagg.shard.0 resize\n.\n",
        )
    )
    assert (state.version, state.workers) == ("1.1.20", (("host-7", frozenset({"logagg.shard.0", "resize"})),))
    assert state.functions == (Function("resize", 2, 1, 2), Function("logagg.shard.0", 0, 0, 1))


def test_lines_of_another_form_are_skipped() -> None:
    """The name of a function may contain anything, also the end of a line."""
    state = seen(
        answering(
            version=b"OK 1\n",
            status=b"x\ny\t0\t0\t1\n\t\t\t\nz\t1\t-1\t0\nz\t1\t" + b"9" * 5000 + b"\t0\n\xff\t1\t0\t0\n.\n",
            workers=b"nothing\n38 127.0.0.1 a : b : c\n.\n",
        )
    )
    assert [one.name for one in state.functions] == ["y", "\ufffd"]
    assert state.workers == (("a", frozenset({"b", ":", "c"})),)


def test_long_names_are_cut() -> None:
    state = seen(answering(version=b"OK 1\n", status=b"x" * 9000 + b"\t0\t0\t1\n.\n", workers=b".\n"))
    assert [len(one.name) for one in state.functions] == [admin.LONGEST]


def test_a_server_that_does_not_know_a_command() -> None:
    state = seen(answering(version=b"OK 0.9\n", status=b"f\t0\t0\t1\n.\n"))
    assert state.up and state.functions and not state.workers


@pytest.mark.slow
@pytest.mark.parametrize("handle", [silent, drips, answering(version=b"OK 1\n", status=b"f\t0\t0\t1\n")])
def test_a_server_that_gives_no_answer(handle: Handle) -> None:
    assert "something listens there, but gives no answer; is it gearmand?" in seen(handle).problem


@pytest.mark.parametrize("handle", [answering(version=b"HTTP/1.1 400 Bad Request\r\n\r\n"), lambda connection: None])
def test_something_that_is_not_a_job_server(handle: Handle) -> None:
    problem = seen(handle).problem
    assert "not a job server; name the port of gearmand" in problem or "connection lost" in problem


def test_an_endless_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "WAIT", 20)
    monkeypatch.setattr(admin, "LARGEST", 1 << 20)

    def floods(connection: socket.socket) -> None:
        connection.sendall(b"OK 1\n")
        while True:
            connection.sendall(b"f\t0\t0\t1\n" * 1000)

    assert "answers with more than 1 MB" in seen(floods).problem


def test_nothing_listens() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        [state] = look_at([Server("127.0.0.1", probe.getsockname()[1])], SystemClock())
    assert "no job server answers: Connection refused; start gearmand there" in state.problem and not state.up


@pytest.mark.slow
def test_servers_are_asked_at_the_same_time() -> None:
    answers = answering(version=b"OK 1\n", status=b".\n", workers=b".\n")
    with listening(silent) as one, listening(drips) as two, listening(answers) as three:
        began = time.monotonic()
        states = look_at([one, two, three], SystemClock())
        assert time.monotonic() - began < WAIT + 1
    assert [(state.server, state.up) for state in states] == [(one, False), (two, False), (three, True)]


@pytest.mark.slow
def test_a_name_whose_look_up_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def hangs(*_: object) -> socket.socket:
        over.wait(60)
        raise OSError("no such name")

    monkeypatch.setattr(socket, "create_connection", hangs)
    [state] = look_at([Server("nowhere.example.com")], SystemClock())
    over.set()
    assert not state.up and "gives no answer" in state.problem
