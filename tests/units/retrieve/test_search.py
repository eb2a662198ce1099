"""What is kept, what is proved, and why a line is not shown."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from logagg.records import Fingerprint, KnownSource, Progress, Source
from logagg.retrieve import spool
from logagg.retrieve.places import Candidates, Places
from logagg.retrieve.proof import COMPARED, prove
from logagg.retrieve.reasons import Trace
from logagg.retrieve.spool import KeptLines

LINE = b'192.0.2.1 - - [02/Mar/2026:00:00:07 +0000] "GET /a?q=1 HTTP/1.1" 200 10 "https://x.org/y" "curl/8"'
ROW: dict[str, Any] = dict.fromkeys(COMPARED) | {
    "ts": datetime(2026, 3, 2, 0, 0, 7, tzinfo=UTC),
    "method": "GET",
    "path": "/a",
    "status": 200,
    "bytes": 10,
    "referrer": "x.org",
    "protocol": "HTTP/1.1",
    "site": "configured",
}


def source(path: str, tailer: str = "") -> KnownSource:
    mark = Fingerprint(9, 9, "x")
    return KnownSource(Source("s", path, 1, 2, mark, tailer=tailer), {0: Progress(9, 1, mark)})


def test_a_line_gives_its_row_again() -> None:
    assert prove([LINE, LINE + b"\r"], [ROW, ROW], "combined") == [True, True]
    assert prove([], [], "combined") == []


@pytest.mark.parametrize(
    "change",
    [
        {"status": 201},
        {"path": "/b"},
        {"bytes": 11},
        {"method": "PUT"},
        {"referrer": ""},
        {"protocol": "HTTP/2.0"},
        {"query": "q=2"},
        {"seconds": 0.5},
        {"ts": datetime(2026, 3, 2, 0, 0, 8, tzinfo=UTC)},
    ],
)
def test_a_line_of_another_row_is_not_proved(change: dict[str, Any]) -> None:
    assert prove([LINE, LINE, b"nonsense"], [ROW, ROW | change, ROW], "combined") == [True, False, False]


def test_lines_in_parts_are_proved_each_by_itself() -> None:
    head, tail = LINE[:50], LINE[50:]
    whole, open_ = (b"2026-03-02T00:00:07Z stdout %s " % part for part in (b"F", b"P"))
    lines = [open_ + LINE, whole + LINE, open_ + head + b"\n" + whole + tail, open_ + LINE]
    assert prove(lines, [ROW] * 4, "cri+combined") == [True] * 4
    assert prove(lines, [ROW, ROW | {"status": 201}, ROW, ROW], "cri+combined") == [True, False, True, True]


def test_what_is_not_kept_is_not_compared() -> None:
    assert prove([LINE], [ROW | {"protocol": "", "query": "q=1"}], "combined") == [True]


@pytest.mark.parametrize("log_format", ["", "common", "no such $format"])
def test_a_line_older_than_the_format_of_its_source_is_proved_in_its_own(log_format: str) -> None:
    assert prove([LINE, LINE], [ROW, ROW], log_format) == [True, True]


def test_a_value_that_was_cut_is_the_same() -> None:
    long = LINE.replace(b"/a", b"/" + b"a" * 500)
    assert prove([long, long], [ROW | {"path": "/" + "a" * 255}, ROW | {"path": "/a"}], "combined") == [True, False]


def test_lines_are_kept_in_any_order_and_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "MEMORY", 100)
    with KeptLines(50) as lines:
        for row in reversed(range(0, 50, 2)):
            lines.put(row, b"%d" % row * row)
        lines.drop(4)
        assert [lines.get(row) for row in range(6)] == [b"", None, b"22", None, None, None]
        assert lines.get(48) == b"48" * 48 and lines.count() == 24 and 4 not in lines and 6 in lines


def test_the_likeliest_files_come_first_and_each_once(tmp_path: Path) -> None:
    for name in ("other.log", "access.log.1.gz", "sub/access.log", "given/a.log", "access.log"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    places = Places((f"{tmp_path}/given",), {}, (str(tmp_path), "-"), (f"{tmp_path}/sub/x.log",))
    found = list(Candidates(places).of([source(f"{tmp_path}/access.log")]))
    names = [os.path.relpath(path, tmp_path) for path in found]
    assert names == ["access.log", "given/a.log", "access.log.1.gz", "other.log", "sub/access.log"]


def test_the_log_of_another_machine_is_elsewhere() -> None:
    here, there = Trace(source("/no/log", "web1"), {}), Trace(source("/no/log", "web1"), {"web1": "web1.example"})
    assert here.reason(0).startswith("gone: /no/log")
    assert there.reason(0) == "elsewhere: tailer web1 reads /no/log on web1.example"
    assert Trace(source("/no/log", "web1"), {"web1": "?"}).reason(0) == "elsewhere: tailer web1 reads /no/log"


def test_what_is_known_of_a_file_is_said() -> None:
    assert Trace(None, {}).reason(0).startswith("gone: the lake has forgotten")
    assert Trace(source("-"), {}).reason(0) == "gone: read from standard input"
    trace = Trace(source("/no/log"), {})
    trace.note_other("/no/log.1", "")  # it may be another log that begins alike
    assert trace.reason(0).startswith("gone: /no/log is not there")
    trace.note_other("/no/log", "")
    assert trace.reason(0) == "changed: /no/log was changed after it was read"
    trace.note_other("/no/log.1", "corrupt gz")
    assert trace.reason(0) == "unreadable: /no/log.1: corrupt gz"
    trace.note_changed("/no/log.2", [1])
    assert trace.reason(1) == "changed: /no/log.2 holds something else at its position"
