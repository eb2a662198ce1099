"""A program that reaches the job server without the lake's secret: forged, replayed and changed messages move no position and stop no tail."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import threading
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from logagg.clock import SystemClock
from logagg.cluster import protocol
from logagg.cluster.auth import Keys
from logagg.cluster.gearman import Server
from logagg.cluster.protocol import OwnerRequest, PositionsRequest, Reply, StatusRequest
from logagg.cluster.transport import Receiver
from logagg.parse.schemas import EVENT_SCHEMA
from logagg.records import Fingerprint, Source
from tests import clocks
from tests.conftest import Command, combined, wait_until
from tests.gearmand import JobServer, Site, copy_secret, free_port
from tests.peer import Peer, Tap, job_message, submit

LINES = 50
TOP = (1 << 63) - 1


class Scene:
    """A running cluster: a tail whose log is read, and its source according to the lake."""

    def __init__(self, site: Site) -> None:
        self.site, self.port = site, site.servers[0].port
        self.log = site.logagg.folder / "access.log"
        self.lines = 0
        self.worker = site.worker("0-1/2")
        site.await_lake()
        self.tap = Tap(self.port)
        self.write()
        self.tail = self.start()
        self.await_all()
        self.id, self.position = site.logagg.read("SELECT source, min(position) FROM sources GROUP BY source")[0]

    def start(self) -> subprocess.Popen[str]:
        return self.site.logagg.start(
            "tail", "--gearman", self.tap.address, "--name", "web1", "--flush", "0.2", self.log
        )

    def write(self) -> None:
        with self.log.open("a") as file:
            file.write(combined([(f"/{self.lines + number}", 200) for number in range(LINES)]))
        self.lines += LINES

    def await_all(self) -> None:
        self.site.logagg.await_lines(self.lines, self.tail)

    def go_on(self) -> None:
        """Check that further lines count, each once, with the same tail."""
        self.write()
        self.await_all()
        assert self.tail.poll() is None, self.site.notices()
        [(paths, views)] = self.site.logagg.read("SELECT count(DISTINCT path), sum(views) FROM pages")
        assert (paths, views) == (self.lines, self.lines)

    def refused(self) -> int:
        """Return the number of refused messages that the workers report."""
        found = json.loads(self.site.logagg.run("status", "--gearman", self.site.gearman, "--json", status=None).stdout)
        return sum(one["refused"] for one in found["shards"])

    def forged_job(self, shard: int) -> protocol.JobMessage:
        """Return a job that would move the tail's position far ahead."""
        end = self.position + (1 << 40)
        source = Source(self.id, str(self.log), 0, 0, Fingerprint(0, 0, ""), tailer="web1")
        job = replace(
            job_message(shard=shard).job,
            source=self.id,
            start=self.position,
            end=end,
            fingerprint=Fingerprint(end, 0, ""),
        )
        return protocol.JobMessage("web1", 1, 2, source, job, "run")


@pytest.fixture
def scene(site: Site) -> Iterator[Scene]:
    scene = Scene(site)
    yield scene
    scene.tail.kill()
    scene.tail.wait()
    scene.tap.close()


@pytest.mark.parametrize("secret", [None, b"another secret" * 3], ids=["no secret", "another secret"])
def test_forged_messages(scene: Scene, secret: bytes | None) -> None:
    """Jobs that move positions, and requests that ask for positions or supersede the tail forever."""
    peer, owner = Peer(scene.port, secret=secret), Peer(scene.port, scene.site.lake).owner()
    keys = peer.keys
    peer.keys = None  # without the secret, it cannot check the replies
    forged: list[protocol.Wired] = []
    for shard in (0, 1):
        forged += [
            scene.forged_job(shard),
            PositionsRequest("web1", 1, shard),
            PositionsRequest("web1", TOP, shard, begins=True, run="x", count=TOP),
            StatusRequest(shard),
            OwnerRequest("web1", shard),
        ]
    for number, message in enumerate(forged):
        shard = (
            message.job.shard
            if isinstance(message, protocol.JobMessage)
            else message.shard
            if isinstance(message, protocol.Request)
            else 0
        )
        data = protocol.pack(message)
        answer = peer.ask(keys.sign(data, b"n" * 16, owner) if keys else data, shard=shard)
        assert answer == Reply("refused", 2, reason="its MAC is not by the lake's secret"), number
    scene.go_on()
    assert scene.refused() == len(forged)
    done = scene.site.logagg.run("status", "--gearman", scene.site.gearman, status=1)
    assert "unhealthy: shard 1: refused 5 messages, the last" in done.stdout
    assert not list((scene.site.lake / "quarantine").glob("*.job"))
    scene.site.stop(scene.tail)
    scene.tail = scene.start()
    scene.go_on()


def test_a_flood_of_forged_messages_leaves_only_a_count(scene: Scene) -> None:
    peer = Peer(scene.port)
    for number in range(200):
        assert peer.ask(protocol.pack(replace(scene.forged_job(0), epoch=number))).outcome == "refused"
    assert scene.refused() == 200
    assert not list((scene.site.lake / "quarantine").glob("*.job"))
    assert scene.site.notices().count(" refused: ") <= 4
    scene.go_on()


def test_metrics_count_refused_messages(site: Site) -> None:
    port = free_port()
    site.worker("0/1", "--metrics", f"127.0.0.1:{port}")
    site.await_lake()
    Peer(site.servers[0].port).ask(b"junk" * 100, function="logagg.shard.0")
    Peer(site.servers[0].port).ask(protocol.pack(job_message()))
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        text = answer.read().decode()
    assert 'logagg_messages_refused_total{reason="forged"} 1.0' in text
    assert 'logagg_messages_refused_total{reason="unreadable"} 1.0' in text


def again(scene: Scene, messages: list[tuple[str, bytes]]) -> list[Reply]:
    """Resend recorded messages unchanged; return the replies, whose MACs are right."""
    keys, answers = Keys((scene.site.lake / "secret").read_bytes()), []
    for number, (function, data) in enumerate(messages):
        answered = submit(scene.port, function, data, f"again-{number}")
        assert answered
        answer = protocol.read(keys.check(answered), EVENT_SCHEMA)
        assert isinstance(answer, Reply)
        answers.append(answer)
    return answers


def test_replayed_to_the_same_owner(scene: Scene) -> None:
    """Replayed to the same owner: jobs are duplicates, requests are refused; no reply has a position, and none moves."""
    scene.go_on()
    messages = list(scene.tap.sent)
    for (_, data), answer in zip(messages, again(scene, messages), strict=True):
        question = protocol.unpack(data, EVENT_SCHEMA)
        if isinstance(question, protocol.JobMessage):
            assert answer.outcome == "duplicate"
        elif isinstance(question, PositionsRequest):
            assert answer.outcome == "refused" and not answer.positions and not answer.known
        else:
            assert answer.outcome == "taken" and not answer.positions and not answer.known
    scene.go_on()


def test_replayed_messages_of_a_superseded_tail(scene: Scene) -> None:
    """Replayed messages of an earlier process supersede no tail, and its jobs do not count."""
    scene.site.stop(scene.tail)
    earlier = list(scene.tap.sent)
    scene.tail = scene.start()
    scene.go_on()
    answers = again(scene, [one for one in earlier if b'"greets":true' not in one[1]])
    assert {answer.outcome for answer in answers} == {"superseded"}
    scene.go_on()


def test_replayed_to_the_next_owner(scene: Scene) -> None:
    """The next owner, after a worker was killed, has no record of earlier messages, but they have another token."""
    earlier = list(scene.tap.sent)
    scene.worker.kill()
    scene.worker.wait()
    scene.worker = scene.site.worker("0-1/2")
    scene.go_on()
    answers = again(scene, [one for one in earlier if b'"greets":true' not in one[1]])
    assert {answer.outcome for answer in answers} == {"moved"}
    assert not any(answer.positions or answer.known for answer in answers)
    scene.go_on()


def test_a_job_for_another_shard(scene: Scene) -> None:
    """Sent to another function unchanged, or by a program with the secret but another shard's token."""
    scene.go_on()
    [(_, data), *_] = [one for one in scene.tap.jobs() if one[0] == "logagg.shard.0"]
    [answer] = again(scene, [("logagg.shard.1", data)])
    assert answer.outcome == "refused" and "a job of shard 0 is not for logagg.shard.1" in answer.reason
    peer = Peer(scene.port, scene.site.lake)
    assert peer.ask(scene.forged_job(1), peer.owner(0), shard=1).outcome == "moved"
    scene.go_on()


def test_jobs_of_another_lake_with_the_same_secret(
    scene: Scene, logagg: Command, tmp_path: Path, tool: Callable[[str], str]
) -> None:
    """Such as a copy for tests: a message is valid for one owner of one shard of one lake."""
    other = logagg.folder / "other"
    copy_secret(scene.site.lake, other)
    server = JobServer(tool("gearmand"), tmp_path)
    server.start()
    worker = logagg.start("worker", "--gearman", server.address, "--shards", "0-1/2", "--lake", other, "--flush", "0.2")
    try:
        wait_until(lambda: (other / "logagg.duckdb").exists(), worker)
        outcomes = set()
        for function, data in scene.tap.jobs() + [
            one for one in scene.tap.questions() if b'"greets":true' not in one[1]
        ]:
            answered = submit(server.port, function, data)
            assert answered
            outcomes.add(protocol.unpack(answered, EVENT_SCHEMA).outcome)  # type: ignore[union-attr]
        assert outcomes == {"moved"}
        assert (
            logagg.run("sql", "--lake", other, "--json", "SELECT count(*) AS n FROM sources").stdout.strip()
            == '[{"n": 0}]'
        )
    finally:
        worker.kill()
        worker.wait()
        server.kill()
    scene.go_on()


def test_messages_changed_on_their_way(scene: Scene) -> None:
    """Single bits of each message flipped, the message cut off anywhere, and bytes appended."""
    messages = scene.tap.jobs()[:1] + scene.tap.questions()[:2]
    peer, count = Peer(scene.port), 0
    for function, data in messages:
        for bit in range(7, 8 * len(data), max(1, len(data) // 3)):
            changed = bytearray(data)
            changed[bit // 8] ^= 1 << bit % 8
            count += 1
            assert peer.ask(bytes(changed), function=function).outcome == "refused", bit
        for at in (0, 6, 7, 80, len(data) // 2, len(data) - 1):
            count += 1
            assert peer.ask(data[:at], function=function).outcome == "refused", at
        count += 1
        assert peer.ask(data + b"\0", function=function).outcome == "refused"
    assert scene.refused() == count
    scene.go_on()


# forged replies


@contextmanager
def answering(port: int, functions: list[str], answer: Callable[[bytes], bytes]) -> Iterator[list[int]]:
    """A program that serves the functions of shards as a worker does, with replies of its own."""
    receiver = Receiver([Server("127.0.0.1", port)], SystemClock(), lambda notice: None, "worker")
    receiver.serve(functions)
    answered, over = [0], threading.Event()

    def serve() -> None:
        while not over.is_set():
            if found := receiver.next(0.05):
                receiver.answer(found, answer(found.data))
                answered[0] += 1

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield answered
    finally:
        over.set()
        thread.join()
        receiver.close()


FUNCTIONS = [f"logagg.{kind}.{shard}" for kind in ("shard", "positions") for shard in (0, 1)]


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(Reply("superseded", 2), marks=pytest.mark.soak),
        pytest.param(Reply("refused", 2, reason="misfit: the lake has 9 shards"), marks=pytest.mark.soak),
        pytest.param(Reply("overlap", 2, reason="x"), marks=pytest.mark.soak),
        Reply("taken", 2, "0" * 32, epoch=TOP, limit=TOP),
        pytest.param(Reply("moved", 4000, "0" * 32), marks=pytest.mark.soak),
        None,
    ],
    ids=["superseded", "misfit", "overlap", "taken", "moved", "huge"],
)
@pytest.mark.thorough
def test_replies_of_a_program_that_is_not_a_worker(scene: Scene, forged: Reply | None) -> None:
    """No such reply ends a tail, or makes it drop uncommitted jobs, running or at its start."""

    def answer(data: bytes) -> bytes:
        if forged is None:
            return bytes(200 << 20)
        message = protocol.unpack(data, EVENT_SCHEMA)
        known = {message.source.id: (TOP, TOP)} if isinstance(message, protocol.JobMessage) else {scene.id: (TOP, TOP)}
        return protocol.pack(replace(forged, positions=known))

    with answering(scene.port, FUNCTIONS, answer) as answered:
        wait_until(lambda: answered[0] > 0, scene.tail)
        scene.write()
        wait_until(lambda: answered[0] > 3, scene.tail)
        scene.site.stop(scene.tail) if forged is None else None
        scene.tail = scene.start() if forged is None else scene.tail
        wait_until(lambda: answered[0] > 6, scene.tail)
        assert scene.tail.poll() is None, scene.site.notices()
    scene.await_all()
    scene.go_on()
    assert re.search(r"refused: shard \d answers with", scene.site.notices())
    found = json.loads(scene.site.logagg.run("status", "--gearman", scene.site.gearman, "--json", status=None).stdout)
    assert found["tailers"][0]["refused"] > 0


@pytest.mark.thorough
def test_a_tail_that_gets_only_forged_replies_at_its_start(site: Site) -> None:
    """It waits, and begins when a worker replies; `--once` ends after a while with a hint."""
    log = site.logagg.folder / "access.log"
    log.write_text(combined([(f"/{number}", 200) for number in range(LINES)]))
    worker = site.worker("0-1/2")
    site.await_lake()
    site.stop(worker)
    misfit = protocol.pack(Reply("refused", reason="misfit: go away"))
    with answering(site.servers[0].port, FUNCTIONS, lambda data: misfit) as answered:
        tail = site.tail("web1", log)
        wait_until(lambda: answered[0] > 3, tail)
        done = site.logagg.run("tail", "--gearman", site.gearman, "--once", log, status=1)
        assert "has another secret than the lake, or another version" in done.stderr
        assert tail.poll() is None
    site.worker("0-1/2")
    site.logagg.await_lines(LINES, tail)


@pytest.mark.parametrize("kind", [protocol.JOB, protocol.REQUEST], ids=["jobs", "questions"])
def test_replies_to_other_messages(scene: Scene, kind: bytes) -> None:
    """Authentic replies, each in place of another: all are refused."""
    keys = Keys((scene.site.lake / "secret").read_bytes())
    old = [data for data in scene.tap.answers if keys.check(data)]
    nonces = {data[40:56] for function, data in scene.tap.sent if data[7:8] == kind}
    old = [data for data in old if data[40:56] in nonces]
    assert old
    replayed = [0]

    def change(data: bytes) -> bytes:
        replayed[0] += 1
        return old[replayed[0] % len(old)]

    scene.tap.change = change
    scene.write()
    wait_until(lambda: replayed[0] > 5, scene.tail)
    scene.tap.change = lambda data: data
    scene.await_all()
    scene.go_on()
    assert "a message that does not answer the one that was sent" in scene.site.notices()


# decompression bombs


def test_decompression_bombs(site: Site) -> None:
    """A message that claims too large a size is refused before it is unpacked; a packet above the limit is refused while it is received."""
    site.worker("0/1", "--memory", "640MB")
    site.await_lake()
    port, peer = site.servers[0].port, Peer(site.servers[0].port, site.lake)
    [pid] = [process.pid for process in site._processes]
    before = peak(pid)
    bomb = bytearray(protocol.pack(job_message(shards=1)))
    for size in (161 << 20, (1 << 32) - 1):
        struct.pack_into("!I", bomb, 76, size)
        answer = peer.ask(_signed(peer, bytes(bomb)), shard=0)
        assert f"a job that unpacks to {size:,} bytes, where 167,772,160 are allowed" in answer.reason
        assert peer.ask(bytes(bomb)).reason == "its MAC is not by the lake's secret", "unsigned"
    junk = protocol.pack(job_message(shards=1)) + bytes(100 << 20)
    for data in (junk, _signed(peer, junk)):
        assert "is too large" in Peer(port).ask(data).reason
    assert peak(pid) < before + (60 << 20)
    assert not list((site.lake / "quarantine").glob("*.job"))
    assert peer.ask(job_message(shards=1), peer.owner()).outcome == "taken"


def _signed(peer: Peer, data: bytes) -> bytes:
    assert peer.keys
    return peer.keys.sign(data, b"n" * 16, peer.owner())


def peak(pid: int) -> int:
    """Return the most bytes that a process had in memory."""
    found = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return 1024 * int(found[1])


# versions, and the clock


def version_1(kind: bytes, header: dict[str, object]) -> bytes:
    """Return a message in the format of version 1."""
    text = json.dumps(header).encode()
    return struct.pack("!6sBcII", b"logagg", 1, kind, zlib.crc32(struct.pack("!I", len(text)) + text), len(text)) + text


def test_an_old_tail_is_asked_to_upgrade(scene: Scene) -> None:
    """In version 1, so that it ends with one line; no position moves."""
    answered = submit(
        scene.port, "logagg.positions.0", version_1(b"Q", {"tailer": "web1", "epoch": TOP, "shard": 0, "begins": True})
    )
    assert answered and answered[:8] == b"logagg\x01A"
    header = json.loads(answered[16:])
    assert header["verdict"] == "refused" and not header["positions"]
    assert (
        header["reason"]
        == "misfit: the workers speak version 2 of the protocol, this tail version 1: upgrade logagg here"
    )
    scene.go_on()
    assert scene.refused() == 1


def test_a_tail_waits_for_old_workers_and_names_them(site: Site) -> None:
    log = site.logagg.folder / "access.log"
    log.write_text(combined([(f"/{number}", 200) for number in range(LINES)]))
    site.stop(_made(site))
    old = version_1(b"A", {"verdict": "refused", "reason": "a message of version 2, kind b'Q'; this logagg reads 1"})
    with answering(site.servers[0].port, FUNCTIONS, lambda data: old):
        tail = site.tail("web1", log)
        said = "refused: shard 0 answers with a message of version 1; this logagg reads version 2; run the same version everywhere"
        wait_until(lambda: said in site.notices(), tail)
    site.worker("0-1/2")
    site.logagg.await_lines(LINES, tail)


def _made(site: Site) -> subprocess.Popen[str]:
    worker = site.worker("0-1/2")
    site.await_lake()
    return worker


def test_a_clock_that_was_ahead_and_is_corrected(site: Site) -> None:
    log = site.logagg.folder / "access.log"
    lines = 0
    _made(site)
    for shift in ("+2h", "+0", "-10d"):  # but not to a time before this release of logagg
        with log.open("a") as file:
            file.write(combined([(f"/{lines + number}", 200) for number in range(LINES)]))
        lines += LINES
        clock = ["env", f"LD_PRELOAD={clocks.library()}", f"FAKETIME={shift}", "DONT_FAKE_MONOTONIC=1"]
        tail = site.tail("web1", log, under=clock)
        site.logagg.await_lines(lines, tail)
        site.stop(tail)
    assert site.logagg.read("SELECT count(*) FROM pages") == [(lines,)]


def test_epochs_outlive_all_workers(site: Site) -> None:
    """So a later tail supersedes an earlier one of its name, even if no worker that knew the earlier one is left."""
    log = site.logagg.folder / "access.log"
    log.write_text(combined([(f"/{number}", 200) for number in range(LINES)]))
    worker = _made(site)
    first = site.tail("web1", log)
    site.logagg.await_lines(LINES, first)
    worker.kill()
    worker.wait()
    site.worker("0-1/2")
    second = site.tail("web1", log)
    wait_until(lambda: site.notices().count("connected:") == 2, second)
    with log.open("a") as file:
        file.write(combined([("/more", 200)]))
    assert first.wait(60) == 1
    assert "a later tailer named web1 has started; two tailers have the same name" in site.notices()
    site.logagg.await_lines(LINES + 1, second)
