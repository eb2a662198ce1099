"""The installed command and its signals: end, immediate end, reload; and readers that close their pipe."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import Command, combined, wait_until

PAGES = [(f"/page/{number}", 200) for number in range(100)]


@contextmanager
def tailing(logagg: Command, *arguments: object, lines: int) -> Iterator[subprocess.Popen[str]]:
    """Run a tail until it has committed `lines` lines."""
    process = logagg.start("tail", *arguments)
    try:
        logagg.await_lines(lines, process)
        yield process
    finally:
        process.kill()
        process.wait()


def append(log: Path, *requests: tuple[str, int]) -> None:
    with log.open("a") as file:
        file.write(combined(requests))


def output(logagg: Command) -> str:
    return (logagg.folder / "tail.log").read_text()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    log = tmp_path / "access.log"
    append(log, *PAGES)
    return log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_end_of_following(logagg: Command, log: Path, number: int) -> None:
    with tailing(logagg, log, lines=100) as tail:
        append(log, ("/last", 200))
        tail.send_signal(number)
        assert tail.wait(30) == 0
    assert output(logagg) == ""
    logagg.run("tail", "--once", "-q", log)
    assert logagg.lines() == 101


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_all_lines_that_were_read_are_committed_at_the_end(logagg: Command, log: Path, number: int) -> None:
    """A catch-up that is interrupted has committed all lines that it reports; the next run reads the rest."""
    log.write_text(combined(PAGES) * 10_000)
    tail = logagg.start("tail", "--once", log)
    wait_until(lambda: (logagg.lake / "logagg.duckdb").exists() and logagg.lines() > 0, tail)
    tail.send_signal(number)
    assert tail.wait(60) == 0
    read = re.search(r"^([\d,]+) lines", output(logagg), re.MULTILINE)
    assert read and logagg.lines() == int(read[1].replace(",", ""))
    if logagg.lines() < 1_000_000:
        assert "stopped: before the end; the same command reads the rest" in output(logagg)
    logagg.run("tail", "--once", "-q", log)
    assert logagg.lines() == 1_000_000


def test_a_second_signal_ends_it_at_once_and_nothing_is_lost(logagg: Command, log: Path) -> None:
    with tailing(logagg, log, lines=100) as tail:
        with unwritable(logagg.lake / "data"):
            append(log, ("/one", 200))
            wait_until(lambda: "retry" in output(logagg), tail)
            tail.send_signal(signal.SIGTERM)
            tail.send_signal(signal.SIGINT)
            assert tail.wait(30) in (128 + signal.SIGTERM, 128 + signal.SIGINT)
    logagg.run("tail", "--once", "-q", log)
    assert logagg.lines() == 101


def test_an_end_that_cannot_commit_fails_and_nothing_is_lost(logagg: Command, log: Path) -> None:
    with tailing(logagg, log, lines=100) as tail:
        with unwritable(logagg.lake / "data"):
            append(log, ("/one", 200))
            wait_until(lambda: "retry" in output(logagg), tail)
            tail.send_signal(signal.SIGTERM)
            assert tail.wait(30) == 1
    assert "nothing is lost" in output(logagg).splitlines()[-1]
    logagg.run("tail", "--once", "-q", log)
    assert logagg.lines() == 101


def test_a_hangup_waits_until_the_disk_accepts_the_commit(logagg: Command, log: Path) -> None:
    with tailing(logagg, log, lines=100) as tail:
        with unwritable(logagg.lake / "data"):
            append(log, ("/one", 200))
            wait_until(lambda: "retry" in output(logagg), tail)
            (logagg.folder / "logagg.toml").write_text('site = "one.example"\n')
            tail.send_signal(signal.SIGHUP)
            wait_until(lambda: output(logagg).count("retry") >= 3, tail)
        wait_until(lambda: "holds from now on" in output(logagg), tail)
        assert logagg.lines() == 101
        append(log, ("/two", 200))
        logagg.await_lines(102, tail)
    assert logagg.read("SELECT sum(hits) FROM traffic WHERE site = 'one.example'") == [(1,)]


@contextmanager
def unwritable(folder: Path) -> Iterator[None]:
    """Replace a folder by a file, so that not even root can write into it."""
    away = folder.with_name("away")
    folder.rename(away)
    folder.touch()
    try:
        yield
    finally:
        folder.unlink()
        away.rename(folder)


def test_a_hangup_loads_a_new_configuration(logagg: Command, log: Path) -> None:
    file = logagg.folder / "logagg.toml"
    file.write_text('[tail]\nflush = "200ms"\n')
    with tailing(logagg, log, lines=100) as tail:
        file.write_text(
            '[tail]\nflush = "100ms"\nshards = 7\n[[rule]]\nkind = "click"\npath = "/go"\n'
            '[[rollup]]\nname = "goers"\nwhere = "kind = \'click\'"\ndimensions = ["path"]\nmeasures = {hits = "count"}\n'
        )
        tail.send_signal(signal.SIGHUP)
        wait_until(lambda: "holds from now on" in output(logagg), tail)
        assert "tail.shards: changed, but that takes a restart" in output(logagg)
        append(log, ("/go?ad=1", 302))
        logagg.await_lines(101, tail)
        assert logagg.read("SELECT path, sum(hits) FROM goers GROUP BY path") == [("/go", 1)]
        assert logagg.read("SELECT sum(hits) FROM traffic WHERE kind = 'click'") == [(1,)]
        tail.send_signal(signal.SIGTERM)
        assert tail.wait(30) == 0
    assert logagg.lines() == 101


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[tail]\nflush = \n", "logagg.toml:2"),
        ('[retention]\nminute = "soon"\n', 'logagg.toml:2: minute: "soon" is not valid'),
        ('log_format = "$no_such_thing"\n', "log format '$no_such_thing': there is no time in it"),
        (
            '[[rollup]]\nname = "mine"\ndimensions = ["path"]\nmeasures = {other = "count"}\n',
            "rollup mine: its columns were ts, site, hits, now they are ts, path, other",
        ),
    ],
)
def test_an_invalid_configuration_changes_nothing(logagg: Command, log: Path, content: str, message: str) -> None:
    file = logagg.folder / "logagg.toml"
    file.write_text('[[rollup]]\nname = "mine"\ndimensions = ["site"]\nmeasures = {hits = "count"}\n')
    with tailing(logagg, log, lines=100) as tail:
        file.write_text(content)
        tail.send_signal(signal.SIGHUP)
        wait_until(lambda: "until then the old configuration holds" in output(logagg), tail)
        append(log, ("/more", 200))
        logagg.await_lines(101, tail)
        assert logagg.read("SELECT sum(hits) FROM mine") == [(101,)]
    (line,) = output(logagg).splitlines()
    assert message in line


def test_a_hangup_keeps_logs_that_were_rotated_and_deleted(logagg: Command, log: Path) -> None:
    file = logagg.folder / "logagg.toml"
    with tailing(logagg, "--flush", "0.1", log, lines=100) as tail, log.open("a") as writer:
        log.unlink()  # the writer still has it open
        file.write_text('site = "one.example"\n')
        tail.send_signal(signal.SIGHUP)
        wait_until(lambda: "holds from now on" in output(logagg), tail)
        writer.write(combined([("/late", 200)]))
        writer.flush()
        logagg.await_lines(101, tail)
    assert logagg.read("SELECT site, sum(hits) FROM traffic GROUP BY site ORDER BY 2") == [
        ("one.example", 1),
        ("-", 100),
    ]


def test_hangups_under_load_count_every_line_once(logagg: Command, log: Path) -> None:
    file = logagg.folder / "logagg.toml"
    file.touch()
    with tailing(logagg, "--flush", "0.05", log, lines=100) as tail:
        for number in range(1, 21):
            append(log, *PAGES)
            file.write_text(f'[clicks]\nwindow = "{number}s"\n')
            tail.send_signal(signal.SIGHUP)
            append(log, *PAGES)
        wait_until(lambda: logagg.lines() >= 4100, tail)
        tail.send_signal(signal.SIGTERM)
        assert tail.wait(30) == 0
    assert logagg.lines() == 4100


def test_standard_input_continues_after_a_hangup(logagg: Command) -> None:
    file = logagg.folder / "logagg.toml"
    log = (logagg.folder / "tail.log").open("a")
    with (
        log,
        subprocess.Popen(
            logagg.argv("tail", "--flush", "0.1", "-"),
            cwd=logagg.folder,
            env=logagg.env,
            stdin=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as tail,
    ):
        assert tail.stdin
        line = combined([("/in-two-parts", 200)])
        tail.stdin.write(combined(PAGES) + line[:40])
        tail.stdin.flush()
        logagg.await_lines(100, tail)
        file.write_text("forwarded = true\n")
        tail.send_signal(signal.SIGHUP)
        wait_until(lambda: "holds from now on" in output(logagg), tail)
        tail.stdin.write(line[40:])
        tail.stdin.close()
        assert tail.wait(30) == 0
    assert logagg.lines() == 101


@pytest.mark.parametrize(
    "arguments", [("sql", "FROM range(100000)"), ("report", "pages"), ("sql", "--help"), ("--help",)]
)
def test_a_closed_pipe_is_not_a_failure(logagg: Command, log: Path, arguments: tuple[str, ...]) -> None:
    logagg.run("tail", "--once", "-q", log)
    reads, writes = os.pipe()
    os.close(reads)
    done = subprocess.run(
        logagg.argv(*arguments),
        cwd=logagg.folder,
        env=logagg.env,
        stdout=writes,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    os.close(writes)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_failed_write_is_reported(logagg: Command, log: Path) -> None:
    logagg.run("tail", "--once", "-q", log)
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            logagg.argv("report"), cwd=logagg.folder, env=logagg.env, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and "No space left on device" in done.stderr


def scattered(lines: int) -> str:
    """Return lines of which any few span an hour, and whose paths are distinct."""
    time = "[20/Nov/2026:10:{:02d}:{:02d} +0000]"
    return "".join(
        f'192.0.2.{n % 250} - - {time.format(n * 7 % 60, n % 60)} "GET /{n}.html HTTP/1.1" 200 7 "-" "Mozilla/5.0"\n'
        for n in range(lines)
    )


@pytest.mark.parametrize("after", [0.0, 0.6, 1.2])
def test_the_end_of_a_merge_loses_nothing(logagg: Command, tmp_path: Path, after: float) -> None:
    log, lines = tmp_path / "access.log", 150_000
    log.write_text(scattered(lines))
    logagg.env["LOGAGG_TAIL_CHUNK"] = "256kB"
    with tailing(logagg, "--flush", "0.05", log, lines=lines):
        pass  # the process is killed
    compact = logagg.start("compact", "-q")
    time.sleep(after)
    compact.terminate()
    assert compact.wait(30) in (0, 1, -signal.SIGTERM)  # finished, abandoned, or not started
    assert re.fullmatch("(logagg: (a merge of|merging) .* was stopped; nothing is lost.*\n)?", output(logagg))
    logagg.run("check")
    logagg.run("compact", "-q")
    assert logagg.lines() == lines
    assert logagg.read("SELECT count(*), sum(views) FROM pages") == [(lines, lines)]
    assert logagg.read("SELECT max(number) FROM (SELECT count(*) AS number FROM files GROUP BY rollup)") == [(1,)]
