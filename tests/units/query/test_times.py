"""Times as people write them, in their zone: the days of clocks that go forward and back among them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logagg.errors import LogaggError
from logagg.query.times import moment, zone_of

NOW = datetime(2026, 3, 4, 12, 0, 30, tzinfo=UTC)  # a Wednesday
BERLIN, KATHMANDU, LOS_ANGELES = map(ZoneInfo, ("Europe/Berlin", "Asia/Kathmandu", "America/Los_Angeles"))


def at(text: object, zone: ZoneInfo = BERLIN, now: datetime = NOW) -> str:
    found = moment(text, now.timestamp(), zone=zone)  # type: ignore[arg-type]
    assert found
    return found.astimezone(UTC).isoformat().removesuffix("+00:00")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", "2026-03-04T12:00:30"),
        ("90s", "2026-03-04T11:59:00"),
        ("1h30m", "2026-03-04T10:30:30"),
        ("1h 30m ago", "2026-03-04T10:30:30"),
        ("2d", "2026-03-02T12:00:30"),
        ("today", "2026-03-03T23:00:00"),
        (" Yesterday ", "2026-03-02T23:00:00"),
        ("this week", "2026-03-01T23:00:00"),
        ("last  week", "2026-02-22T23:00:00"),
        ("this month", "2026-02-28T23:00:00"),
        ("last month", "2026-01-31T23:00:00"),
        ("this year", "2025-12-31T23:00:00"),
        ("2026-03-01", "2026-02-28T23:00:00"),
        ("2026-03-01T06:30", "2026-03-01T05:30:00"),
        ("2026-03-01 06:30Z", "2026-03-01T06:30:00"),
        ("2026-03-01T06:30+05:00", "2026-03-01T01:30:00"),
        (date(2026, 3, 1), "2026-02-28T23:00:00"),
        (datetime(2026, 3, 1, 6, 30), "2026-03-01T05:30:00"),  # noqa: DTZ001 - without a zone, it is the given one's
        (timedelta(hours=1), "2026-03-04T11:00:30"),
    ],
)
def test_times(text: object, expected: str) -> None:
    assert at(text) == expected


@pytest.mark.parametrize(
    "text", ["", "tomorrowish", "2026", "20261124", "1h30", "30m1", "-1h", "1e9y", "2026-13-01", "next week", "1h 30"]
)
def test_what_is_not_a_time_is_said(text: str) -> None:
    with pytest.raises(LogaggError, match=r"since: .* is not a time; write"):
        moment(text, NOW.timestamp())


def test_nothing_is_nothing() -> None:
    assert moment(None, NOW.timestamp()) is None


def test_days_have_23_or_25_hours_when_clocks_change() -> None:
    forward, back = datetime(2026, 3, 29, 12, tzinfo=UTC), datetime(2026, 10, 25, 12, tzinfo=UTC)
    assert (at("today", now=forward), at("today", now=forward + timedelta(days=1))) == (
        "2026-03-28T23:00:00",
        "2026-03-29T22:00:00",
    )
    assert (at("today", now=back), at("today", now=back + timedelta(days=1))) == (
        "2026-10-24T22:00:00",
        "2026-10-25T23:00:00",
    )


def test_a_day_whose_midnight_is_skipped_begins_an_hour_later_by_the_clock() -> None:
    cairo = ZoneInfo("Africa/Cairo")  # at midnight of 2026-04-24 it is one o'clock
    assert at("2026-04-24", cairo) == "2026-04-23T22:00:00"


@given(
    seconds=st.integers(946_684_800, 2_114_380_800),
    zone=st.sampled_from([ZoneInfo("UTC"), BERLIN, KATHMANDU, LOS_ANGELES]),
)
def test_days_of_a_zone_meet_and_hold_the_present(seconds: int, zone: ZoneInfo) -> None:
    now = datetime.fromtimestamp(seconds, UTC)
    today, yesterday = (moment(word, now.timestamp(), zone=zone) for word in ("today", "yesterday"))
    assert today and yesterday
    assert today <= now < today + timedelta(hours=26)
    assert timedelta(hours=23) <= today.astimezone(UTC) - yesterday.astimezone(UTC) <= timedelta(hours=25)
    assert today.astimezone(zone).date() == now.astimezone(zone).date()


def test_the_machine_says_its_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    assert zone_of("") == KATHMANDU
    assert zone_of("UTC").key == "UTC"


def test_utc_has_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tzlocal.get_localzone_name", lambda: "Etc/UTC")  # as on servers of Debian
    assert zone_of("").key == "UTC"


@pytest.mark.parametrize("name", ["Berlin", "../etc/passwd", "UTC+1", "Europe/Berlin\0", "a" * 5000])
def test_an_unknown_zone_is_said(name: str) -> None:
    with pytest.raises(LogaggError, match="is not a time zone; write a time zone such as"):
        zone_of(name)
