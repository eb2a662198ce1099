"""A transport may lose, repeat or delay any job: the sums of a shard still contain each line once."""

from __future__ import annotations

import tempfile
import time
from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from logagg.clock import ManualClock
from logagg.config.sections import Config, Retention
from logagg.rollup.definitions import DEFAULTS
from logagg.rollup.shard import Gap, Shard, ShardSettings
from tests.laws import sums
from tests.laws.crashes import lines
from tests.laws.feed import SOURCE, Feed, assert_holds
from tests.laws.pace import examples

CONFIG = Config(retention=Retention(None, None, None))
LOG = lines(60)


def cuts(every: int) -> list[int]:
    """Return a position after every `every` lines, including the first and the last."""
    ends = [n + 1 for n, byte in enumerate(LOG) if byte == ord("\n")]
    return [0, *ends[every - 1 : -1 : every], len(LOG)]


@examples(15)
@given(st.integers(1, 20), st.lists(st.integers(0, 60), max_size=60), st.lists(st.booleans(), min_size=60, max_size=60))
def test_jobs_lost_repeated_and_late(every: int, order: list[int], flushes: list[bool]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        feed = Feed(Path(folder) / "lake", ManualClock(time.time()), CONFIG, shards=3)
        jobs = [feed.jobs(LOG, start, end) for start, end in pairwise(cuts(every))]
        for number, flush in zip(order, flushes, strict=False):
            deliver(feed, jobs[number % len(jobs)], lost=number % 3)
            if flush:
                feed.lake.commit([shard.drain() for shard in feed.shards], [SOURCE])
        for some in jobs:  # a sender resends uncommitted jobs
            deliver(feed, some)
        feed.lake.commit([shard.drain() for shard in feed.shards], [SOURCE])
        feed.close()
        assert_holds(Path(folder) / "lake", LOG)
        sums.assert_agrees(Path(folder) / "lake", LOG.decode().splitlines())


def deliver(feed: Feed, jobs: list, lost: int | None = None) -> None:  # type: ignore[type-arg]
    for job in jobs:
        if job.shard != lost:
            try:
                feed.shards[job.shard].absorb(job)
            except Gap as gap:
                assert gap.position < job.start


def test_a_shard_without_its_positions_would_count_twice(tmp_path: Path) -> None:
    """The guard is needed: only the positions of a shard keep a repeated job from counting twice."""
    feed = Feed(tmp_path / "lake", ManualClock(time.time()), CONFIG, shards=1)
    [job] = feed.jobs(LOG, 0, len(LOG))
    once = hits(feed.shards[0], job, job)
    forgetful = Shard(0, ShardSettings(DEFAULTS))
    assert hits(forgetful, job) == once
    forgetful._applied.clear()  # switch the guard off
    assert hits(forgetful, job) == once
    assert hits(feed.shards[0], job) == 0  # the shard with the guard drops the job
    feed.close()


def hits(shard: Shard, *jobs: object) -> int:
    for job in jobs:
        shard.absorb(job)  # type: ignore[arg-type]
    traffic = shard.drain().rollups.get("traffic")
    return sum(traffic["hits"].to_pylist()) if traffic else 0
