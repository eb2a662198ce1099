"""A lake with missing or damaged files reports them, is merged without them, and can be repaired."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from logagg.lake import catalog
from logagg.lake.parts import Part
from tests.conftest import Command, combined, wait_until

RUNS = 3  # with an equal number of lines each


@pytest.fixture
def log(logagg: Command) -> Path:
    """A log that was read in several runs, each of which left parts of its own."""
    path = logagg.folder / "access.log"
    for run in range(RUNS):
        with path.open("a") as file:
            file.write(combined([(f"/{run}/{number}", 200) for number in range(RUNS)]))
        logagg.run("tail", "--once", "-q", path)
    return path


def parts(logagg: Command, rollup: str) -> list[Part]:
    newest = catalog.newest(logagg.lake)
    assert newest
    return [part for part in catalog.read(newest).parts if part.rollup == rollup]


def first(logagg: Command, rollup: str = "traffic") -> Path:
    return logagg.lake / parts(logagg, rollup)[0].path


def flip(path: Path, at: int = 40) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 4
    path.write_bytes(data)


def problems(logagg: Command) -> list[str]:
    found: list[str] = json.loads(logagg.run("check", "--json", status=None).stdout)["problems"]
    return found


# missing files


@pytest.mark.parametrize("argv", [("tail", "--once"), ("tail",)])
@pytest.mark.parametrize("harm", ["missing", "cut off"])
@pytest.mark.parametrize("which", [0, -1])
def test_a_tail_refuses_a_lake_with_missing_parts(
    logagg: Command, log: Path, argv: tuple[str, ...], harm: str, which: int
) -> None:
    path = logagg.lake / parts(logagg, "pages")[which].path
    if harm == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1])
    done = logagg.run(*argv, log, status=1)
    (message,) = done.stderr.splitlines()
    assert str(path) in message and "3 rows of pages" in message and "logagg check" in message


def test_queries_of_missing_parts_fail(logagg: Command, log: Path) -> None:
    path = first(logagg)
    path.unlink()
    for argv in (("report", "overview"), ("sql", "SELECT sum(hits) FROM traffic"), ("sql", "FROM traffic LIMIT 0")):
        (message,) = logagg.run(*argv, status=1).stderr.splitlines()
        assert path.name in message
    done = logagg.run("status", status=1)
    assert f"{path}: is missing (3 rows of traffic)" in done.stdout + done.stderr
    assert logagg.run("report", "pages").stdout, "the other views answer"


def test_a_merge_skips_missing_parts(logagg: Command, log: Path) -> None:
    path = first(logagg)
    path.unlink()
    (message,) = logagg.run("compact", "-q", status=1).stderr.splitlines()
    assert str(path) in message
    assert [len(parts(logagg, name)) for name in ("traffic", "pages")] == [2, 1]


# damaged files


def test_a_merge_skips_damaged_parts_and_merges_the_rest(logagg: Command, log: Path) -> None:
    before = logagg.sql("SELECT sum(views) AS views FROM pages")
    path = first(logagg)
    whole = path.read_bytes()
    flip(path)
    damaged = path.read_bytes()
    for _ in range(2):
        (message,) = logagg.run("compact", "-q", status=1).stderr.splitlines()
        assert str(path) in message and "3 rows of traffic" in message and "logagg check" in message
        assert path.read_bytes() == damaged
        assert [len(parts(logagg, name)) for name in ("traffic", "pages")] == [2, 1], "the other parts are merged"
        assert logagg.sql("SELECT sum(views) AS views FROM pages") == before
        (problem,) = problems(logagg)
        assert problem.startswith(f"{path}: ")
    assert logagg.run("status", status=1).stdout.count(f"{path}: damaged") == 1
    for argv in (
        ("report", "overview"),
        ("sql", "SELECT sum(hits) FROM traffic"),
        ("sql", "SELECT count(*) FROM traffic"),
    ):
        (message,) = logagg.run(*argv, status=1).stderr.splitlines()
        assert f"{path}: damaged: 3 rows of traffic" in message, "a view with a damaged part gives no answer"
    path.write_bytes(whole)  # from a backup
    logagg.run("compact", "-q")
    assert problems(logagg) == []
    assert len(parts(logagg, "traffic")) == 1
    assert logagg.lines() == RUNS * RUNS


def test_a_tail_reports_damaged_parts_and_continues(logagg: Command, log: Path) -> None:
    path = first(logagg)
    flip(path)
    tail = logagg.start("tail", "--flush", "0.1", log)
    message = logagg.folder / "tail.log"
    try:
        written = RUNS * RUNS
        while " damaged: " not in message.read_text():  # once as many parts are written as a merge needs
            with log.open("a") as file:
                file.write(combined([(f"/{written}", 200)]))
            written += 1
            count = f"SELECT sum(lines) = {written} FROM sources"
            wait_until(lambda count=count: logagg.read(count) == [(True,)], tail)  # type: ignore[misc]
        wait_until(lambda: len(parts(logagg, "traffic")) < 10, tail)
    finally:
        tail.terminate()
        assert tail.wait(60) == 0
    [notice] = [line for line in message.read_text().splitlines() if " damaged: " in line]
    assert str(path) in notice and "3 rows of traffic" in notice
    assert str(path.relative_to(logagg.lake)) in [part.path for part in parts(logagg, "traffic")]
    done = logagg.run("tail", "--once", log, status=1)
    assert str(path) in done.stderr, "a run that ends by itself fails"


def test_a_damaged_catalog_is_refused(logagg: Command, log: Path) -> None:
    newest = catalog.newest(logagg.lake)
    assert newest
    flip(newest, newest.stat().st_size // 2)
    for argv in (("tail", "--once", log), ("compact",)):
        (message,) = logagg.run(*argv, status=1).stderr.splitlines()
        assert str(newest) in message and "logagg check" in message


# repairs


def test_a_repair_gives_up_damaged_parts_and_lists_the_losses(logagg: Command, log: Path) -> None:
    flipped, missing = first(logagg), first(logagg, "pages")
    flip(flipped)
    missing.unlink()
    done = logagg.run("check", "--repair")
    for path, rollup in ((flipped, "traffic"), (missing, "pages")):
        [message] = [line for line in done.stderr.splitlines() if str(path) in line]
        assert f"given up: 3 rows of {rollup}, all shards, from 2026-03-02 00:00 to 2026-03-02 00:02 UTC" in message
    assert problems(logagg) == [], "the missing rows explain the smaller sums"
    assert "3 rows of traffic, from 2026-03-02 00:00" in logagg.run("check").stdout
    assert logagg.lines() == RUNS * RUNS - 3
    lost = logagg.sql("SELECT rollup, rows, path FROM lost_parts ORDER BY rollup")
    assert [(one["rollup"], one["rows"]) for one in lost] == [("pages", 3), ("traffic", 3)]
    assert (logagg.lake / "damaged" / f"traffic-{flipped.name}").exists()
    assert not flipped.exists()
    with log.open("a") as file:
        file.write(combined([("/more", 200)]))
    logagg.run("tail", "--once", "-q", log)
    assert logagg.lines() == RUNS * RUNS - 3 + 1, "no line is read again"
    logagg.run("compact", "-q")
    assert problems(logagg) == []
    assert len(logagg.sql("FROM lost_parts")) == 2
    assert logagg.run("check", "--repair").stderr == "", "nothing is left to repair"


def test_a_repair_returns_to_the_previous_catalog(logagg: Command, log: Path) -> None:
    newest = catalog.newest(logagg.lake)
    assert newest
    flip(newest, newest.stat().st_size // 2)
    message = logagg.run("check", "--repair").stderr
    assert "goes back to commit" in message
    logagg.run("tail", "--once", "-q", log)
    assert logagg.lines() == RUNS * RUNS, "the later lines are read again"
    assert problems(logagg) == []


@pytest.mark.parametrize("name", ["secret", "salts"])
@pytest.mark.thorough
def test_a_damaged_key_is_refused_until_it_is_repaired(logagg: Command, log: Path, name: str) -> None:
    (logagg.folder / "logagg.toml").write_text('[privacy]\nrotate = "1d"\n')
    with log.open("a") as file:
        file.write(combined([("/more", 200)]))
    logagg.run("tail", "--once", "-q", log)  # draws a salt
    path = logagg.lake / name
    whole = path.read_bytes()
    flip(path, 20)
    for argv in (("tail", "--once", log), ("check",)):
        done = logagg.run(*argv, status=1)
        assert str(path) in done.stderr + done.stdout
    shutil.copy(path, path.with_name("kept"))
    path.write_bytes(whole)
    logagg.run("tail", "--once", "-q", log)
    shutil.copy(path.with_name("kept"), path)
    assert str(path) in logagg.run("check", "--repair").stderr
    logagg.run("tail", "--once", "-q", log)
    assert problems(logagg) == []


def test_a_secret_that_was_deleted_is_drawn_again(logagg: Command, log: Path) -> None:
    (logagg.lake / "secret").unlink()
    logagg.run("tail", "--once", "-q", log)
    assert problems(logagg) == []


def test_nothing_is_repaired_beside_a_tail(logagg: Command, log: Path) -> None:
    tail = logagg.start("tail", "--flush", "0.1", log)
    try:
        wait_until(lambda: "writes this lake" in logagg.run("check", "--repair", status=None).stderr, tail)
    finally:
        tail.terminate()
        tail.wait(60)


def test_a_missing_lake_cannot_be_repaired(logagg: Command) -> None:
    assert "no lake there" in logagg.run("check", "--repair", status=1).stderr
    assert not logagg.lake.exists()


@pytest.mark.parametrize("harm", ["missing", "its end"])
def test_a_running_tail_continues_when_the_first_part_of_a_view_is_damaged(
    logagg: Command, log: Path, harm: str
) -> None:
    """The views of a catalog are created by reading one part of each rollup."""
    tail = logagg.start("tail", "--flush", "0.1", log)
    try:
        with log.open("a") as file:
            file.write(combined([("/more", 200)]))
        logagg.await_lines(RUNS * RUNS + 1, tail)
        path = first(logagg)
        if harm == "missing":
            path.unlink()
        else:
            flip(path, path.stat().st_size - 2)
        with log.open("a") as file:
            file.write(combined([("/more", 200)]))
        message = logagg.folder / "tail.log"
        wait_until(lambda: logagg.read(f"SELECT sum(lines) = {RUNS * RUNS + 2} FROM sources") == [(True,)], tail)
        assert str(path) in message.read_text()
    finally:
        tail.terminate()
        assert tail.wait(60) == 0
