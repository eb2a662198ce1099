"""Windows, filters and compared periods, from the texts of a request."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from logagg.errors import LogaggError
from logagg.explore.scope import Scope

NOW = datetime(2026, 3, 4, 12, 0, 30, tzinfo=UTC)


def scope(**asked: object) -> Scope:
    return Scope.of(NOW.timestamp(), **asked)  # type: ignore[arg-type]


def test_windows_are_whole_minutes() -> None:
    period = scope(since="90s").period
    assert (period.since, period.until) == (NOW.replace(minute=59, hour=11, second=0), NOW.replace(minute=1, second=0))


def test_a_day_is_looked_at_unless_a_request_says_otherwise() -> None:
    assert scope().period.length == timedelta(days=1, minutes=1)


@pytest.mark.parametrize(
    ("compare", "since", "days"),
    [("previous", "2026-03-02", 2), ("week", "2026-03-02", 7), ("week", "2026-02-22", 14), ("year", "2026-03-02", 364)],
)
def test_the_compared_period(compare: str, since: str, days: int) -> None:
    found = scope(since=since, until="2026-03-04", compare=compare)
    assert found.before
    assert found.period.since - found.before.since == timedelta(days=days)
    assert found.before.length == found.period.length
    assert found.before.until <= found.period.since, "they do not overlap"
    if compare != "previous":
        assert found.before.since.weekday() == found.period.since.weekday()


@pytest.mark.parametrize(("compare", "days"), [("previous", 3), ("week", 7), ("year", 364)])
def test_a_compared_period_has_the_same_hours_of_the_clock_when_it_has_changed(compare: str, days: int) -> None:
    """Clocks go forward on 2026-03-29, so those days have an hour more or less."""
    found = scope(since="2026-03-28", until="2026-03-31", compare=compare, zone="Europe/Berlin")
    assert found.before
    clock = [
        one.astimezone(ZoneInfo("Europe/Berlin")).replace(tzinfo=None)
        for one in (found.before.since, found.before.until)
    ]
    assert [one + timedelta(days=days) for one in clock] == [datetime(2026, 3, 28), datetime(2026, 3, 31)]  # noqa: DTZ001


def test_words_for_days_are_those_of_the_zone() -> None:
    found = scope(since="yesterday", until="today", zone="Asia/Kathmandu").period
    assert (found.since.isoformat(), found.until.isoformat()) == (
        "2026-03-02T18:15:00+00:00",
        "2026-03-03T18:15:00+00:00",
    )


def test_filters_of_one_dimension_are_alternatives() -> None:
    found = scope(is_=["path:/a", "status:404", "path:/it's"], is_not=["referrer:"])
    assert found.filter_conditions() == [
        '"status" IN (404)',
        "\"path\" IN ('/a', '/it''s')",
        "coalesce(\"referrer\", '') NOT IN ('')",
    ]
    assert found.dimensions == {"path", "status", "referrer"}


def test_no_value_is_null_and_empty_text() -> None:
    assert scope(is_=["country:"]).filter_conditions() == ["coalesce(\"country\", '') IN ('')"]


def test_a_status_class_needs_the_status() -> None:
    found = scope(is_=["status_class:4xx", "status_class:5xx"])
    assert found.filter_conditions() == ['"status" // 100 IN (4, 5)']
    assert found.dimensions == {"status"}


@pytest.mark.parametrize(("bots", "condition"), [("include", []), ("exclude", ["NOT is_bot"]), ("only", ["is_bot"])])
def test_robots(bots: str, condition: list[str]) -> None:
    assert scope(bots=bots).filter_conditions() == condition


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"since": "tomorrow"}, "since: 'tomorrow' is not a time"),
        ({"since": "2026-03-04", "until": "2026-03-03"}, "since: not before until"),
        ({"since": "0001-01-01"}, "not between 1970 and 2200"),
        ({"compare": "month"}, "compare: 'month'"),
        ({"bots": "some"}, "bots: 'some'"),
        ({"is_": ["path"]}, "filter 'path'"),
        ({"is_": ["visitor:1"]}, "filter 'visitor:1'"),
        ({"is_": ['path"; DROP TABLE lake; --:x']}, "is not valid"),
        ({"is_": ["status:404) OR (1=1"]}, "status: '404) OR (1=1'"),
        ({"is_": ["status_class:9xx"]}, "status_class: '9xx'"),
        ({"is_": ["path:\0"]}, "no event has such a value"),
        ({"is_": ["path:" + "x" * 10_000]}, "no event has such a value"),
        ({"is_": [f"path:{number}" for number in range(101)]}, "101 values are too many"),
        ({"zone": "Europe/Nowhere"}, "tz: 'Europe/Nowhere'"),
        ({"zone": "../../etc/passwd"}, "tz:"),
    ],
)
def test_a_wrong_request_is_refused_in_a_sentence(asked: dict[str, object], said: str) -> None:
    with pytest.raises(LogaggError, match=".") as refused:
        scope(**asked)
    assert said in str(refused.value)
