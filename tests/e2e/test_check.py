"""`logagg check` previews what a tail would read, and reports problems of a lake; it writes nothing."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from logagg.lake import catalog
from logagg.lake.state import State
from logagg.lake_format import LINK
from tests.conftest import ROOT, Command, combined, wait_until

DEMO = ROOT / "fixtures" / "demo"


def examined(logagg: Command, *arguments: object, status: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(logagg.run("check", "--json", *arguments, status=status).stdout)
    assert found["ok"] is (status == 0)
    return found


@pytest.fixture
def lake(logagg: Command) -> Path:
    """A lake of the demo logs: several days, every kind of event, rejects."""
    logagg.run("tail", "--once", "-q", "--config", DEMO / "logagg.toml", DEMO)
    return logagg.lake


def state_of(lake: Path) -> State:
    newest = catalog.newest(lake)
    assert newest
    return catalog.read(newest)


def part(lake: Path, rollup: str) -> Path:
    return lake / next(one.path for one in state_of(lake).parts if one.rollup == rollup)


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in folder.rglob("*")}


# preview of reading


def test_check_previews_what_would_be_read(logagg: Command, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    lines = combined([("/a", 200), ("/b", 404)])
    (logs / "access.log").write_text(lines + "not a line\n")
    (logs / "access.log.2.gz").write_bytes(gzip.compress(lines.encode()))
    (logs / "empty.access.log").touch()
    for name in ("error.log", ".access.log", "notes.txt"):
        (logs / name).write_text("x\n")
    before = snapshot(tmp_path)
    found = examined(logagg, logs)
    assert snapshot(tmp_path) == before
    keys = ("path", "compression", "format", "lines", "matching", "start")
    rows = [tuple(file[key] for key in keys) for file in found["files"]]
    assert rows == [
        (str(logs / "access.log.2.gz"), "gz", "combined", 2, 2, "start"),
        (str(logs / "access.log"), "", "combined", 3, 2, "start"),
        (str(logs / "empty.access.log"), "", "", 0, 0, "start"),
    ]
    assert {file["stream"] for file in found["files"][:2]} == {str(logs / "access.log")}
    assert found["files"][1]["mismatches"] == [{"number": 3, "reason": "format", "line": "not a line"}]
    reasons = {Path(one["path"]).name: one["reason"] for one in found["passed_over"]}
    assert reasons["error.log"] == "an error log" and reasons[".access.log"] == "hidden"
    assert reasons["notes.txt"].startswith("not called like an access log")


def test_check_shows_where_a_tail_would_resume(logagg: Command, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text(combined([("/a", 200)]))
    logagg.run("tail", "--once", "-q", log)
    read = log.stat().st_size
    log.write_text(log.read_text() + combined([("/b", 200)]))
    (file,) = examined(logagg, log)["files"]
    assert file["start"] == str(read)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere.log",), "nowhere.log: no such file or directory"),
        (("*.nowhere",), "*.nowhere: matches no file now"),
        (("empty",), "empty: no access logs in this directory"),
        (("odd.log",), "odd.log: no known log format matches most of its first 2 lines"),
        (("--log-format", "common", "good.log"), "'common' matches none of its first 1 line; they look like combined"),
        (("--log-format", "$status", "good.log"), "log format '$status': there is no time in it"),
        (("broken.log.gz",), "broken.log.gz: "),
        (("--config", "bad.toml"), "bad.toml:2: flsh: no such setting"),
    ],
)
def test_an_unreadable_log_is_a_problem(logagg: Command, arguments: tuple[str, ...], message: str) -> None:
    folder = logagg.folder
    (folder / "empty").mkdir()
    (folder / "odd.log").write_text("one\ntwo\n")
    (folder / "good.log").write_text(combined([("/", 200)]))
    packed = bytearray(gzip.compress(os.urandom(5000)))
    packed[1000:1100] = bytes(100)
    (folder / "broken.log.gz").write_bytes(packed)
    (folder / "bad.toml").write_text('[tail]\nflsh = "1s"\n')
    done = logagg.run("check", *arguments, status=1)
    problems = [line for line in done.stdout.splitlines() if line.startswith("wrong: ")]
    assert len(problems) == 1 and message in problems[0]
    assert not logagg.lake.exists()


def test_one_problem_does_not_hide_another(logagg: Command, lake: Path) -> None:
    part(lake, "pages").unlink()
    (logagg.folder / "bad.toml").write_text("[tail\n")
    found = examined(logagg, "--config", "bad.toml", "nowhere.log", status=1)
    assert found["configuration"] is None
    shown = logagg.run("check", "--config", "bad.toml", status=1).stdout
    assert shown.startswith("configuration: refused, as said below; ")
    assert [problem.split(":")[0].rpartition("/")[2] for problem in found["problems"]] == [
        "bad.toml",
        part_name(found),
        "nowhere.log",
    ]


def part_name(found: dict[str, Any]) -> str:
    return Path(found["verification"]["problems"][0]["what"].partition(":")[0]).name


def test_the_output_is_safe_to_print(logagg: Command) -> None:
    (logagg.folder / "access.log").write_bytes(combined([("/", 200)] * 3).encode() + b"\x1b[31mred\x07\n")
    shown = logagg.run("check", "access.log").stdout
    assert "\x1b" not in shown and "\\x1b[31mred\\x07" in shown


# the lake


def test_a_missing_lake_is_not_a_problem(logagg: Command) -> None:
    assert examined(logagg)["verification"] is None
    assert not logagg.lake.exists()
    (problem,) = examined(logagg, "--lake", "named", status=1)["problems"]
    assert problem.startswith("named: no lake there")


@pytest.mark.parametrize("harm", ["missing", "garbage", "no link"])
def test_the_hint_to_return_to_the_previous_catalog_works(logagg: Command, lake: Path, harm: str) -> None:
    """Following the hint makes the lake usable again; the tail reads the later lines."""
    newest = catalog.newest(lake)
    assert newest
    lines = logagg.lines()
    if harm == "no link":
        (lake / LINK).unlink()
    elif harm == "missing":
        newest.unlink()
    else:
        newest.write_bytes(b"garbage" * 1000)
    logagg.run("tail", "--once", DEMO, status=1)
    (problem,) = examined(logagg, status=1)["verification"]["problems"]
    command = re.search(r"with: (ln -sfn .*);", problem["hint"])
    assert command, problem
    assert os.system(command[1]) == 0
    assert examined(logagg)["verification"]
    logagg.run("tail", "--once", "-q", "--config", DEMO / "logagg.toml", DEMO)
    assert logagg.lines() == lines
    assert examined(logagg)["verification"]["lines"] == lines


def test_a_copied_lake_is_recognised_and_can_be_adopted(logagg: Command, lake: Path) -> None:
    copy = lake.with_name("copy")
    shutil.copytree(lake, copy)  # links are followed: the copy of the catalog's link is a file
    (problem,) = examined(logagg, "--lake", copy, status=1)["verification"]["problems"]
    assert problem["what"] == f"{copy}: moved or copied from {lake}"
    logagg.run("compact", "--lake", copy)
    assert examined(logagg, "--lake", copy)["verification"]["lines"] == logagg.lines()


def test_a_check_beside_a_tail_raises_no_alarm(logagg: Command, tmp_path: Path) -> None:
    log, lines = tmp_path / "access.log", combined([(f"/{number}", 200) for number in range(200)])
    log.write_text(lines)
    tail = logagg.start("tail", "--flush", "0.05", log)
    try:
        wait_until(lambda: (logagg.lake / LINK).exists(), tail)
        for _ in range(4):
            with log.open("a") as file:
                file.write(lines)
            examined(logagg, log)
        tail.send_signal(signal.SIGTERM)
        assert tail.wait(30) == 0
    finally:
        tail.kill()
        tail.wait()
    assert examined(logagg)["verification"]["lines"] == 5 * 200
