"""Units of durations: what names say, and what values prove."""

import pytest

from logagg.parse.json_units import unit_of, unit_said


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("duration", ""),
        ("durationms", "milliseconds"),
        ("durationseconds", "seconds"),
        ("durationus", "microseconds"),
        ("durationnanos", "nanoseconds"),
        ("durationhuman", ""),
        ("durationclass", None),
        ("latency", None),
    ],
)
def test_the_unit_in_a_name(name: str, unit: str | None) -> None:
    assert unit_said(name, "duration") == unit


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        (["0.000", "0.010", "0.250"], "seconds"),  # nginx
        (["0.013000000000000001", "0.004", "0.0021"], "seconds"),  # sub-millisecond decimals: no milliseconds
        (["4e-05", "0.003"], "seconds"),
        (["12ms", "1.5s"], "seconds"),  # they say it themselves
        (["13\u00b5s"], "seconds"),
        (["125"], "milliseconds"),
        (["0", "3", "250", "12"], "milliseconds"),
        (["21.29", "255.57", "0.43"], "milliseconds"),
        (["1.2E2", "8"], "milliseconds"),
        (["0", "1", "0"], ""),  # Apache's %T, or fast milliseconds
        (["0.234567", "1.25"], ""),
        (["45123", "1204500", "187"], ""),  # microseconds, or slow milliseconds
        (["45123000", "2451230000"], ""),
        (["-", ""], ""),
        ([], ""),
    ],
)
def test_the_unit_that_values_prove(values: list[str], unit: str) -> None:
    assert unit_of([value.encode() for value in values]) == unit


def test_variables_of_nginx_are_seconds_even_of_slow_requests_or_without_values_yet() -> None:
    assert unit_of([b"1.250", b"61.000"], is_nginx=True) == "seconds"
    assert unit_of([], is_nginx=True) == "seconds"
    assert unit_of([b"125", b"250"], is_nginx=True) == "milliseconds", "another server has the same name for it"
