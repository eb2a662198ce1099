"""Random `kill -9` of a real tail, while the log is written and rotated: exact totals at the end."""

from __future__ import annotations

import os
import random
import subprocess
import time

import pytest

from tests.conftest import Command, wait_until
from tests.soak.writer import Writer, assert_written


def soak(logagg: Command, kills: int, seed: int) -> None:
    """Kill a tail `kills` times at random moments; let the last one finish; compare every rollup, print figures."""
    chance, began = random.Random(seed), time.monotonic()
    logs = logagg.folder / "logs"
    logs.mkdir()
    with Writer(logs, seed) as writer:
        for number in range(kills):
            tail = logagg.start("tail", "-q", "--flush", "0.05", logs)
            try:
                live_for_a_while(tail, logagg, chance, commits=number % 4)
            finally:
                tail.kill()
                tail.wait()
    logagg.run("tail", "--once", "-q", logs)
    assert_written(logagg.lake, [writer])
    [(commits,)] = logagg.read("SELECT max(id) FROM commits")
    print(
        f"\n{kills} kills (seed {seed}), {writer.lines:,} lines, {writer.rotations} rotations, {commits:,} commits, "
        f"{time.monotonic() - began:.0f} s: totals exact"
    )


def live_for_a_while(tail: subprocess.Popen[str], logagg: Command, chance: random.Random, commits: int) -> None:
    """Wait for some commits, then for a random time."""
    link, seen = logagg.lake / "logagg.duckdb", set[str]()

    def committed() -> bool:
        seen.update([os.readlink(link)] if link.is_symlink() else [])
        return len(seen) > commits

    wait_until(committed, tail)
    try:
        tail.wait(chance.expovariate(5))
    except subprocess.TimeoutExpired:
        return
    raise AssertionError(f"the tail ended by itself: {(logagg.folder / 'tail.log').read_text()}")


@pytest.mark.slow
def test_some_kills(logagg: Command) -> None:
    soak(logagg, 8, seed=random.randrange(1 << 32))


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_two_hundred_kills(logagg: Command) -> None:
    soak(logagg, 200, seed=random.randrange(1 << 32))
