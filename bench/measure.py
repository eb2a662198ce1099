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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bench import processes

LOOK = 0.05  # seconds between looks at a program's memory
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


def run(words: Sequence[str], folder: Path, *, watched: bool = False) -> Run:
    """Run a program in a folder to its end. Raises BenchError when it fails.

    To look at its memory makes a program wait, some more than others: one that is watched is not to be timed.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        process = subprocess.Popen(
            words, cwd=folder, env=environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=errors
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


def follow(words: Sequence[str], folder: Path, environ: Mapping[str, str]) -> Run:
    """Run a program that goes on until it is told to stop: do so when it has nothing more to do. Raises BenchError when it fails.

    Its seconds are those until then, its processor time is all; its memory is looked at.
    """
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            words, cwd=folder, env=environment() | environ, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors
        )
        try:
            seconds, most = _settled(process.pid)
            process.send_signal(signal.SIGTERM)
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise BenchError(f"{' '.join(map(str, words))}: status {process.returncode}: {_last_line(_all(errors))}")
        return Run(seconds, usage.ru_utime + usage.ru_stime, max(most, usage.ru_maxrss * _RSS_UNIT), "")


def _settled(pid: int) -> tuple[float, int]:
    """Wait until a program has nothing more to do; return the seconds until then, and the most memory that was seen."""
    began = time.perf_counter()
    used, since, most = 0.0, began, 0
    while (now := time.perf_counter()) - since < SETTLED:
        if (cpu := processes.cpu(pid)) - used > IDLE * (now - since) + 2 / processes.TICKS:
            used, since = cpu, now
        most = max(most, processes.memory(pid))
        time.sleep(LOOK)
    return since - began, most


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
