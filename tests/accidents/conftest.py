"""Helpers of the accidents: a server that writes numbered lines, and a tail that must count each of them once.

    log = site.log()            # access.log, in a directory of its own
    site.start()                # logagg tail --flush 0.1 that directory
    log.write(100)              # /n/0 ... /n/99
    log.rotate()                # renamed to access.log.1; the server still writes to it
    log.reopen()                # the server follows
    site.expect()               # every written line is counted once

The fixture `site` checks every test once more at its end: it stops the tail, which commits, and
each line must be counted once (`Site.check`). So an accident may also fail in its teardown, and a test without an
assert of its own has this one.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.conftest import POWERLESS, Command, wait_until

LINE = b'192.0.2.%d - - [02/Mar/2026:%02d:%02d:%02d +0000] "GET /n/%d HTTP/1.1" 200 10 "-" "%s"\n'
AGENT = b"Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"


def line(number: int, agent: bytes = AGENT) -> bytes:
    """Return a line of its own for each number; they are a second apart."""
    return LINE % (number % 90 + 10, number // 3600 % 24, number // 60 % 60, number % 60, number, agent)


class Site:
    """A directory of logs, a lake, and a tail that reads the one into the other."""

    def __init__(self, logagg: Command, folder: Path) -> None:
        self.logagg, self.folder = logagg, folder
        self.written = 0
        self.lost: set[int] = set()  # lines that no tail could count
        self.rejects: dict[str, int] = {}  # lines that are rejects, by reason
        self.under: list[str] = []  # a program that starts the tail, with its options
        self.process: subprocess.Popen[str] | None = None
        self._logs: list[Log] = []
        folder.mkdir()

    # the server

    def log(self, name: str = "access.log") -> Log:
        """Return a log that a server writes; it is created at once."""
        self._logs.append(Log(self, self.folder / name))
        return self._logs[-1]

    def lines(self, count: int, agent: bytes = AGENT) -> bytes:
        """Return the next lines, to be written to a log."""
        first, self.written = self.written, self.written + count
        return b"".join(line(number, agent) for number in range(first, self.written))

    # the tail

    def start(self, *paths: object, **options: object) -> None:
        """Follow the directory, or the given paths; `from_="end"` is --from end, `once=True` is --once."""
        flush = [] if "flush" in options else ["--flush", 0.1]
        argv = [*flush, *_argv(options), *(paths or [self.folder])]
        self.process = self.logagg.start("tail", *argv, under=self.under)

    def once(self, *paths: object, status: int = 0) -> subprocess.CompletedProcess[str]:
        """Read all lines, and stop."""
        return self.logagg.run("tail", "--once", "-q", *(paths or [self.folder]), status=status)

    def kill(self) -> None:
        """Kill the tail at once, by `kill -9`."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Let the tail commit what it has read, and end."""
        assert self.process, "a tail runs"
        process = self.process
        wait_until(lambda: _handles(process.pid, signal.SIGTERM), process)
        assert self._end(signal.SIGTERM) == 0, self.notices()

    def close(self) -> None:
        for log in self._logs:
            log.close()
        if self.process:
            self.kill()

    def _end(self, number: int) -> int:
        assert self.process, "a tail runs"
        process, self.process = self.process, None
        process.send_signal(number)
        return process.wait(60)

    # what must be true

    def expect(self) -> None:
        """Wait until every written line is counted; fail if one is counted twice."""

        def all_are() -> bool:
            counted, rejected = self._look()
            assert not (doubled := [number for number, views in counted.items() if views > 1]), doubled[:5]
            return set(range(self.written)) - self.lost <= counted.keys() and rejected == self.rejects

        try:
            wait_until(all_are, self.process, seconds=60)
        except AssertionError:
            self.check()
            raise

    def check(self) -> None:
        """Fail unless the lake holds each line once, and the expected rejects."""
        (counted, rejected), expected = self._look(), set(range(self.written))
        missing = sorted(expected - counted.keys() - self.lost)
        doubled = {number: views for number, views in counted.items() if views != 1}
        assert (missing[:5], doubled, counted.keys() - expected) == ([], {}, set()), (
            f"{len(missing)} missing\n{self.notices()}"
        )
        assert rejected == self.rejects, self.logagg.read("SELECT * FROM reject_samples LIMIT 5")

    def counted(self) -> Counter[int]:
        """Return how often each line is counted, by its number."""
        return self._look()[0]

    def rejected(self) -> dict[str, int]:
        """Return the number of rejects, by reason."""
        return self._look()[1]

    def expect_all_but(self, lost: Iterable[int]) -> None:
        """Wait until all other lines are counted; the lost ones may still arrive."""
        before, self.lost = self.lost, self.lost | set(lost)
        self.expect()
        self.lost = before

    def expect_note(self, text: str) -> None:
        """Wait until `logagg status` has this note on a source."""
        try:
            wait_until(lambda: any(text in note for note in self.notes()), self.process, seconds=30)
        except AssertionError:
            assert self.notes() == [text]
            raise

    def notes(self) -> list[str]:
        """Return the notes of `logagg status` on the sources."""
        return [source["note"] for source in self.status()["sources"] if source["note"]]

    def status(self) -> dict[str, Any]:
        return json.loads(self.logagg.run("status", "--json", status=None).stdout)

    def notices(self) -> str:
        """Return the standard error of the tails of this test."""
        log = self.logagg.folder / "tail.log"
        return log.read_text() if log.exists() else ""

    def _look(self) -> tuple[Counter[int], dict[str, int]]:
        """Return the contents of one snapshot: how often each line is counted, and the rejects."""
        try:
            with duckdb.connect(str(self.logagg.lake / "logagg.duckdb"), read_only=True) as lake:
                views = lake.execute("SELECT path, sum(views)::BIGINT FROM pages GROUP BY path").fetchall()
                rejects = lake.execute("SELECT reason, sum(lines)::BIGINT FROM rejects GROUP BY reason").fetchall()
                requests = lake.execute(
                    "SELECT path, count(*) FROM requests WHERE kind = 'pageview' GROUP BY path"
                ).fetchall()
                [(dropped,)] = lake.execute("SELECT epoch(requests_from) > 0 FROM lake").fetchall()
        except duckdb.IOException:
            return Counter(), {}  # no lake yet
        assert dropped or sorted(requests) == sorted(row for row in views if row[1]), "each page view is a request"
        return Counter({int(path.removeprefix("/n/")): count for path, count in views}), dict(rejects)


class Log:
    """A log file, and the server that holds it open."""

    def __init__(self, site: Site, path: Path) -> None:
        self.site, self.path = site, path
        self._file = path.open("ab", buffering=0)

    def write(self, count: int) -> None:
        self._file.write(self.site.lines(count))

    def write_bytes(self, data: bytes) -> None:
        self._file.write(data)

    def rotate(self) -> None:
        """Rename the log, and those before it: access.log, .1, .2, ...; the server continues to write to the old one."""
        for age in range(len(list(self.path.parent.iterdir())), 0, -1):
            for suffix in ("", ".gz"):
                if (old := self.rotated(age, suffix)).exists():
                    old.rename(self.rotated(age + 1, suffix))
        self.path.rename(self.rotated(1))

    def reopen(self) -> None:
        """Let the server write to the file with the log's name, creating it if necessary."""
        self._file.close()
        self._file = self.path.open("ab", buffering=0)

    def copy_and_truncate(self, meanwhile: int = 0) -> None:
        """Do as logrotate does with copytruncate; `meanwhile` lines are written between the two steps, and are lost."""
        shutil.copyfile(self.path, self.rotated(1))
        first = self.site.written
        self.write(meanwhile)
        self.site.lost |= set(range(first, self.site.written))
        os.truncate(self.path, 0)

    def compress(self, age: int = 1) -> None:
        """Replace a rotation by its compressed form, as gzip does."""
        plain, packed = self.rotated(age), self.rotated(age, ".gz")
        with plain.open("rb") as source, gzip.open(packed, "wb") as target:
            shutil.copyfileobj(source, target)
        shutil.copystat(plain, packed)
        plain.unlink()

    def rotated(self, age: int, suffix: str = "") -> Path:
        return self.path.with_name(f"{self.path.name}.{age}{suffix}")

    def close(self) -> None:
        self._file.close()


@pytest.fixture
def site(logagg: Command, tmp_path: Path) -> Iterator[Site]:
    """A site; at the end of the test its tail stops, and every written line must be counted once."""
    site = Site(logagg, tmp_path / "logs")
    yield site
    try:
        if site.process:
            site.stop()
        site.check()
    finally:
        site.close()


@pytest.fixture
def powerless(site: Site) -> Site:
    """A site whose tail is bound by file permissions, although root runs it."""
    if os.geteuid() == 0:
        site.under = POWERLESS
    return site


def _argv(options: Mapping[str, object]) -> Iterator[object]:
    """Yield options as arguments of a command."""
    for name, value in options.items():
        yield f"--{name.strip('_').replace('_', '-')}"
        if value is not True:
            yield value


def _handles(pid: int, number: int) -> bool:
    """Return whether a process has a handler for a signal."""
    caught = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


def settle(seconds: float) -> None:
    """Let time pass, as a part of the accident; not to wait for a condition."""
    time.sleep(seconds)
