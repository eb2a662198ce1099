"""A rollup that came later is filled while workers write the lake, some of which do not know it yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import combined
from tests.e2e.test_backfill import EARLY, LATE, PAGES, assert_filled, configure
from tests.gearmand import Site

pytestmark = pytest.mark.soak


def append(log: Path, client: str) -> None:
    with log.open("a") as file:
        file.write(combined(PAGES, client=client))


def test_workers_learn_of_it_one_after_the_other(site: Site) -> None:
    """A worker is restarted with the rollup, a backfill runs, the other follows, and what came meanwhile is filled."""
    logagg, log = site.logagg, site.logagg.folder / "access.log"
    configure(logagg, EARLY)
    workers = [site.worker("0,2/3"), site.worker("1/3")]
    site.await_lake()
    for number in range(20):
        append(log, f"192.0.2.{number}")
    tail = site.tail("web1", log)
    logagg.await_lines(2000, tail)

    configure(logagg, EARLY, LATE)
    site.stop(workers.pop(0))
    workers.append(site.worker("0,2/3"))
    append(log, "198.51.100.1")
    logagg.await_lines(2100, tail)
    assert "late: filled from " in logagg.run("backfill", "late").stdout
    for number in range(10):
        append(log, f"198.51.100.{number}")
    logagg.await_lines(3100, tail)

    site.stop(workers.pop(0))
    workers.append(site.worker("1/3"))
    append(log, "198.51.100.77")
    logagg.await_lines(3200, tail)
    killed = logagg.start("backfill", "late")
    killed.kill()
    killed.wait()
    assert "late: filled from " in logagg.run("backfill", "late").stdout
    assert_filled(logagg, 3200)
    append(log, "198.51.100.99")
    logagg.await_lines(3300, tail)
    assert_filled(logagg, 3300)
    site.stop(tail)
    for worker in workers:
        site.stop(worker)
    assert "all is well" in logagg.run("check").stdout
    assert "nothing to fill" in logagg.run("backfill", "late").stdout
    assert_filled(logagg, 3300)
