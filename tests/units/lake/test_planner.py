"""Planning of merges: few parts for any number of commits, and no row is written again and again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from logagg.lake.compact import CROWD, FLUSHES, MergeTask, Planner
from logagg.lake.parts import DAY, FLUSH, HOUR, MONTH, Part
from logagg.lake.state import State
from logagg.rollup.definitions import DEFAULTS

TRAFFIC = DEFAULTS[0]
NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)


def part(level: str, at: datetime, size: int = 2000, number: int = 0) -> Part:
    return Part(TRAFFIC.name, f"data/traffic/{level}-{number}.parquet", level, 60, 1, size, at, at)


def due(*parts: Part) -> list[MergeTask]:
    return Planner(Path("lake"), {TRAFFIC.name: TRAFFIC}, 100).due(State(parts=parts))


def test_parts_of_the_current_hour_wait_for_enough_of_their_size() -> None:
    crowd = [part(HOUR, NOON, number=number) for number in range(CROWD)]
    assert not due(*crowd[1:])
    assert not due(*crowd[1:], part(HOUR, NOON, 9_000_000))
    [task] = due(*crowd, part(HOUR, NOON, 9_000_000))
    assert set(task.parts) == set(crowd)


def test_two_parts_of_a_size_suffice_for_an_hour_that_is_over() -> None:
    earlier, now = NOON - timedelta(hours=2), part(HOUR, NOON)
    small, large = part(HOUR, earlier, number=1), part(HOUR, earlier, 9_000_000, number=2)
    assert not due(small, large, now)
    [task] = due(small, large, now, other := part(HOUR, earlier, number=3))
    assert set(task.parts) == {small, other}


def test_late_rows_arrive_for_the_hour_before_the_newest() -> None:
    pair = [part(HOUR, NOON - timedelta(hours=1), number=number) for number in (1, 2)]
    assert not due(*pair, part(HOUR, NOON))
    [task] = due(*pair, part(HOUR, NOON + timedelta(hours=1)))
    assert set(task.parts) == set(pair)


def test_an_hour_of_which_rows_still_arrive_is_not_over() -> None:
    hours = [NOON - timedelta(hours=back) for back in (4, 3, 2)]
    pairs = [part(HOUR, at, number=10 * hour + number) for hour, at in enumerate(hours) for number in (1, 2)]
    arriving = replace(part(FLUSH, hours[0]), max_ts=hours[1])
    [task] = due(*pairs, arriving, part(HOUR, NOON))
    assert set(task.parts) == set(pairs[4:])
    crowd = [part(HOUR, hours[0], number=100 + number) for number in range(CROWD - 2)]
    merged = [set(task.parts) for task in due(*pairs, *crowd, arriving, part(HOUR, NOON))]
    assert {*crowd, *pairs[:2]} in merged


def at(*parts: int) -> datetime:
    return datetime(2026, *parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("level", "over", "before", "after"),
    [(HOUR, at(3, 3, 12), at(3, 4, 5, 59), at(3, 4, 6)), (DAY, at(2, 20), at(3, 7, 23, 59), at(3, 8))],
    ids=["a day", "a month"],
)
def test_a_past_span_becomes_one_part_after_the_time_for_late_lines(
    level: str, over: datetime, before: datetime, after: datetime
) -> None:
    parts = part(level, over, number=1), part(level, over + timedelta(days=level == DAY, hours=1), number=2)
    assert not due(*parts, part(HOUR, before))
    [task] = due(*parts, part(HOUR, after))
    assert set(task.parts) == set(parts) and len(list(merged(task))) == 1


@pytest.mark.parametrize("level", [DAY, MONTH])
def test_even_later_lines_are_not_merged_with_the_whole_each_time(level: str) -> None:
    whole, now = part(level, at(1, 5), 90_000_000), part(HOUR, at(1, 6, 12) if level == DAY else at(3, 3, 12))
    late = [part(level, at(1, 5, hour), number=hour) for hour in range(CROWD)]
    assert not due(whole, now, *late[1:])
    [task] = due(whole, now, *late)
    assert set(task.parts) == set(late)


def merged(task: MergeTask) -> Iterator[Part]:
    """Yield the part that a merge leaves, as far as a plan depends on it."""
    for piece in dict.fromkeys(task.calendar.partition(int(one.min_ts.timestamp())) for one in task.parts):
        within = [one for one in task.parts if piece.start <= one.min_ts.timestamp() < piece.end]
        size = sum(one.bytes for one in within)
        yield replace(
            within[0],
            level=piece.level,
            bytes=size,
            min_ts=min(one.min_ts for one in within),
            max_ts=max(one.max_ts for one in within),
        )


@pytest.mark.parametrize("size", [1000, 8000, 50_000])
@pytest.mark.thorough
@pytest.mark.slow
def test_a_tail_that_commits_every_few_seconds_keeps_few_parts_and_writes_rows_few_times(size: int) -> None:
    parts, most, written = list[Part](), 0, 0
    seconds = range(0, 30 * 3600, 5)
    for second in seconds:
        parts.append(part(FLUSH, NOON + timedelta(seconds=second // 60 * 60), size))
        while tasks := due(*parts):
            for task in tasks:
                new = list(merged(task))
                parts = [one for one in parts if not any(one is old for old in task.parts)] + new
                written += sum(one.bytes for one in new)
        most = max(most, len(parts))
    assert sum(one.bytes for one in parts) == len(seconds) * size
    assert most < 5 * 30 + CROWD * 5 + FLUSHES
    assert written < 6 * len(seconds) * size
