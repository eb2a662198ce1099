"""What `logagg status` says of visits."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

import logagg
from logagg.clock import ManualClock
from logagg.config.sections import Config
from logagg.query.derivations import DerivationHealth
from tests.conftest import Command
from tests.laws.visiting import KEEP_ALL, LATE, START, Traffic, Writer


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


def visits(root: Path) -> DerivationHealth:
    [found] = [one for one in logagg.open(root).status().derivations if one.name == "visits"]
    return found


def filled(root: Path, clock: ManualClock, config: Config = KEEP_ALL) -> tuple[Writer, Traffic]:
    traffic, writer = Traffic(Random(7)), Writer(root, clock, config=config)
    for _ in range(4):
        traffic.write("a", 12, 600)
        clock.sleep(max(0.0, traffic.now - clock.now()) + 2 * LATE)
        writer.commit(traffic.logs)
    return writer, traffic


@pytest.mark.slow
def test_the_watermark_and_late_requests(tmp_path: Path, clock: ManualClock) -> None:
    root = tmp_path / "lake"
    writer, traffic = filled(root, clock)
    assert (visits(root).until, visits(root).text) == (None, "visits: not materialized yet, derived at each query")
    assert writer.derive()
    mark = writer.lake.state.watermark
    assert visits(root).until == mark
    assert visits(root).text == f"visits: materialized up to {mark:%Y-%m-%d %H:%M} UTC"
    traffic.now = mark.timestamp() - 9 * 3600
    traffic.write("b", 3, 10)
    writer.commit(traffic.logs)
    writer.close()
    late = logagg.open(root).status().late
    assert late == writer.lake.state.late > 0
    command = Command(root, tmp_path)
    shown: Any = json.loads(command.run("status", "--format", "json").stdout)
    told = {"name": "visits", "until": shown["derivations"][0]["until"], "reason": "", "evicted": {}}
    assert shown["derivations"] == [told] and shown["late"] == late
    assert f"late: {late} requests, in no visit" in command.run("status").stdout


@pytest.mark.slow
def test_evicted_rows(tmp_path: Path, clock: ManualClock) -> None:
    root, config = tmp_path / "lake", replace(KEEP_ALL, visits=replace(KEEP_ALL.visits, max_size=1))
    writer, traffic = filled(root, clock, config)
    while not writer.lake.state.evicted:
        traffic.write("a", 12, 10)
        clock.sleep(max(0.0, traffic.now - clock.now()) + 3 * LATE)
        writer.commit(traffic.logs)
        writer.derive()
        writer.lake.expire()
    rows = writer.lake.state.evicted["visits_seen"]
    writer.close()
    assert visits(root).evicted == {"visits_seen": rows}
    assert visits(root).text.endswith(f"; {rows} rows of visits_seen evicted")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (replace(KEEP_ALL, requests=replace(KEEP_ALL.requests, keep=0.0)), "requests are not kept"),
        (replace(KEEP_ALL, requests=replace(KEEP_ALL.requests, kinds=("click",))), "page views are not kept"),
    ],
)
def test_why_there_are_no_visits(tmp_path: Path, clock: ManualClock, config: Config, reason: str) -> None:
    root = tmp_path / "lake"
    filled(root, clock, config)[0].close()
    assert visits(root).text == f"no visits: {reason}"
    assert logagg.open(root).status().healthy


@pytest.mark.slow
def test_visits_that_are_switched_off(tmp_path: Path, clock: ManualClock) -> None:
    root = tmp_path / "lake"
    writer, _ = filled(root, clock)
    assert writer.derive()
    mark = writer.lake.state.watermark
    writer.close()
    Writer(root, clock, config=replace(KEEP_ALL, visits=replace(KEEP_ALL.visits, enabled=False))).close()
    assert visits(root).text == f"no visits: they are switched off; materialized up to {mark:%Y-%m-%d %H:%M} UTC"
