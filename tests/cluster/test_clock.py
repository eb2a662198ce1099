"""A web server or a worker whose clock has not been set, or has jumped."""

from __future__ import annotations

import pytest

from tests.clocks import WrongClock
from tests.conftest import combined, wait_until
from tests.gearmand import Site

pytestmark = pytest.mark.slow


def test_a_tail_waits_for_its_clock(site: Site, wrong_clock: WrongClock) -> None:
    worker = site.worker("0-1/2")
    site.await_lake()
    log = site.logagg.folder / "access.log"
    log.write_text(combined([("/a", 200)] * 30))
    wrong_clock.says("1970-01-02 00:00:00")
    tail = site.tail("web", log)
    wait_until(lambda: "nothing is read until it is set" in site.notices(), tail)
    once = site.logagg.run("tail", "--gearman", site.gearman, "--name", "other", "--once", "-q", log, status=1)
    assert once.stderr.startswith("logagg: the clock says 1970-01-02")
    assert site.logagg.lines() == 0
    wrong_clock.right()
    site.logagg.await_lines(30, tail)
    assert site.logagg.read("SELECT count(*) FROM rejects") == [(0,)]
    site.stop(tail)
    site.stop(worker)


@pytest.mark.thorough
def test_a_worker_whose_clock_jumps_drops_nothing(site: Site, wrong_clock: WrongClock) -> None:
    config, log = site.logagg.folder / "day.toml", site.logagg.folder / "access.log"
    config.write_text('[retention]\nminute = "1y"\nhour = "1y"\nday = "1y"\n')
    worker = site.worker("0-1/2", "--config", config)
    site.await_lake()
    tail = site.tail("web", log.parent)
    log.write_text("")
    wrong_clock.says("2099-01-01 00:00:00")
    for number in range(40):  # enough parts for merges: retention drops only merged parts
        with log.open("a") as file:
            file.write(combined([(f"/{number}", 200)]))
        site.logagg.await_lines(number + 1, worker)
    wait_until(lambda: "nothing is deleted or coarsened" in site.notices(), worker)
    assert site.logagg.lines() == 40
    site.stop(tail)
    site.stop(worker)
