"""The freshness and the heartbeats of a tailer that sends its jobs to workers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from logagg.clock import ManualClock
from logagg.cluster.auth import Keys
from logagg.cluster.handshake import Identity
from logagg.cluster.outbox import Outbox, PendingJob
from logagg.cluster.protocol import Reply
from logagg.cluster.sender import Dispatch
from logagg.tail.freshness import Freshness

POSITIONS = {"a": (10, 10)}


class Bench:
    """A dispatch with two shards without workers, and a clock."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.freshness = Freshness(self.clock)
        who = Identity("web1", Keys(bytes(32)))
        self.dispatch = Dispatch(
            [], who, self.clock, lambda *notice: None, memory=1 << 22, poll=1.0, freshness=self.freshness
        )
        self.dispatch.outboxes = [Outbox(0), Outbox(1)]

    def put(self, *shards: int, start: int = 0, end: int = 10) -> None:
        for shard in shards:
            self.dispatch.outboxes[shard].add(PendingJob("a", 0, start, end, b"data"))

    def read(self) -> None:
        self.dispatch.read(self.clock.monotonic())

    def commit(self, shard: int, position: int) -> None:
        self.dispatch.outboxes[shard].release({"a": (position, position)})
        self.dispatch._update_freshness()  # done by its thread


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.dispatch.stop()


def test_an_idle_tailer_is_fresh(bench: Bench) -> None:
    for _ in range(10):
        bench.clock.sleep(60)
        bench.read()
    assert bench.freshness.behind == 0


def test_lines_are_fresh_when_all_shards_have_committed_them(bench: Bench) -> None:
    bench.clock.sleep(10)
    bench.put(0, 1)
    bench.read()
    bench.clock.sleep(10)
    bench.commit(0, 10)
    assert bench.freshness.behind == 20
    bench.put(0, 1, start=10, end=20)
    bench.read()
    bench.commit(1, 10)
    assert bench.freshness.behind == 10, "although more jobs are on their way"
    bench.clock.sleep(5)
    bench.commit(0, 20)
    bench.commit(1, 20)
    assert bench.freshness.behind == 5


def test_a_tailer_that_is_never_idle_is_also_fresh(bench: Bench) -> None:
    for number in range(100):
        bench.clock.sleep(1)
        bench.put(0, 1, start=10 * number, end=10 * number + 10)
        bench.read()
        for shard in (0, 1):
            bench.commit(shard, 10 * number)
        assert bench.freshness.behind <= 2


def test_a_heartbeat_waits_until_it_is_received(bench: Bench) -> None:
    dispatch, outbox = bench.dispatch, bench.dispatch.outboxes[0]
    assert dispatch.wait_until_said(0)
    dispatch.say("I am well")
    assert not dispatch.wait_until_said(0)
    dispatch.ask(outbox)
    dispatch.say("I am not well")
    dispatch._take_stock(outbox, Reply("taken"), ())
    assert not dispatch.wait_until_said(0), "the received heartbeat has the earlier state"
    dispatch.ask(outbox)
    dispatch._take_stock(outbox, Reply("taken"), ())
    assert dispatch.wait_until_said(0)
