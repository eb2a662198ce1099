"""Queries of a snapshot end when no client waits; those with a user's condition read the files of the lake, and nothing else."""

from __future__ import annotations

import threading
from pathlib import Path

import duckdb
import pytest

from logagg.errors import LimitReached, LogaggError
from logagg.explore.snapshots import AnswerLimits, Left, Snapshots
from logagg.query.lines import checked
from logagg.query.snapshot import connect
from tests.units.explore.conftest import ENDLESS


def test_queries_end_when_nobody_waits(demo_lake: Path) -> None:
    left = Left()
    with Snapshots(demo_lake, AnswerLimits(seconds=30.0)).newest().queries(left) as ask:
        threading.Timer(0.05, left.set_result, [None]).start()
        with pytest.raises(LimitReached):
            ask(ENDLESS)
        with pytest.raises(LimitReached):
            ask("SELECT 1")


def test_a_snapshot_opens_once_a_query_of_the_process_has_spilled(demo_lake: Path) -> None:
    """Connections to one catalog share an instance, whose directory cannot be changed once it was used."""
    spills = "SELECT sum(n) FROM (SELECT range AS n FROM range(3000000) ORDER BY hash(range))"
    with connect(demo_lake) as other:
        other.execute("SET memory_limit = '20MB'; SET threads = 1")
        other.execute(spills).fetchall()
        with pytest.raises(duckdb.Error, match="temporary directory"):
            other.execute("SET temp_directory = '/nonexistent'")
        with Snapshots(demo_lake, AnswerLimits()).newest().queries() as ask:
            assert ask("SELECT count(*) > 0 FROM requests").rows == [(True,)]


@pytest.mark.parametrize("confined", [False, True])
def test_each_query_has_the_settings(demo_lake: Path, confined: bool) -> None:
    """A plain SET of some of them would hold for the connection alone, and queries run on its cursors."""
    names = [
        "parquet_metadata_cache",
        "python_enable_replacements",
        "python_scan_all_frames",
        "preserve_insertion_order",
    ]
    with Snapshots(demo_lake, AnswerLimits(), confined=confined).newest().queries() as ask:
        found = [ask(f"SELECT current_setting('{name}')").rows for name in names]
    assert found == [[(True,)], [(False,)], [(False,)], [(False,)]]


def test_a_confined_snapshot_reads_its_own_files_only(demo_lake: Path, tmp_path: Path) -> None:
    other = tmp_path / "secret.csv"
    other.write_text("a,b\n1,2\n")
    snapshot = Snapshots(demo_lake, AnswerLimits(), "Europe/Berlin", confined=True).newest()
    with snapshot.queries() as ask:
        assert ask("SELECT count(*) > 0 FROM requests").rows == [(True,)]
        assert ask("SELECT extract(hour FROM TIMESTAMPTZ '2026-03-03 00:00Z')").rows == [(1,)]
        for query in (f"FROM '{other}'", f"FROM read_csv('{other}')", f"FROM read_text('{demo_lake / 'secret'}')"):
            with pytest.raises(duckdb.Error):
                ask(query)


@pytest.mark.parametrize(
    "where",
    [
        "status = 404",
        "status >= 500 AND path LIKE '/shop/%'",
        "ts >= '2026-03-04' OR seconds > 1",
        "path IN (SELECT path FROM pages WHERE views > 3)",
        "  bytes > 5  ",
    ],
)
def test_conditions(where: str, demo_lake: Path) -> None:
    assert checked(demo_lake, where, "UTC") == where.strip()
    assert checked(demo_lake, "", "UTC") == checked(demo_lake, "  ", "UTC") == ""


@pytest.mark.parametrize(
    "where",
    [
        "true) OR (true",
        "status = 404 -- and more",
        "status = 404; DROP TABLE requests",
        "nothing = 1",
        "getenv('HOME') = ''",
        "path IN (SELECT content FROM read_text('/etc/passwd'))",
        "1 = 1 LIMIT 5",
        "count(*) > 5",
    ],
)
def test_what_is_no_condition_is_refused(where: str, demo_lake: Path) -> None:
    with pytest.raises(LogaggError, match="where: "):
        checked(demo_lake, where, "UTC")
