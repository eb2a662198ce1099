"""Random `kill -9` of tails, workers and the job server, while logs are written and rotated: exact totals at the end."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.gearmand import Site
from tests.soak.writer import Writer, assert_written

TAILERS, SHARDS = 3, ("0-1/4", "2-3/4")


def read_the_rest(site: Site, folder: Path) -> None:
    site.logagg.run("tail", "--gearman", site.gearman, "--name", folder.name, "--once", "-q", folder)


def soak(site: Site, kills: int, seed: int) -> None:
    """Kill `kills` processes at random moments and restart them; let the last ones finish; compare every rollup."""
    chance, began = random.Random(seed), time.monotonic()
    with ExitStack() as stack:
        writers = []
        for number in range(TAILERS):
            folder = site.logagg.folder / f"web{number}"
            folder.mkdir()
            writers.append(stack.enter_context(Writer(folder, seed + number, batch=15, network=f"192.0.{number}")))
        starts: list[Callable[[], subprocess.Popen[str]]] = [
            lambda shards=shards: site.worker(shards, "-q")  # type: ignore[misc]
            for shards in SHARDS
        ]
        starts += [lambda log=writer.log: site.tail(log.parent.name, "-q", log.parent) for writer in writers]  # type: ignore[misc]
        running = [starts[0](), starts[1]()]
        site.await_lake()
        running += [start() for start in starts[2:]]
        for _ in range(kills):
            time.sleep(chance.expovariate(1.5))  # a random moment
            victim = chance.randrange(len(running) + 1)
            if victim == len(running):
                site.servers[0].kill()
                site.servers[0].start()
                continue
            assert running[victim].poll() is None, site.notices()
            running[victim].kill()
            running[victim].wait()
            running[victim] = starts[victim]()
    for tail in running[2:]:
        tail.kill()
        tail.wait()
    with ThreadPoolExecutor(TAILERS) as executor:
        list(executor.map(lambda writer: read_the_rest(site, writer.log.parent), writers))
    for worker in running[:2]:
        site.stop(worker)
    assert_written(site.lake, writers)
    assert "all is well" in site.logagg.run("check").stdout
    lines = sum(writer.lines for writer in writers)
    print(f"\n{kills} kills (seed {seed}), {lines:,} lines, {time.monotonic() - began:.0f} s: totals exact")


@pytest.mark.timeout(300)
@pytest.mark.soak  # a minute, on two cores
def test_twenty_kills(site: Site) -> None:
    soak(site, 20, seed=random.randrange(1 << 32))


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_two_hundred_kills(site: Site) -> None:
    soak(site, 200, seed=random.randrange(1 << 32))
