from datetime import UTC, datetime

import pyarrow as pa
import pytest

from logagg.columnar.slices import Bytes, Offsets, Slices
from logagg.parse.lines import numbers
from logagg.parse.schemas import MOST_BYTES

NOW = datetime(2026, 11, 24, tzinfo=UTC).timestamp()


def places(*values: bytes) -> tuple[Bytes, Offsets, Offsets]:
    slices = Slices.of(pa.array(values, pa.binary()))
    return slices.data, slices.start, slices.end


def read_time(value: bytes, field: str) -> str | None:
    micros, valid = numbers.times(*places(value), field, NOW)
    if not valid[0]:
        return None
    return datetime.fromtimestamp(micros[0] / 1e6, UTC).isoformat()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"20/Nov/2026:01:02:03 +0000", "2026-11-20T01:02:03+00:00"),
        (b"20/Nov/2026:01:02:03 +0530", "2026-11-19T19:32:03+00:00"),
        (b"20/Nov/2026:01:02:03 -0800", "2026-11-20T09:02:03+00:00"),
        (b"29/Feb/2024:23:59:60 +0000", "2024-02-29T23:59:59+00:00"),
        (b"29/Feb/2026:00:00:00 +0000", None),
        (b"31/Nov/2025:00:00:00 +0000", None),
        (b"20/nov/2026:01:02:03 +0000", None),
        (b"20/Nov/2026:24:02:03 +0000", None),
        (b"20/Nov/2026:01:02:03 +0000 ", None),
        (b"20/Nov/2026 01:02:03 +0000", "2026-11-20T01:02:03+00:00"),
        (b"20/Nov/2026:01:02:03 +1500", None),
        (b"20/Nov/2026:01:02:03.250 +0100", "2026-11-20T00:02:03.250000+00:00"),
        (b"20/Nov/2026:01:02:03", "2026-11-20T01:02:03+00:00"),
        (b"[20/Nov/2026:01:02:03 +0000]", "2026-11-20T01:02:03+00:00"),
        (b"[20/Nov/2026:01:02:03 +0000", None),
        (b"07/Nov/3764:02:32:07 +0000", None),
        (b"01/Jan/1970:00:00:00 +0000", None),
        (b"26/Nov/2026:00:00:00 +0000", None),
        (b"-", None),
        (b"", None),
    ],
)
def test_time_local(value: bytes, expected: str | None) -> None:
    assert read_time(value, "time_local") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"2026-11-20T01:02:03+01:00", "2026-11-20T00:02:03+00:00"),
        (b"2026-11-20T01:02:03Z", "2026-11-20T01:02:03+00:00"),
        (b"2026-11-20 01:02:03.250Z", "2026-11-20T01:02:03.250000+00:00"),
        (b"2026-11-20T01:02:03.1234567-0130", "2026-11-20T02:32:03.123456+00:00"),
        (b"2026-11-20T01:02:03+01", "2026-11-20T00:02:03+00:00"),
        (b"2026-11-20T01:02:03", "2026-11-20T01:02:03+00:00"),
        (b"2026-11-20T01:02:03.1234567890123456789012Z", "2026-11-20T01:02:03.123456+00:00"),
        (b"2026-11-20 01:02:03,5 +0100", "2026-11-20T00:02:03.500000+00:00"),
        (b"2026-11-20 01:02:03 UTC", "2026-11-20T01:02:03+00:00"),
        (b"2026/11/20 01:02:03", "2026-11-20T01:02:03+00:00"),
        (b"2026-11/20 01:02:03", None),
        (b"2026-11-20T01:02:03 ", None),
        (b"2026-13-20T01:02:03Z", None),
        (b"2026-11-20T01:02:03.Z", None),
    ],
)
def test_time_iso8601(value: bytes, expected: str | None) -> None:
    assert read_time(value, "time_iso8601") == expected


@pytest.mark.parametrize(
    ("value", "field", "expected"),
    [
        (b"1763600000.250", "time_epoch", "2025-11-20T00:53:20.250000+00:00"),
        (b"1763600000", "time_epoch", "2025-11-20T00:53:20+00:00"),
        (b"1763600000250", "time_epoch_ms", "2025-11-20T00:53:20.250000+00:00"),
        (b"1763600000250000", "time_epoch_us", "2025-11-20T00:53:20.250000+00:00"),
        (b"1763600000250000999", "time_epoch_ns", "2025-11-20T00:53:20.250000+00:00"),
        (b"1763600000250000999.5", "time_epoch_ns", "2025-11-20T00:53:20.250000+00:00"),
        (b"999", "time_epoch_ns", None),
        (b"1763600000.25" + b"0" * 30, "time_epoch", "2025-11-20T00:53:20.250000+00:00"),
        (b"1763600000.", "time_epoch", None),
        (b"99999999999999999", "time_epoch", None),
        (b"-1763600000", "time_epoch", None),
    ],
)
def test_time_epoch(value: bytes, field: str, expected: str | None) -> None:
    assert read_time(value, field) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"1763600000.250", "2025-11-20T00:53:20.250000+00:00"),
        (b"1763600000250", "2025-11-20T00:53:20.250000+00:00"),
        (b"1763600000250.5", "2025-11-20T00:53:20.250500+00:00"),
        (b"1763600000250000", "2025-11-20T00:53:20.250000+00:00"),
        (b"1763600000250000999", "2025-11-20T00:53:20.250000+00:00"),
        (b"20/Nov/2026:01:02:03 +0000", "2026-11-20T01:02:03+00:00"),
        (b"[20/Nov/2026:01:02:03 +0000]", "2026-11-20T01:02:03+00:00"),
        (b"2026-11-20T01:02:03+01:00", "2026-11-20T00:02:03+00:00"),
        (b"2026/11/20 01:02:03.5", "2026-11-20T01:02:03.500000+00:00"),
        (b"Fri, 20 Nov 2026 01:02:03 GMT", "2026-11-20T01:02:03+00:00"),
        (b"Nov 20, 2026 @ 01:02:03.250", "2026-11-20T01:02:03.250000+00:00"),
        (b"Nov 2, 2026 @ 01:02:03", "2026-11-02T01:02:03+00:00"),
        (b"Nov 2, 2026 @ 01:02:03.5", "2026-11-02T01:02:03.500000+00:00"),
        (b"Nov 20, 2026 at 01:02:03", None),
        (b"Nov 31, 2025 @ 01:02:03", None),
        (b"123", None),
        (b"0.250", None),
        (b"12345678901", None),
        (b"01:02:03", None),
        (b"", None),
    ],
)
def test_a_time_in_any_form(value: bytes, expected: str | None) -> None:
    assert read_time(value, "time_any") == expected


def test_statuses() -> None:
    number, valid = numbers.statuses(*places(b"200", b"099", b"20", b"+20", b"2000", b"", b"999"))
    assert valid.tolist() == [True, False, False, False, False, False, True]
    assert number[[0, 6]].tolist() == [200, 999]


def test_sizes() -> None:
    number, valid = numbers.sizes(*places(b"-", b"", b"-1", b"0012", b"12.0", b"%d" % MOST_BYTES), MOST_BYTES)
    assert valid.all()
    assert number.tolist() == [0, 0, 0, 12, 12, MOST_BYTES]


def test_thousands_may_have_commas() -> None:
    number, valid = numbers.sizes(*places(b"5,120", b"1,048,576", b"000,001"), MOST_BYTES)
    assert valid.all()
    assert number.tolist() == [5120, 1_048_576, 1]


@pytest.mark.parametrize(
    "value",
    [
        b"1x",
        b"-2",
        b"+1",
        b"1,12",
        b"1234,567",
        b",123",
        b"1,234,",
        b"1,234.0",
        b"1,125,899,906,842,625",
        b"9" + b",999" * 40,
        b"1.5",
        b"1.",
        b".0",
        b"5e0",
        b"0x1F",
        b"%d" % (MOST_BYTES + 1),
        b"9" * 18,
        b"9" * 19,
        b"0" * 19,
        b"0" * 1_000_000,
    ],
)
def test_impossible_sizes(value: bytes) -> None:
    number, valid = numbers.sizes(*places(value), MOST_BYTES)
    assert (number[0], valid[0]) == (0, False)


def test_a_field_that_is_not_a_time_is_an_error() -> None:
    with pytest.raises(ValueError, match="time_of_day is not a time"):
        numbers.times(*places(b"12:00"), "time_of_day", NOW)
