"""A real tail on a disk that is full for a while: it reports it, waits, loses no line, and continues when there is space."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Command, wait_until
from tests.laws import sums
from tests.laws.crashes import lines

DRIVER = Path(__file__).with_name("refusing_tail.py")


@pytest.mark.e2e
@pytest.mark.parametrize(("what", "says"), [("commits", "trying again"), ("merges", "merging files again in 0 s")])
def test_a_tail_waits_for_space_and_continues_to_read(what: str, says: str, logagg: Command) -> None:
    log, errors = logagg.folder / "access.log", logagg.folder / "errors"
    (logagg.folder / "logagg.toml").write_text('[retention]\nminute = "forever"\n')
    log.write_bytes(lines(20))
    number, refused = 20, 5

    def refusals() -> int:
        return errors.read_text().count(says)

    with errors.open("w") as stderr:
        argv = [sys.executable, str(DRIVER), what, str(refused), "tail", "--flush", "0.1", str(log)]
        tail = subprocess.Popen(argv, cwd=logagg.folder, env=logagg.env, stderr=stderr, text=True)
    try:
        wait_until((logagg.lake / "logagg.duckdb").exists, tail)
        while (before := refusals()) < refused:
            with log.open("ab") as file:
                file.write(lines(10, number))
            number += 10
            wait_until(lambda before=before, number=number: refusals() > before or logagg.lines() == number, tail)  # type: ignore[misc]
        wait_until(lambda: logagg.lines() == number, tail)
    finally:
        tail.terminate()
        assert tail.wait(60) == 0
    assert errors.read_text().count("No space left on device") == refused
    sums.assert_agrees(logagg.lake, lines(number).decode().splitlines())


@pytest.mark.e2e
def test_reading_once_reports_its_failure_and_can_be_repeated(logagg: Command) -> None:
    log = logagg.folder / "access.log"
    (logagg.folder / "logagg.toml").write_text('[retention]\nminute = "forever"\n')
    log.write_bytes(lines(20))
    argv = [sys.executable, str(DRIVER), "commits", "1", "tail", "--once", "-q", str(log)]
    done = subprocess.run(argv, cwd=logagg.folder, env=logagg.env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    [error] = done.stderr.splitlines()
    assert "cannot write: [Errno 28] No space left on device" in error
    assert "nothing is lost" in error
    logagg.run("tail", "--once", "-q", log)
    sums.assert_agrees(logagg.lake, lines(20).decode().splitlines())
