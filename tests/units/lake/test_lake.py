"""The writer's side of a lake: who may open it, and the state that it resumes."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from logagg.clock import ManualClock
from logagg.config.sections import Config
from logagg.errors import LakeError, LakeLocked, MergeStopped
from logagg.lake.catalog import newest
from logagg.lake.lake import Lake
from logagg.records import Delta, Progress
from logagg.rollup.configured import tables_of
from logagg.rollup.definitions import DEFAULTS, Rollup
from tests.laws.crashes import lines
from tests.laws.feed import NOTHING, SOURCE, Feed, assert_holds, files_of


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "lake"


def opened(root: Path, rollups: tuple[Rollup, ...] = DEFAULTS) -> Lake:
    return Lake.open(root, rollups, clock=ManualClock(time.time()), config=Config())


def commit(lake: Lake, position: int, *lines: int) -> None:
    """Move each shard to a position, with a number of lines."""
    deltas = [
        Delta(shard, {}, {SOURCE.id: Progress(position, number, NOTHING)}, {}) for shard, number in enumerate(lines)
    ]
    lake.commit(deltas, [SOURCE])


def test_a_second_writer_is_refused_and_the_first_is_named(root: Path) -> None:
    first = opened(root)
    with pytest.raises(LakeLocked, match=f"process {os.getpid()} writes this lake"):
        opened(root)
    first.close()
    opened(root).close()


def test_readers_see_a_lake_after_its_first_commit(root: Path) -> None:
    for _ in range(2):  # the first run ends before that
        lake = Lake.open(root, tables_of(Config()), clock=ManualClock(time.time()), config=Config(), begin=False)
        assert newest(root) is None
        lake.close()
    lake = opened(root)
    found = newest(root)
    lake.begin()
    assert found == newest(root)
    lake.close()


def test_a_directory_with_other_files_is_left_alone(root: Path) -> None:
    root.mkdir()
    (root / "thesis.txt").write_text("three years of work")
    with pytest.raises(LakeError, match="not a lake, and not empty"):
        opened(root)
    assert [path.name for path in root.iterdir()] == ["thesis.txt"]


def test_a_lake_of_a_newer_version_is_refused_and_unharmed(root: Path) -> None:
    opened(root).close()
    with duckdb.connect(str((root / "logagg.duckdb").resolve())) as connection:
        connection.execute("UPDATE lake SET version = 99")
    before = (root / "logagg.duckdb").read_bytes()
    with pytest.raises(LakeError, match=r"version 99.*upgrade logagg"):
        opened(root)
    assert (root / "logagg.duckdb").read_bytes() == before


def test_a_rollup_with_other_columns_needs_another_name(root: Path) -> None:
    opened(root).close()
    first, *others = DEFAULTS
    with pytest.raises(LakeError, match=rf"rollup {first.name}: its columns were .*give it another name"):
        opened(root, (replace(first, dimensions=("site",)), *others))
    opened(root).close()


def test_another_number_of_shards_continues_if_all_positions_are_equal(root: Path) -> None:
    for run, shards in enumerate((4, 2, 2, 3, 1)):
        lake = opened(root)
        known = lake.known_sources(shards)
        assert [one.resume.position for one in known] == ([100 * run] if run else [])
        assert sum(progress.lines for one in known for progress in one.progress.values()) == 5 * run
        before = known[0].progress if known else {}
        commit(
            lake,
            100 * (run + 1),
            *(before[n].lines + 5 * (n == 0) if n in before else 5 * (n == 0) for n in range(shards)),
        )
        lake.close()


def test_shards_at_different_positions_require_the_same_number(root: Path) -> None:
    lake = opened(root)
    commit(lake, 100, 1, 1)
    lake.commit([Delta(0, {}, {SOURCE.id: Progress(200, 2, NOTHING)}, {})], [SOURCE])
    lake.close()
    lake = opened(root)
    assert lake.known_sources(2)[0].stops == (100, 200)
    with pytest.raises(LakeError, match="run once with --shards 2"):
        lake.known_sources(3)
    lake.close()


def test_other_users_cannot_write_the_lake(root: Path) -> None:
    lake = opened(root)
    commit(lake, 100, 1)
    lake.close()
    assert (root / "secret").stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o022 == 0 for path in root.rglob("*") if not path.is_symlink())


@pytest.mark.slow
def test_merges_that_are_stopped_are_done_later(root: Path) -> None:
    feed, log = Feed(root, ManualClock(time.time()), Config()), b""
    for number in range(17):
        log += lines(5, 5 * number)
        feed.flush(log)
    before = files_of(root)[1]
    feed.lake.merging.stop()
    feed.lake.compact_due()  # it ends, without a failure
    with pytest.raises(MergeStopped, match="nothing is lost"):
        feed.lake.compact_all()
    assert files_of(root)[1] == before
    feed.lake.merging.go_on()
    assert feed.lake.compact_all()
    feed.close()
    assert_holds(root, log)
