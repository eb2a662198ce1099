"""Errors are reported in one line with the right exit status, and the lake stays intact."""

from __future__ import annotations

import gzip
import os
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from tests.conftest import Command, combined, wait_until
from tests.e2e.failures import failure_line, mode, without_power

LINES = combined([(f"/page/{number}", 200) for number in range(100)])


@pytest.fixture
def log(tmp_path: Path) -> Path:
    log = tmp_path / "access.log"
    log.write_text(LINES)
    return log


@pytest.fixture
def lake(logagg: Command, log: Path) -> Iterator[Path]:
    """A lake of a hundred lines. At the end it must give the same counts, plus all lines written since."""
    logagg.run("tail", "--once", "-q", log)
    yield logagg.lake
    added = log.read_text().count("\n")
    assert logagg.lines() == 100
    logagg.run("tail", "--once", "-q", log)
    assert logagg.lines() == added
    logagg.run("check")


# logs


def make_special(folder: Path) -> None:
    (folder / "nothing").mkdir()
    (folder / "nothing" / "error.log").write_text("[error]\n")
    (folder / "strange.log").write_text("a\nb\nc\n")
    (folder / "program.log").write_bytes(bytes(range(256)) * 100)
    packed = bytearray(gzip.compress(os.urandom(100_000)))
    packed[50_000:50_100] = bytes(100)
    (folder / "corrupt.log.gz").write_bytes(packed)
    os.mkfifo(folder / "pipe.log")


def test_logs_that_cannot_be_read(logagg: Command, log: Path, lake: Path) -> None:
    make_special(log.parent)
    with log.open("a") as file:
        file.write(LINES)
    for arguments, message in {
        ("missing.log",): "missing.log: no such file or directory; check the path",
        ("nothing",): "nothing: no access logs in this directory; name a file",
        ("strange.log",): "strange.log: no known log format matches most of its first lines; say it with --log-format",
        ("program.log",): "program.log: no known log format matches most of its first lines",
        ("--log-format", "common", "access.log"): "access.log: the log format 'common' matches none of its first lines",
        ("--log-format", "$status $nothing", "access.log"): "log format '$status $nothing': there is no time in it",
        ("corrupt.log.gz",): "corrupt.log.gz: corrupt",
        ("pipe.log",): "pipe.log: not a regular file; read a pipe as standard input: logagg tail - < pipe.log",
        ("/dev/null",): "/dev/null: not a regular file",
    }.items():
        assert message in failure_line(logagg, "tail", "--once", "-q", *arguments)


def test_a_file_without_permission(logagg: Command, log: Path, lake: Path, tool: Callable[[str], str]) -> None:
    folder = log.parent / "logs"
    folder.mkdir()
    secret = folder / "secret.access.log"
    secret.write_text(LINES)
    with without_power(logagg, tool), mode(secret, 0):
        assert "secret.access.log: permission denied" in failure_line(logagg, "tail", "--once", secret)
        # The other files of the directory are read, and the skipped one is reported.
        (folder / "access.log").write_text(LINES)
        logagg.lake = log.parent / "other"
        message = failure_line(logagg, "tail", "--once", "-q", "--lake", logagg.lake, folder)
        assert "secret.access.log: Permission denied" in message and logagg.lines() == 100
        assert "wrong: " + str(secret) in logagg.run("check", "--lake", logagg.lake, folder, status=1).stdout
    logagg.run("tail", "--once", "--lake", logagg.lake, folder)
    assert logagg.lines() == 200
    logagg.lake = lake


def test_an_empty_file_is_not_an_error(logagg: Command, log: Path) -> None:
    log.write_text("")
    assert "0 lines" in logagg.run("tail", "--once", log).stdout
    log.write_text(LINES)
    logagg.run("tail", "--once", log)
    assert logagg.lines() == 100


def test_an_unreadable_file_among_others_is_named(logagg: Command, log: Path) -> None:
    (log.parent / "strange.access.log").write_text("a\nb\n")
    done = logagg.run("tail", "--once", log.parent)
    assert "strange.access.log: no known log format" in done.stderr and logagg.lines() == 100


def test_an_unreadable_file_is_reported_while_following(logagg: Command, log: Path) -> None:
    strange = log.parent / "strange.log"
    strange.write_text("a\nb\n")
    tail = logagg.start("tail", "--flush", "0.1", log, strange)
    try:
        wait_until(lambda: "strange.log: no known log format" in (log.parent / "tail.log").read_text(), tail)
        strange.write_text("a\nb\n" + LINES)
        logagg.await_lines(202, tail)
        tail.send_signal(signal.SIGTERM)
        assert tail.wait(30) == 0
    finally:
        tail.kill()
        tail.wait()


# the configuration


BROKEN = [
    ("[tail\n", "logagg.toml:1"),
    ('[tail]\n\nflush = "soon"\n', 'logagg.toml:3: flush: "soon" is not valid; write a duration'),
    ("[tail]\nshards = true\n", "logagg.toml:2: shards: true is not valid; write a whole number"),
    ('[tail]\nflsh = "1s"\n', "logagg.toml:2: flsh: no such setting"),
    ('# a comment\nfoo = 1\n[tail]\nflush = "1s"\n', "logagg.toml:2: foo: no such setting"),
    ('[[rule]]\nkind = "clic"\npath = "/x"\n', 'logagg.toml:2: kind: "clic" is not valid'),
    ('[[rollup]]\nname = "a b"\ndimensions = ["path"]\nmeasures = {n = "count"}\n', "logagg.toml:2: name:"),
    ('[[rollup]]\nname = "a"\ndimensions = ["path"]\nmeasures = {n = "max(bytes)"}\n', "logagg.toml:4: measures.n"),
    (
        '[[rollup]]\nname = "a"\ndimensions = ["path"]\nmeasures = {n = "count"}\nwhere = "nonsense("\n',
        "logagg.toml:5: where",
    ),
]


def test_an_invalid_configuration(logagg: Command, log: Path, lake: Path) -> None:
    file = log.parent / "logagg.toml"
    with log.open("a") as more:
        more.write(LINES)
    for content, message in BROKEN:
        file.write_text(content)
        assert message in failure_line(logagg, "tail", "--once", log)
    file.unlink()


def test_a_missing_configuration(logagg: Command, log: Path, lake: Path) -> None:
    assert "nowhere.toml: No such file or directory" in failure_line(
        logagg, "tail", "--once", "--config", "nowhere.toml", log
    )


# the lake

COMMANDS = [
    ("status",),
    ("report",),
    ("sql", "FROM traffic"),
    ("tail", "--once", "access.log"),
    ("compact",),
    ("expire",),
]


def test_a_lake_of_a_newer_version(logagg: Command, lake: Path) -> None:
    newest = (lake / "logagg.duckdb").resolve()
    whole = newest.read_bytes()
    with duckdb.connect(str(newest)) as connection:
        connection.execute("UPDATE lake SET version = 3")
    for command in COMMANDS:
        assert failure_line(logagg, *command).endswith("a lake of version 3, this logagg reads 2; upgrade logagg")
    newest.write_bytes(whole)


@pytest.mark.parametrize("harm", ["garbage", "empty", "missing", "no link"])
def test_a_corrupt_catalog(logagg: Command, lake: Path, harm: str) -> None:
    link = lake / "logagg.duckdb"
    newest = link.resolve()
    whole = newest.read_bytes()
    if harm == "no link":
        link.unlink()
    elif harm == "missing":
        newest.unlink()
    else:
        newest.write_bytes(b"" if harm == "empty" else b"garbage" * 2000)
    for command in COMMANDS:
        message = failure_line(logagg, *command)
        assert "`logagg check` says what to do" in message or (harm == "no link" and "no lake there" in message)
    newest.write_bytes(whole)
    if harm == "no link":
        link.symlink_to(Path("catalog") / newest.name)


@pytest.mark.parametrize("harm", ["missing", "garbage"])
def test_a_changed_file_of_the_lake(logagg: Command, log: Path, lake: Path, harm: str) -> None:
    """Nothing new is committed until the file is restored."""
    part = next((lake / "data" / "traffic").iterdir())
    whole = part.read_bytes()
    with log.open("a") as file:
        file.write(LINES)
    if harm == "missing":
        part.unlink()
    else:
        part.write_bytes(b"x")
    for command in (("report",), ("tail", "--once", "-q", log)):
        message = failure_line(logagg, *command)
        assert part.name in message and "`logagg check` says what to do" in message
    assert str(part) in logagg.run("check", status=1).stdout
    part.write_bytes(whole)


def test_a_directory_that_is_not_a_lake(logagg: Command, log: Path) -> None:
    logagg.lake.mkdir()
    other_file = logagg.lake / "thesis.txt"
    other_file.write_text("years of work")
    for command in COMMANDS:
        message = failure_line(logagg, *command)
        assert "not a lake" in message or "no lake there" in message
    assert [path.name for path in logagg.lake.iterdir()] == ["thesis.txt"]


def test_a_lake_without_write_permission(logagg: Command, log: Path, lake: Path, tool: Callable[[str], str]) -> None:
    with log.open("a") as file:
        file.write(LINES)
    with without_power(logagg, tool):
        for path, message in (
            (lake, "cannot write"),
            (lake / "catalog", "cannot write"),
            (lake / "data" / "traffic", "cannot write"),
        ):
            with mode(path, 0o500), mode(lake / "lock", 0o400 if path == lake else 0o600):
                assert message in failure_line(logagg, "tail", "--once", "-q", log)
                assert logagg.sql("SELECT sum(hits)::INT AS hits FROM traffic") == [{"hits": 100}]


@pytest.mark.parametrize("once", [(), ("--once",)])
def test_a_second_tail_on_one_lake(logagg: Command, log: Path, lake: Path, once: tuple[str, ...]) -> None:
    first = logagg.start("tail", log)
    try:
        wait_until(lambda: (lake / "lock").read_text() == f"{first.pid}\n", first)
        message = failure_line(logagg, "tail", *once, log)
        assert f"process {first.pid} writes this lake; one lake has one tail" in message
        for command in ("compact", "expire"):
            assert f"process {first.pid} writes this lake" in failure_line(logagg, command)
    finally:
        first.send_signal(signal.SIGTERM)
        assert first.wait(30) == 0


@pytest.mark.thorough
def test_another_number_of_shards_after_a_crash(logagg: Command, log: Path) -> None:
    """With each of four numbers of shards, the lake of the previous one is intact."""
    for written, shards in enumerate((3, 1, 4, 2), 1):
        tail = logagg.start("tail", "--flush", "0.05", "--shards", shards, log)
        try:
            logagg.await_lines(100 * written, tail)
            with log.open("a") as file:
                file.write(LINES)
        finally:
            tail.kill()
            tail.wait()
    logagg.run("tail", "--once", "-q", log)
    assert logagg.lines() == 500
    logagg.run("check")


# the disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB: a file system in memory, which needs root to mount."""
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"cannot mount: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def fill(disk: Path) -> Path:
    """Fill the disk."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        size = 1 << 16
        while size:
            try:
                file.write(bytes(size))
            except OSError:
                size //= 2
    return filler


def test_a_full_disk(logagg: Command, log: Path, small_disk: Path) -> None:
    logagg.env["LOGAGG_LAKE"] = str(small_disk / "lake")
    logagg.lake = small_disk / "lake"
    logagg.run("tail", "--once", "-q", log)
    with log.open("a") as file:
        file.write(LINES)
    filler = fill(small_disk)
    message = failure_line(logagg, "tail", "--once", log)
    assert "bytes free: make room; nothing is lost" in message
    assert logagg.lines() == 100
    filler.unlink()
    logagg.run("tail", "--once", "-q", log)
    assert logagg.lines() == 200
    logagg.run("check")


def test_a_disk_that_is_full_for_a_while(logagg: Command, log: Path, small_disk: Path) -> None:
    logagg.env["LOGAGG_LAKE"] = str(small_disk / "lake")
    logagg.lake = small_disk / "lake"
    tail = logagg.start("tail", "--flush", "0.05", log)

    def message() -> str:
        return (log.parent / "tail.log").read_text()

    try:
        logagg.await_lines(100, tail)
        for times in (1, 2):
            filler = fill(small_disk)
            with log.open("a") as file:
                file.write(LINES)
            wait_until(lambda tries=2 * times: message().count("trying again") >= tries, tail)  # type: ignore[misc]
            assert logagg.lines() == 100 * times
            filler.unlink()
            logagg.await_lines(100 * times + 100, tail)
        tail.send_signal(signal.SIGTERM)
        assert tail.wait(30) == 0
    finally:
        tail.kill()
        tail.wait()
    assert logagg.lines() == 300
    logagg.run("check")


def test_a_limit_on_the_size_of_files(logagg: Command, log: Path, lake: Path) -> None:
    """Any write may fail midway: here at the first, the second, ... kilobyte of a file."""
    with log.open("a") as file:
        file.write(LINES)
    for kilobytes in (0, 1, 8, 64):

        def limit(size: int = kilobytes << 10) -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

        done = logagg.run("tail", "--once", "-q", log, status=1, preexec_fn=limit)
        assert "cannot write" in done.stderr or "nothing is lost" in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert logagg.lines() == 100
