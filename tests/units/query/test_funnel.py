"""A funnel cuts visits as the lake does."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

import logagg
from logagg.clock import ManualClock
from logagg.config.sections import Config
from tests.laws.logs import AGENTS, CLIENTS, SITES
from tests.laws.visiting import KEEP_ALL, START, Writer

MINUTE = 60.0


def with_gap(minutes: float) -> Config:
    return replace(KEEP_ALL, visits=replace(KEEP_ALL.visits, gap=minutes * MINUTE))


def line(minutes: float, path: str) -> bytes:
    time = dt.datetime.fromtimestamp(START + minutes * MINUTE, dt.UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
    return (
        f'{SITES[0]}:443 {CLIENTS[0]} - - [{time}] "GET {path} HTTP/1.1" 200 43 "-" "{next(iter(AGENTS))}"\n'.encode()
    )


LOG = line(0, "/") + line(15, "/tea") + line(55, "/") + line(60, "/tea")


def reached(root: Path) -> list[int]:
    found = logagg.open(root).report("funnel", steps=["/", "/tea"])
    return [int(visits) for visits in found["visits"]]


@pytest.mark.parametrize(
    ("minutes", "number", "expected"), [(10, 3, [2, 1]), (15, 2, [2, 2]), (30, 2, [2, 2]), (40, 1, [1, 1])]
)
def test_the_gap_is_that_of_the_visits(tmp_path: Path, minutes: float, number: int, expected: list[int]) -> None:
    root = tmp_path / "lake"
    writer = Writer(root, ManualClock(START + 7200), config=with_gap(minutes))
    writer.commit({"a": LOG})
    writer.close()
    assert reached(root) == expected
    with duckdb.connect(str(root / "logagg.duckdb"), read_only=True) as connection:
        [(visits,)] = connection.execute("SELECT sum(visits)::BIGINT FROM visits").fetchall()
    assert visits == number


def test_a_lake_without_visits_has_the_default_gap(tmp_path: Path) -> None:
    root, config = tmp_path / "lake", with_gap(10)
    writer = Writer(
        root, ManualClock(START + 7200), config=replace(config, visits=replace(config.visits, enabled=False))
    )
    writer.commit({"a": LOG})
    writer.close()
    assert reached(root) == [2, 2]
