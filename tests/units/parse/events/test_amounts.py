"""Amounts of money: what is read, exactly, and what is none."""

from __future__ import annotations

import pyarrow as pa
import pytest

from logagg.parse.events.amounts import amounts


@pytest.mark.parametrize(
    ("written", "micros"),
    [
        ("0", 0),
        ("12", 12_000_000),
        ("12.5", 12_500_000),
        ("12.", 12_000_000),
        ("0.1", 100_000),
        ("-3.25", -3_250_000),
        ("999999999.999999", 999_999_999_999_999),
        ("0.0000019", 1),
        ("007.50", 7_500_000),
        ("1000000000", None),
        ("1,250.00", None),
        ("12,50", None),
        ("1e3", None),
        ("nan", None),
        ("", None),
        ("-", None),
        (".5", None),
        ("12 EUR", None),
        ("\u0661\u0662", None),
        ("1." + "0" * 300, None),
    ],
)
def test_an_amount(written: str, micros: int | None) -> None:
    assert amounts(pa.array([written])).to_pylist() == [micros]
