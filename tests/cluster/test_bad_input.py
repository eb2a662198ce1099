"""Missing, wrong or forged servers, secrets and messages: a clear line, no loss, and no endless loop."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from logagg.clock import SystemClock
from logagg.cluster import protocol
from logagg.cluster.gearman import Connection, PacketType, Server
from tests.conftest import Command, combined, wait_until
from tests.gearmand import JobServer, Site, free_port
from tests.peer import Peer, job_message

LINES = 50


@pytest.fixture
def log(logagg: Command) -> str:
    path = logagg.folder / "access.log"
    path.write_text(combined([(f"/{number}", 200) for number in range(LINES)]))
    return str(path)


@contextmanager
def web_server(port: int) -> Iterator[None]:
    """A server on that port that is not a job server."""
    with socket.create_server(("127.0.0.1", port)) as server:

        def answer() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        connection.recv(1000)
                        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        yield
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.fixture
def working(site: Site) -> Site:
    site.worker("0-1/2")
    site.await_lake()
    return site


@pytest.fixture
def peer(working: Site) -> Peer:
    """A program with the secret that sends wrong messages."""
    return Peer(working.servers[0].port, working.lake)


def test_no_server(working: Site, log: str) -> None:
    working.servers[0].kill()
    tail = working.tail("web1", "--once", log)
    wait_until(lambda: "waiting: no job server answers; nothing is lost" in working.notices(), tail)
    working.servers[0].start()
    assert tail.wait(60) == 0, working.notices()
    assert working.logagg.lines() == LINES
    assert "connected again" in working.notices()


def test_no_worker_for_a_shard(site: Site, log: str) -> None:
    site.worker("0/2")
    site.await_lake()
    tail = site.tail("web1", "--once", log)
    wait_until(lambda: "waiting: no worker answers for shard 1; nothing is lost" in site.notices(), tail)
    site.worker("1/2")
    assert tail.wait(60) == 0, site.notices()
    assert site.logagg.lines() == LINES


def test_a_tail_that_waits_can_be_stopped(working: Site, log: str) -> None:
    working.servers[0].kill()
    tail = working.tail("web1", log)
    wait_until(lambda: "waiting:" in working.notices(), tail)
    working.stop(tail)


def test_not_a_job_server(working: Site, log: str) -> None:
    port = free_port()
    with web_server(port):
        tail = working.logagg.start("tail", "--gearman", f"127.0.0.1:{port},{working.gearman}", "--once", log)
        assert tail.wait(60) == 0, working.notices()
    assert f"127.0.0.1:{port}: not a job server; name the port of gearmand" in working.notices()
    assert working.logagg.lines() == LINES, "the other server was used"


@pytest.mark.thorough
def test_another_secret(working: Site, log: str) -> None:
    (working.logagg.folder / "other").write_bytes(b"x" * 32)
    done = working.logagg.run(
        "tail", "--gearman", working.gearman, "--name", "web1", "--secret", "other", "--once", log, status=1
    )
    assert (
        "tailer web1 has another secret than the lake, or another version; check that --secret is the lake's"
        in done.stderr
    )
    found = working.logagg.run("status", "--gearman", working.gearman, status=1)
    assert "a tail has another secret or version" in found.stdout


def test_no_secret(working: Site, log: str) -> None:
    done = working.logagg.run("tail", "--gearman", working.gearman, "--secret", "nowhere", "--once", log, status=1)
    assert "nowhere: the lake's secret cannot be read" in done.stderr
    assert "copy the file secret out of the lake, and name it with --secret" in done.stderr


def test_two_tails_with_one_name(working: Site, log: str) -> None:
    first = working.tail("web1", log)
    working.logagg.await_lines(LINES, first)
    second = working.tail("web1", log)
    wait_until(lambda: working.notices().count("connected:") == 2, second)
    with open(log, "a") as file:
        file.write(combined([("/more", 200)]))
    assert first.wait(60) == 1
    assert "a later tailer named web1 has started; two tailers have the same name" in working.notices()
    working.logagg.await_lines(LINES + 1, second)


def test_tails_with_one_name_that_start_at_the_same_time(working: Site, log: str) -> None:
    """Each takes another epoch, so that one of them is the last; the others end with a reason."""
    tails = [working.tail("web1", log) for _ in range(4)]
    wait_until(lambda: sum(tail.poll() is None for tail in tails) == 1)
    working.logagg.await_lines(LINES, next(tail for tail in tails if tail.poll() is None))
    assert {tail.poll() for tail in tails} == {None, 1}
    assert working.notices().count("two tailers have the same name") == 3


def test_standard_input(working: Site) -> None:
    done = working.logagg.run("tail", "--gearman", working.gearman, "-", status=1, input="")
    assert "standard input cannot be sent to workers" in done.stderr


@pytest.mark.parametrize(
    "junk", [b"", b"junk", b"\x00\xff" * 1000, b"logagg\x07J" + bytes(100), b"logagg\x02J" + bytes(100)]
)
def test_bytes_that_are_not_a_message_are_refused_and_not_kept(working: Site, junk: bytes, log: str) -> None:
    answer = Peer(working.servers[0].port).ask(junk, function="logagg.shard.0")
    assert (answer.outcome, answer.reason, answer.owner) == ("refused", "its MAC is not by the lake's secret", "")
    assert not list((working.lake / "quarantine").glob("*.job"))
    assert working.tail("web1", "--once", log).wait(60) == 0
    assert working.logagg.lines() == LINES, "the worker continues"


def test_an_authentic_but_unreadable_job_is_quarantined(working: Site, peer: Peer, log: str) -> None:
    assert peer.keys
    data = peer.keys.sign(protocol._framed(protocol.JOB, {"tailer": 7}), b"n" * 16, peer.owner())
    answer = peer.ask(data, function="logagg.shard.0")
    assert answer.outcome == "refused" and "lacks 'source'" in answer.reason
    kept = list((working.lake / "quarantine").glob("*.job"))
    assert [path.read_bytes() for path in kept] == [data]
    assert answer.reason in kept[0].with_suffix(".txt").read_text()
    assert working.tail("web1", "--once", log).wait(60) == 0
    assert working.logagg.lines() == LINES, "the worker continues"


def test_a_unique_name_that_is_not_text(working: Site) -> None:
    connection = Connection(Server("127.0.0.1", working.servers[0].port), SystemClock())
    connection.send(PacketType.SUBMIT_JOB, task=b"logagg.shard.0", unique=b"\xff\xfe", data=b"junk")
    done: list[int] = []
    wait_until(lambda: done.extend(kind for kind, _ in connection.packets(0.1)) or PacketType.WORK_COMPLETE in done)
    connection.close()


def test_a_job_of_another_epoch_or_for_another_number_of_shards(peer: Peer) -> None:
    owner = peer.owner()
    assert peer.ask(job_message(epoch=5), owner).outcome == "taken"
    assert peer.ask(job_message(epoch=4), owner).outcome == "superseded"
    assert (
        peer.ask(job_message(epoch=5, shards=3), owner).reason
        == "misfit: the lake has 2 shards, the tailer divides by 3"
    )


def test_a_job_for_another_shard_than_its_function(peer: Peer) -> None:
    answer = peer.ask(job_message(shard=1), peer.owner(), function="logagg.shard.0")
    assert "a job of shard 1 is not for logagg.shard.0" in answer.reason


def test_a_lake_that_another_process_writes(working: Site, log: str) -> None:
    done = working.logagg.run("tail", "--once", log, status=1)
    assert "workers write this lake; stop them, or use --lake" in done.stderr
    done = working.logagg.run("worker", "--gearman", working.gearman, "--shards", "5", status=1)
    assert "it has 2 shards, 0 to 1; there is no shard 5" in done.stderr
    done = working.logagg.run("worker", "--gearman", working.gearman, "--shards", "0/3", status=1)
    assert "workers share it as 2 shards, not 3; stop them first, or say --shards LIST/2" in done.stderr


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["worker", "--shards", "0"], "missing option '--gearman'"),
        (["worker", "--gearman", "here:port", "--shards", "0"], "write HOST:PORT"),
        (["worker", "--gearman", "here", "--shards", "0-"], "write shards such as 0-3,7"),
        (["worker", "--gearman", "here", "--shards", "4/4"], "of 4 shards, the last one is 3"),
        (["worker", "--gearman", "here", "--shards", "3-1"], "write shards such as 0-3,7"),
        (["tail", "--gearman", ",", "x"], "write HOST:PORT"),
    ],
)
def test_wrong_arguments(logagg: Command, argv: list[str], message: str) -> None:
    assert message in logagg.run(*argv, status=2).stderr


def test_a_server_that_never_replies_is_given_up(tool: Callable[[str], str], site: Site, log: str) -> None:
    """A server that accepts connections and never replies: stopped, as by a debugger or on a machine that swaps."""
    other = JobServer(tool("gearmand"), site.logagg.folder)
    other.start()
    site.servers.append(other)
    site.worker("0-1/2")
    site.await_lake()
    tail = site.tail("web1", log)
    site.logagg.await_lines(LINES, tail)
    assert other.process
    other.process.send_signal(signal.SIGSTOP)
    with open(log, "a") as file:
        file.write(combined([("/more", 200)]))
    site.logagg.await_lines(LINES + 1, tail)
    other.process.send_signal(signal.SIGCONT)
