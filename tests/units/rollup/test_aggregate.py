from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logagg.rollup.aggregate import OTHER, fold, merge
from logagg.rollup.definitions import LATENCY, Measure, Part, Rollup

HEAVY = Rollup(
    "heavy",
    ("path",),
    (Part({"hits": Measure("count"), "bytes": Measure("sum", "bytes"), "visitors": Measure("uniques")}),),
)
ROWS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from("abc"), st.integers(2**61, 2**63 - 1)), min_size=1, max_size=30
)


def rows_of(made: list[tuple[int, str, int]]) -> pa.Table:
    """Return rows of the rollup `heavy`: minute, path, bytes."""
    ordered = sorted(made, key=lambda row: row[0])
    rows = [
        {"ts": minute * 60_000_000, "path": path, "hits": 1, "bytes": size, "visitors": [5]}
        for minute, path, size in ordered
    ]
    return pa.Table.from_pylist(rows, pa.schema([pa.field("ts", pa.int64()), *list(HEAVY.schema)[1:]])).cast(
        HEAVY.schema
    )


def sums_of(rows: pa.Table, *keys: str) -> Counter[tuple[Any, ...]]:
    found: Counter[tuple[Any, ...]] = Counter()
    for row in rows.to_pylist():
        found["hits", *(row[key] for key in keys)] += row["hits"]
        found["bytes", *(row[key] for key in keys)] += row["bytes"]
    return found


@given(ROWS, ROWS)
@pytest.mark.slow
def test_merges_of_merges_lose_nothing_beyond_64_bits(
    some: list[tuple[int, str, int]], more: list[tuple[int, str, int]]
) -> None:
    everything = rows_of([*some, *more])
    twice = merge(HEAVY, pa.concat_tables([merge(HEAVY, rows_of(made)).cast(HEAVY.schema) for made in (some, more)]))
    assert sums_of(twice, "ts", "path") == sums_of(everything, "ts", "path")
    assert twice["ts"].to_pylist() == sorted(twice["ts"].to_pylist())
    assert merge(HEAVY, twice).to_pylist() == twice.to_pylist(), "merging again changes nothing"
    hours = merge(HEAVY, twice, 3600)
    assert sums_of(hours, "path") == sums_of(everything, "path")
    assert hours.num_rows <= len(some + more) * 2 + 3


@given(ROWS, st.integers(1, 3))
def test_a_key_is_folded_with_all_its_carried_rows(made: list[tuple[int, str, int]], keys: int) -> None:
    rows = rows_of(made)
    folded = fold(HEAVY, rows, keys)
    assert sums_of(folded, "ts") == sums_of(rows, "ts")
    whole, kept = sums_of(rows, "ts", "path"), sums_of(folded, "ts", "path")
    if folded is not rows:
        for (what, ts, path), value in kept.items():
            assert path == OTHER or value == whole[what, ts, path]


@pytest.mark.slow
@given(st.lists(st.integers(0, 604_800 * 10**9), min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_durations_add_up_the_same_in_any_order_and_portions(durations: list[int], draw: random.Random) -> None:
    def once(values: list[int]) -> pa.Table:
        ts, words = (
            pa.array(np.zeros(len(values), np.int64)).cast(pa.timestamp("us", "UTC")),
            pa.array(["a"] * len(values)),
        )
        seconds = [value / 1e9 for value in values]
        columns = [
            ts,
            words,
            words,
            pa.array([7] * len(values), pa.int16()),
            pa.array([False] * len(values)),
            pa.array([1] * len(values)),
            pa.array(seconds),
        ]
        return merge(LATENCY, pa.table(columns, schema=LATENCY.schema)).cast(LATENCY.schema)

    shuffled, cut = draw.sample(durations, len(durations)), draw.randrange(len(durations) + 1)
    pieces = [once(some) for some in (shuffled[:cut], shuffled[cut:]) if some]
    merged = merge(LATENCY, pa.concat_tables(pieces)).cast(LATENCY.schema)
    assert merged.to_pylist() == once(durations).to_pylist()
    assert sum(round(seconds * 1e9) for seconds in merged["seconds"].to_pylist()) == sum(durations)
