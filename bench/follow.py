"""`make bench-follow`: how fresh the answers are while a log is written fast, and what following many idle files costs.

Fresh: a line counts as visible when a connection opened after a commit gives an answer that holds it. The log is written
from this process, a hundred times a second, and each write's time is kept; the answers say how many lines they hold.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

import logagg
from bench import paper, processes
from bench.make_log import BLOCK, Lines
from bench.measure import LOGAGG, BenchError, environment, failing_in_a_line, workplace
from bench.paper import megabytes, percent, table

TICK = 0.01  # seconds between writes
LOOK = 0.005  # seconds between looks for a new commit
SETTLED = 3.0  # seconds without a commit after which a tail counts as idle
LEAST, MOST = 100, 10_000_000  # lines/s that can be asked for
PATIENCE = 60.0  # seconds to wait for what must come

_TIME = datetime(2026, 1, 1, tzinfo=UTC)  # what lines are made with, and what the time of writing replaces
_SHAPE = "%d/%b/%Y:%H:%M:%S"


class Tail:
    """A running `logagg tail`."""

    def __init__(self, process: subprocess.Popen[bytes], lake: Path) -> None:
        self._process, self.lake = process, lake

    def cpu(self) -> float:
        """Return the seconds of processor time that it and its parsers have used."""
        return processes.cpu(self._process.pid)

    def memory(self) -> int:
        """Return the bytes that it and its parsers have in memory."""
        return processes.memory(self._process.pid)

    def snapshot(self) -> str:
        """Return what names the newest commit; empty before the first."""
        try:
            return os.readlink(self.lake / "logagg.duckdb")
        except OSError:
            return ""

    def lines(self) -> int:
        """Return the lines that a new connection sees."""
        with logagg.connect(self.lake) as connection:
            query = (
                "SELECT (SELECT coalesce(sum(hits), 0) FROM traffic) + (SELECT coalesce(sum(lines), 0) FROM rejects)"
            )
            found = connection.execute(query).fetchone()
        assert found, "an aggregate has a row"
        return int(found[0])

    def wait(self, holds: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not holds():
            if self._process.poll() is not None:
                raise BenchError(f"the tail ended with status {self._process.returncode}")
            if time.monotonic() > end:
                raise BenchError(f"{what} did not happen within {PATIENCE:.0f} s")
            time.sleep(LOOK)

    def settle(self) -> None:
        """Wait until nothing was committed for a while."""
        seen, since = self.snapshot(), time.monotonic()

        def still() -> bool:
            nonlocal seen, since
            if self.snapshot() != seen:
                seen, since = self.snapshot(), time.monotonic()
            return time.monotonic() - since > SETTLED

        self.wait(still, "coming to rest")


@contextmanager
def tailing(logs: Path, folder: Path, *options: str) -> Iterator[Tail]:
    """Follow logs into a fresh lake."""
    words = [*LOGAGG, "tail", "--lake", str(folder / "lake"), *options, str(logs)]
    with (folder / "tail.txt").open("wb") as said:
        process = subprocess.Popen(
            words, cwd=folder, env=environment(), stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
    try:
        yield Tail(process, folder / "lake")
        process.send_signal(signal.SIGTERM)
        if process.wait(PATIENCE):
            raise BenchError(
                f"the tail ended with status {process.returncode}: {(folder / 'tail.txt').read_text()[-200:]}"
            )
    finally:
        process.kill()
        process.wait()


class Writer(threading.Thread):
    """Writes lines at a steady rate, and remembers when how many were written."""

    def __init__(self, log: Path, rate: int, seconds: float) -> None:
        super().__init__(daemon=True)
        self._step, self._ticks = round(rate * TICK), round(seconds / TICK)
        self._log, self._pieces = log, _pieces(self._step)
        self.written: list[tuple[float, int]] = []  # when, and lines so far
        self.late = 0.0  # seconds behind its own pace, at the worst

    def warm_up(self) -> int:
        """Write some lines before the clock runs, and return how many: a tail loads its tables at the first it reads."""
        self._log.write_bytes(self._piece(0))
        return self._step

    @property
    def lines(self) -> int:
        """Return how many there are in the end."""
        return self._step * (1 + self._ticks)

    def run(self) -> None:
        began = time.monotonic()
        with self._log.open("ab", buffering=0) as log:
            for tick in range(self._ticks):
                pause = began + tick * TICK - time.monotonic()
                self.late = max(self.late, -pause)
                time.sleep(max(pause, 0))
                log.write(self._piece(tick))
                self.written.append((time.monotonic(), self._step * (tick + 2)))

    def _piece(self, tick: int) -> bytes:
        return _at(datetime.now(UTC), self._pieces[tick % len(self._pieces)])


def _pieces(lines: int) -> list[bytes]:
    """Make some seconds of lines before they are needed, cut into what is written at a time."""
    maker, pieces = Lines("mixed"), min(1000, BLOCK // lines)
    made = bytes(maker.block(np.full(pieces * lines, round(_TIME.timestamp())))).splitlines(keepends=True)
    return [b"".join(made[start : start + lines]) for start in range(0, len(made), lines)]


def _at(now: datetime, lines: bytes) -> bytes:
    """Return the lines with another time."""
    return lines.replace(f"[{_TIME:{_SHAPE}} ".encode(), f"[{now:{_SHAPE}} ".encode())


@dataclass(frozen=True, slots=True)
class Freshness:
    """What following a fast log came to."""

    rate: int  # lines/s, as asked for
    seconds: float
    flush: float  # seconds between commits
    lines: int
    half: float  # seconds from written to visible, for half of the lines
    most: float  # for 99% of them
    worst: float
    cores: float  # of processor time, while it was written
    memory: int  # bytes, in the end
    commits: int
    late: float  # seconds that the writer itself fell behind, at the worst


def freshness(rate: int, seconds: float, flush: float, folder: Path) -> Freshness:
    """Write a log at a rate and watch it become visible."""
    log = folder / "access.log"
    writer = Writer(log, rate, seconds)
    first = writer.warm_up()
    with tailing(log, folder, "--flush", f"{flush}s") as tail:
        tail.wait(lambda: tail.snapshot() != "" and tail.lines() == first, "reading the first lines")
        tail.settle()
        before, began = tail.cpu(), time.monotonic()
        writer.start()
        seen, used = _watch(tail, writer)
        half, most, worst = np.quantile(_delays(np.array(writer.written), np.array(seen)), [0.5, 0.99, 1]).tolist()
        cores = (used - before) / (writer.written[-1][0] - began)
        return Freshness(
            rate, seconds, flush, writer.lines, half, most, worst, cores, tail.memory(), len(seen) - 1, writer.late
        )


def _watch(tail: Tail, writer: Writer) -> tuple[list[tuple[float, int]], float]:
    """Return when how many lines were visible, until all are; and the tail's processor time when the last was written."""
    last, seen = tail.snapshot(), [(time.monotonic(), tail.lines())]

    def visible() -> int:
        nonlocal last
        if (newest := tail.snapshot()) != last:
            last, lines = newest, tail.lines()
            seen.append((time.monotonic(), lines))
        return seen[-1][1]

    while writer.is_alive():
        visible()
        time.sleep(LOOK)
    used = tail.cpu()
    tail.wait(lambda: visible() >= writer.lines, "the last line's becoming visible")
    if visible() > writer.lines:
        raise BenchError(f"{visible():,} lines are visible, {writer.lines:,} were written")
    return seen, used


def _delays(written: npt.NDArray[np.float64], seen: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return, for each write, the seconds until an answer held all of it."""
    return seen[np.searchsorted(seen[:, 1], written[:, 1]), 0] - written[:, 0]


@dataclass(frozen=True, slots=True)
class Idle:
    """What following files that are seldom written came to."""

    files: int
    seconds: float
    still: float  # cores, while nothing is written
    drip: float  # cores, while one of the files gets a line every second
    memory: int  # bytes, in the end


def idle(files: int, seconds: float, folder: Path) -> Idle:
    """Follow many files that are quiet, then one line a second in one or another of them."""
    logs = folder / "logs"
    logs.mkdir()
    paths = [logs / f"site-{number:04}.access.log" for number in range(files)]
    line = _pieces(1)[0]
    for path in paths:
        _append(path, line)
    with tailing(logs, folder) as tail:
        tail.wait(lambda: bool(tail.snapshot()) and tail.lines() == files, "reading what is there")
        tail.settle()
        still = _cores(tail, seconds, lambda second: None)
        drip = _cores(tail, seconds, lambda second: _append(paths[second % files], line))
        return Idle(files, seconds, still, drip, tail.memory())


def _append(path: Path, line: bytes) -> None:
    with path.open("ab") as file:
        file.write(_at(datetime.now(UTC), line))


def _cores(tail: Tail, seconds: float, every_second: Callable[[int], None]) -> float:
    """Return how much of a core the tail uses, on average."""
    began, used = time.monotonic(), tail.cpu()
    for second in range(max(1, round(seconds))):
        every_second(second)
        time.sleep(max(0.0, began + min(second + 1, seconds) - time.monotonic()))
    return (tail.cpu() - used) / (time.monotonic() - began)


def fresh_table(one: Freshness) -> str:
    head = ("written", "for", "flush", "p50", "p99", "worst", "cores", "memory", "commits", "writer late by")
    seconds = (f"{value:.2f} s" for value in (one.half, one.most, one.worst))
    row = (f"{one.rate:,} lines/s", f"{one.seconds:.0f} s", f"{one.flush:g} s", *seconds, f"{one.cores:.2f}")
    return table(head, [(*row, megabytes(one.memory), str(one.commits), f"{one.late:.2f} s")])


def idle_table(one: Idle) -> str:
    head = ("files", "of a core, nothing written", "of a core, a line a second", "memory")
    return table(head, [(f"{one.files:,}", percent(one.still), percent(one.drip), megabytes(one.memory))])


def report(fresh: Freshness, quiet: Idle) -> str:
    """Return what was measured, as Markdown."""
    return "\n\n".join(
        [
            f"{paper.when_and_where()}.",
            "From a line's being written to its being in the answer of a new connection:",
            fresh_table(fresh),
            "Following files that are seldom written:",
            idle_table(quiet),
        ]
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.follow", description="Measure a tail that follows.")
    parser.add_argument("--rate", type=int, default=100_000, help="lines/s")
    parser.add_argument("--seconds", type=float, default=120.0, help="how long the log is written")
    parser.add_argument("--flush", type=float, default=1.0, help="seconds between commits")
    parser.add_argument("--files", type=int, default=1000, help="that are followed while idle")
    parser.add_argument("--idle", type=float, default=30.0, help="seconds to watch them, twice")
    paper.add_options(parser)
    options = parser.parse_args()
    if not LEAST <= options.rate <= MOST:
        parser.error(f"--rate: from {LEAST} to {MOST:,}")
    return options


def main() -> None:
    options = _options()
    with failing_in_a_line(logagg.LogaggError):
        with workplace(options.folder) as folder:
            fresh = freshness(options.rate, options.seconds, options.flush, folder)
        with workplace(options.folder) as folder:
            quiet = idle(options.files, options.idle, folder)
        paper.publish(options, "bench-follow", report(fresh, quiet), {"fresh": asdict(fresh), "idle": asdict(quiet)})


if __name__ == "__main__":
    main()
