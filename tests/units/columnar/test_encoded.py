"""Dictionary-encoded text."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from logagg.columnar.encoded import shorten, without_unused

WORDS = st.lists(st.sampled_from(["", "a", "b", "c", None]), max_size=12)


def test_shorten_counts_characters() -> None:
    assert shorten(pa.array(["ййй", "a"]), 2).to_pylist() == ["йй", "a"]


@given(WORDS, st.integers(0, 12), st.integers(0, 12))
def test_a_part_of_a_column_drops_unused_entries(words: list[str | None], start: int, length: int) -> None:
    part = pa.array(words, pa.string()).dictionary_encode().slice(start, length)
    own = without_unused(part)
    assert own.to_pylist() == part.to_pylist() and own.type == part.type
    assert set(own.dictionary.to_pylist()) == set(part.to_pylist()) - {None}


@given(st.lists(st.none() | st.integers(0, 199), min_size=1, max_size=30))
def test_a_few_rows_of_a_column_with_many_entries(rows: list[int | None]) -> None:
    words = pa.array([f"/{number}" for number in range(200)])
    part = pa.DictionaryArray.from_arrays(pa.array(rows, pa.int32()), words)
    own = without_unused(part)
    assert own.to_pylist() == part.to_pylist() and own.type == part.type
    assert set(own.dictionary.to_pylist()) == set(part.to_pylist()) - {None}


def test_a_column_that_is_not_encoded_is_returned_unchanged() -> None:
    column = pa.array([1, None, 3])
    assert without_unused(column) is column
