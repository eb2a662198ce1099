"""The data's own time."""

from __future__ import annotations

from pathlib import Path

import pytest

from logagg.alert.data_time import complete_until, due, tails_of
from logagg.heartbeat import Heartbeat
from logagg.lake import heartbeats
from logagg.query.tails import TailHealth

NOW = 1_800_000_000.0


def tail(
    name: str = "", *, started: float = NOW - 600, at: float = NOW, behind: float = 1.0, ended: float = 0.0
) -> Heartbeat:
    return Heartbeat(name, "host", 1, 0, started, at, heard=at, ended=ended, behind=behind)


def running(*beats: Heartbeat) -> list[TailHealth]:
    return [TailHealth("running", 0.0, beat) for beat in beats]


def test_it_is_what_every_tail_has_committed() -> None:
    assert complete_until(running(tail("a", behind=1), tail("b", behind=30))) == NOW - 30
    assert complete_until([]) is None


def test_a_tail_that_has_just_started_does_not_know_yet() -> None:
    assert complete_until(running(tail(started=NOW, behind=0))) is None
    assert complete_until(running(tail(started=NOW - 60, behind=60))) is None  # it catches up
    assert complete_until(running(tail("a"), tail("b", started=NOW - 60, behind=60.0))) is None


def test_tails_that_have_ended_count_only_if_there_is_no_other(tmp_path: Path) -> None:
    heartbeats.write_remote(tmp_path, tail("old", at=NOW - 5_000, ended=NOW - 5_000))
    heartbeats.write_remote(tmp_path, tail("older", at=NOW - 9_000, ended=NOW - 9_000))
    assert [one.name for one in tails_of(tmp_path, NOW)] == ["old"]
    heartbeats.write_remote(tmp_path, tail("new"))
    assert [one.name for one in tails_of(tmp_path, NOW)] == ["new"]
    heartbeats.write(tmp_path, tail(at=NOW - 100))  # without a lock: not running
    assert [one.name for one in tails_of(tmp_path, NOW)] == ["new"]


@pytest.mark.parametrize(
    ("last", "every", "until", "moments"),
    [
        (0, 60, 1_000_000.0, [999_960]),  # the first time: now
        (600, 60, 719.9, [660]),
        (600, 60, 720.0, [660, 720]),
        (600, 60, 659.0, []),
        (630, 300, 1_000.0, [900]),  # another interval than before
        (0, 86_400, 86_399.0, [0]),
    ],
)
def test_moments_are_whole(last: int, every: int, until: float, moments: list[int]) -> None:
    assert list(due(last, every, until)) == moments


def test_a_day_at_most_is_caught_up_with() -> None:
    assert len(due(60, 60, 30 * 86_400.0)) == 1_441


def test_any_cut_gives_the_same_moments() -> None:
    whole = list(due(600, 60, 3_000.0))
    last, found = 600, list[int]()
    for until in (*range(600, 3_000, 7), 3_000):
        if some := due(last, 60, float(until)):
            found += some
            last = some[-1]
    assert found == whole
