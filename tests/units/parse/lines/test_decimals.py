from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logagg.parse.lines.decimals import decimals, upstream_seconds
from logagg.parse.schemas import LONGEST


def test_decimals() -> None:
    number, valid = decimals(pa.array([b"0.25", b"3", b".1", b"1.", b"1\n", b"-", b"1e3"]))
    assert valid.tolist() == [True, True, False, False, False, False, True]
    assert number[:2].tolist() == [0.25, 3.0]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("12ms", 0.012),
        ("0.013s", 0.013),
        ("1.5 ms", 0.0015),
        ("13\u00b5s", 13e-6),
        ("13\u03bcs", 13e-6),
        ("45us", 45e-6),
        ("100ns", 1e-7),
        ("1m30.5s", 90.5),
        ("1h2m", 3720.0),
        ("1h0m0.25s", 3600.25),
        ("1E-3s", 0.001),
        ("ms", None),
        ("12 min", None),
        ("1s2", None),
        ("-1ms", None),
    ],
)
def test_a_duration_may_say_its_unit(value: str, seconds: float | None) -> None:
    for unit in (1, 1_000):
        number, valid = decimals(pa.array([value.encode()]), unit)
        assert (number[0] if valid[0] else None) == (seconds and pytest.approx(seconds))


def test_upstream_seconds_in_other_units() -> None:
    number, valid = upstream_seconds(pa.array([b"250, 500", b"0.25s : 500", b"-"]), 1_000)
    assert (number[:2].tolist(), valid.tolist()) == ([0.75, 0.75], [True, True, False])


def test_upstream_seconds_are_summed_over_all_upstreams() -> None:
    number, valid = upstream_seconds(pa.array([b"0.25, 0.5 : 0.25", b"-", b"", b"-, 0.5"]))
    assert valid.tolist() == [True, False, False, True]
    assert number[[0, 3]].tolist() == [1.0, 0.5]


@pytest.mark.parametrize(
    "value",
    [
        "1e308",
        "1e999",
        "9" * 18,
        "9" * 40,
        "0" * 41,
        "-1",
        "-0.5",
        "+1",
        "nan",
        "inf",
        "0x1F",
        "4e--5",
        "4e-1000",
        "604800.001",
    ],
)
def test_impossible_durations_are_null(value: str) -> None:
    for read in (decimals, upstream_seconds):
        _, valid = read(pa.array([value.encode(), b"1"]))
        assert valid.tolist() == [False, True]


@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000])
def test_the_longest_duration_is_a_week_in_every_unit(unit: int) -> None:
    week = int(LONGEST) * unit
    number, valid = decimals(pa.array([b"%d" % week, b"%d" % (week + 1)]), unit)
    assert (number[0], valid.tolist()) == (LONGEST, [True, False])


def test_upstream_seconds_whose_sum_is_too_long() -> None:
    _, valid = upstream_seconds(pa.array([b"604800, 0.001", b"604799 : 1", b"99999999999, 0.1"]))
    assert valid.tolist() == [False, True, False]


@given(st.floats(0, LONGEST))
def test_numbers_written_as_json_are_read_unchanged(value: float) -> None:
    """Python writes 17 digits, and small numbers with an exponent."""
    number, valid = decimals(pa.array([repr(value).encode()]))
    assert not valid[0] if 0 < value < 1e-99 else (number[0], valid[0]) == (value, True)
