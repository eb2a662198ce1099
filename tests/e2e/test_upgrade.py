"""A lake that an earlier logagg wrote can be opened and queried, and continues with exact totals."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import duckdb
import pytest

from logagg.lake.digests import digest_in
from tests.conftest import ROOT, Command, combined

LAKES = sorted((ROOT / "fixtures/lakes").iterdir())
LINES = 28  # in each log: those of the cases "ads", three of "combined", and one reject


@pytest.fixture(params=LAKES, ids=lambda path: path.name)
def old(request: pytest.FixtureRequest, logagg: Command, tmp_path: Path) -> Path:
    """A stored lake, moved here; return the log that it was read from."""
    shutil.copytree(request.param / "lake", logagg.lake, symlinks=True)
    (logagg.lake / "secret").chmod(0o600)  # git does not store modes
    log = tmp_path / "access.log"
    shutil.copy(request.param / "access.log", log)
    logagg.run("compact", "-q")  # the lake was moved
    return log


def answers(logagg: Command) -> tuple[int, dict[str, int], tuple[int, int], int]:
    kinds = dict(logagg.read("SELECT kind, sum(hits)::BIGINT FROM traffic GROUP BY kind"))
    [(clicks, repeats)] = logagg.read("SELECT sum(clicks)::BIGINT, sum(clicks_dup)::BIGINT FROM ads")
    return logagg.lines(), kinds, (clicks, repeats), logagg.read("SELECT uniques(visitors) FROM traffic")[0][0]


BEFORE = {"asset": 1, "click": 10, "conversion": 2, "impression": 5, "other": 6, "pageview": 3}


def test_queries_give_the_stored_counts(logagg: Command, old: Path) -> None:
    lines, kinds, clicks, _ = answers(logagg)
    assert (lines, kinds, clicks) == (LINES, BEFORE, (7, 3))
    logagg.run("check", "--lake", logagg.lake, old)
    for name in ("overview", "ads", "pages", "sources"):
        assert logagg.run("report", name).stdout


def test_the_log_continues_at_its_position(logagg: Command, old: Path) -> None:
    *_, people = answers(logagg)
    logagg.run("tail", "--once", "-q", old)
    assert answers(logagg) == (LINES, BEFORE, (7, 3), people)
    with old.open("a") as log:
        log.write(combined([("/new", 200)], client="203.0.113.77"))
        log.write(old.read_text().splitlines(keepends=True)[0])  # a visitor of an earlier line
    logagg.run("tail", "--once", "-q", old)
    lines, kinds, clicks, more = answers(logagg)
    assert (lines, clicks, more) == (LINES + 2, (7, 3), people + 1)
    assert kinds == BEFORE | {"pageview": 4, "impression": 6}
    logagg.run("compact", "-q")
    assert answers(logagg) == (lines, kinds, clicks, more)


def undigested(logagg: Command) -> int:
    [found] = [json.loads(logagg.run("check", "--json").stdout)["verification"]["undigested"]]
    return int(found)


def test_the_files_of_the_lake_get_digests(logagg: Command, tmp_path: Path) -> None:
    """Files that are merged get digests, and so do already merged ones; every bit of them is checked from then on."""
    old = LAKES[0]
    shutil.copytree(old / "lake", logagg.lake, symlinks=True)
    (logagg.lake / "secret").chmod(0o600)
    shutil.copy(old / "access.log", log := tmp_path / "access.log")
    with duckdb.connect(str(logagg.lake / "logagg.duckdb"), read_only=True) as connection:
        [(count,)] = connection.execute("SELECT count(*) FROM files").fetchall()
    output = logagg.run("check", status=1).stdout  # the lake was moved
    assert f"{count} files of an earlier logagg, of which not every bit can be checked" in output
    logagg.run("tail", "--once", "-q", log)
    before = answers(logagg)
    logagg.run("compact", "-q")
    assert undigested(logagg) == 0 and answers(logagg) == before
    names = [path for (path,) in logagg.read("SELECT path FROM files")]
    assert [name for name in names if not digest_in(name)] == []
    path = logagg.lake / names[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert str(path) in logagg.run("check", status=1).stdout


def test_its_tables_have_the_columns_of_today(logagg: Command, old: Path) -> None:
    """Empty in the rows of before, in every grouping, also when old rows and new ones are merged."""
    kinds = dict(logagg.read("SELECT site, sum(hits)::INT FROM agents GROUP BY site"))
    assert kinds == {"": 27}
    with old.open("a") as log:
        log.write(combined([("/new", 200), ("/newer", 404)]))
    logagg.run("tail", "--once", "-q", old)
    for _ in range(2):
        assert dict(logagg.read("SELECT site, sum(hits)::INT FROM agents GROUP BY site")) == {"": 27, "-": 2}
        assert logagg.read("SELECT count(*) FROM latency WHERE is_bot IS NULL") == [(0,)]
        logagg.run("check")
        logagg.run("compact", "-q")
    lacking = logagg.read("SELECT count(*) FROM files WHERE lacks <> ''")
    assert lacking == [(0,)]
    for name in ("agents", "latency"):
        assert logagg.run("report", name, "--site", "-").stdout
        logagg.run("report", name, "--bots", "only")


def test_its_requests_begin_with_the_lines_of_today(logagg: Command, old: Path) -> None:
    assert logagg.read("SELECT count(*) FROM requests") == [(0,)]
    [(newest, since)] = logagg.read("SELECT (SELECT max(ts) FROM traffic), requests_from FROM lake")
    assert since > newest
    with old.open("a") as log:
        log.write(combined([("/new", 200)]).replace("/2026:", "/2027:"))
        log.write(combined([("/late", 200)]))
    logagg.env["LOGAGG_REQUESTS_KEEP"] = "forever"
    logagg.run("tail", "--once", "-q", old)
    assert {path for (path,) in logagg.read("SELECT path FROM requests")} <= {"/new", "/late"}
    logagg.run("check")


def test_a_report_of_a_lake_that_is_not_upgraded_says_so(logagg: Command, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text(combined([("/", 200)]))
    logagg.run("tail", "--once", "-q", log)
    with duckdb.connect(str((logagg.lake / "logagg.duckdb").resolve())) as connection:
        [(sql,)] = connection.execute("SELECT sql FROM duckdb_views() WHERE view_name = 'agents'").fetchall()
        connection.execute(sql.replace("VIEW agents", "OR REPLACE VIEW agents").replace("site, ", "", 1))
    said = logagg.run("report", "agents", "--site", "a", status=1).stderr
    assert said.endswith("an earlier logagg wrote the lake; logagg compact upgrades it\n")
