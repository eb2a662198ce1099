"""Alerts of a cluster: one of the workers evaluates, and another one takes over when it dies."""

from __future__ import annotations

import os

from logagg.lake import locks
from tests.conftest import combined, wait_until
from tests.e2e.test_alerts import ANY, ListedAlert
from tests.gearmand import Site


def holder(site: Site) -> int:
    return int(locks.holders(site.logagg.lake).get("alerts") or 0)  # empty: taken, and its holder not written yet


def test_one_worker_evaluates_and_another_takes_over(site: Site) -> None:
    told, log = ListedAlert(site.logagg.folder), site.logagg.folder / "access.log"
    (site.logagg.folder / "logagg.toml").write_text(ANY + told.config)
    log.write_text(combined([("/", 200)] * 5))
    workers = {one.pid: one for one in (site.worker("0/2"), site.worker("1/2"))}
    site.await_lake()
    site.tail("web1", "--flush", "0.1", log)
    wait_until(lambda: len(told.all()) == 1)
    first = holder(site)
    os.kill(first, 9)
    workers[first].wait()
    wait_until(lambda: holder(site) not in (0, first))
    assert {*workers} == {first, holder(site)}
    assert len(told.all()) == 1
