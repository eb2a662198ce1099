"""Laws of merging: for any parts, merged in any order and any groups, the sums stay the same."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from logagg.lake import merge
from logagg.lake.compact import MergeTask, Planner
from logagg.lake.partitions import Calendar
from logagg.lake.parts import FLUSH, Part, PartWriter
from logagg.lake.state import State
from logagg.rollup.definitions import DEFAULTS
from tests.laws.pace import examples

PAGES = next(rollup for rollup in DEFAULTS if rollup.name == "pages")
START = int(datetime(2026, 1, 30, 22, tzinfo=UTC).timestamp())
MINUTES = 4 * 24 * 60  # the times span the end of an hour, a day and a month


@dataclass(frozen=True)
class Row:
    minute: int
    path: int
    is_bot: bool
    views: int
    visitors: frozenset[int]


ROWS = st.lists(
    st.builds(
        Row,
        st.integers(0, 3) | st.integers(0, 200) | st.integers(0, MINUTES),
        st.integers(0, 3) | st.integers(0, 1000),
        st.booleans(),
        st.integers(0, 1 << 40),
        st.frozensets(st.integers(0, 50), max_size=4),
    ),
    max_size=30,
)
PARTS = st.lists(st.lists(ROWS, min_size=1, max_size=3), min_size=1, max_size=12)  # of runs, one for each shard


def written(root: Path, runs: Iterable[list[Row]]) -> Part | None:
    with PartWriter(root, PAGES, FLUSH, 60) as writer:
        for run in runs:
            writer.write(table(sorted(run, key=lambda row: row.minute)))
    return writer.part


def table(rows: list[Row]) -> pa.Table:
    columns: dict[str, list[Any]] = {name: [row.views for row in rows] for name in PAGES.measures}
    columns |= {
        "ts": [(START + 60 * row.minute) * 1_000_000 for row in rows],
        "site": ["www.example.com" for _ in rows],
        "path": [f"/{row.path}" for row in rows],
        "is_bot": [row.is_bot for row in rows],
        "visitors": [sorted(row.visitors) for row in rows],
    }
    return pa.table({name: pa.array(columns[name], PAGES.schema.field(name).type) for name in PAGES.column_names})


Sums = dict[tuple[object, ...], tuple[dict[str, int], frozenset[int]]]


def sums(root: Path, parts: Iterable[Part], keys: tuple[str, ...]) -> Sums:
    """Return the sum of each measure, and all visitors, by some columns."""
    found: Sums = {}
    for part in parts:
        rows = pq.read_table(root / part.path).to_pylist()
        assert (
            len(rows) == part.rows
            and part.min_ts <= min(row["ts"] for row in rows)
            and max(row["ts"] for row in rows) <= part.max_ts
        )
        for row in rows:
            counts, visitors = found.get(key := tuple(row[name] for name in keys), ({}, frozenset()))
            measures = {name: counts.get(name, 0) + row[name] for name in PAGES.measures if name != "visitors"}
            found[key] = measures, visitors | frozenset(row["visitors"])
    return found


@examples(60)
@given(PARTS, st.data(), st.sampled_from([1, 3, 20_000]), st.sampled_from([500, 4000, 4 << 20]))
def test_any_parts_merged_in_any_order_have_the_same_sums(
    parts: list[list[list[Row]]], data: st.DataObject, keys: int, window: int
) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.object(merge, "WINDOW", window),
        patch.object(merge, "OPEN", 16 * window),
    ):
        root = Path(folder)
        there = [part for runs in parts if (part := written(root, runs))]
        by = ("ts", "is_bot") if keys < 20_000 else ("ts", "path", "is_bot")
        before = sums(root, there, by)
        for _ in range(data.draw(st.integers(1, 4))):
            if not there:
                break
            chosen = data.draw(st.lists(st.sampled_from(there), min_size=1, unique_by=lambda part: part.path))
            calendar = data.draw(st.sampled_from([Calendar.of, Calendar.by_day]))(max(part.max_ts for part in there))
            for group in merge.bounded(chosen, PAGES):
                done = MergeTask(root, PAGES, tuple(group), calendar, keys).run()
                there = [part for part in there if part not in done.old] + list(done.new)
                assert all(
                    len({calendar.partition(int(at.timestamp())) for at in (one.min_ts, one.max_ts)}) == 1
                    for one in done.new
                )
            assert sums(root, there, by) == before


@examples(30)
@given(PARTS, st.sampled_from([500, 4 << 20]))
def test_merging_everything_ends_with_one_row_for_each_key(parts: list[list[list[Row]]], window: int) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.object(merge, "WINDOW", window),
        patch.object(merge, "OPEN", 16 * window),
    ):
        root = Path(folder)
        there = [part for runs in parts if (part := written(root, runs))]
        key = ("ts", "site", "path", "is_bot")
        before, planner = sums(root, there, key), Planner(root, {PAGES.name: PAGES}, 20_000)
        for _ in range(20):
            tasks = planner.everything(State(parts=tuple(there)))
            for task in tasks:
                done = task.run()
                there = [part for part in there if part not in done.old] + list(done.new)
        assert not tasks
        assert sums(root, there, key) == before
        assert sum(part.rows for part in there) == len(before)
