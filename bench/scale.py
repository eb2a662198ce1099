"""`make bench-scale`: many web servers, simulated, through a real gearmand and real workers into one lake.

Simulated is what comes before sending: each tailer sends the events of made-up lines, of a source of its own, at its pace.
What sends is what a tail sends with, `cluster.dispatch`, a connection and a thread for each tailer; from there on all is real. Jobs
are packed once for each of some chunks, and get another header for each tailer: what packing costs is known from each tail.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

import logagg
from bench import paper
from bench.cluster import GEARMAND
from bench.make_log import blocks, yesterday
from bench.measure import LOGAGG, BenchError, environment, failing_in_a_line, workplace
from logagg.clock import SystemClock
from logagg.cluster import protocol
from logagg.cluster.auth import Keys
from logagg.cluster.gearman import Server
from logagg.cluster.handshake import Identity
from logagg.cluster.outbox import PendingJob
from logagg.cluster.protocol import JobMessage
from logagg.cluster.sender import Dispatch
from logagg.cluster.transport import SendResult
from logagg.config.sections import Config
from logagg.parse.events.classify import Classifier
from logagg.parse.formats.compile import compile_format
from logagg.parse.lines import fast
from logagg.records import Chunk, Fingerprint, Source
from logagg.sharding import shard_jobs

CROWD = 200  # tailers in a process: each has three descriptors, and select takes a thousand
VARIANTS = 8  # chunks that are sent again and again
DAY = 10_000_000  # lines of a day: those of a chunk are some seconds'
LOOK = 0.02  # seconds between looks for a new catalog
PATIENCE = 300.0  # seconds for what was sent to be committed, in the end


@dataclass(frozen=True, slots=True)
class Scene:
    """What is simulated."""

    tailers: int
    shards: int
    workers: int
    jobs: float  # a second, that all of them offer
    lines: int  # in a chunk
    seconds: float
    flush: float  # seconds, of the workers

    @property
    def every(self) -> float:
        """Seconds between two chunks of a tailer."""
        return self.tailers * self.shards / self.jobs


@dataclass(frozen=True, slots=True)
class Sent:
    """What the tailers of one process sent, all of which was committed."""

    chunks: int
    bytes: int
    resent: int
    lags: Sequence[float]  # seconds from a chunk's being ready to its being committed in all shards
    cpu: float


@dataclass(frozen=True, slots=True)
class Found:
    """What a scene came to."""

    scene: Scene
    seconds: float
    sent: Sent
    workers: float  # seconds of processor time
    gearmand: float
    commits: int
    catalogs: int
    files: int  # that the newest catalog names

    @property
    def jobs(self) -> int:
        return self.sent.chunks * self.scene.shards


# the tailers


class Watched(Dispatch):
    """Notes when a chunk is committed by all shards."""

    waiting: deque[tuple[int, float]]  # where chunks end, and since when they wait
    lags: list[float]

    def _hear(self, outcome: SendResult) -> None:
        super()._hear(outcome)
        first = min((outbox.pending[0].start for outbox in self.outboxes if outbox.pending), default=1 << 62)
        while self.waiting and self.waiting[0][0] <= first:
            self.lags.append(time.monotonic() - self.waiting.popleft()[1])


class Tailer:
    """A web server that gets lines at a pace."""

    def __init__(
        self, number: int, servers: Sequence[Server], secret: bytes, scene: Scene, chunks: Sequence[Sequence[bytes]]
    ) -> None:
        self.name, self._number, self._scene, self._chunks = f"web{number:04}", number, scene, chunks
        self._who = Identity(self.name, Keys(secret))
        self._source = Source(
            f"{number:016x}",
            f"/var/log/nginx/{number}.log",
            1,
            number,
            Fingerprint.blank(0),
            format="combined",
            tailer=self.name,
        )
        self.dispatch = Watched(
            servers, self._who, SystemClock(), lambda notice: None, memory=1 << 28, poll=scene.flush
        )
        self.dispatch.waiting, self.dispatch.lags = deque(), []
        self.chunks = self.bytes = 0
        self.failure: BaseException | None = None

    def greet(self) -> None:
        self.dispatch.greet(lambda: False)
        self.dispatch.start()

    def run(self, end: float) -> None:
        """Send a chunk at our pace until a time; each tailer begins at another moment of it."""
        due = time.monotonic() + self._scene.every * (self._number / self._scene.tailers)
        try:
            while due < end:
                time.sleep(max(0.0, due - time.monotonic()))
                self._send()
                due += self._scene.every
            if not self.dispatch.wait_until_committed(PATIENCE):
                raise BenchError(
                    f"{self.name}: not committed within {PATIENCE:.0f} s: {self.dispatch.failure or 'too much'}"
                )
        except BaseException as failure:  # the process says it
            self.failure = failure
        finally:
            self.dispatch.stop()

    def _send(self) -> None:
        start, chunk = self.chunks * 1000, self._chunks[(self._number + self.chunks) % len(self._chunks)]
        packed = [self._stamped(one, start, start + 1000) for one in chunk]
        self.bytes += sum(map(len, packed))
        self.dispatch.waiting.append((start + 1000, time.monotonic()))
        flights = [PendingJob(self._source.id, 0, start, start + 1000, data) for data in packed]
        if not self.dispatch.put(enumerate(flights)):
            raise BenchError(f"{self.name}: {self.dispatch.failure}")
        self.chunks += 1

    def _stamped(self, packed: bytes, start: int, end: int) -> bytes:
        """Return a job as one of ours, in the open format: another header, the same events."""
        magic, version, kind, mac, nonce, owner, length, size = protocol.FRAME.unpack_from(packed)
        header, stream = packed[protocol.FRAME.size :][:length], memoryview(packed)[protocol.FRAME.size + length :]
        ours = {"tailer": self.name, "epoch": self.dispatch.epoch, "run": self._who.run}
        ours |= {
            "source": asdict(self._source),
            "fingerprint": asdict(Fingerprint.blank(end)),
            "start": start,
            "end": end,
        }
        text = json.dumps(json.loads(header) | ours).encode()
        return b"".join((protocol.FRAME.pack(magic, version, kind, mac, nonce, owner, len(text), size), text, stream))


def made(lines: Sequence[bytes], scene: Scene, secret: bytes) -> list[list[bytes]]:
    """Return some chunks of lines, each as the jobs of all shards."""
    classifier, found = Classifier.of(Config(), secret), []
    for number in range(VARIANTS):
        data = b"".join(lines[number * scene.lines : (number + 1) * scene.lines])
        chunk = Chunk("", 0, 0, 1, data, Fingerprint.blank(1))
        batch = fast.parse(chunk, compile_format("combined"), time.time(), 1 << 20)
        jobs = shard_jobs(chunk, classifier.classify(batch.table), batch.rejects, scene.shards)
        source = Source("", "", 0, 0, Fingerprint.blank(0))
        found.append([protocol.pack(JobMessage("", 0, scene.shards, source, job)) for job in jobs])
    return found


def crowd(numbers: Sequence[int], server: str, secret: bytes, scene: Scene, end: Connection) -> None:
    """Be some tailers, in a process of their own."""
    lines = bytes(next(blocks("mixed", DAY, yesterday(), seed=1))).splitlines(keepends=True)
    chunks = made(lines, scene, secret)
    tailers = [Tailer(number, Server.listed(server), secret, scene, chunks) for number in numbers]
    for tailer in tailers:
        tailer.greet()
    end.send("ready")
    until = time.monotonic() + end.recv()
    threads = [threading.Thread(target=tailer.run, args=(until,)) for tailer in tailers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    failures = [str(tailer.failure) for tailer in tailers if tailer.failure]
    lags = [lag for tailer in tailers for lag in tailer.dispatch.lags]
    resent = sum(outbox.resent for tailer in tailers for outbox in tailer.dispatch.outboxes)
    sent = Sent(
        sum(one.chunks for one in tailers), sum(one.bytes for one in tailers), resent, lags, time.process_time()
    )
    end.send(failures[0] if failures else sent)


# all of it


def run(scene: Scene, folder: Path) -> Found:
    """Let it happen; see that every line counts once. Raises BenchError."""
    with workplace(folder) as place, ExitStack() as stack:
        lake, server = place / "lake", _address()
        gearmand = stack.enter_context(_running(_gearmand(server, place), place))
        workers = [stack.enter_context(_running(words, place)) for words in _workers(scene, server, lake)]
        _await(lambda: (lake / "logagg.duckdb").exists(), [gearmand, *workers], "the lake")
        ends = [
            stack.enter_context(_crowd(numbers, server, (lake / "secret").read_bytes(), scene))
            for numbers in _crowds(scene)
        ]
        for end in ends:
            _told(end)
        busy, commits, began = [_cpu(one) for one in (gearmand, *workers)], _commits(lake), time.monotonic()
        catalogs = stack.enter_context(_watching(lake))
        for end in ends:
            end.send(scene.seconds)
        sent = _sum([_told(end) for end in ends])
        took = time.monotonic() - began
        used = [_cpu(one) - before for one, before in zip((gearmand, *workers), busy, strict=True)]
        lines, files = _counted(lake)
        if lines != sent.chunks * scene.lines:
            raise BenchError(f"{sent.chunks * scene.lines:,} lines were sent, {lines:,} count")
        return Found(scene, took, sent, sum(used[1:]), used[0], _commits(lake) - commits, len(catalogs), files)


def _crowds(scene: Scene) -> Iterator[Sequence[int]]:
    for first in range(0, scene.tailers, CROWD):
        yield range(first, min(first + CROWD, scene.tailers))


@contextmanager
def _crowd(numbers: Sequence[int], server: str, secret: bytes, scene: Scene) -> Iterator[Connection]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=crowd, args=(numbers, server, secret, scene, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        process.kill()
        process.join()


def _told(end: Connection) -> Sent:
    """Return what a process of tailers says. Raises BenchError when it has failed."""
    try:
        said = end.recv()
    except EOFError:
        raise BenchError("a process of tailers ended") from None
    if isinstance(said, str) and said != "ready":
        raise BenchError(said)
    return said


def _sum(parts: Sequence[Sent]) -> Sent:
    chunks, size, resent = (sum(getattr(one, name) for one in parts) for name in ("chunks", "bytes", "resent"))
    return Sent(chunks, size, resent, sorted(lag for one in parts for lag in one.lags), sum(one.cpu for one in parts))


def _address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"127.0.0.1:{probe.getsockname()[1]}"


def _gearmand(server: str, place: Path) -> list[str]:
    if not GEARMAND:
        raise BenchError("gearmand is missing: install gearman-job-server")
    host, _, port = server.partition(":")
    words = [GEARMAND, "--listen", host, "--port", port, "--job-retries=3", "--round-robin", "--worker-wakeup=1"]
    return [*words, "--file-descriptors=8192", "--log-file", str(place / "gearmand.log")]


def _workers(scene: Scene, server: str, lake: Path) -> Iterator[list[str]]:
    """Deal the shards to workers; all of them say their number."""
    for number in range(scene.workers):
        owned = ",".join(str(shard) for shard in range(number, scene.shards, scene.workers))
        words = [*LOGAGG, "worker", "--gearman", server, "--shards", f"{owned}/{scene.shards}", "--lake", str(lake)]
        yield [*words, "--flush", str(scene.flush), "--memory", "4GB", "-q"]


@contextmanager
def _running(words: Sequence[str], place: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (place / "errors").open("ab") as errors:
        process = subprocess.Popen(words, cwd=place, env=environment(), stdout=subprocess.DEVNULL, stderr=errors)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def _await(holds, processes: Sequence[subprocess.Popen[bytes]], what: str) -> None:  # type: ignore[no-untyped-def]
    end = time.monotonic() + PATIENCE
    while not holds():
        if any(process.poll() is not None for process in processes) or time.monotonic() > end:
            raise BenchError(f"{what} did not come: gearmand or a worker has ended, or takes too long")
        time.sleep(LOOK)


@contextmanager
def _watching(lake: Path) -> Iterator[set[str]]:
    """Gather the names of the catalogs there are while this lasts."""
    seen, over = set[str](), threading.Event()

    def watch() -> None:
        while not over.wait(LOOK):
            seen.add(os.readlink(lake / "logagg.duckdb"))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def _cpu(process: subprocess.Popen[bytes]) -> float:
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _commits(lake: Path) -> int:
    with logagg.connect(lake) as connection:
        [(found,)] = connection.execute("SELECT coalesce(max(id), 0) FROM commits").fetchall()
    return int(found)


def _counted(lake: Path) -> tuple[int, int]:
    with logagg.connect(lake) as connection:
        hits = "(SELECT coalesce(sum(hits), 0)::BIGINT FROM traffic)"
        rejects = "(SELECT coalesce(sum(lines), 0)::BIGINT FROM rejects)"
        [(lines, files)] = connection.execute(f"SELECT {hits} + {rejects}, (SELECT count(*) FROM files)").fetchall()
    return int(lines), int(files)


# on paper

HEAD = (
    *("tailers × shards", "workers", "offered", "jobs/s", "MB/s", "a worker's CPU a job", "gearmand's", "tailers'"),
    *("commits/s", "catalogs/s", "files", "lag, half", "99 of 100", "sent again"),
)


def row(one: Found) -> tuple[str, ...]:
    scene, sent = one.scene, one.sent
    half, most = (sent.lags[int(len(sent.lags) * share)] for share in (0.5, 0.99))
    per_job = (f"{1000 * cpu / one.jobs:.2f} ms" for cpu in (one.workers, one.gearmand, sent.cpu))
    rates = (f"{count / one.seconds:.1f}" for count in (one.commits, one.catalogs))
    return (
        f"{scene.tailers:,} × {scene.shards}",
        str(scene.workers),
        f"{scene.jobs:,.0f}",
        f"{one.jobs / one.seconds:,.0f}",
        f"{sent.bytes / one.seconds / 1e6:.1f}",
        *per_job,
        *rates,
        str(one.files),
        f"{half:.1f} s",
        f"{most:.1f} s",
        str(sent.resent),
    )


def _said(found: Iterable[Found]) -> Iterator[Found]:
    """Say what was found as soon as it is: all of it takes a while."""
    for one in found:
        print(" | ".join(row(one)), file=sys.stderr, flush=True)
        yield one


def report(found: Sequence[Found]) -> str:
    scene = found[0].scene
    said = f"{paper.when_and_where()}; chunks of {scene.lines:,} lines, workers flush every {scene.flush:g} s, {scene.seconds:g} s each"
    return f"{said}; every line counted once.\n\n{paper.table(HEAD, map(row, found))}"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.scale", description="Many tailers, simulated, through a real gearmand."
    )
    parser.add_argument("--tailers", type=int, nargs="+", default=[50, 200, 1000], metavar="N")
    parser.add_argument("--shards", type=int, nargs="+", default=[8, 32], metavar="N")
    parser.add_argument("--workers", type=int, default=2, metavar="N")
    parser.add_argument("--jobs", type=float, default=50.0, help="jobs/s that all tailers offer together")
    parser.add_argument("--lines", type=int, default=1000, help="of a chunk")
    parser.add_argument(
        "--seconds",
        type=float,
        default=30.0,
        help="that each goes on; at least as long as each tailer takes to send once",
    )
    parser.add_argument("--flush", type=float, default=5.0, help="seconds, of the workers")
    paper.add_options(parser)
    options = parser.parse_args()
    scene = Scene(1, 1, options.workers, options.jobs, options.lines, options.seconds, options.flush)
    scenes = [
        replace(scene, tailers=tailers, shards=shards) for tailers in options.tailers for shards in options.shards
    ]
    scenes = [replace(one, seconds=max(one.seconds, one.every)) for one in scenes]
    with failing_in_a_line(logagg.LogaggError):
        found = list(_said(run(one, options.folder) for one in scenes))
    measured = [asdict(replace(one, sent=replace(one.sent, lags=()))) for one in found]
    paper.publish(options, "bench-scale", report(found), {"found": measured}, paper.CLUSTER)


if __name__ == "__main__":
    main()
