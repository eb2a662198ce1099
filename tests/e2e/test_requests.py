"""Requests as a user has them: what is kept, what is not, and the line behind each."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Command, combined

AD = "/click?campaign=spring&ad=7&id=joined-1&secret=hunter2"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log with a page view, a request of an asset, and a click; the user of the click is logged in."""
    path = tmp_path / "access.log"
    page = combined([("/tea?q=private", 200), ("/site.CSS?v=1", 200), (AD, 302)])
    path.write_text(page.replace(" - - [", " - zoe-k [", 2))
    return path


def holds(root: Path, *texts: bytes) -> bool:
    return any(text in path.read_bytes() for path in root.rglob("*") if path.is_file() for text in texts)


def test_each_line_is_a_request_at_its_position(logagg: Command, log: Path) -> None:
    logagg.run("tail", "--once", "-q", log)
    found = logagg.read("SELECT kind, path, ext, status, id, campaign, protocol, position FROM requests ORDER BY ts")
    lines = log.read_bytes().splitlines(keepends=True)
    starts = [0, len(lines[0]), len(lines[0]) + len(lines[1])]
    assert found == [
        ("pageview", "/tea", "", 200, "", "", "HTTP/1.1", starts[0]),
        ("asset", "/site.CSS", "css", 200, "", "", "HTTP/1.1", starts[1]),
        ("click", "/click", "", 302, "joined-1", "spring", "HTTP/1.1", starts[2]),
    ]
    assert logagg.read("SELECT DISTINCT sources.path FROM sources JOIN requests USING (source)") == [(str(log),)]


def test_no_query_and_no_name_by_default(logagg: Command, log: Path) -> None:
    logagg.run("tail", "--once", "-q", log)
    assert logagg.read('SELECT count(query), count("user") FROM requests') == [(0, 0)]
    assert not holds(logagg.lake, b"private", b"hunter2", b"zoe-k", b"192.0.2")


def test_queries_and_names_where_they_are_asked_for(logagg: Command, log: Path) -> None:
    logagg.env |= {"LOGAGG_REQUESTS_QUERY": "true", "LOGAGG_PRIVACY_USERS": "true"}
    logagg.run("tail", "--once", "-q", log)
    assert logagg.read('SELECT query, "user" FROM requests ORDER BY ts') == [
        ("q=private", "zoe-k"),
        ("v=1", "zoe-k"),
        (AD.partition("?")[2], ""),
    ]


def test_a_name_is_a_dimension_where_names_are_kept(logagg: Command, log: Path, tmp_path: Path) -> None:
    rollup = '[[rollup]]\nname = "logins"\ndimensions = ["user"]\nmeasures = {hits = "count"}\n'
    (tmp_path / "logagg.toml").write_text(rollup)
    refused = logagg.run("tail", "--once", "-q", log, status=1).stderr
    assert '"user" is not a dimension' in refused
    (tmp_path / "logagg.toml").write_text(f"[privacy]\nusers = true\n{rollup}")
    logagg.run("tail", "--once", "-q", log)
    assert logagg.read('SELECT "user", sum(hits)::INT FROM logins GROUP BY ALL ORDER BY 1') == [("", 1), ("zoe-k", 2)]


def test_only_kinds_that_are_asked_for(logagg: Command, log: Path) -> None:
    logagg.env["LOGAGG_REQUESTS_KINDS"] = "click, conversion"
    logagg.run("tail", "--once", "-q", log)
    assert logagg.read("SELECT kind FROM requests") == [("click",)]
    assert logagg.read("SELECT requests_kinds FROM lake") == [("click conversion",)]


def test_none_at_all(logagg: Command, log: Path) -> None:
    logagg.run("tail", "--once", "-q", log)
    logagg.env["LOGAGG_REQUESTS_KEEP"] = "0"
    with log.open("a") as file:
        file.write(combined([("/more", 200)]))
    logagg.run("tail", "--once", "-q", log)
    assert logagg.read("SELECT count(*) FROM requests") == [(0,)]
    assert logagg.lines() == 4
    logagg.run("check")
