"""What rollups have not counted: ranges of positions, compared with sets of single lines."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logagg.lake.uncounted import (
    Range,
    Ranges,
    Uncounted,
    all_read,
    among,
    extended,
    holds,
    touches,
    without,
    without_sources,
)
from logagg.records import Delta, Fingerprint, Progress, Source

END = 30  # lines of a source, each of one byte
VISITORS = np.arange(END, dtype=np.uint64) * np.uint64(7) % np.uint64(11)  # of the line at each position
NOTHING = Fingerprint(0, 0, "")


def source(id_: str, origin: int = 0) -> Source:
    return Source(id_, f"/{id_}.log", 1, 1, NOTHING, origin=origin)


def progress(*positions: int) -> Mapping[int, Progress]:
    return {shard: Progress(position, 0, NOTHING) for shard, position in enumerate(positions)}


def delta(shard: int, start: int, end: int, *counted: str, of: str = "a") -> Delta:
    done = {of: Progress(end, 0, NOTHING)}
    return Delta(shard, {}, done, {}, None, {of: start}, counted=counted)


def positions(ranges: Ranges, of: str = "a") -> set[int]:
    """Return the lines of a source that ranges have; none is there twice."""
    found = [
        at
        for one in ranges.get(of, ())
        for at in range(one.start, one.end)
        if int(VISITORS[at]) % one.shards == one.shard
    ]
    assert len(found) == len(set(found))
    return set(found)


def test_of_shards_that_stand_together_one_range_is_enough() -> None:
    assert all_read({"a": source("a", 5)}, {"a": progress(9, 9)}, 0) == {"a": (Range(5, 9),)}
    assert all_read({"a": source("a")}, {"a": progress(9, 9)}, 2) == {"a": (Range(0, 9),)}


def test_shards_that_stand_apart_have_a_range_each() -> None:
    found = all_read({"a": source("a")}, {"a": progress(9, 4)}, 2)
    assert found == {"a": (Range(0, 9, 2, 0), Range(0, 4, 2, 1))}
    assert all_read({"a": source("a")}, {"a": progress(9)}, 2) == {"a": (Range(0, 9, 2, 0),)}, (
        "one has read nothing yet"
    )


def test_what_was_not_read_is_in_no_range() -> None:
    assert all_read({"a": source("a", 4)}, {"a": progress(4, 4)}, 2) == {}


def test_a_flush_extends_what_its_writer_does_not_count() -> None:
    before = {"late": {"a": (Range(0, 4, 2, 0), Range(0, 4, 2, 1))}}
    deltas = [delta(0, 4, 9, "early"), delta(1, 4, 9, "early", "late")]
    after = extended(before, ["early", "late"], deltas, 2)
    assert after == {"late": {"a": (Range(0, 9, 2, 0), Range(0, 4, 2, 1))}}


def test_a_rollup_that_had_counted_all_may_fall_behind_again() -> None:
    assert extended({}, ["late"], [delta(0, 4, 9)], 1) == {"late": {"a": (Range(4, 9, 1, 0),)}}
    assert extended({}, ["late"], [delta(0, 4, 4)], 1) == {}


def test_without_what_it_has_counted_a_range_that_grew_meanwhile_has_the_rest() -> None:
    one = {"late": {"a": (Range(0, 9, 2, 0),), "b": (Range(0, 3),)}, "other": {"a": (Range(0, 9),)}}
    counted = {"a": (Range(0, 4, 2, 0),), "b": (Range(0, 3),)}
    assert holds(one["late"], counted) and touches(one["late"], counted)
    after = without(one, "late", counted)
    assert after == {"late": {"a": (Range(4, 9, 2, 0),)}, "other": {"a": (Range(0, 9),)}}
    assert not holds(after["late"], counted) and not touches(after["late"], counted)
    assert without(after, "late", {"a": (Range(4, 9, 2, 0),)}) == {"other": {"a": (Range(0, 9),)}}


@pytest.mark.parametrize("other", [Range(0, 5, 3, 0), Range(1, 4, 2, 0), Range(0, 4, 2, 1), Range(0, 10, 2, 0)])
def test_another_range_is_not_held(other: Range) -> None:
    assert not holds({"a": (Range(0, 9, 2, 0),)}, {"a": (other,)})


def test_a_source_that_is_gone_with_its_requests_is_dropped() -> None:
    one = {"late": {"a": (Range(0, 9),)}, "other": {"a": (Range(0, 9),), "b": (Range(0, 1),)}}
    assert without_sources(one, {"a"}) == {"other": {"b": (Range(0, 1),)}}


RANGES = st.builds(
    lambda start, length, shards, shard: Range(start, min(END, start + length), shards, shard % shards),
    st.integers(0, END),
    st.integers(0, END),
    st.integers(1, 3),
    st.integers(0, 2),
)


@given(st.dictionaries(st.sampled_from("abc"), st.lists(RANGES, max_size=4).map(tuple)), st.data())
def test_the_lines_among_ranges(ranges: dict[str, tuple[Range, ...]], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, END - 1))))
    names = pa.array([name for name, _ in rows], pa.string()).dictionary_encode()
    places = np.array([place for _, place in rows], np.int64)
    found = among(ranges, names, places, VISITORS[places] if rows else VISITORS[:0])
    expected = [
        any(
            one.start <= place < one.end and int(VISITORS[place]) % one.shards == one.shard
            for one in ranges.get(name, ())
        )
        for name, place in rows
    ]
    assert found.tolist() == expected


@given(st.lists(st.tuples(st.integers(1, 3), st.booleans(), st.integers(0, 6)), max_size=6), st.integers(0, 5))
def test_flushes_by_any_number_of_shards(flushes: list[tuple[int, bool, int]], filled: int) -> None:
    """Writers that know the rollup, or not, take turns; somewhere between, a backfill counts what was uncounted."""
    uncounted: Uncounted = {}
    snapshot: Ranges | None = None
    missing, at = set[int](), 0
    for number, (shards, knows, lines) in enumerate(flushes):
        if number == filled:
            snapshot = uncounted.get("late", {})
        end = min(END, at + lines)
        deltas = [delta(shard, at, end, *(["late"] if knows else [])) for shard in range(shards)]
        uncounted = extended(uncounted, ["late"], deltas, shards)
        missing |= set() if knows else set(range(at, end))
        at = end
    assert positions(uncounted.get("late", {})) == missing
    if snapshot is not None:
        assert holds(uncounted.get("late", {}), snapshot)
        after = without(uncounted, "late", snapshot)
        assert positions(after.get("late", {})) == missing - positions(snapshot)
