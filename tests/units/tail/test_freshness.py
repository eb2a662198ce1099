"""The age of committed lines."""

from __future__ import annotations

from logagg.clock import ManualClock
from logagg.tail.freshness import Freshness


def test_an_idle_tail_is_fresh_however_old_its_last_commit_is() -> None:
    clock = ManualClock()
    freshness = Freshness(clock)
    for _ in range(100):
        clock.sleep(60)
        freshness.read(clock.monotonic())
        freshness.idle()
    assert (freshness.behind, freshness.stalled) == (0, 0)


def test_uncommitted_lines_grow_old() -> None:
    clock = ManualClock()
    freshness = Freshness(clock)
    began = clock.monotonic()
    for _ in range(10):
        clock.sleep(6)
        freshness.read(clock.monotonic())
        if clock.monotonic() == began + 6:
            freshness.cut()
    assert (freshness.behind, freshness.stalled) == (60, 60)
    freshness.committed()
    assert (freshness.behind, freshness.stalled) == (54, 0), "lines after the barrier are not committed"
    clock.sleep(5)
    assert (freshness.behind, freshness.stalled) == (59, 5)
    freshness.cut()
    freshness.committed()
    assert freshness.behind == 5


def test_a_tail_that_catches_up_makes_progress_and_is_behind() -> None:
    clock = ManualClock()
    freshness = Freshness(clock)
    for _ in range(100):
        clock.sleep(10)
        freshness.cut()
        freshness.committed()
    assert (freshness.behind, freshness.stalled) == (1000, 0)


def test_a_reader_that_hangs_is_detected() -> None:
    clock = ManualClock()
    freshness = Freshness(clock)
    clock.sleep(100)
    assert (freshness.behind, freshness.stalled) == (100, 100)
