"""What no query can ask."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from logagg.alert.probes import measure
from logagg.alert.states import Reading
from logagg.clock import ManualClock
from logagg.lake import heartbeats
from tests.laws.crashes import MINUTES
from tests.laws.feed import Feed
from tests.units.alert.test_data_time import NOW, tail


def test_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path) -> object:
        return os.statvfs_result((4096, 1_000_000, 1_000_000, 100_000, 50_000, 0, 0, 0, 0, 255))

    monkeypatch.setattr(os, "statvfs", full)
    [found] = measure("disk", tmp_path, NOW, 300, {}).readings
    assert found.labels == {}
    assert found.value == pytest.approx(900_000 / 950_000)
    assert found.numbers == {"free": pytest.approx(50_000.0 * 1_000_000 / 1e6)}


def lag(root: Path, now: float = NOW) -> list[Reading]:
    return list(measure("lag", root, now, 300, {}).readings)


def test_the_lag_of_tails(tmp_path: Path) -> None:
    from dataclasses import replace

    heartbeats.write_remote(tmp_path, tail("idle", behind=0.5))
    heartbeats.write_remote(tmp_path, replace(tail("busy", behind=200), unread=5_000))
    assert {one.labels["tail"]: (one.value, one.numbers["unread"]) for one in lag(tmp_path)} == {
        "idle": (0, 0),
        "busy": (200, 5_000),
    }


def test_a_tail_that_is_not_heard_of_lags_and_one_that_has_ended_does_not(tmp_path: Path) -> None:
    heartbeats.write_remote(tmp_path, tail("web"))
    assert [one.value for one in lag(tmp_path, NOW + 500)] == [500]
    heartbeats.write_remote(tmp_path, tail("web", ended=NOW))
    assert lag(tmp_path, NOW + 500) == []


@pytest.mark.slow
def test_rejects_of_the_window(tmp_path: Path) -> None:
    feed = Feed(tmp_path / "lake", ManualClock(), MINUTES)
    line = b'192.0.2.1 - - [02/Mar/2026:10:00:00 +0000] "GET /a HTTP/1.1" 200 1 "-" "x"\n'
    log = line * 90 + b"garbage\n" * 10
    feed.flush(log)
    first = measure("rejects", tmp_path / "lake", 1_000, 60, {})
    assert first.readings == []  # nothing to compare with
    log += line * 5 + b"garbage\n" * 15
    feed.flush(log)
    second = measure("rejects", tmp_path / "lake", 1_060, 60, first.samples)
    assert second.readings == [Reading({"log": "access.log"}, 0.75, {"n": 20.0})]
    third = measure("rejects", tmp_path / "lake", 1_120, 60, second.samples)
    assert third.readings == []
    assert list(third.samples) == [1_060, 1_120]
    feed.close()
