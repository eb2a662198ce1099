"""`logagg backfill`, installed: a rollup that came later is filled while a tail runs, even if either process is killed; and what is said."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import Command, combined, wait_until

ROLLUP = """\
[[rollup]]
name = "{}"
where = "path <> '/page/1'"
dimensions = ["site", "path", "status"]
measures = {{hits = "count", bytes = "sum(bytes)", good = "count(status < 400)", people = "uniques(visitor)"}}
grain = "5m"
"""
EARLY, LATE = ROLLUP.format("early"), ROLLUP.format("late")
PAGES = [(f"/page/{number % 7}", 200 + 204 * (number % 3 // 2)) for number in range(100)]


def configure(logagg: Command, *parts: str) -> None:
    """Write the configuration; the lines are old, and stay in buckets of minutes nevertheless."""
    (logagg.folder / "logagg.toml").write_text("\n".join(['[retention]\nminute = "forever"\n', *parts]))


def summed(logagg: Command, rollup: str) -> list[tuple[object, ...]]:
    columns = "ts, site, path, status, sum(hits), sum(bytes), sum(good), uniques(people)"
    return logagg.read(f"SELECT {columns} FROM {rollup} GROUP BY ALL ORDER BY ALL")


def rollups(logagg: Command) -> list[str]:
    return list(json.loads(logagg.read("SELECT rollups FROM lake")[0][0]))


def assert_filled(logagg: Command, lines: int) -> None:
    """The late rollup is as the one that was there from the start, and as requests say."""
    plain = logagg.read(
        "SELECT time_bucket(INTERVAL 5 MINUTE, ts), site, path, status, count(*), sum(bytes), "
        "count(*) FILTER (status < 400), count(DISTINCT visitor) FROM requests WHERE path <> '/page/1' "
        "GROUP BY ALL ORDER BY ALL"
    )
    assert summed(logagg, "late") == summed(logagg, "early") == plain
    assert logagg.lines() == lines
    assert logagg.read("FROM uncounted") == []


@pytest.fixture
def log(tmp_path: Path) -> Path:
    log = tmp_path / "logs" / "access.log"
    log.parent.mkdir()
    log.write_text(combined(PAGES))
    return log


@pytest.fixture
def read(logagg: Command, log: Path) -> Command:
    """A lake of a log that was read with the early rollup; the configuration has the late one, too."""
    configure(logagg, EARLY)
    logagg.run("tail", "--once", "-q", log)
    configure(logagg, EARLY, LATE)
    return logagg


@contextmanager
def tailing(logagg: Command, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    process = logagg.start("tail", "--flush", "0.2", *arguments)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def said(logagg: Command) -> str:
    return (logagg.folder / "tail.log").read_text()


def test_without_a_tail(read: Command) -> None:
    out = read.run("backfill", "late").stdout
    assert out == "late: filled from 100 requests, from 2026-03-02 00:00 to 2026-03-02 01:39 UTC\n"
    assert_filled(read, 100)
    assert read.run("backfill", "late").stdout == "late: nothing to fill, it has counted all that was read\n"
    assert_filled(read, 100)
    assert read.read("SELECT kind FROM commits WHERE kind = 'backfill'") == [("backfill",)]
    assert "all is well" in read.run("check").stdout


def test_a_tail_commits_it_though_no_lines_come(read: Command, log: Path) -> None:
    with tailing(read, log) as tail:
        wait_until(lambda: "late" in rollups(read), tail)
        assert "filled from 100 requests" in read.run("backfill", "late").stdout
        assert_filled(read, 100)
        assert tail.poll() is None
        with log.open("a") as file:
            file.write(combined(PAGES))
        read.await_lines(200, tail)
        assert_filled(read, 200)
    assert said(read) == ""


def test_a_tail_that_does_not_know_it_yet(read: Command, log: Path) -> None:
    configure(read, EARLY)
    with tailing(read, log) as tail:
        wait_until(lambda: (read.lake / "lock").read_text() == f"{tail.pid}\n", tail)
        configure(read, EARLY, LATE)
        refused = read.run("backfill", "late", status=1).stderr
        assert f"does not know late yet; have it read the configuration (kill -HUP {tail.pid})" in refused
        tail.send_signal(signal.SIGHUP)
        wait_until(lambda: "holds from now on" in said(read), tail)
        read.run("backfill", "late")
    assert_filled(read, 100)


@pytest.mark.thorough
def test_lines_that_a_tail_reads_without_it_are_said_and_filled_later(read: Command, log: Path) -> None:
    read.run("compact", "-q")  # which brings the rollup into the lake
    configure(read, EARLY)
    with tailing(read, log) as tail:
        with log.open("a") as file:
            file.write(combined(PAGES))
        read.await_lines(200, tail)
        configure(read, EARLY, LATE)
        assert "filled from 200 requests" in read.run("backfill", "late").stdout
        with log.open("a") as file:
            file.write(combined(PAGES[:50]))
        read.await_lines(250, tail)
        tail.send_signal(signal.SIGHUP)
        wait_until(lambda: "holds from now on" in said(read), tail)
        assert "filled from 50 requests" in read.run("backfill", "late").stdout
    assert_filled(read, 250)


class Server:
    """Writes a log, and rotates it now and then, until it is told to stop."""

    def __init__(self, log: Path) -> None:
        self.lines, self._log, self._stopped = 0, log, threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _serve(self) -> None:
        turn = 0
        while not self._stopped.wait(0.05):
            turn += 1
            if turn % 40 == 0:
                self._log.rename(self._log.with_name(f"access.log.{turn}"))
            with self._log.open("a") as file:
                file.write(combined(PAGES, client=f"10.0.{turn // 250}.{turn % 250}"))
            self.lines += len(PAGES)


@pytest.mark.soak
def test_while_lines_are_written_and_rotated_and_anyone_is_killed(logagg: Command, log: Path) -> None:
    """kill -9 of backfills, at any moment, and of the tail: in the end every line is counted once."""
    chance = random.Random(7)
    configure(logagg, EARLY)
    log.write_text(combined(PAGES) * 2000)
    with Server(log) as server, tailing(logagg, log.parent) as first:
        wait_until(lambda: (logagg.lake / "logagg.duckdb").exists() and logagg.lines() >= 200_000, first)
        configure(logagg, EARLY, LATE)
        first.send_signal(signal.SIGHUP)
        wait_until(lambda: "holds from now on" in said(logagg), first)
        for _ in range(3):
            kill_after(logagg, chance.uniform(0.4, 1.4))
        under_way = logagg.start("backfill", "late")
        time.sleep(chance.uniform(0.5, 2))
        first.kill()
        first.wait()
        with tailing(logagg, log.parent) as second:
            under_way.wait(60)
            for _ in range(2):
                kill_after(logagg, chance.uniform(0.4, 1.4))
            wait_until(lambda: logagg.run("backfill", "late", status=None).returncode == 0, second)
            server.stop()
            logagg.await_lines(200_000 + server.lines, second)
            second.terminate()
            assert second.wait(30) == 0, said(logagg)
    assert_filled(logagg, 200_000 + server.lines)
    assert "all is well" in logagg.run("check").stdout


def kill_after(logagg: Command, seconds: float) -> None:
    process = logagg.start("backfill", "late")
    time.sleep(seconds)
    process.kill()
    process.wait()


# what is said


@pytest.mark.parametrize(
    ("rollup", "complaint"),
    [
        (
            "ads",
            "logagg: ads: cannot be filled from requests: whether a click is a duplicate depends on those before it",
        ),
        ("nope", "logagg: logagg.toml: defines no rollup nope; there are traffic,"),
        ("requests", "logagg: logagg.toml: defines no rollup requests;"),
    ],
)
def test_what_cannot_be_filled(read: Command, rollup: str, complaint: str) -> None:
    assert read.run("backfill", rollup, status=1).stderr.startswith(complaint)


def test_where_there_is_no_lake(logagg: Command) -> None:
    configure(logagg, LATE)
    assert "no lake there" in logagg.run("backfill", "late", status=1).stderr
    assert not logagg.lake.exists()


def test_without_requests(logagg: Command, log: Path) -> None:
    configure(logagg, '[requests]\nkeep = "0"\n', EARLY)
    logagg.run("tail", "--once", "-q", log)
    configure(logagg, '[requests]\nkeep = "0"\n', EARLY, LATE)
    assert "keeps no requests to fill late from" in logagg.run("backfill", "late", status=1).stderr


def test_kinds_that_are_not_kept(logagg: Command, log: Path) -> None:
    kept = '[requests]\nkinds = ["pageview"]\n'
    configure(logagg, kept, EARLY)
    logagg.run("tail", "--once", "-q", log)
    configure(logagg, kept, EARLY, LATE)
    out = logagg.run("backfill", "late").stdout
    assert "filled from 67 requests" in out
    assert "events of the kinds impression, click, conversion, asset, other are not in it, if it counts them" in out
    good = "SELECT sum(good) FROM {}"
    assert logagg.read(good.format("late")) == logagg.read(good.format("early"))


@pytest.mark.thorough
def test_requests_that_do_not_reach_back(read: Command) -> None:
    """Half of them are dropped: the rollup begins where all are still there, and that is said."""
    with (read.folder / "later.log").open("w") as file:
        file.write(combined(PAGES).replace("02/Mar", "22/Mar"))
    configure(read, EARLY)
    read.run("tail", "--once", "-q", read.folder / "later.log")
    configure(read, '[requests]\nkeep = "2d"\n', EARLY, LATE)
    read.run("expire", "-q", "--trust-clock")
    out = read.run("backfill", "late").stdout
    assert "filled from 100 requests, from 2026-03-22 00:00" in out
    assert "are not in it: requests do not reach back further" in out
    where = "WHERE ts >= '2026-03-22'"
    assert summed(read, f"late {where}") == summed(read, f"early {where}") == summed(read, "late") != []


def test_a_query_string_that_was_not_kept(read: Command) -> None:
    configure(read, EARLY, "[requests]\nquery = true\n", LATE.replace("path <>", "query = 'x' OR path <>"))
    assert "of 100 requests no `query` is known" in read.run("backfill", "late").stdout


def test_two_at_once(read: Command) -> None:
    held = "import sys; from pathlib import Path; from logagg.lake import locks\nwith locks.filling(Path(sys.argv[1]), 'late'): print(flush=True); input()"
    words = [read.argv()[0].replace("bin/logagg", "bin/python"), "-c", held, str(read.lake)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout and other.stdout.readline()
        assert f"process {other.pid} is filling late" in read.run("backfill", "late", status=1).stderr
        assert "lake: no tail is running" in read.run("status").stdout.replace(str(read.lake), "lake")
        other.communicate(b"\n")
    read.run("backfill", "late")
    assert_filled(read, 100)


@pytest.mark.thorough
def test_a_damaged_file_of_requests(read: Command) -> None:
    [part] = (read.lake / "data" / "requests").iterdir()
    whole = part.read_bytes()
    part.write_bytes(bytes([*whole[:100], whole[100] ^ 1, *whole[101:]]))
    assert f"{part}: damaged" in read.run("backfill", "late", status=1).stderr
    part.write_bytes(whole)
    read.run("compact", "-q")
    read.run("backfill", "late")
    assert_filled(read, 100)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.thorough
def test_one_that_waits_can_be_stopped(read: Command, log: Path, number: int) -> None:
    """Its tail does not answer: it takes the pending commit back, and nothing is lost."""
    with tailing(read, log) as tail:
        wait_until(lambda: "late" in rollups(read), tail)
        tail.send_signal(signal.SIGSTOP)
        process = read.start("backfill", "late")
        wait_until(lambda: any((read.lake / "pending").glob("*.pending")), process)
        process.send_signal(number)
        assert process.wait(30) in (1, 130)
        assert list((read.lake / "pending").glob("*")) == []
        tail.send_signal(signal.SIGCONT)
        read.run("backfill", "late")
    assert_filled(read, 100)
    assert "Traceback" not in said(read)


def test_a_default_rollup_that_a_new_version_brings(logagg: Command, log: Path) -> None:
    """An older logagg made the lake, without `agents`."""
    older = (
        "from logagg.rollup import definitions; definitions.DEFAULTS = "
        "tuple(one for one in definitions.DEFAULTS if one.name != 'agents')\nfrom logagg.cli import main; main()"
    )
    words = [logagg.argv()[0].replace("bin/logagg", "bin/python"), "-c", older, "tail", "--once", "-q", str(log)]
    subprocess.run(words, cwd=logagg.folder, env=logagg.env, check=True)
    assert "agents" not in rollups(logagg)
    assert "all is well" in logagg.run("check").stdout
    logagg.run("compact", "-q")  # which brings it into the lake, empty
    assert "all is well" in logagg.run("check").stdout
    assert "filled from 100 requests" in logagg.run("backfill", "agents").stdout
    hits = "SELECT browser, os, device, is_bot, sum(hits), uniques(visitors) FROM agents GROUP BY ALL ORDER BY ALL"
    plain = (
        "SELECT browser, os, device, is_bot, count(*), count(DISTINCT visitor) FROM requests GROUP BY ALL ORDER BY ALL"
    )
    assert logagg.read(hits) == logagg.read(plain)
    assert "all is well" in logagg.run("check").stdout
