from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logagg.parquet import thrift


# The examples of the protocol's specification, and the bounds of each length.
@pytest.mark.parametrize(
    ("number", "expected"),
    [(0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (300, "ac02"), (50399, "df8903"), (2**64 - 1, "ff" * 9 + "01")],
)
def test_numbers_are_groups_of_seven_bits(number: int, expected: str) -> None:
    assert thrift.varint(number).hex() == expected


@pytest.mark.parametrize(("number", "expected"), [(0, 0), (-1, 1), (1, 2), (-2, 3), (2**63 - 1, 2**64 - 2)])
def test_signs_are_the_lowest_bits(number: int, expected: int) -> None:
    assert thrift.i64(number) == (6, thrift.varint(expected))


@given(st.integers(-(2**63), 2**63 - 1))
def test_numbers_come_back(number: int) -> None:
    _, payload = thrift.i64(number)
    unsigned = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(payload))
    assert (unsigned >> 1) ^ -(unsigned & 1) == number
    assert [byte >> 7 for byte in payload] == [1] * (len(payload) - 1) + [0]


def test_a_struct_has_the_distance_and_the_type_of_each_field() -> None:
    fields = {1: thrift.i32(5), 3: thrift.flag(True), 4: thrift.flag(False), 14: thrift.binary(b"ab")}
    assert thrift.struct(fields) == (12, bytes.fromhex("150a 21 12 a8026162 00"))


def test_a_long_list_has_its_length_behind_its_type() -> None:
    assert thrift.listed([thrift.i8(-1)] * 14) == (9, b"\xe3" + b"\xff" * 14)
    assert thrift.listed([thrift.i8(-1)] * 15) == (9, b"\xf3\x0f" + b"\xff" * 15)
    assert thrift.listed([]) == (9, b"\x0c")
