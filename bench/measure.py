"""Run a program, and say what it took: time, processor, memory.

What imports this stays small itself: on Linux a child's peak memory counts from its parent's size.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bench import processes

LOOK = 0.05  # seconds between looks at a program's memory
PIECE = 8 << 20  # bytes of a log that is followed, written at a time: 37,000 lines a commit
IDLE, SETTLED = 0.05, 3.0  # a program that uses less of a core for so many seconds has nothing more to do
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes
LOGAGG = (sys.executable, "-m", "logagg")


class BenchError(Exception):
    """What cannot be measured, in one line."""


@contextmanager
def failing_in_a_line(failure: type[Exception] = BenchError) -> Iterator[None]:
    """End the program with one line when a bench fails, and quietly when it is interrupted."""
    try:
        yield
    except (BenchError, OSError, failure) as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of a program took."""

    seconds: float
    cpu: float  # seconds, user and system, with all the processes it waited for
    peak: int  # bytes in memory: what its largest process had; watched, with all its processes, as seen every LOOK
    output: str


def run(words: Sequence[str], folder: Path, *, watched: bool = False, settings: Mapping[str, str] | None = None) -> Run:
    """Run a program in a folder to its end, with these settings in its environment. Raises BenchError when it fails.

    To look at its memory makes a program wait, some more than others: one that is watched is not to be timed.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        process = subprocess.Popen(
            words,
            cwd=folder,
            env=environment() | dict(settings or {}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
        )
        try:
            status, usage, most = _watch(process.pid) if watched else (*os.wait4(process.pid, 0)[1:], 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise BenchError(f"{' '.join(map(str, words))}: status {process.returncode}: {_last_line(_all(errors))}")
        most = max(most, usage.ru_maxrss * _RSS_UNIT)
        return Run(seconds, usage.ru_utime + usage.ru_stime, most, _all(output))


def follow(log: Path, folder: Path, *, watched: bool = False) -> Run:
    """Have a tail follow a log that is written again, into this folder, piece by piece, each when the one before is committed;
    stop the tail when it has nothing more to do, its merges included. Raises BenchError when it fails.

    The seconds are those until it is at rest, the processor time is all it took.
    """
    words = [*LOGAGG, "tail", "-v", "--flush", "0.1", "--lake", "lake", "access.log"]
    (folder / "access.log").touch()
    with (folder / "said.txt").open("wb") as said:
        process = subprocess.Popen(
            words, cwd=folder, env=environment(), stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
    started, peak = time.perf_counter(), _Peak(process.pid if watched else None)
    try:
        _write_in_pieces(log, folder / "access.log", lambda: _commits(process, folder), peak)
        seconds = _at_rest(process.pid, peak) - started
        process.send_signal(signal.SIGTERM)
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        process.kill()
        process.wait()
        raise
    process.returncode = os.waitstatus_to_exitcode(status)
    output = (folder / "said.txt").read_text(errors="replace")
    if process.returncode:
        raise BenchError(f"the tail ended with status {process.returncode}: {_last_line(output)}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, max(peak.bytes, usage.ru_maxrss * _RSS_UNIT), output)


class _Peak:
    """The most memory that was seen of a program, if it is looked at."""

    def __init__(self, pid: int | None) -> None:
        self.bytes, self._pid = 0, pid

    def wait(self) -> None:
        if self._pid:
            self.bytes = max(self.bytes, processes.memory(self._pid))
        time.sleep(LOOK)


def _write_in_pieces(source: Path, log: Path, commits: Callable[[], int], peak: _Peak) -> None:
    with source.open("rb") as whole, log.open("wb", buffering=0) as growing:
        while piece := whole.read(PIECE):
            before = commits()
            growing.write(piece)
            while commits() == before:
                peak.wait()


def _commits(process: subprocess.Popen[bytes], folder: Path) -> int:
    """Return how many commits a tail has told of. Raises BenchError where it has ended."""
    said = (folder / "said.txt").read_bytes()
    if process.poll() is not None:
        raise BenchError(
            f"the tail ended with status {process.returncode}: {_last_line(said.decode(errors='replace'))}"
        )
    return said.count(b" commit: ")


def _at_rest(pid: int, peak: _Peak) -> float:
    """Wait until a program has nothing more to do; return since when."""
    used, since = 0.0, time.perf_counter()
    while (now := time.perf_counter()) - since < SETTLED:
        if (cpu := processes.cpu(pid)) - used > IDLE * (now - since) + 2 / processes.TICKS:
            used, since = cpu, now
        peak.wait()
    return since


def _watch(pid: int) -> tuple[int, resource.struct_rusage, int]:
    """Wait for the end of a program; return its status, what it used, and the most memory that was seen."""
    ended, most = threading.Event(), 0

    def look() -> None:
        nonlocal most
        resident = 0
        while not ended.wait(LOOK):
            if (now := processes.resident(pid)) > resident:  # exact looks make the program wait: no more than need be
                resident, most = now, max(most, processes.memory(pid))

    looks = threading.Thread(target=look, daemon=True)
    looks.start()
    try:
        _, status, usage = os.wait4(pid, 0)
    finally:
        ended.set()
        looks.join()
    return status, usage, most


@contextmanager
def workplace(folder: Path) -> Iterator[Path]:
    """Make a fresh folder in this one, and delete it in the end."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="run-", dir=folder.resolve()) as name:
        yield Path(name)


def environment() -> dict[str, str]:
    """Return our environment without settings of logagg."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LOGAGG_")}


def size_of(folder: Path) -> int:
    """Return the bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _all(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def _last_line(text: str) -> str:
    return text.strip().splitlines()[-1] if text.strip() else "it said nothing"
