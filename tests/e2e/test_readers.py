"""Several readers in separate processes query during flushes, merges and retention: every result is a state that existed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.conftest import ROOT, Command, wait_until
from tests.soak.reader import KINDS
from tests.soak.writer import Writer

# Minutes become hours a day after the lines, so that retention always has work.
CONFIG = """
[retention]
minute = "1h"
"""
KINDS_OF_COMMIT = {"flush", "compact", "expire"}


def readers_read(logagg: Command, seconds: float) -> None:
    """Run all kinds of readers for at least `seconds`, while a log is written, followed, merged and expired."""
    logs, until, end = logagg.folder / "logs", logagg.folder / "until", time.monotonic() + seconds
    logs.mkdir()
    (logagg.folder / "logagg.toml").write_text(CONFIG)
    with Writer(logs, seed=1, batch=80) as writer:
        tail = logagg.start("tail", "-q", "--flush", "0.1", logs)
        try:
            wait_until(lambda: (logagg.lake / "logagg.duckdb").exists() and logagg.lines() > 0, tail)
            with ExitStack() as stack:
                readers = {kind: stack.enter_context(started(logagg, kind, until)) for kind in KINDS}
                wait_until(
                    lambda: time.monotonic() > end and set(commits(logagg)) >= KINDS_OF_COMMIT, tail, seconds + 100
                )
                until.touch()
                found = {kind: finish(reader) for kind, reader in readers.items()}
        finally:
            tail.terminate()
            assert tail.wait(60) == 0
    print(f"\n{writer.lines:,} lines, commits {commits(logagg)}, readers {found}")
    assert (logagg.folder / "tail.log").read_text() == ""
    assert all(one["states"] > 1 for one in found.values()), found


def commits(logagg: Command) -> dict[str, int]:
    return dict(logagg.read("SELECT kind, count(*) FROM commits GROUP BY kind"))


@contextmanager
def started(logagg: Command, kind: str, until: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a reader, which ends with the block at the latest."""
    argv = [sys.executable, "-m", "tests.soak.reader", kind, str(logagg.lake), str(until)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(argv, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as reader:
        try:
            yield reader
        finally:
            reader.kill()


def finish(reader: subprocess.Popen[str]) -> dict[str, int]:
    output, error = reader.communicate(timeout=1000)
    assert reader.returncode == 0, error
    found: dict[str, int] = json.loads(output)
    return found


@pytest.mark.slow
@pytest.mark.thorough
def test_readers_for_a_while(logagg: Command) -> None:
    readers_read(logagg, 10)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_readers_for_minutes(logagg: Command) -> None:
    readers_read(logagg, 180)


def test_the_reader_detects_a_torn_result(tmp_path: Path) -> None:
    """The reader's check works: it detects views that disagree."""
    import duckdb

    with duckdb.connect(str(tmp_path / "logagg.duckdb")) as connection:
        for name, number in {"traffic": 3, "agents": 2, "referrers": 3}.items():
            connection.execute(f"CREATE VIEW {name} AS SELECT {number} AS hits")
        connection.execute("CREATE TABLE sources AS SELECT 3 AS lines")
        connection.execute("CREATE TABLE rejects AS SELECT 0 AS lines")
    argv = [sys.executable, "-m", "tests.soak.reader", "fresh", str(tmp_path), str(tmp_path)]
    done = subprocess.run(
        argv, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "torn: (3, 2, 3, 3)" in done.stderr
