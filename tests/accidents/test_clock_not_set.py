"""A machine without a battery starts in 1970, and in the year of its firmware, until its clock is set.

Loki refuses lines ahead of its clock ("timestamp too new", #12692); openwrt-loki-exporter #5 loses the lines of such a boot.
logagg reads nothing while the clock is earlier than its own release: it keeps the files open, gives a notice, and counts each line once the
clock is set.
"""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.accidents.conftest import Site, settle
from tests.clocks import WrongClock
from tests.conftest import wait_until

BOOTS = [
    "1970-01-01 00:00:01",
    "1970-01-02 00:00:00",
    "1999-12-31 23:59:59",
    "2015-01-01 00:00:00",
    "2026-10-30 12:00:00",
]


def held(site: Site) -> bool:
    return "nothing is read until it is set" in site.notices()


@pytest.mark.parametrize("moment", BOOTS)
def test_lines_wait_until_the_clock_is_set(site: Site, wrong_clock: WrongClock, moment: str) -> None:
    log = site.log()
    log.write(100)
    wrong_clock.says(moment)
    site.start()
    wait_until(lambda: held(site), site.process)
    log.write(10)
    settle(1.5)
    assert (site.counted(), site.rejected()) == ({}, {})
    wrong_clock.right()
    site.expect()
    assert site.notices().count("clock: ") == 2, "one notice at the beginning, and one at the end"


def test_a_log_that_is_rotated_and_deleted_meanwhile_is_kept_open(site: Site, wrong_clock: WrongClock) -> None:
    log = site.log()
    log.write(20)
    wrong_clock.says(BOOTS[0])
    site.start()
    wait_until(lambda: held(site), site.process)
    settle(1.5)
    log.rotate()
    log.write(5)
    log.reopen()
    log.write(30)
    settle(1.5)
    log.rotate()
    log.reopen()
    settle(1.5)
    log.rotated(2).unlink()
    wrong_clock.right()
    log.write(7)
    site.expect()


@pytest.mark.thorough
def test_the_clock_is_lost_while_a_tail_follows(site: Site, wrong_clock: WrongClock) -> None:
    """The clock is lost and set again, twice; lines written meanwhile have correct times, from another machine or from before."""
    log = site.log()
    log.write(50)
    site.start()
    site.expect()
    for _ in range(2):
        before = site.notices().count("until it is set")
        wrong_clock.says(BOOTS[1])
        wait_until(lambda before=before: site.notices().count("until it is set") > before, site.process)  # type: ignore[misc]
        log.write(50)
        settle(1.5)
        assert len(site.counted()) == site.written - 50
        wrong_clock.right()
        site.expect()


def test_a_restart_with_such_a_clock_forgets_nothing(site: Site, wrong_clock: WrongClock) -> None:
    log = site.log()
    log.write(50)
    site.once()
    log.write(50)
    log.rotate()
    log.reopen()
    wrong_clock.says(BOOTS[0])
    site.start()
    wait_until(lambda: held(site), site.process)
    settle(1.5)
    site.stop()
    wrong_clock.right()
    site.once()
    site.check()


def test_where_reading_begins_is_decided_before_the_clock_is_set(site: Site, wrong_clock: WrongClock) -> None:
    log = site.log()
    log.write(50)
    wrong_clock.says(BOOTS[0])
    site.start("--from", "end", site.folder)
    wait_until(lambda: held(site) and site.logagg.lake.joinpath("logagg.duckdb").exists(), site.process)
    wait_until(
        lambda: site.logagg.read("SELECT min(position) FROM sources") == [(log.path.stat().st_size,)], site.process
    )
    site.stop()
    site.lost = set(range(50))
    log.write(30)
    wrong_clock.right()
    site.start("--from", "end", site.folder)
    site.expect()


def test_status_and_check_report_it(site: Site, wrong_clock: WrongClock) -> None:
    log = site.log()
    log.write(3)
    wrong_clock.says(BOOTS[0])
    site.start()
    wait_until(lambda: held(site) and (site.logagg.lake / "logagg.duckdb").exists(), site.process)
    status = site.logagg.run("status", status=1)
    assert "unhealthy: the clock says 1970-01-01T00:00:0" in status.stdout
    check = site.logagg.run("check", site.folder, status=1)
    assert "the clock says 1970-01-01T00:00:0" in check.stdout + check.stderr
    wrong_clock.right()
    site.expect()
    wait_until(lambda: site.logagg.run("status", status=None).returncode == 0, site.process)


def test_a_run_that_ends_by_itself_reports_it_and_reads_nothing(site: Site, wrong_clock: WrongClock) -> None:
    log = site.log()
    log.write(10)
    wrong_clock.says(BOOTS[1])
    for argv, given in ((("--once", site.folder), None), (("-",), log.path.read_text())):
        failed = site.logagg.run("tail", "-q", *argv, status=1, input=given)
        assert failed.stderr.startswith("logagg: the clock says 1970-01-02T00:00:0"), failed.stderr
        assert len(failed.stderr.splitlines()) == 1
    wrong_clock.right()
    site.once()
    site.check()


def test_the_clock_is_lost_while_a_pipe_is_read(site: Site, wrong_clock: WrongClock) -> None:
    """Lines that were read before count, the rest stays in the pipe, and the run waits for the clock."""
    read, write = os.pipe()
    command = site.logagg.argv("tail", "--flush", 0.1, "--log-format", "combined", "-")
    log = (site.logagg.folder / "tail.log").open("a")
    process = subprocess.Popen(
        command, cwd=site.logagg.folder, env=site.logagg.env, stdin=read, stderr=log, stdout=log, text=True
    )
    os.close(read)
    try:
        os.write(write, site.lines(5))
        wait_until(lambda: len(site.counted()) == 5, process)
        wrong_clock.says(BOOTS[0])
        wait_until(lambda: held(site), process)
        os.write(write, site.lines(5))
        settle(1.5)
        assert len(site.counted()) == 5
        wrong_clock.right()
        wait_until(lambda: len(site.counted()) == 10, process)
    finally:
        os.close(write)
        log.close()
        assert process.wait(60) == 0
