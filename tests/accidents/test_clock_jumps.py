"""The clock is wrong by days or by decades, for a while: behind, ahead, corrected again.

netdata cleared its database when that seemed to be from the future (#4109); Yuzu #2361 deletes all data that seems old by one wrong
reading. After a jump of the clock, logagg deletes no old data for two days; and a line is not from the
future if its log was changed as late.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from tests.accidents.conftest import Site, settle
from tests.clocks import WrongClock, stamp
from tests.conftest import Command, wait_until

DAY = 86_400


def lines(first: int, count: int, at: float) -> str:
    return "".join(
        f'192.0.2.{n % 90} - - [{stamp(at)}] "GET /n/{n} HTTP/1.1" 200 10 "-" "Mozilla/5.0 Firefox/127.0"\n'
        for n in range(first, first + count)
    )


@pytest.mark.parametrize("days", [-3, -20])
def test_a_clock_that_is_days_behind_rejects_nothing(site: Site, wrong_clock: WrongClock, days: int) -> None:
    """The clock was set once, but is behind again: the system's own release is newer than ours."""
    log = site.log()
    site.written = 20
    log.write_bytes(lines(0, 20, time.time() - 600).encode())
    wrong_clock.is_off(days)
    site.start()
    site.expect()


def test_the_last_commit_corrects_the_clock_if_the_log_does_not(site: Site, wrong_clock: WrongClock) -> None:
    """The server also uses the wrong clock, so that its log seems as old as that clock."""
    log = site.log()
    site.written = 10
    log.write_bytes(lines(0, 10, time.time() - 600).encode())
    site.once()
    site.written += 20
    log.write_bytes((lines(10, 10, time.time() - 300) + lines(20, 10, time.time() - 10 * DAY)).encode())
    wrong_clock.is_off(-10)
    os.utime(log.path, (time.time() - 10 * DAY,) * 2)
    site.once()
    site.check()


def test_a_line_from_the_far_future_is_always_a_reject(site: Site, wrong_clock: WrongClock) -> None:
    """A time more than ten years ahead is ignored, both of a log's file and of a commit."""
    log = site.log()
    log.write(3)
    wrong_clock.says("2099-01-01 00:00:00")
    site.once()
    wrong_clock.right()
    site.rejects = {"time": 1}
    log.write_bytes(lines(99, 1, time.time() + 9000 * DAY).encode())
    os.utime(log.path, (time.time() + 20_000 * DAY,) * 2)
    site.once()
    site.check()


@pytest.mark.thorough
def test_while_a_tail_follows(site: Site, wrong_clock: WrongClock) -> None:
    log = site.log()
    log.write(100)
    site.start()
    for days in (-1 / 24, 2, 30, -3, 0, 9000, 0):
        wrong_clock.is_off(days)
        settle(1.2)
        log.write(20)
        log.rotate()
        log.reopen()
        log.write(20)
        settle(1)
    site.expect()


# deleting old data


@pytest.fixture
def kept(logagg: Command, wrong_clock: WrongClock, tmp_path: Path) -> list[object]:
    """A lake of ten lines an hour old, and the options of a configuration that deletes data older than two days."""
    config, log = tmp_path / "logagg.toml", tmp_path / "logs/access.log"
    config.write_text(
        '[retention]\nminute = "2d"\nhour = "2d"\nday = "2d"\n[privacy]\nrotate = "1d"\n[tail]\nforget = "2d"\n'
    )
    log.parent.mkdir()
    log.write_text(lines(0, 10, time.time() - 3600))
    logagg.run("tail", "--once", "-q", "--config", config, log)
    logagg.run("compact", "-q")
    return ["--config", config]


def hits(logagg: Command) -> int:
    return int(logagg.read("SELECT coalesce(sum(hits), 0) FROM traffic")[0][0])


@pytest.mark.thorough
def test_expire_refuses_a_clock_that_has_jumped(logagg: Command, wrong_clock: WrongClock, kept: list[object]) -> None:
    wrong_clock.says("2099-01-01 00:00:00")
    for _ in range(2):
        refused = logagg.run("expire", *kept, status=1)
        assert "has leapt at 2099-01-01T00:00:0" in refused.stderr and "--trust-clock" in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
        assert hits(logagg) == 10
    logagg.run("expire", *kept, "--trust-clock")
    assert hits(logagg) == 0


def salts_of(logagg: Command) -> dict[str, object]:
    """Return the salts of a lake: JSON after a line with its digest."""
    return json.loads((logagg.lake / "salts").read_text().partition("\n")[2])


@pytest.mark.thorough
def test_a_run_with_a_wrong_clock_does_not_make_it_trusted(
    logagg: Command, wrong_clock: WrongClock, kept: list[object], tmp_path: Path
) -> None:
    """Its commit is dated 2099, and so is the next; the lake remembers how long that has lasted."""
    log = tmp_path / "logs/access.log"
    salts = salts_of(logagg)
    wrong_clock.says("2099-01-01 00:00:00")
    for run in range(3):
        with log.open("a") as file:
            file.write(lines(10 + run, 1, time.time()))
        logagg.run("tail", "--once", "-q", *kept, log)
        logagg.run("compact", "-q", *kept)
        assert hits(logagg) == 11 + run
        logagg.run("expire", *kept, status=1)
        assert salts_of(logagg).items() >= salts.items()
    wrong_clock.right()  # which is another jump
    with log.open("a") as file:
        file.write(lines(13, 1, time.time()))
    logagg.run("tail", "--once", "-q", *kept, log)
    assert logagg.run("expire", *kept).stdout == "0 files replaced or dropped\n"
    assert hits(logagg) == 14
    wrong_clock.is_off(3)  # by now the clock has run evenly for long enough
    logagg.run("compact", "-q", *kept)
    logagg.run("expire", *kept)
    assert hits(logagg) == 0


def test_a_tail_reports_a_jump_once_and_drops_nothing(
    logagg: Command, wrong_clock: WrongClock, kept: list[object], tmp_path: Path
) -> None:
    log = tmp_path / "logs/access.log"
    tail = logagg.start("tail", "--flush", "0.1", *kept, log)
    try:
        logagg.await_lines(10, tail)
        wrong_clock.says("2099-01-01 00:00:00")
        settle(1.5)
        for number in range(3):
            with log.open("a") as file:
                file.write(lines(10 + number, 1, time.time()))
            logagg.await_lines(11 + number, tail)
        wait_until(lambda: "nothing is deleted" in (tmp_path / "tail.log").read_text(), tail)
        logagg.await_lines(13, tail)
    finally:
        tail.terminate()
        assert tail.wait(60) == 0
    assert (tmp_path / "tail.log").read_text().count("nothing is deleted") == 1
    assert hits(logagg) == 13
