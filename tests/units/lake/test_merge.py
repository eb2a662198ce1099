"""A merge reads each row once and adds it up a few times at most, for any number of parts and any time spans."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from logagg.errors import MergeStopped
from logagg.lake import merge
from logagg.lake.compact import MergeTask, Planner
from logagg.lake.partitions import Calendar
from logagg.lake.parts import DAY, FLUSH, HOUR, Part, PartReader, PartWriter
from logagg.lake.progress import LONG, REFRESH, MergeProgress
from logagg.lake.state import State
from logagg.rollup import aggregate
from logagg.rollup.definitions import DEFAULTS

PAGES = next(rollup for rollup in DEFAULTS if rollup.name == "pages")
START = datetime(2026, 3, 1, 10, tzinfo=UTC)
KEYS = 20_000


Numbers = Sequence[int] | np.ndarray[Any, Any]


def pages(paths: Numbers, minutes: Numbers) -> pa.Table:
    """Return a row for each of some paths and minutes."""
    order = np.argsort(minutes, kind="stable")
    count, numbers = len(order), np.asarray(paths)[order]
    at = (np.asarray(minutes, np.int64)[order] * 60 + int(START.timestamp())) * 1_000_000
    ones = pa.array(np.ones(count, np.int64))
    columns: dict[str, Any] = {name: ones for name in PAGES.measures}
    columns |= {
        "ts": pa.array(at).cast(pa.timestamp("us", "UTC")),
        "site": pa.array(["www.example.com"] * count).dictionary_encode(),
        "path": pa.array([f"/articles/{number}.html" for number in numbers]).dictionary_encode(),
        "is_bot": pa.array(np.zeros(count, np.bool_)),
        "visitors": pa.ListArray.from_arrays(
            pa.array(np.arange(count + 1, dtype=np.int32)), pa.array(numbers.astype(np.uint64))
        ),
    }
    return pa.table([columns[name] for name in PAGES.column_names], names=PAGES.column_names)


def write(root: Path, *tables: pa.Table, level: str = FLUSH) -> Part:
    with PartWriter(root, PAGES, level, 60) as writer:
        for table in tables:
            writer.write(table)
    assert writer.part
    return writer.part


def scattered(root: Path, parts: int, rows_each: int, level: str = FLUSH) -> list[Part]:
    """Write parts that each span an hour and have two runs, with distinct paths."""
    made = []
    for number in range(parts):
        halves = [np.arange(rows_each // 2) + rows_each // 2 * (2 * number + half) for half in range(2)]
        made.append(write(root, *(pages(half, half * 7 % 60) for half in halves), level=level))
    return made


def task(root: Path, parts: Sequence[Part], keys: int = KEYS) -> MergeTask:
    return MergeTask(root, PAGES, tuple(parts), Calendar.of(max(part.max_ts for part in parts)), keys)


class Work:
    """Counts the rows that are added up, and the open files."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.added = self.open = self.most_open = 0
        add, begin, close = aggregate.merge, PartReader.__init__, PartReader.close

        def counted(rollup: Any, table: pa.Table, *arguments: Any) -> pa.Table:
            self.added += table.num_rows
            return add(rollup, table, *arguments)

        def opened(reader: PartReader, *arguments: Any) -> None:
            begin(reader, *arguments)
            self.open += 1
            self.most_open = max(self.most_open, self.open)

        def closed(reader: PartReader) -> None:
            self.open -= 1
            close(reader)

        monkeypatch.setattr(aggregate, "merge", counted)
        monkeypatch.setattr(PartReader, "__init__", opened)
        monkeypatch.setattr(PartReader, "close", closed)


@pytest.mark.parametrize("parts", [4, 16, 64])
@pytest.mark.slow
def test_the_work_of_a_merge_grows_with_its_rows(parts: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge, "WINDOW", 100_000)  # a thousand rows, so that most do not fit
    made, work, progress = scattered(tmp_path, parts, 500), Work(monkeypatch), MergeProgress()
    done = task(tmp_path, made).run(progress)
    assert progress.rows == sum(part.rows for part in made) == 500 * parts
    assert sum(part.rows for part in done.new) == 500 * parts
    assert work.added <= 3 * 500 * parts
    assert work.open == 0


@pytest.mark.slow
def test_a_bucket_that_does_not_fit_is_added_up_a_few_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge, "WINDOW", 50_000)
    made = [write(tmp_path, pages(np.arange(200) + 200 * number, np.zeros(200))) for number in range(50)]
    work = Work(monkeypatch)
    done = task(tmp_path, made, keys=400).run()
    assert sum(part.rows for part in done.new) in (400, 401)  # the largest, with (other)
    assert work.added <= 6 * 200 * 50  # a fold adds up twice more


@pytest.mark.slow
def test_consecutive_parts_are_open_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [write(tmp_path, pages(np.arange(50), np.full(50, minute)), level=HOUR) for minute in range(200)]
    assert list(merge.bounded(made, PAGES)) == [made]
    work = Work(monkeypatch)
    task(tmp_path, made).run()
    assert work.most_open <= 2 and work.open == 0


def test_few_overlapping_parts_are_open_at_a_time(tmp_path: Path) -> None:
    small = [Part(PAGES.name, str(number), FLUSH, 60, 10, 1000, START, START) for number in range(1000)]
    groups = list(merge.bounded(small, PAGES))
    assert sum(map(len, groups)) == 1000 and max(map(len, groups)) == merge.FILES
    large = [Part(PAGES.name, str(number), HOUR, 60, 1_000_000, 1 << 24, START, START) for number in range(100)]
    assert max(map(len, merge.bounded(large, PAGES))) == merge.OPEN // merge.READER
    assert all(merge.memory(group, PAGES) <= merge.OPEN + 5 * merge.WINDOW for group in merge.bounded(large, PAGES))


def test_a_merge_opens_a_descriptor_for_each_part_and_one_more(tmp_path: Path) -> None:
    """That is what a tail keeps free for it (`tail.local.DESCRIPTORS`)."""
    made, progress, open_ = scattered(tmp_path, merge.FILES, 20), MergeProgress(), list[int]()
    before = len(os.listdir("/dev/fd"))
    progress.leaving = lambda: bool(open_.append(len(os.listdir("/dev/fd")) - before))  # at each batch
    task(tmp_path, made).run(progress)
    assert merge.FILES <= max(open_) <= merge.FILES + 1


def test_merging_everything_reads_a_row_once_in_each_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge, "FILES", 4)
    monkeypatch.setattr(merge, "OPEN", 1 << 20)
    parts, progress, rounds = scattered(tmp_path, 60, 20), MergeProgress(), 0
    planner = Planner(tmp_path, {PAGES.name: PAGES}, KEYS)
    while tasks := planner.everything(State(parts=tuple(parts))):
        for one in tasks:
            done = one.run(progress)
            parts = [part for part in parts if part not in done.old] + list(done.new)
        rounds += 1
    assert rounds == 3 and len(parts) == 1 and parts[0].level == DAY and parts[0].rows == 1200  # 60, 15, 4, 1
    assert progress.rows <= rounds * 1200


@pytest.mark.slow
def test_memory_does_not_grow_with_the_size_of_a_merge(tmp_path: Path) -> None:
    made = []
    for number in range(4):
        with PartWriter(tmp_path, PAGES, HOUR, 60) as writer:
            for minute in range(0, 60, 4):
                numbers = np.arange(8000) + 120_000 * number + 2000 * minute
                writer.write(pages(numbers, minute + np.arange(8000) // 2000))
        assert writer.part
        made.append(writer.part)
    before, most = pa.total_allocated_bytes(), 0
    progress = MergeProgress()

    def look(count: int) -> None:
        nonlocal most
        most = max(most, pa.total_allocated_bytes() - before)

    tables = merge.Merge(PAGES, KEYS).tables(tmp_path, made, look)
    held = sum(table.nbytes for table in tables)
    assert held > 1.5 * most  # 480,000 rows
    assert most < merge.memory(made, PAGES)
    assert not progress.text


def test_a_merge_that_is_stopped_leaves_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge, "WINDOW", 100_000)
    made, progress = scattered(tmp_path, 8, 500), MergeProgress()
    there, read = set(tmp_path.rglob("*.parquet")), list[int]()
    progress.leaving = lambda: bool(read.append(1)) or len(read) > 20
    with pytest.raises(MergeStopped, match="nothing is lost"):
        task(tmp_path, made).run(progress)
    assert set(tmp_path.rglob("*.parquet")) == there
    assert 0 < progress.rows < 4000
    progress.leaving = lambda: False
    assert sum(part.rows for part in task(tmp_path, made).run(progress).new) == 4000


class Time:
    """A clock on which each reading takes a while."""

    def __init__(self, step: float) -> None:
        self.at, self._step = 0.0, step

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        self.at += self._step
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


def test_a_long_merge_is_reported_and_a_short_one_is_not() -> None:
    told, seen = list[str](), list[str]()
    for step in (LONG / 2000, LONG / 10):
        progress = MergeProgress(Time(step))
        progress.notice = lambda notice: told.append(f"{notice.kind}: {notice.text}")
        progress.watch = lambda progress=progress: seen.append(progress.text)  # type: ignore[misc]
        with progress.of("pages", 5000):
            for _ in range(50):
                progress.read(100)
        assert progress.text == "" and progress.rows == 5000
    assert told == [
        f"merge: pages: {done:,} of 5,000 rows in {seconds} s" for done, seconds in ((1000, 10), (2000, 20), (4000, 40))
    ]
    assert len(seen) == 50 and seen[9] == "merging pages: 1,000 of 5,000 rows" and REFRESH < LONG / 10


@pytest.mark.slow
@pytest.mark.parametrize("span", [60, 24 * 60], ids=["an hour", "a day"])
def test_a_tail_writes_a_row_few_times_for_any_time_spans(span: int, tmp_path: Path) -> None:
    parts, progress, each, flushes = list[Part](), MergeProgress(), 48, 64
    planner = Planner(tmp_path, {PAGES.name: PAGES}, KEYS)
    for number in range(flushes):
        numbers = np.arange(each) + each * number
        parts.append(write(tmp_path, pages(numbers, numbers * 7 * span // 60 % span)))
        while tasks := planner.due(State(parts=tuple(parts))):
            for one in tasks:
                done = one.run(progress)
                parts = [part for part in parts if part not in done.old] + list(done.new)
    assert sum(part.rows for part in parts) == each * flushes
    assert progress.rows <= 3 * each * flushes
    assert len(parts) <= 16 + 24
