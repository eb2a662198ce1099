"""Columns: their rows in another order, and text as it is, equal to what Arrow makes of them."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logagg.rollup.columns import Columns, ordered, taken

TIME = pa.timestamp("us", "UTC")
NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
COLUMNS = {
    "text": pa.array(["a", "b", "a", "", "c"]),
    "codes": pa.array(["a", "b", "a", "", "c"]).dictionary_encode(),
    "codes with nulls": pa.array(["a", None, "a", "", None]).dictionary_encode(),
    "codes without values": pa.nulls(5, pa.dictionary(pa.int32(), pa.string())),
    "times": pa.array([NOON] * 5, TIME),
    "numbers": pa.array([5, 4, 3, 2, 1], pa.int64()),
    "numbers with nulls": pa.array([5, None, 3, None, 1], pa.int64()),
    "small": pa.array([200, 404, 301, 200, -1], pa.int16()),
    "hashes": pa.array([0, 2**64 - 1, 1, 2, 3], pa.uint64()),
    "fractions": pa.array([0.5, -0.0, 1e300, 2.0, 3.0]),
    "truth": pa.array([True, False, False, True, True]),
    "lists": pa.array([[1], [], [2, 3], [4], []], pa.list_(pa.uint64())),
}


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("rows", [[], [0], [4, 3, 2, 1, 0], [1, 1, 1, 3, 0, 4, 4]])
def test_rows_are_taken_as_arrow_does(name: str, rows: list[int]) -> None:
    column = pa.concat_arrays([COLUMNS[name], COLUMNS[name]])
    for some in (column, column.slice(3, 5)):
        found = taken(some, np.array(rows, np.int32))
        found.validate(full=True)
        assert found.equals(some.take(pa.array(rows, pa.int32())))


@given(st.lists(st.integers(-(2**62), 2**62) | st.integers(0, 5), min_size=1), st.sampled_from([1, 10**6]))
def test_rows_of_one_time_keep_their_order(seconds: list[int], unit: int) -> None:
    times = np.array([second % 2**40 * unit if unit > 1 else second for second in seconds], np.int64)
    assert ordered(times).tolist() == np.argsort(times, kind="stable").tolist()


@pytest.mark.parametrize("name", ["codes", "codes with nulls", "codes without values"])
def test_text_is_plain(name: str) -> None:
    columns = Columns([pa.table({"a": COLUMNS[name]}), pa.table({"a": COLUMNS[name].slice(2, 2)})])
    expected = pa.concat_arrays([COLUMNS[name], COLUMNS[name].slice(2, 2)]).cast(pa.string())
    assert columns.plain("a").equals(expected)
