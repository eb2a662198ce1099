from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logagg.columnar.dictionary import encode_numbers, masked, spread
from logagg.columnar.slices import Slices


@pytest.mark.parametrize("kind", [np.bool_, np.int16, np.int32, np.uint64, np.float64])
def test_values_are_spread_as_numpy_does(kind: type) -> None:
    values: np.ndarray[Any, Any] = np.arange(5).astype(kind)
    codes = np.array([4, 0, -1, -5, 2], np.int32)
    assert np.array_equal(spread(values, codes), values[codes]) and spread(values, codes).dtype == kind
    for beyond in (5, -6):
        with pytest.raises(IndexError, match="a code beyond 5 values"):
            spread(values, np.array([0, beyond], np.int32))


def test_codes_are_masked_as_numpy_does() -> None:
    codes, mask = np.arange(5, dtype=np.int32), np.array([True, False, True, True, False])
    assert (
        masked(codes, mask, -1).tolist() == np.where(mask, codes, -1).tolist()
        and masked(codes, mask, -1).dtype == np.int32
    )
    with pytest.raises(ValueError, match="of one length"):
        masked(codes, mask[:4], -1)


@pytest.mark.parametrize("distinct", [0, 1, 2000, 30_000])  # 4096 slots are the first
def test_numbers_are_encoded_in_the_order_of_their_first_occurrence(distinct: int) -> None:
    random = np.random.default_rng(distinct)
    numbers = random.integers(0, 2**64, distinct, dtype=np.uint64)[random.integers(0, max(1, distinct), 2 * distinct)]
    codes, found = encode_numbers(numbers)
    assert found.tolist() == list(dict.fromkeys(numbers.tolist()))
    assert np.array_equal(found[codes], numbers)


@given(st.lists(st.binary(max_size=40), max_size=30), st.randoms())
def test_values_of_any_length_are_copied(values: list[bytes], random: Random) -> None:
    """Short ones are copied as 16 bytes, also near the end of the data."""
    rows = [random.choice(values) for _ in range(2 * len(values))]
    found = Slices.of(pa.array(values, pa.binary()))
    taken = found.take(np.array([values.index(row) for row in rows], np.int64))
    assert taken.gather().to_pylist() == rows
