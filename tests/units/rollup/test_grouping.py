"""Grouping by sorting agrees with dictionaries and sets."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logagg.rollup import group_by
from logagg.rollup.grouping import Grouping, KeyCodes, Totals
from logagg.sketches import K

KEYS = st.lists(st.tuples(st.sampled_from(["", "a", "b", None]), st.integers(-3, 3)), min_size=1, max_size=60)
SKETCH = st.lists(st.integers(0, 40) | st.integers(0, 2**64 - 1), max_size=8, unique=True).map(sorted)


def grouped(keys: Sequence[tuple[object, int]]) -> tuple[Grouping, dict[tuple[object, int], list[int]]]:
    """Group rows both ways."""
    words, numbers = zip(*keys, strict=True)
    columns = [KeyCodes.of(pa.array(words, pa.string())), KeyCodes.of_integers(np.array(numbers, np.int64))]
    expected = defaultdict(list)
    for row, key in enumerate(keys):
        expected[key].append(row)
    return Grouping.by(columns), expected


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 9), max_size=60), st.integers(0, 64), st.integers(0, 64))
@example([8192, 0], 0, 13)  # two digits have more bits than are wanted
def test_sorted_by_some_bits(numbers: list[int], low: int, high: int) -> None:
    found = group_by.sort(np.array(numbers, np.uint64), low, high).tolist()
    assert found == sorted(numbers, key=lambda number: (number % 2**high) >> low)


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(2**50, 2**50 + 2) | st.integers(0, 2), max_size=60))
def test_ranked_by_hashes(hashes: list[int]) -> None:
    found = group_by.rank(np.array(hashes, np.uint64)).tolist()
    assert found == sorted(range(len(hashes)), key=hashes.__getitem__)


@given(KEYS, st.data())
def test_some_rows_in_the_order_of_their_hashes(keys: list[tuple[object, int]], data: st.DataObject) -> None:
    where = data.draw(st.lists(st.booleans(), min_size=len(keys), max_size=len(keys)))
    ranked = data.draw(st.permutations(range(len(keys))))
    numbers = [key for _, key in keys]
    groups = Grouping.by([KeyCodes.of_integers(np.array(numbers))], np.array(where), np.array(ranked, np.int32))
    assert groups.order.tolist() == sorted(filter(where.__getitem__, ranked), key=numbers.__getitem__)
    assert [numbers[row] for row in groups.example] == sorted(
        {key for key, counts in zip(numbers, where, strict=True) if counts}
    )


@pytest.mark.slow
@given(KEYS)
def test_rows_of_equal_keys_are_a_group(keys: list[tuple[object, int]]) -> None:
    groups, expected = grouped(keys)
    found = {keys[rows[0]]: rows for rows in (rows.tolist() for rows in np.split(groups.order, groups.starts[1:]))}
    assert found == expected


def whole(totals: Totals, unit: int = 1) -> list[int]:
    """Return the totals as whole multiples of a unit."""
    carries = [0] * len(totals.held) if totals.carries is None else totals.carries.tolist()
    return [
        round(held * unit) + many * round(totals.carry * unit)
        for held, many in zip(totals.held.tolist(), carries, strict=True)
    ]


@given(KEYS, st.data())
def test_totals_of_some_rows(keys: list[tuple[object, int]], data: st.DataObject) -> None:
    values = data.draw(
        st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 9), min_size=len(keys), max_size=len(keys))
    )
    where = data.draw(st.lists(st.booleans(), min_size=len(keys), max_size=len(keys)))
    groups, expected = grouped(keys)
    found = groups.totals(np.array(values, np.int64), np.array(where))
    assert whole(found) == [
        sum(values[row] for row in expected[keys[example]] if where[row]) for example in groups.example
    ]
    assert (np.abs(found.held) < 2**62).all()


@given(KEYS, st.data())
def test_totals_of_durations_are_whole_nanoseconds_in_any_order(
    keys: list[tuple[object, int]], data: st.DataObject
) -> None:
    weeks = st.integers(0, 604_800 * 10**9) | st.integers(0, 10**9).map(lambda n: n // 10**6 * 10**6)
    values = data.draw(st.lists(weeks, min_size=len(keys), max_size=len(keys)))
    groups, expected = grouped(keys)
    found = groups.totals(np.array([value / 1e9 for value in values]))
    assert whole(found, 10**9) == [sum(values[row] for row in expected[keys[example]]) for example in groups.example]
    again = groups.totals(np.array([math.nan if value == 0 else value / 1e9 for value in values]))
    assert whole(again, 10**9) == whole(found, 10**9)
    assert (found.held < 2**50 / 1e9).all()


def test_durations_of_a_lake_without_the_bound() -> None:
    groups, _ = grouped([(None, 0)] * 3)
    assert groups.totals(np.array([1e18, 0.5, 1e17])).held.tolist() == [1.1e18]


@pytest.mark.slow
@given(rows=st.lists(st.tuples(st.integers(0, 5), SKETCH), min_size=1, max_size=40))
def test_merged_sketches_are_unions(rows: list[tuple[int, list[int]]]) -> None:
    keys, sketches = zip(*rows, strict=True)
    groups, expected = grouped([(None, key) for key in keys])
    unions = [sorted(set().union(*(sketches[row] for row in expected[None, keys[one]]))) for one in groups.example]
    lists = pa.array([[1, 2], *sketches], pa.list_(pa.uint64())).slice(1)
    assert groups.merged(lists).to_pylist() == unions


@given(KEYS, st.data())
def test_sketches_are_the_distinct_hashes_of_some_rows(keys: list[tuple[object, int]], data: st.DataObject) -> None:
    hashes = sorted(data.draw(st.lists(st.integers(0, 9), min_size=len(keys), max_size=len(keys))))
    where = data.draw(st.lists(st.booleans(), min_size=len(keys), max_size=len(keys)))
    groups, expected = grouped(keys)
    some = [sorted({hashes[row] for row in expected[keys[one]] if where[row]}) for one in groups.example]
    assert groups.sketches(np.array(hashes, np.uint64), np.array(where)).to_pylist() == some


def test_a_sketch_keeps_the_smallest() -> None:
    hashes = np.sort(np.random.default_rng(1).integers(0, 2**64 - 1, 3 * K, np.uint64, endpoint=True))
    everyone, _ = grouped([(None, 0)] * len(hashes))
    sketch = everyone.sketches(hashes)
    assert sketch.to_pylist() == [np.unique(hashes)[:K].tolist()]
    again, _ = grouped([(None, 0)] * 2)
    assert again.merged(pa.concat_arrays([sketch, sketch])).equals(sketch)
    both = again.merged(pa.array([hashes[: 2 * K : 2].tolist(), hashes[1 : 2 * K : 2].tolist()], pa.list_(pa.uint64())))
    assert both.equals(sketch)


@given(st.lists(st.tuples(*[st.integers(0, 2**40)] * 3), min_size=1, max_size=40))
def test_keys_that_do_not_fit_into_one_number(keys: list[tuple[int, int, int]]) -> None:
    columns = [KeyCodes.of_integers(np.array(column, np.int64)) for column in zip(*keys, strict=True)]
    wide = [KeyCodes(column.numbers, 1 << 30) for column in columns]
    groups = Grouping.by(wide)
    found = [{keys[row] for row in rows.tolist()} for rows in np.split(groups.order, groups.starts[1:])]
    assert found == [{key} for key in sorted(set(keys))]
