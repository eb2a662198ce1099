"""The standard error of a tail: for the journal, for programs, and on failure."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Command, combined, wait_until

pytestmark = pytest.mark.e2e

LOG = combined([(f"/{number}", 200) for number in range(3)])


class Tail:
    """A tail whose standard error is a file; with `as_journal` it takes that for the journal of systemd."""

    def __init__(self, logagg: Command, *arguments: object, as_journal: bool) -> None:
        self.path = logagg.folder / "journal"
        log = logagg.folder / "access.log"
        log.write_text(LOG)
        with self.path.open("w") as file:
            stat = os.fstat(file.fileno())
            env = {**logagg.env, **({"JOURNAL_STREAM": f"{stat.st_dev}:{stat.st_ino}"} if as_journal else {})}
            argv = logagg.argv("tail", "--verbose", *arguments, log, logagg.folder / "later.log")
            self.process = subprocess.Popen(argv, cwd=logagg.folder, env=env, stderr=file, text=True)

    def lines(self, kind: str) -> list[str]:
        """Wait for lines with a kind of notice."""
        wait_until(lambda: self._named(kind) != [], self.process)
        return self._named(kind)

    def _named(self, kind: str) -> list[str]:
        return [line for line in self.path.read_text().splitlines(keepends=True) if kind in line and line[-1] == "\n"]

    def end(self) -> list[str]:
        self.process.terminate()
        assert self.process.wait(60) == 0
        return self.path.read_text().splitlines()


@pytest.fixture
def started() -> Iterator[list[Tail]]:
    tails: list[Tail] = []
    yield tails
    for tail in tails:
        tail.process.kill()
        tail.process.wait()


def test_in_the_journal(logagg: Command, started: list[Tail]) -> None:
    started.append(tail := Tail(logagg, as_journal=True))
    later = logagg.folder / "later.log"
    [waiting] = tail.lines("waiting: ")
    assert waiting == f"<4>waiting: {later}: no such file or directory; reading begins when it comes\n"
    [found] = tail.lines("source: ")
    assert re.fullmatch(r"<6>source: \S+access\.log: reading from 0\n", found)
    assert re.fullmatch(r"<6>commit: \d+: \d+ rows in \d+ files\n", tail.lines("commit: ")[0])
    assert [line for line in tail.end() if not re.match(r"<[3-6]>[a-z_]+: ", line)] == []


def test_for_programs(logagg: Command, started: list[Tail]) -> None:
    started.append(tail := Tail(logagg, "--log-json", as_journal=False))
    [waiting] = map(json.loads, tail.lines('"waiting"'))
    assert (waiting["level"], waiting["fields"]) == ("warning", {"path": str(logagg.folder / "later.log")})
    tail.lines('"commit"')
    for line in map(json.loads, tail.end()):
        assert set(line) == {"time", "level", "kind", "text", "fields"}
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", line["time"])


def test_a_failure(logagg: Command, tmp_path: Path) -> None:
    missing = tmp_path / "nothing.log"
    done = logagg.run("tail", "--once", missing, status=1)
    assert done.stderr.startswith(f"logagg: {missing}: no such file")
    done = logagg.run("tail", "--once", "--log-json", missing, status=1)
    found = json.loads(done.stderr)
    assert (found["level"], found["kind"]) == ("error", "failure") and found["text"].startswith(f"{missing}: no such")
