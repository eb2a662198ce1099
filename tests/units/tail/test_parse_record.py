"""Which logs are mostly rejects, by their last lines."""

from __future__ import annotations

import pytest

from logagg.tail.parse_record import FEW, WINDOW, ParseRecord


def record_of(*added: tuple[int, int]) -> ParseRecord:
    record = ParseRecord()
    for lines, rejects in added:
        record.add("s", lines, rejects)
    return record


@pytest.mark.parametrize(
    "added",
    [[(10, 10)], [(10, 6)], [(1, 1)] * FEW, [(36_000, 20_000)], [(36_000, 0), (60, 60)], [(WINDOW, 0)] + [(1, 1)] * 60],
)
def test_mostly_rejects(added: list[tuple[int, int]]) -> None:
    [(lines, rejects)] = record_of(*added).mostly_rejected().values()
    assert FEW <= lines <= WINDOW and lines / 2 < rejects <= lines


@pytest.mark.parametrize(
    "added", [[(9, 9)], [(10, 5)], [(36_000, 100)], [(100, 100), (100, 0)], [(36_000, 0), (40, 40)], [(0, 0)], []]
)
def test_not_mostly_rejects(added: list[tuple[int, int]]) -> None:
    assert record_of(*added).mostly_rejected() == {}


def test_sources_are_separate_and_are_forgotten() -> None:
    record = ParseRecord()
    record.add("a", 50, 50)
    record.add("b", 50, 0)
    record.refuse("c", "common")
    assert set(record.mostly_rejected()) == {"a"} and record.without_format() == {"c": "common"}
    record.add("c", 0, 0)
    assert record.without_format() == {"c": "common"}, "a hole is no evidence about the format"
    record.forget_all_but({"b", "c"})
    assert record.mostly_rejected() == {} and record.without_format() == {"c": "common"}
    record.add("c", 1, 0)
    assert record.without_format() == {}
