"""Times without an offset, in a zone."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from logagg.parse.lines.zones import from_local


@pytest.mark.parametrize(
    ("written", "in_utc"),
    [
        ("2026-01-20T12:00:00", "2026-01-20T11:00:00"),
        ("2026-07-20T12:00:00.000001", "2026-07-20T10:00:00.000001"),
        ("2026-10-25T02:30:00", "2026-10-25T00:30:00"),  # twice: the first
        ("2026-10-25T03:00:00", "2026-10-25T02:00:00"),
    ],
)
def test_berlin(written: str, in_utc: str) -> None:
    times = np.array([micros(written)] * 3, np.int64)
    assert from_local(times, "Europe/Berlin").tolist() == [micros(in_utc)] * 3


def test_a_zone_of_three_quarters_of_an_hour() -> None:
    local = datetime(2026, 1, 1, 12, tzinfo=ZoneInfo("Asia/Kathmandu"))
    written = round(local.replace(tzinfo=UTC).timestamp() * 1_000_000)
    assert from_local(np.array([written], np.int64), "Asia/Kathmandu").tolist() == [
        round(local.timestamp() * 1_000_000)
    ]


def micros(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000_000)
