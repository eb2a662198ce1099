"""Requests in a lake: merged without loss, dropped by age and size, and the time from which all of them are kept."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from logagg.clock import ManualClock
from logagg.config.sections import Config, Requests, Retention
from logagg.lake import compact, sums
from logagg.lake.state import NEVER
from logagg.lake.verify import verify
from logagg.rollup import requests
from tests.laws.feed import TABLES, Feed, assert_holds
from tests.laws.logs import CLIENTS, START, Request

DAY = 86_400


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "lake"


@pytest.fixture
def feed(root: Path) -> Iterator[Feed]:
    feed = Feed(root, ManualClock(START.timestamp() + 30 * DAY), config())
    yield feed
    feed.close()


def config(**settings: Any) -> Config:
    return Config(requests=Requests(**settings), retention=Retention(None, None, None))


def at(day: float, rows: int = 3, path: str = "/tea") -> bytes:
    """Return a line a second, some days after START."""
    made = [Request(round(day * DAY) + second, CLIENTS[0], "curl/8.5.0", path).line("plain") for second in range(rows)]
    return "".join(f"{line}\n" for line in made).encode()


def ask(root: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(root / "logagg.duckdb"), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(query).fetchall()


def days(root: Path) -> list[float]:
    """Return the days after START that have requests."""
    found = ask(root, "SELECT DISTINCT ts FROM requests ORDER BY ts")
    return sorted({round((ts - START).total_seconds() / DAY, 1) for (ts,) in found})


def levels(feed: Feed) -> list[str]:
    return sorted(part.level for part in feed.lake.state.parts if part.rollup == requests.NAME)


@pytest.mark.slow
def test_flushes_become_an_hour_and_a_day(feed: Feed, root: Path) -> None:
    log = b""
    for minute in range(compact.FLUSHES):
        log += at(minute / 1440)
        feed.flush(log)
    feed.merge()
    assert set(levels(feed)) == {"hour"}
    assert_holds(root, log)
    feed.lake.compact_all()
    assert set(levels(feed)) == {"day"}
    assert_holds(root, log)


@pytest.mark.slow
def test_a_merge_keeps_the_order_of_times(feed: Feed, root: Path) -> None:
    log = at(0.2) + at(0.1)
    feed.flush(log)
    log += at(0.15) + at(0.1)
    feed.flush(log)
    feed.lake.compact_all()
    [part] = [root / part.path for part in feed.lake.state.parts if part.rollup == requests.NAME]
    found = pq.read_table(part)["ts"].to_pylist()
    assert found == sorted(found) and len(found) == 12


@pytest.mark.slow
def test_a_query_passes_over_merged_requests_of_other_paths(feed: Feed, root: Path) -> None:
    log = at(0.1, path="/milk")
    feed.flush(log)
    feed.flush(log + at(0.2, path="/tea"))
    feed.lake.compact_all()
    [part] = [root / part.path for part in feed.lake.state.parts if part.rollup == requests.NAME]
    with duckdb.connect() as connection:
        for path, excluded in {"/milk": False, "/tea": False, "/coffee": True}.items():
            query = f"SELECT bloom_filter_excludes FROM parquet_bloom_probe('{part}', 'path', '{path}')"
            assert connection.execute(query).fetchall() == [(excluded,)]


@pytest.mark.slow
def test_a_large_part_is_left_alone(feed: Feed, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compact, "LARGE", 50)
    log = b""
    for minute in range(compact.FLUSHES + 2):
        log += at(minute / 1440, rows=60 if minute < 2 else 3)
        feed.flush(log)
    feed.merge()
    feed.lake.compact_all()
    assert levels(feed).count("flush") == 2
    assert_holds(root, log)


@pytest.mark.slow
def test_the_oldest_are_dropped_by_their_age_from_the_newest(feed: Feed, root: Path) -> None:
    log = b"".join(at(day) for day in (0, 2, 5.5, 8.9))
    feed.flush(log)
    feed.lake.compact_all()
    feed.lake.expire()
    assert days(root) == [2.0, 5.5, 8.9]  # 7 days, and the rest of the day before
    [(since,)] = ask(root, "SELECT requests_from FROM lake")
    assert START < since <= START + timedelta(days=2)
    assert_holds(root, log)
    log += at(0.5)  # a late line: it is kept until the next retention
    feed.flush(log)
    assert days(root) == [0.5, 2.0, 5.5, 8.9]
    feed.lake.compact_all()
    feed.lake.expire()
    assert days(root) == [2.0, 5.5, 8.9]
    assert_holds(root, log)


@pytest.mark.slow
def test_a_part_of_old_and_young_requests_is_cut(feed: Feed, root: Path) -> None:
    log = at(0) + at(20)
    feed.flush(log)
    assert feed.lake.expire()
    assert days(root) == [20.0]
    assert ask(root, "SELECT requests_from FROM lake") == [
        (requests.whole_minute(START + timedelta(days=13, seconds=2)),)
    ]
    assert_holds(root, log)
    assert feed.lake.expire() == 0


@pytest.mark.slow
def test_all_are_dropped_when_no_line_was_read_for_their_age(root: Path) -> None:
    clock = ManualClock(time.time())
    feed, log = Feed(root, clock, config()), at(0)
    feed.flush(log)
    clock.sleep(6.9 * DAY)
    feed.lake.expire(trust_clock=True)
    assert days(root) == [0.0]
    clock.sleep(0.2 * DAY)
    feed.lake.expire(trust_clock=True)
    assert days(root) == []
    assert_holds(root, log)
    feed.close()


@pytest.mark.slow
def test_the_oldest_are_dropped_beyond_a_size(feed: Feed, root: Path) -> None:
    log = b""
    for day in range(4):
        log += at(day)
        feed.flush(log)
    sizes = [part.bytes for part in feed.lake.state.parts if part.rollup == requests.NAME]
    feed.lake.reconfigure(TABLES, config(keep=None, max_size=sum(sizes) - 1))
    feed.lake.expire()
    assert days(root) == [1.0, 2.0, 3.0]
    assert_holds(root, log)
    feed.lake.reconfigure(TABLES, config(keep=None, max_size=1))
    feed.lake.expire()
    assert days(root) == []
    assert_holds(root, log)


@pytest.mark.slow
def test_retention_of_days_applies_to_requests_too(root: Path) -> None:
    clock = ManualClock(START.timestamp() + 10 * DAY)
    short = replace(config(keep=None), retention=Retention(None, None, 5 * DAY))
    feed, log = Feed(root, clock, short), at(0) + at(8)
    feed.flush(log)
    feed.lake.compact_all()
    feed.lake.expire()
    assert days(root) == [8.0]
    feed.close()


@pytest.mark.slow
def test_switched_off_and_on_again(root: Path) -> None:
    clock, log = ManualClock(START.timestamp() + 10 * DAY), b""
    for day, settings in ((0.0, {}), (0.1, {"keep": 0.0}), (0.2, {})):
        feed = Feed(root, clock, config(**settings))
        log += at(day)
        feed.flush(log)
        if not settings.get("keep", 1):
            feed.lake.expire()
            assert days(root) == []
        assert_holds(root, log)
        feed.close()
    assert days(root) == [0.2]
    assert ask(root, "SELECT requests_from FROM lake")[0][0] > START + timedelta(days=0.1)


@pytest.mark.slow
def test_a_new_kind_is_complete_from_its_configuration_on(root: Path) -> None:
    clock = ManualClock(START.timestamp() + 10 * DAY)
    feed, log = Feed(root, clock, config(kinds=("asset",))), at(0) + at(0.01, path="/a.css")
    feed.flush(log)
    assert ask(root, "SELECT DISTINCT kind FROM requests") == [("asset",)]
    assert ask(root, "SELECT requests_from FROM lake") == [(NEVER,)]
    feed.close()
    feed = Feed(root, clock, config())
    log += at(0.1)
    feed.flush(log)
    assert_holds(root, log)
    assert ask(root, "SELECT requests_from FROM lake")[0][0] > START + timedelta(days=0.01)
    feed.close()


def test_repairing_a_lake_gives_up_the_time_of_lost_requests(feed: Feed, root: Path) -> None:
    log = at(0)
    feed.flush(log)
    log += at(1)
    feed.flush(log)
    oldest = min((part for part in feed.lake.state.parts if part.rollup == requests.NAME), key=lambda part: part.min_ts)
    feed.lake.give_up([oldest])
    assert days(root) == [1.0]
    assert_holds(root, log)
    assert datetime.fromtimestamp(START.timestamp(), UTC) < ask(root, "SELECT requests_from FROM lake")[0][0]


@pytest.mark.slow
def test_a_check_finds_requests_that_are_missing(feed: Feed, root: Path) -> None:
    feed.flush(at(0) + at(1) + at(2))
    feed.lake.compact_all()
    verified = verify(root)
    assert verified and not verified.problems
    state = feed.lake.state
    middle = sorted((part for part in state.parts if part.rollup == requests.NAME), key=lambda part: part.min_ts)[1]
    harmed = replace(state, parts=tuple(part for part in state.parts if part != middle))
    [problem] = sums.wrong_sums(root, harmed)
    day = f"{START + timedelta(days=1):%Y-%m-%d}"
    assert f"{day}: requests.rows" in str(problem) and "are 0, traffic.hits" in str(problem)
    assert not [*sums.wrong_sums(root, replace(harmed, requests_from=START + timedelta(days=1)))]
