"""Every call sees the newest commit, and earlier results stay valid."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import duckdb
import pandas as pd
import pytest

import logagg
from logagg import lake_format
from logagg.clock import ManualClock
from logagg.errors import LakeError, LogaggError
from logagg.query import open_lake, snapshot
from logagg.query.names import REPORTS
from tests.units.query.conftest import write_catalog

NOON = 1_795_521_600.0  # 2026-11-24T12:00:00Z


def test_every_call_sees_the_newest_and_answers_stay(root: Path) -> None:
    with logagg.open(root) as lake:
        first = lake.sql("FROM made")
        plain = logagg.connect(root)
        write_catalog(root, 2)
        second = lake.sql("FROM made")
        assert first is not None and second is not None
        assert (first.fetchall(), second.fetchall()) == ([(1,)], [(2,)])
        assert plain.sql("FROM made").fetchall() == [(1,)]


def test_a_snapshot_stays(root: Path) -> None:
    lake = logagg.open(root)
    first = lake.snapshot()
    assert lake.snapshot() is first
    write_catalog(root, 2)
    numbers = [asked.sql("FROM made") for asked in (first, lake.snapshot(), lake)]
    assert [one.fetchall() for one in numbers if one is not None] == [[(1,)], [(2,)], [(2,)]]
    assert (first.commit, first.report("overview").hits[0]) == (1, 100)


def test_watching_gives_the_newest_of_the_commits_between_two_looks(root: Path) -> None:
    class Busy(ManualClock):
        commits = iter([[], [2], [3, 4]])

        def sleep(self, seconds: float) -> None:
            for number in next(self.commits):
                write_catalog(root, number)

    seen = [snapshot.sql("FROM made") for snapshot in itertools.islice(logagg.open(root, Busy()).watch(), 3)]
    assert [one.fetchall() for one in seen if one is not None] == [[(1,)], [(2,)], [(4,)]]


def test_a_commit_between_two_looks_at_the_link_is_seen_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = logagg.open(root)

    def committing(at: Path, zone: str) -> duckdb.DuckDBPyConnection:
        monkeypatch.undo()
        write_catalog(root, 3)
        return snapshot.connect(at, zone)

    write_catalog(root, 2)
    monkeypatch.setattr(open_lake, "connect", committing)
    newest = lake.snapshot()
    assert newest.sql("FROM made").fetchall() == [(3,)]  # type: ignore[union-attr]
    assert lake.snapshot() is newest


def test_a_missing_lake_is_reported(tmp_path: Path) -> None:
    for function in (logagg.open, logagg.connect):
        with pytest.raises(LakeError, match="no lake there"):
            function(tmp_path)


def test_times_are_utc(root: Path) -> None:
    assert logagg.connect(root).sql("SELECT current_setting('TimeZone')").fetchall() in ([("UTC",)], [("Etc/UTC",)])


@pytest.mark.parametrize("name", REPORTS)
def test_every_report_is_a_frame(root: Path, name: str) -> None:
    steps = ["/", "/cart"] if name == "funnel" else []
    assert len(logagg.open(root, ManualClock(NOON)).report(name, steps=steps)) > 0


def test_only_a_funnel_takes_paths(root: Path) -> None:
    lake = logagg.open(root, ManualClock(NOON))
    found = lake.report("funnel", steps=["/", "/cart"])
    assert found[["path", "visits"]].values.tolist() == [["/", 1], ["/cart", 0]]
    for name, steps in (("funnel", []), ("pages", ["/"])):
        with pytest.raises(logagg.LogaggError, match="takes paths"):
            lake.report(name, steps=steps)


def test_the_overview_adds_up(root: Path) -> None:
    lake = logagg.open(root, ManualClock(NOON + 240))
    row = lake.report("overview").iloc[0]
    assert (row.hits, row.rejects, row.impressions, row.clicks, row.errors) == (100, 3, 200, 4, 40)
    assert lake.report("overview", bots="exclude").iloc[0].hits == 70
    assert lake.report("overview", since="2m", until="now").iloc[0].hits == 70
    assert lake.report("overview", since="2027-01-01").iloc[0].hits == 0


def test_latency_is_weighted_by_hits(root: Path) -> None:
    row = logagg.open(root).report("latency").iloc[0]
    assert (row.hits, row.p50, row.p90, row.p95, row.p99) == (100, 50, 90, 95, 99)


def test_options_without_a_column_in_the_report_are_refused(root: Path) -> None:
    lake = logagg.open(root)
    with pytest.raises(LogaggError, match="cannot be filtered by site"):
        lake.report("sources", site="shop")
    with pytest.raises(LogaggError, match="no report"):
        lake.report("nothing")
    with pytest.raises(LogaggError, match="is not a time"):
        lake.report("pages", since="whenever")


def test_status_shows_the_unread_bytes(root: Path) -> None:
    status = logagg.open(root, ManualClock(NOON + 301)).status()
    assert (status.running, status.age, status.sources[0].lag, status.healthy) == (False, 1.0, 3, True)


def test_a_moved_or_copied_lake_is_reported(root: Path, tmp_path: Path) -> None:
    copied, moved = tmp_path / "copied", tmp_path / "moved"
    shutil.copytree(root, copied, symlinks=True)
    for lake in (copied, root.rename(moved)):
        with pytest.raises(LakeError, match=f"moved or copied from {root}; logagg compact --lake {lake}"):
            logagg.connect(lake)


def test_a_lake_is_read_by_any_path_to_it(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    assert logagg.connect(tmp_path / "link").sql("FROM made").fetchall() == [(1,)]


def test_a_frame_of_the_caller_can_be_joined(root: Path) -> None:
    frame = pd.DataFrame({"number": [1]})
    for ask in (logagg.open(root).sql, logagg.connect(root).sql):
        found = ask("SELECT count(*) FROM made JOIN frame USING (number)")
        assert found is not None and found.fetchall() == [(1,)], frame


def test_the_version_that_is_read_is_the_one_that_is_written(root: Path) -> None:
    assert logagg.connect(root).sql("SELECT version FROM lake").fetchall() == [(lake_format.VERSION,)]


def test_a_newer_lake_is_refused(root: Path) -> None:
    with duckdb.connect(str((root / "logagg.duckdb").resolve())) as connection:
        connection.execute("UPDATE lake SET version = 3")
    with pytest.raises(LakeError, match="a lake of version 3, this logagg reads 2; upgrade logagg"):
        snapshot.connect(root)
