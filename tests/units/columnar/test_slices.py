import os

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from logagg.columnar.slices import Column, Slices

PIECES = st.lists(st.tuples(st.binary(max_size=40), st.binary(max_size=3)), max_size=60)


def apart(pieces: list[tuple[bytes, bytes]]) -> Slices:
    """Return values with some unrelated bytes after each."""
    lengths = np.array([(len(value), len(value) + len(gap)) for value, gap in pieces], np.int64).reshape(-1, 2)
    start = np.cumsum(lengths[:, 1]) - lengths[:, 1]
    return Slices(np.frombuffer(b"".join(value + gap for value, gap in pieces), np.uint8), start, start + lengths[:, 0])


@given(PIECES)
def test_gathered_values_are_contiguous(pieces: list[tuple[bytes, bytes]]) -> None:
    assert apart(pieces).gather().to_pylist() == [value for value, _ in pieces]


@given(PIECES)
def test_each_value_is_encoded_once_in_order_of_appearance(pieces: list[tuple[bytes, bytes]]) -> None:
    codes, values = apart(pieces).encode()
    assert values.to_pylist() == list(dict.fromkeys(value for value, _ in pieces))
    assert values.take(pa.array(codes)).to_pylist() == [value for value, _ in pieces]


def test_a_dash_is_an_empty_value_on_request() -> None:
    values = Slices.of(pa.array([b"-", b"--", b"", b"a", b"-"], pa.binary()))
    assert values.encode(dash=True)[1].to_pylist() == [b"", b"--", b"a"]
    assert values.encode()[1].to_pylist() == [b"-", b"--", b"", b"a"]


def test_many_distinct_values_and_a_few_repeated_ones() -> None:
    words = [os.urandom(number % 48) for number in range(5000)]
    values = Slices.of(pa.array(words + words[::7] + words, pa.binary()))
    encoded = values.gather().dictionary_encode()
    codes, distinct = values.encode()
    assert codes.tolist() == encoded.indices.to_pylist() and distinct.equals(encoded.dictionary)


def test_a_slice_of_an_array_is_read_from_its_own_first_value() -> None:
    column = Column.of(pa.array([b"skipped", b"a", b"bc"]).slice(1))
    assert column.data.tobytes() == b"abc"
    assert column.array(pa.binary()).to_pylist() == [b"a", b"bc"]
