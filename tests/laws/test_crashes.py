"""Crash laws: wherever a commit dies, the lake is in the state before or after it, and continues exactly."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from logagg.clock import ManualClock
from logagg.lake.commit import GROUP_STEPS, STEPS
from tests.laws.crashes import COARSER, MINUTES, Crash, assert_clears_away, dies_at, flushed, lines
from tests.laws.feed import Feed, Sharer, assert_holds, files_of, position
from tests.laws.logs import START
from tests.laws.pace import examples


def flush(feed: Feed, log: bytes) -> None:
    feed.flush(log)


def merge(feed: Feed, log: bytes) -> None:
    assert feed.merge()


def merge_all(feed: Feed, log: bytes) -> None:
    assert feed.lake.compact_all()


def expire(feed: Feed, log: bytes) -> None:
    assert feed.lake.expire()


# A merge of all parts goes the way of a merge of some; steps of a shared lake differ from those of a sole writer only before the
# catalog is written, so one act shows them.
CASES = [
    pytest.param(kind, step, act, id=f"{act.__name__}, {name}{step}", marks=[pytest.mark.soak] if rare else [])
    for kind, steps, name in ((Feed, STEPS, ""), (Sharer, GROUP_STEPS, "shared, "))
    for step in steps
    for act in (flush, merge, merge_all, expire)
    for rare in (act is merge_all or (kind is Sharer and act is not flush),)
]


@pytest.mark.parametrize(("kind", "step", "act"), CASES)
def test_a_crash_at_any_step_of_any_act(
    kind: type[Feed], step: str, act: Callable[[Feed, bytes], None], root: Path
) -> None:
    clock = ManualClock(time.time())
    config = COARSER if act is expire else MINUTES
    log = flushed(root, clock, MINUTES, 17 if act is merge else 2, kind)
    if act is expire:
        feed = kind(root, clock, MINUTES)
        feed.lake.compact_all()
        feed.close()
    before, log = len(log), log + lines(9, 200)

    feed = kind(root, clock, config)
    feed.lake.crash_at(dies_at(step))
    with pytest.raises(Crash):
        act(feed, log)
    feed.close()
    done = step in ("link moved", "outcomes")
    assert position(root) == (len(log) if act is flush and done else before)
    assert_holds(root, log)

    feed = kind(root, clock, config)
    if not done:  # a finished act must not be repeated
        act(feed, log)
    feed.flush(log)
    feed.close()
    assert position(root) == len(log)
    assert_holds(root, log)
    assert_clears_away(root, clock)


def test_files_that_a_reader_may_use_stay_for_their_grace_across_restarts(root: Path) -> None:
    clock = ManualClock(time.time())
    flushed(root, clock, MINUTES, 2)
    named, _ = files_of(root)
    clock.sleep(10 * MINUTES.lake.grace)  # long after they were written
    feed = Feed(root, clock, MINUTES)
    feed.lake.compact_all()
    feed.close()
    clock.sleep(MINUTES.lake.grace - 10)
    Feed(root, clock, MINUTES).close()
    assert {path for path in named if path.startswith("data")} <= files_of(root)[1]
    assert_clears_away(root, clock)


class Lives(RuleBasedStateMachine):
    """Flushes, merges, retention, crashes and restarts, in any order; the log determines the sums."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.root, self.clock, self.log, self.number = self.folder / "lake", ManualClock(time.time()), b"", 0
        self.feed = Feed(self.root, self.clock, COARSER)

    def teardown(self) -> None:
        if not hasattr(self, "folder"):
            return
        self.feed.close()
        try:
            assert_clears_away(self.root, self.clock)
        finally:
            shutil.rmtree(self.folder)

    @rule(number=st.integers(0, 12))
    def write(self, number: int) -> None:
        self.log += lines(number, self.number)
        self.number += number

    @rule(times=st.integers(1, 9))
    def flush(self, times: int) -> None:
        for _ in range(times):
            self.write(1)
            self.feed.flush(self.log)
        assert position(self.root) == len(self.log)

    @rule()
    def merge(self) -> None:
        self.feed.merge()

    @rule()
    def merge_all(self) -> None:
        self.feed.lake.compact_all()

    @rule(days=st.sampled_from([0.001, 0.5, 2, 20]))
    def wait(self, days: float) -> None:
        self.clock.sleep(days * 86_400)

    @rule()
    def expire(self) -> None:
        self.feed.lake.expire()

    @rule(shards=st.integers(1, 3))
    def restart(self, shards: int) -> None:
        self.feed.close()
        self.feed = Feed(self.root, self.clock, COARSER, shards)

    @rule(
        step=st.sampled_from(STEPS),
        times=st.integers(1, 3),
        act=st.sampled_from(["flush", "merge", "merge_all", "expire"]),
        shards=st.integers(1, 3),
    )
    def crash(self, step: str, times: int, act: str, shards: int) -> None:
        self.feed.lake.crash_at(dies_at(step, times))
        with suppress(Crash):
            {"flush": lambda: self.flush(3), "merge": self.merge, "merge_all": self.merge_all, "expire": self.expire}[
                act
            ]()
        self.restart(shards)

    @invariant()
    def holds(self) -> None:
        if hasattr(self, "folder"):
            assert_holds(self.root, self.log)


TestLives = Lives.TestCase
TestLives.settings = examples(6, stateful_step_count=12)


def test_the_clock_starts_after_the_end_of_the_log() -> None:
    assert time.time() > START.timestamp() + 2 * 86_400, "retention has data to coarsen"
