"""Merging and retention: fewer rows and files, the same sums, and no row is dropped before its time."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from logagg.clock import ManualClock
from logagg.config.sections import Config, Retention
from tests.laws.feed import Feed, assert_holds, files_of
from tests.laws.logs import CLIENTS, START, Request

DAY = 86_400
FOREVER = Config(retention=Retention(None, None, None))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "lake"


def at(day: float, minutes: int = 3) -> bytes:
    """Return a line a minute, some days after START."""
    made = [Request(round(day * DAY) + 60 * n, CLIENTS[0], "curl/8.5.0", "/tea").line("plain") for n in range(minutes)]
    return "".join(f"{line}\n" for line in made).encode()


def ask(root: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(root / "logagg.duckdb"), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(query).fetchall()


@pytest.mark.slow
def test_after_all_merges_there_is_one_part_for_each_rollup_and_day(root: Path) -> None:
    feed, log = Feed(root, ManualClock(time.time()), FOREVER), b""
    for day in (0.0, 0.1, 1.0, 0.2, 1.1):
        log += at(day)
        feed.flush(log)
    assert feed.lake.compact_all()
    [(files,)] = ask(root, "SELECT max(number) FROM (SELECT count(*) AS number FROM files GROUP BY rollup)")
    assert 1 <= files <= 3  # START is near midnight
    assert feed.lake.compact_all() == 0
    assert_holds(root, log)
    feed.close()


def coarse(root: Path, unit: str) -> bool:
    """Return whether every bucket of every view begins at an hour, or at a day."""
    return all(
        ask(root, f"SELECT bool_and(ts = date_trunc('{unit}', ts)) FROM {view}") == [(True,)]
        for view in ("traffic", "pages")
    )


@pytest.mark.slow
def test_minutes_become_hours_and_days_also_late_ones(root: Path) -> None:
    clock = ManualClock(START.timestamp() + 10 * DAY)
    config = Config(retention=Retention(5 * DAY, 100 * DAY, None))
    feed, log = Feed(root, clock, config), at(0)
    feed.flush(log)
    settle(feed)
    assert coarse(root, "hour")
    assert not coarse(root, "day")

    log += at(0.05)  # ten days late, after its day was coarsened
    feed.flush(log)
    settle(feed)
    assert coarse(root, "hour")
    assert_holds(root, log)

    clock.sleep(200 * DAY)
    settle(feed)
    assert coarse(root, "day")
    assert_holds(root, log)
    feed.close()


def settle(feed: Feed) -> None:
    """Merge and expire until there is no more work; this must end."""
    for _ in range(10):
        if not feed.lake.compact_all() + feed.lake.expire():
            return
    raise AssertionError("merging and expiring goes on for ever")


@pytest.mark.slow
def test_only_rows_past_all_retention_are_dropped(root: Path) -> None:
    clock = ManualClock(START.timestamp() + 40 * DAY)
    feed, log = Feed(root, clock, Config(retention=Retention(None, None, 30 * DAY))), at(0) + at(20)
    feed.flush(log)
    settle(feed)
    assert ask(root, "SELECT min(ts), sum(hits)::INT FROM traffic") == [
        (datetime.fromtimestamp(START.timestamp() + 20 * DAY, UTC), 3)
    ]
    clock.sleep(30 * DAY)
    settle(feed)
    assert ask(root, "SELECT count(*) FROM traffic") == [(0,)]
    assert ask(root, "SELECT sum(lines)::INT FROM sources") == [(6,)]
    feed.close()
    named, _ = files_of(root)
    assert not [path for path in named if path.startswith("data")]
