"""When a clock is trusted."""

from __future__ import annotations

import time

import pytest

from logagg.clock import DAY, FAR, RELEASED, UNUSED, Continuity, LatestTime, is_set
from logagg.lake.salts import GRACE, Salts

NOW = RELEASED + 100 * DAY


class Wall:
    """A clock whose time of day can be set, independently of elapsed time."""

    def __init__(self, at: float = NOW) -> None:
        self.at, self.passed = at, 0.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.passed

    def sleep(self, seconds: float) -> None:
        self.at += seconds
        self.passed += seconds


def test_this_release_is_not_from_the_future() -> None:
    assert is_set(time.time())


def test_the_latest_time_is_that_of_the_clock_or_of_a_later_write() -> None:
    wall = Wall()
    latest = LatestTime(wall)
    assert latest.of() == latest.of(0.0) == latest.of(NOW - 1) == NOW
    assert latest.of(NOW + 50 * DAY, NOW - 1) == NOW + 50 * DAY
    assert latest.of(NOW + FAR, 1e300) == NOW, "a clock that was set is never this far behind"
    wall.at = NOW - 10 * DAY
    assert latest.of() == NOW - 10 * DAY, "the clock was corrected"
    wall.at = 0.0
    assert latest.of() == NOW - 10 * DAY, "the clock was lost again"


@pytest.mark.parametrize(
    ("last", "since"),
    [
        (None, 5.0),
        (NOW, 5.0),
        (NOW - UNUSED, 5.0),
        (NOW + DAY, 5.0),
        (NOW - UNUSED - 1, NOW),
        (NOW + DAY + 1, NOW),
        (0.0, NOW),
    ],
)
def test_a_clock_is_compared_with_the_last_write(last: float | None, since: float) -> None:
    assert Continuity(Wall(), last, 5.0).since() == since


def test_a_clock_is_compared_with_elapsed_time() -> None:
    wall = Wall()
    continuity = Continuity(wall, NOW, 5.0)
    for seconds in (1.0, 400 * DAY, DAY):
        wall.sleep(seconds)
        assert continuity.since() == 5.0
    wall.at += UNUSED + 1
    leapt = wall.at
    assert continuity.since() == leapt
    wall.sleep(3 * DAY)
    assert continuity.since() == leapt
    wall.at -= DAY + 1
    assert continuity.since() == wall.at
    wall.at += 3600
    assert continuity.since() == wall.at - 3600, "an hour of summer time is not a jump"


def test_salts_stay_until_the_clock_is_trusted_and_those_of_a_clock_that_was_ahead_are_deleted(tmp_path) -> None:  # type: ignore[no-untyped-def]
    wall, settled = Wall(), [True]
    salts = Salts(tmp_path, b"s" * 32, wall, lambda: settled[0])
    end = int(NOW + DAY)
    key = salts.key(end)
    wall.at, settled[0] = NOW + 9000 * DAY, False
    salts.forget_past()
    assert salts.key(end) == key
    salts.key(int(NOW) - 1)  # created by a clock that is decades ahead
    wall.at, settled[0] = NOW, True
    salts.forget_past()
    assert salts.key(end) == key
    wall.at += GRACE
    salts.forget_past()
    assert str(int(NOW) - 1) not in (tmp_path / "salts").read_text()
    assert salts.key(end) == key
