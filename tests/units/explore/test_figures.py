"""Numbers as people read them. `tests/web/test_twins.py` compares them with those of the page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from logagg.explore import figures


@pytest.mark.parametrize(
    ("function", "values"),
    [
        (
            figures.count,
            {None: "–", 0: "0", 12.34: "12.3", 12345: "12,345", 99999: "99,999", 123456: "123k", 10**18: "1000P"},
        ),
        (figures.exact, {1234567: "1,234,567", 0.12345: "0.123", -5: "-5", Decimal(2**70): f"{2**70:,}"}),
        (figures.size, {0: "0 B", 999: "999 B", 1000: "1 kB", 1536: "1.54 kB", 10**20: "100000 PB"}),
        (figures.ratio, {0: "0 %", 0.5: "50 %", 0.0123: "1.23 %", 0.999: "99.9 %"}),
        (figures.seconds, {0: "0 s", 0.00012: "120 µs", 0.0123: "12.3 ms", 1.5: "1.5 s", 93: "93 s"}),
        (figures.change, {None: "–", 0.0001: "0 %", 0.052: "+5.2 %", -0.5: "−50 %", 12: "13 ×"}),
        (figures.age, {None: "–", 0: "0 s", 119: "119 s", 120: "2 min", 7200: "2 h", 200000: "2 d"}),
    ],
)
def test_figures(function: object, values: dict[object, str]) -> None:
    assert callable(function)
    assert {value: function(value) for value in values} == values


def test_times() -> None:
    berlin, day = ZoneInfo("Europe/Berlin"), datetime(2026, 11, 29, 23, tzinfo=UTC)
    assert figures.period(day, day + timedelta(days=1), berlin) == "Mon 30 Nov"
    assert figures.period(day, day + timedelta(days=2), berlin) == "Mon 30 Nov – Tue 1 Dec"
    assert figures.period(day, day + timedelta(days=1), UTC) == "Sun 29 Nov 23:00 – Mon 30 Nov 23:00"
    assert figures.period(day, day + timedelta(minutes=5), berlin) == "Mon 30 Nov 00:00 – 00:05"
    assert figures.stamp(day + timedelta(milliseconds=5), UTC) == "2026-11-29 23:00:00.005"
    assert figures.duration(timedelta(minutes=30)) == "30 minutes" and figures.duration(timedelta(hours=1)) == "1 hour"
    assert figures.dimension_title("status_class") == "Status class" and figures.dimension_title("os") == "System"
