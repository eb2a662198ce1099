"""Signals to a tail that sends its jobs to workers, and to its parsers: new configurations, without a lost line."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.conftest import children, combined, wait_until
from tests.gearmand import Site

LINES = 50


def append(log: Path, *targets: str) -> None:
    with log.open("a") as file:
        file.write(combined([(target, 200) for target in targets]))


@pytest.fixture
def log(site: Site) -> Path:
    """A log that is read, and an empty configuration."""
    log = site.logagg.folder / "access.log"
    append(log, *(f"/{number}" for number in range(LINES)))
    (site.logagg.folder / "logagg.toml").touch()
    site.worker("0-1/2")
    site.await_lake()
    return log


@pytest.fixture
def tail(site: Site, log: Path) -> subprocess.Popen[str]:
    tail = site.tail("web1", log)
    site.logagg.await_lines(LINES, tail)
    return tail


def hang_up(site: Site, tail: subprocess.Popen[str], configuration: str, notice: str) -> None:
    (site.logagg.folder / "logagg.toml").write_text(configuration)
    tail.send_signal(signal.SIGHUP)
    wait_until(lambda: notice in site.notices(), tail)


def test_a_hangup_loads_a_new_configuration(site: Site, log: Path, tail: subprocess.Popen[str]) -> None:
    rule = '[tail]\nidle = "9s"\n[[rule]]\nkind = "click"\npath = "/go"\n'
    hang_up(site, tail, rule, "reload: the new configuration holds from now on")
    assert "tail.idle: changed, but that takes a restart" in site.notices()
    append(log, "/go?ad=1")
    site.logagg.await_lines(LINES + 1, tail)
    assert site.logagg.read("SELECT sum(hits) FROM traffic WHERE kind = 'click'") == [(1,)]
    site.stop(tail)


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        ("[tail]\nflush = \n", "logagg.toml:2"),
        ('log_format = "$no_such_thing"\n', "log format '$no_such_thing': there is no time in it"),
        ('[privacy]\nrotate = "1d"\n', "privacy.rotate: its salts are in the lake, which this tail does not have"),
    ],
)
def test_an_invalid_configuration_changes_nothing(
    site: Site, log: Path, tail: subprocess.Popen[str], configuration: str, message: str
) -> None:
    hang_up(site, tail, configuration, "until then the old configuration holds")
    assert message in site.notices()
    append(log, "/more")
    site.logagg.await_lines(LINES + 1, tail)


def test_a_hangup_keeps_logs_that_were_rotated_and_deleted(site: Site, log: Path, tail: subprocess.Popen[str]) -> None:
    with log.open("a") as writer:
        log.unlink()  # the writer still has it open
        hang_up(site, tail, 'site = "one.example"\n', "holds from now on")
        writer.write(combined([("/late", 200)]))
        writer.flush()
        site.logagg.await_lines(LINES + 1, tail)
    assert site.logagg.read("SELECT site, sum(hits) FROM traffic GROUP BY site ORDER BY 2") == [
        ("one.example", 1),
        ("-", LINES),
    ]


@pytest.mark.thorough
def test_a_hangup_does_not_wait_for_the_next_flush(site: Site, log: Path) -> None:
    tail = site.tail("web1", "--flush", "1h", log)
    site.logagg.await_lines(LINES, tail)
    hang_up(site, tail, 'site = "one.example"\n', "holds from now on")
    site.stop(tail)


def test_hangups_under_load_count_every_line_once(site: Site, log: Path, tail: subprocess.Popen[str]) -> None:
    for number in range(1, 11):
        append(log, *(f"/before/{line}" for line in range(LINES)))
        (site.logagg.folder / "logagg.toml").write_text(f'site = "{number}.example"\n')
        tail.send_signal(signal.SIGHUP)
        append(log, *(f"/after/{line}" for line in range(LINES)))
    site.logagg.await_lines(21 * LINES, tail)
    site.stop(tail)
    assert site.logagg.lines() == 21 * LINES


def test_samples_of_rejected_lines_are_sent_without_addresses(
    site: Site, log: Path, tail: subprocess.Popen[str]
) -> None:
    with log.open("a") as file:
        file.write("192.0.2.77 is no line of a log, nor is 2001:db8::77\n")
    site.logagg.await_lines(LINES + 1, tail)
    [(line,)] = site.logagg.read("SELECT line FROM reject_samples")
    assert "is no line of a log" in line and "77" not in line


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="with one core there is no parser process")
def test_a_parser_that_is_killed_is_noticed_and_nothing_is_lost(
    site: Site, log: Path, tail: subprocess.Popen[str]
) -> None:
    parsers = children(tail.pid)
    assert parsers
    for pid in parsers:
        os.kill(pid, signal.SIGKILL)
    append(log, "/more")
    site.logagg.await_lines(LINES + 1, tail)
    assert "parser: a parser ended (signal 9); this process does its work" in site.notices()
    site.stop(tail)
