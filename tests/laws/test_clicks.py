"""Clicks in any order and any portions have the totals of a plain count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from logagg.rollup import clicks as stage
from logagg.rollup.clicks import prune

WINDOW = 30_000_000
MINUTE = 60_000_000

Click = tuple[int, int, str, str, str, str, bool]  # time, visitor, site, campaign, ad, placement, is_bot
COLUMNS = ("time", "visitor", "site", "campaign", "ad", "placement", "is_bot")
TEXT = pa.dictionary(pa.int32(), pa.string())
TYPES = (pa.timestamp("us", "UTC"), pa.uint64(), TEXT, TEXT, TEXT, TEXT, pa.bool_())

CLICKS = st.lists(
    st.tuples(
        st.integers(0, 18).map(lambda tens: tens * 10_000_000) | st.integers(0, 3 * MINUTE),
        st.sampled_from([1, 2**64 - 1]),
        st.sampled_from(["a.example", "b.example"]),
        st.sampled_from(["", "c"]),
        st.sampled_from(["1", "2"]),
        st.sampled_from(["top", "side"]),
        st.booleans(),
    ),
    max_size=25,
)


def table(clicks: list[Click]) -> pa.Table:
    columns: list[Sequence[object]] = list(zip(*clicks, strict=True)) if clicks else [[] for _ in COLUMNS]
    return pa.table(
        {name: pa.array(values, type_) for name, values, type_ in zip(COLUMNS, columns, TYPES, strict=True)}
    )


def absorb(state: pa.Table | None, clicks: pa.Table, source: str, window: int) -> tuple[pa.Table, pa.Table]:
    return stage.absorb(state, clicks, pa.repeat(source, clicks.num_rows), window)


def expected(clicks: list[Click], window: int) -> Counter[tuple[object, ...]]:
    totals: Counter[tuple[object, ...]] = Counter()
    ordered = sorted(clicks, key=lambda click: (click[1:5], click[0], click[5:]))
    for _, chain in groupby(ordered, key=lambda click: click[1:5]):
        last = None
        for click in chain:
            repeats = last is not None and click[0] - last < window
            totals[(click[0] // MINUTE, *click[2:], "clicks_dup" if repeats else "clicks")] += 1
            last = click[0]
    return totals


def summed(booked: list[pa.Table]) -> Counter[tuple[object, ...]]:
    totals: Counter[tuple[object, ...]] = Counter()
    for row in (
        row for some in booked for row in some.set_column(0, "time", some["time"].cast(pa.int64())).to_pylist()
    ):
        key = (row["time"] // MINUTE, *(row[name] for name in COLUMNS[2:]))
        for measure in ("clicks", "clicks_dup"):
            totals[(*key, measure)] += row[measure]
    return Counter({key: count for key, count in totals.items() if count})


@given(
    CLICKS, st.randoms(use_true_random=False), st.lists(st.integers(0, 25), max_size=6), st.sampled_from([0, 1, WINDOW])
)
def test_totals_do_not_depend_on_order_or_portions(clicks, random, cuts, window) -> None:  # type: ignore[no-untyped-def]
    shuffled = random.sample(clicks, len(clicks))
    state, booked = None, []
    bounds = [0, *sorted(cuts), len(shuffled)]
    for number, (start, end) in enumerate(zip(bounds, bounds[1:], strict=False)):
        state, some = absorb(state, table(shuffled[start:end]), f"source {number % 2}", window)
        booked.append(some)
    assert summed(booked) == expected(clicks, window)


@given(CLICKS, st.integers(1, 6))
def test_forgetting_what_is_past_the_horizon_changes_nothing_in_order(clicks: list[Click], portion: int) -> None:
    ordered = sorted(clicks, key=lambda click: (click[0], click[5:]))
    state, booked = None, []
    for start in range(0, len(ordered), portion):
        some = ordered[start : start + portion]
        state, more = absorb(state, table(some), "s", WINDOW)
        state = prune(state, {"s": some[-1][0]}, 2 * WINDOW, 1000)
        booked.append(more)
    assert summed(booked) == expected(clicks, WINDOW)


@given(CLICKS, st.randoms(use_true_random=False), st.integers(0, 5))
def test_every_click_is_booked_once_whatever_is_forgotten(clicks, random, limit) -> None:  # type: ignore[no-untyped-def]
    state, total, lost = None, 0, 0
    for click in random.sample(clicks, len(clicks)):
        state, booked = absorb(state, table([click]), "s", WINDOW)
        state = prune(state, {"s": click[0]}, 2 * WINDOW, limit)
        assert state.num_rows <= limit
        rows = booked.to_pylist()
        total += sum(row["clicks"] + row["clicks_dup"] for row in rows)
        lost += sum(row["clicks"] < -1 or row["clicks_dup"] < 0 for row in rows)
    assert (total, lost) == (len(clicks), 0)
