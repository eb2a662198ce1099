"""Notices: each function makes one of a known kind, and each line can be parsed by its reader."""

from __future__ import annotations

import ast
import inspect
import io
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from logagg import notice_log, notices
from logagg.clock import ManualClock
from logagg.notice_log import Notices, show_failure
from logagg.notices import KINDS, Level, Notice, NoticeKind
from tests.conftest import ROOT

AT = "2027-01-15T08:00:00Z"  # the start of a manual clock
PACKAGE = ROOT / "logagg"
FUNCTIONS = [
    function
    for _, function in inspect.getmembers(notices, inspect.isfunction)
    if get_type_hints(function).get("return") is Notice and function.__module__ == notices.__name__
]
NAMES = [function.__name__ for function in FUNCTIONS]
EXAMPLES = {str: "text", int: 4096, float: 1.5}


def example(function: Callable[..., Notice]) -> Notice:
    """Call a function with an argument of each required type."""
    hints = get_type_hints(function)
    return function(*(EXAMPLES.get(hints[name], ["1", "2"]) for name in inspect.signature(function).parameters))


def written(notice: Notice, **options: Any) -> str:
    stream = io.StringIO()
    Notices(ManualClock(), stream=stream, **options).report(notice)
    return stream.getvalue()


def in_journal(monkeypatch: pytest.MonkeyPatch, file: Any) -> None:
    stat = os.fstat(file.fileno())
    monkeypatch.setenv("JOURNAL_STREAM", f"{stat.st_dev}:{stat.st_ino}")


# The module


@pytest.mark.parametrize("function", FUNCTIONS, ids=NAMES)
def test_a_function_makes_a_notice_of_a_known_kind(function: Callable[..., Notice]) -> None:
    notice = example(function)
    assert notice.kind in {kind.name for kind in KINDS}
    assert notice.text and json.loads(json.dumps(dict(notice.fields))) == dict(notice.fields)
    quiet = next(kind.level for kind in KINDS if kind.name == notice.kind) is Level.INFO
    assert (notice.level is Level.INFO) is quiet, "-v shows all notices of a kind, or none"


def test_every_kind_has_a_name_of_its_own_and_a_function() -> None:
    names = [kind.name for kind in KINDS]
    assert len(names) == len(set(names)) > 20
    assert {example(function).kind for function in FUNCTIONS} == set(names)


def names_in(module: Path) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Name)}


@pytest.mark.slow
def test_every_function_is_called_and_no_other_module_makes_notices() -> None:
    used = {path: names_in(path) for path in PACKAGE.rglob("*.py") if path != PACKAGE / "notices.py"}
    assert sorted(set(NAMES) - set().union(*used.values())) == []
    calls = [
        (path, node.lineno)
        for path in used
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Notice"
    ]
    assert calls == []


# Lines for people


def test_a_line_has_the_time_the_kind_and_the_text() -> None:
    assert written(notices.shard_owned(7)) == f"{AT} lease: shard 7 is ours\n"


@pytest.mark.parametrize(
    ("verbosity", "shown"),
    [(-1, set()), (0, {"damaged", "retry", "reload"}), (1, {"damaged", "retry", "reload", "commit"})],
)
def test_verbosity(verbosity: int, shown: set[str]) -> None:
    stream = io.StringIO()
    log = Notices(ManualClock(), verbosity=verbosity, stream=stream)
    given = [
        notices.file_damaged("part", "3 rows", "hint"),
        notices.commit_failed("the disk is full"),
        notices.configuration_unchanged(),
        notices.committed(1, 2, 3),
    ]
    for notice in given:
        log.report(notice)
    assert {line.split()[1].strip(":") for line in stream.getvalue().splitlines()} == shown
    assert log.counts == {"damaged": 1, "retry": 1, "reload": 1, "commit": 1}, (
        "a notice counts whether it is shown or not"
    )


def test_the_kinds_that_need_verbose() -> None:
    assert {kind.name for kind in KINDS if kind.level is Level.INFO} == {"source", "commit"}


HOSTILE = "a\n<0>b: \x1b[2J\udcff.log"


def test_a_name_cannot_forge_a_line() -> None:
    assert written(notices.log_found(HOSTILE, 0), verbosity=1) == (
        f"{AT} source: a\\n<0>b: \\x1b[2J\\udcff.log: reading from 0\n"
    )


def test_threads_write_whole_lines_and_count_all() -> None:
    stream = io.StringIO()
    log = Notices(ManualClock(), stream=stream)
    threads = [
        threading.Thread(target=lambda: [log.report(notices.shard_owned(7)) for _ in range(200)]) for _ in "1234"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log.counts["lease"] == 800
    assert set(stream.getvalue().splitlines()) == {f"{AT} lease: shard 7 is ours"}


def test_a_closed_stream_is_not_a_failure(tmp_path: Path) -> None:
    with (tmp_path / "err").open("w") as file:
        log = Notices(ManualClock(), stream=file)
    log.report(notices.shard_owned(7))
    assert log.counts["lease"] == 1


# Lines for the journal


@pytest.mark.parametrize(
    ("notice", "line"),
    [
        (
            notices.file_damaged("part", "3 rows", "hint"),
            "<3>damaged: part: damaged, so it is not merged: 3 rows; hint",
        ),
        (notices.commit_failed("the disk is full"), "<4>retry: the disk is full; trying again"),
        (notices.server_lost("a:1", "a:1: refused"), "<4>server: a:1: refused; trying again"),
        (notices.server_found("a:1"), "<5>server: a:1: connected again"),
        (notices.log_found(HOSTILE, 0), "<6>source: a\\n<0>b: \\x1b[2J\\udcff.log: reading from 0"),
    ],
)
def test_in_the_journal_a_line_has_its_priority_and_no_time(
    notice: Notice, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "journal").open("w") as file:
        in_journal(monkeypatch, file)
        Notices(ManualClock(), verbosity=1, stream=file).report(notice)
    assert (tmp_path / "journal").read_text() == f"{line}\n"


@pytest.mark.parametrize("journal", ["", "8:1", ":", "x", "8:1:2"])
def test_another_stream_than_that_of_the_journal_has_the_time(
    journal: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", journal)
    with (tmp_path / "redirected").open("w") as file:
        Notices(ManualClock(), stream=file).report(notices.shard_owned(7))
    assert (tmp_path / "redirected").read_text() == f"{AT} lease: shard 7 is ours\n"


def test_a_stream_without_a_file_is_not_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    assert not notice_log.is_journal(io.StringIO())


# Lines for programs


def test_json_has_the_text_and_its_values() -> None:
    line = written(notices.merge_goes_on("pages", 1000, 5000, 10.0), as_json=True)
    assert line.count("\n") == 1
    assert json.loads(line) == {
        "time": AT,
        "level": "notice",
        "kind": "merge",
        "text": "pages: 1,000 of 5,000 rows in 10 s",
        "fields": {"rollup": "pages", "rows": 1000, "total": 5000, "seconds": 10.0},
    }


def test_json_of_a_hostile_name_is_one_line_for_every_reader() -> None:
    line = written(notices.log_found(HOSTILE, 0), as_json=True, verbosity=1)
    assert line.isascii() and line.count("\n") == 1 and line.rstrip().isprintable()
    found = json.loads(line)
    assert found["fields"]["path"] == "a\n<0>b: \x1b[2J\\udcff.log"
    json.dumps(found, ensure_ascii=False).encode()  # fails for lone surrogates


def test_json_on_a_terminal_is_json() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    Notices(ManualClock(), as_json=True, stream=terminal).report(notices.shard_owned(7))
    assert json.loads(terminal.getvalue())["kind"] == "lease"


def test_json_is_the_same_in_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "journal").open("w") as file:
        in_journal(monkeypatch, file)
        Notices(ManualClock(), as_json=True, stream=file).report(notices.shard_owned(7))
    assert json.loads((tmp_path / "journal").read_text())["time"] == AT


# A failure


def test_a_failure_is_reported_to_people_the_journal_and_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "err"
    with path.open("w") as file:
        monkeypatch.setattr("sys.stderr", file)
        show_failure("no lake\n there")
        in_journal(monkeypatch, file)
        show_failure("no lake there")
        show_failure("no lake there", as_json=True)
    person, journal, program = path.read_text().splitlines()
    assert (person, journal) == ("logagg: no lake\\n there", "<3>logagg: no lake there")
    found = json.loads(program)
    assert (found["level"], found["kind"], found["text"]) == ("error", "failure", "no lake there")


def test_kinds_are_documented_with_their_level() -> None:
    page = (ROOT / "docs/operations.md").read_text()

    def row(kind: NoticeKind) -> str:
        return f"`{kind.name}`{']' if kind.level is Level.INFO else ''} | {kind.level.name.lower()} | {kind.meaning} |"

    assert [kind.name for kind in KINDS if row(kind) not in page] == []
