"""De-duplication of clicks, by example."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from logagg.rollup import clicks as stage
from logagg.rollup.clicks import BOOKED_SCHEMA, STATE_SCHEMA, prune

WINDOW = 30_000_000


def clicks(*times: str, visitor: int = 7, ad: str = "1", placement: str = "top") -> pa.Table:
    """Return clicks at times of one day, as events."""
    moments = [datetime.fromisoformat(f"2026-03-01T{time}").replace(tzinfo=UTC) for time in times]
    text = {"site": "-", "campaign": "c", "ad": ad, "placement": placement, "kind": "click"}
    columns = {name: pa.array([value] * len(times)).dictionary_encode() for name, value in text.items()}
    return pa.table(
        {
            "time": pa.array(moments, pa.timestamp("us", "UTC")),
            "visitor": pa.array([visitor] * len(times), pa.uint64()),
            "is_bot": pa.array([False] * len(times)),
            **columns,
        }
    )


def absorb(state: pa.Table | None, clicks: pa.Table, source: str, window: int) -> tuple[pa.Table, pa.Table]:
    return stage.absorb(state, clicks, pa.repeat(source, clicks.num_rows), window)


def totals(booked: pa.Table) -> tuple[int, int]:
    return sum(booked["clicks"].to_pylist()), sum(booked["clicks_dup"].to_pylist())


# Pairs as in COUNTER R5, appendix E.8, and chains of them.
@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (["10:01:00", "10:01:29"], (1, 1)),
        (["10:01:00", "10:01:30"], (2, 0)),
        (["10:01:00", "10:01:35"], (2, 0)),
        (["10:01:00", "10:01:29.999999"], (1, 1)),
        (["10:01:00", "10:01:00"], (1, 1)),
        (["10:01:00", "10:01:20", "10:01:40"], (1, 2)),
        (["10:01:00", "10:01:20", "10:01:40", "10:02:10"], (2, 2)),
        (["10:01:45", "10:02:05"], (1, 1)),
        (["23:59:50", "23:59:59.5"], (1, 1)),
        (["10:01:00"], (1, 0)),
        ([], (0, 0)),
        (["10:01:00", "10:03:00", "10:01:20"], (2, 1)),  # in the order of the log, not of time
    ],
)
def test_double_clicks(times: list[str], expected: tuple[int, int]) -> None:
    state, booked = absorb(None, clicks(*times), "s", WINDOW)
    assert totals(booked) == expected
    assert state.schema == STATE_SCHEMA
    assert booked.schema == BOOKED_SCHEMA


def test_other_visitors_and_other_ads_are_other_clicks() -> None:
    both = pa.concat_tables([clicks("10:01:00"), clicks("10:01:01", visitor=8), clicks("10:01:02", ad="2")])
    assert totals(absorb(None, both, "s", WINDOW)[1]) == (3, 0)


def test_the_same_ad_in_another_place_is_the_same_ad() -> None:
    both = pa.concat_tables([clicks("10:01:00"), clicks("10:01:01", placement="side")])
    assert totals(absorb(None, both, "s", WINDOW)[1]) == (1, 1)


def test_a_late_click_corrects_the_one_that_was_counted() -> None:
    state, first = absorb(None, clicks("10:01:10", placement="side"), "s", WINDOW)
    assert totals(first) == (1, 0)
    state, second = absorb(state, clicks("10:00:50"), "t", WINDOW)
    correction = second.slice(0, 1).to_pylist()[0]
    assert (correction["clicks"], correction["clicks_dup"]) == (-1, 1)
    assert (correction["time"].minute, correction["placement"]) == (1, "side")
    assert totals(second.slice(1)) == (1, 0)
    assert state["duplicate"].to_pylist() == [True, False]
    assert state["source"].to_pylist() == ["s", "t"]


def test_a_click_is_corrected_once() -> None:
    state, _ = absorb(None, clicks("10:01:10"), "s", WINDOW)
    state, _ = absorb(state, clicks("10:01:00"), "s", WINDOW)
    assert absorb(state, clicks("10:00:55"), "s", WINDOW)[1].num_rows == 2
    assert absorb(state, clicks("10:01:05"), "s", WINDOW)[1].num_rows == 1


def test_no_window_has_no_duplicates() -> None:
    assert totals(absorb(None, clicks("10:01:00", "10:01:00"), "s", 0)[1]) == (2, 0)


def test_a_click_is_forgotten_by_the_time_of_its_own_source() -> None:
    state, _ = absorb(None, clicks("10:00:00"), "a", WINDOW)
    state, _ = absorb(state, clicks("10:00:00", ad="2"), "b", WINDOW)
    later = round(datetime(2026, 3, 1, 10, 20, tzinfo=UTC).timestamp() * 1_000_000)
    assert prune(state, {"a": later}, 600_000_000, 10)["source"].to_pylist() == ["b"]
    assert prune(state, {"a": later, "b": later}, 600_000_000, 10).num_rows == 0
    assert prune(state, {"a": later}, 1_200_000_000, 10).num_rows == 2


def test_beyond_the_limit_the_oldest_arrivals_are_forgotten() -> None:
    state, _ = absorb(None, clicks("10:05:00", "10:04:00", "10:03:00"), "a", WINDOW)
    assert [time.minute for time in prune(state, {}, 1, 2)["time"].to_pylist()] == [4, 3]
    assert prune(state, {}, 1, 0).num_rows == 0


def test_beyond_the_limit_of_bytes_the_oldest_are_forgotten() -> None:
    state, _ = absorb(None, clicks("10:05:00", "10:04:00", "10:03:00"), "a", WINDOW)
    left = [[time.minute for time in prune(state, {}, 1, 10, limit)["time"].to_pylist()] for limit in range(200)]
    assert [minutes for minutes, before in zip(left, [None, *left], strict=False) if minutes != before] == [
        [],
        [3],
        [4, 3],
        [5, 4, 3],
    ]


def test_a_duplicate_whose_first_click_is_forgotten_stays_one() -> None:
    state, _ = absorb(None, clicks("10:00:00", "10:00:20"), "a", WINDOW)
    state = prune(state, {}, 1, 1)
    _, booked = absorb(state, clicks("10:00:45"), "a", WINDOW)
    assert totals(booked) == (0, 1)
    assert booked.num_rows == 1
