"""Totals and courses over time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logagg.errors import LogaggError
from logagg.explore.facts import Facts
from logagg.explore.overview import MOST_POINTS, TOTALS, Buckets, latency, series, totals
from logagg.explore.query import Ask
from logagg.explore.scope import Period, Scope, timestamp

ZONES = ("UTC", "Europe/Berlin", "America/Havana", "Pacific/Apia", "Australia/Lord_Howe", "Asia/Kathmandu")
DATABASE = duckdb.connect()
DATABASE.execute("SET TimeZone = 'UTC'")
FIRST = datetime(2005, 1, 1, tzinfo=UTC)
DAYS = {"since": "2026-03-03", "until": "2026-03-05"}


def scope(**asked: object) -> Scope:
    return Scope.of(0, **{**DAYS, **asked})  # type: ignore[arg-type]


def test_totals_are_those_of_the_reports(ask: Ask, facts: Facts) -> None:
    found = totals(scope(compare="previous"), facts, ask)
    condition = "ts >= '2026-03-03' AND ts < '2026-03-05'"
    expected = ask(
        f"SELECT sum(hits)::BIGINT, uniques(visitors), sum(hits) FILTER (kind = 'pageview')::BIGINT FROM traffic WHERE {condition}"
    ).rows[0]
    assert (found["now"]["hits"], found["now"]["visitors"], found["now"]["views"]) == tuple(expected)
    assert found["now"].keys() == found["before"].keys() == set(TOTALS)
    assert found["from"] == "rollups"
    for name, sql in found["sql"].items():
        row = ask(sql).as_dicts()[0]
        assert found["now"][name] == (row["clicks"] / row["impressions"] if name == "ctr" else row[name])


@pytest.mark.parametrize(
    "is_", [["path:/search"], ["browser:Chrome"], ["referrer:www.google.com", "path:/"], ["ext:png"]]
)
def test_totals_of_a_filter_are_those_of_its_requests(is_: list[str], ask: Ask, facts: Facts) -> None:
    found = totals(scope(is_=is_), facts, ask)["now"]
    where = " AND ".join(scope(is_=is_).conditions(scope().period))
    expected = ask(
        "SELECT count(*), count(DISTINCT visitor), count(*) FILTER (kind = 'pageview'), count(*) FILTER (status >= 400), "
        f"coalesce(sum(bytes), 0)::BIGINT FROM requests WHERE {where}"
    ).rows[0]
    assert [found[name] for name in ("hits", "visitors", "views", "errors", "bytes")] == list(expected)


def test_ads_by_what_only_traffic_has(ask: Ask, facts: Facts) -> None:
    found = totals(scope(is_=["method:GET"]), facts, ask)
    [(impressions, clicks, conversions)] = ask(
        "SELECT sum(hits) FILTER (kind = 'impression'), sum(hits) FILTER (kind = 'click'), coalesce(sum(hits) FILTER (kind = 'conversion'), 0) "
        "FROM traffic WHERE ts >= '2026-03-03' AND ts < '2026-03-05' AND method = 'GET'"
    ).rows
    now = found["now"]
    assert (now["impressions"], now["clicks"], now["conversions"]) == (impressions, clicks, conversions)
    assert now["ctr"] == clicks / impressions
    assert "repeated" in found["notes"]["clicks"] and "repeated" in found["notes"]["ctr"]
    assert "impressions" not in found["notes"]


@pytest.mark.parametrize("split", ["kind", "status_class"])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu"])
def test_the_bars_add_up_to_the_total(split: str, zone: str, ask: Ask, facts: Facts) -> None:
    for since in ("2026-03-04T20:00", "2026-03-02", "2025-06-01"):
        asked = scope(since=since, compare="previous", zone=zone)
        found = series(split, asked, facts, ask)
        hits = totals(asked, facts, ask)
        assert sum(map(sum, found["groups"].values())) == hits["now"]["hits"]
        assert all(len(one) == len(found["ts"]) for one in found["groups"].values())
        assert sum(found["before"]) == hits["before"]["hits"]
        assert len(found["ts"]) <= MOST_POINTS + 1


@pytest.mark.slow
def test_days_are_those_of_the_zone(ask: Ask, facts: Facts) -> None:
    asked = scope(since="2025-03-01", until="2026-03-06", zone="Europe/Berlin")
    starts = Buckets.of(asked.period, asked.zone)
    assert starts.seconds == 7 * 86_400
    asked = scope(since="2026-03-20", until="2026-09-30", zone="Europe/Berlin")
    starts = Buckets.of(asked.period, asked.zone)
    hours = {start.astimezone(UTC).hour for start in starts.starts}
    assert (starts.seconds, hours) == (86_400, {22, 23}), "midnight there, in winter and in summer"


def test_percentiles_over_time(ask: Ask, facts: Facts) -> None:
    found = latency(scope(), facts, ask)
    assert len(found["ts"]) == len(found["p95"])
    assert all(low is None or low <= high for low, high in zip(found["p50"], found["p99"], strict=True))
    assert any(found["p95"])


def test_a_wrong_split(ask: Ask, facts: Facts) -> None:
    with pytest.raises(LogaggError, match="split: 'x'"):
        series("x", scope(), facts, ask)


def test_points_of_any_window_are_few() -> None:
    start = datetime(2020, 1, 1, tzinfo=UTC)
    for minutes in (1, 59, 200, 1441, 100_000, 5_000_000):
        end = start + timedelta(minutes=minutes)
        period = Scope.of(0, since=start.isoformat(), until=end.isoformat()).period
        found = Buckets.of(period, "America/New_York")
        assert 0 < len(found.starts) <= MOST_POINTS + 1
        assert found.starts[0] <= period.since and found.starts[-1] < period.until


@given(st.integers(0, 10_000_000), st.integers(1, 5_000_000), st.sampled_from(ZONES), st.data())
def test_every_minute_has_a_bucket(start: int, length: int, zone: str, data: st.DataObject) -> None:
    since = FIRST + timedelta(minutes=start)
    buckets = Buckets.of(Period(since, since + timedelta(minutes=length)), zone)
    minute = since + timedelta(minutes=data.draw(st.integers(0, length - 1)))
    [(name,)] = DATABASE.execute(f"SELECT {buckets.column()} FROM (SELECT {timestamp(minute)} AS ts)").fetchall()
    place = buckets.places[name]
    assert buckets.starts[place] <= minute
    assert place + 1 == len(buckets.starts) or minute < buckets.starts[place + 1]
    assert len(buckets.starts) <= 202


@pytest.mark.parametrize("days", [364, 2_000])
def test_days_and_weeks_are_those_of_the_zone(days: int) -> None:
    buckets = Buckets.of(Period(FIRST, FIRST + timedelta(days=days)), "Asia/Kathmandu")
    assert {(one.hour, one.minute) for one in buckets.starts} == {(18, 15)}


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
@pytest.mark.parametrize(
    ("since", "until"), [("2026-03-04T00:00", "2026-03-04T05:01"), ("2026-03-03T11:07", "2026-12-01")]
)
def test_a_compared_period_is_laid_over_the_buckets_of_the_window(
    since: str, until: str, zone: str, ask: Ask, facts: Facts
) -> None:
    asked = scope(since=since, until=until, compare="previous", zone=zone)
    found = series("kind", asked, facts, ask)
    assert len(found["before"]) == len(found["ts"])
    assert sum(found["before"]) == totals(asked, facts, ask)["before"]["hits"] > 0
    if found["grain"] < 86_400:
        length, grain = asked.period.length, timedelta(seconds=found["grain"])
        for start, hits in zip(found["ts"], found["before"], strict=True):
            first = max(start, asked.period.since) - length
            last = min(start + grain, asked.period.until) - length
            [(expected,)] = ask(
                f"SELECT coalesce(sum(hits), 0) FROM traffic WHERE {Period(first, last).condition()}"
            ).rows
            assert hits == expected
