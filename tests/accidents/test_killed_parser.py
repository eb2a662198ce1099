"""A parser process is killed, as by a system short of memory: the tail continues, and its counts are exact."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import Command, children, combined, wait_until

pytestmark = [
    pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="with one core there is no parser process"),
]
LINES = 500


@contextmanager
def following(logagg: Command, log: Path) -> Iterator[list[int]]:
    """Follow a log; return the parser processes."""
    tail = logagg.start("tail", "--flush", "0.1", "--log-format", "combined", log)
    try:
        logagg.await_lines(LINES, tail)
        yield children(tail.pid)
        append(log)
        logagg.await_lines(2 * LINES, tail)
    finally:
        tail.terminate()
        assert tail.wait(60) == 0


def append(log: Path) -> None:
    with log.open("a") as file:
        file.write(combined([("/page", 200)] * LINES))


def test_it_is_noticed_and_nothing_is_lost(logagg: Command, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    append(log)
    with following(logagg, log) as parsers:
        assert parsers
        for pid in parsers:
            os.kill(pid, signal.SIGKILL)
    assert "parser: a parser ended (signal 9); this process does its work" in (tmp_path / "tail.log").read_text()
    assert logagg.read("SELECT sum(views) FROM pages") == [(2 * LINES,)]


def test_a_signal_to_the_whole_group_is_for_the_tail_alone(logagg: Command, tmp_path: Path) -> None:
    """A terminal sends SIGINT and systemd SIGTERM to the group: the parsers work until the tail has committed all lines that it has read."""
    log = tmp_path / "access.log"
    append(log)
    with following(logagg, log) as parsers:
        for pid in parsers:
            os.kill(pid, signal.SIGTERM)
            os.kill(pid, signal.SIGINT)
    assert (tmp_path / "tail.log").read_text() == ""
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in parsers))
