"""`logagg status --gearman`: what is well, and what is not, and the exit status that says so."""

from __future__ import annotations

import json

import pytest

from tests.conftest import combined, wait_until
from tests.gearmand import Site, free_port

pytestmark = pytest.mark.e2e


def test_a_cluster_that_is_well(site: Site) -> None:
    log = site.logagg.folder / "access.log"
    log.write_text(combined([(f"/{number}", 200) for number in range(50)]))
    site.worker("0-1/2")
    site.await_lake()
    tail = site.tail("web1", log)
    site.logagg.await_lines(50, tail)
    found = json.loads(site.logagg.run("status", "--gearman", site.gearman, "--json").stdout)
    assert found["healthy"] and found["problems"] == []
    assert [(one["shard"], one["workers"], one["queued"], one["gaps"]) for one in found["shards"]] == [(0, 1, 0, 0), (1, 1, 0, 0)]
    assert sum(one["taken"] for one in found["shards"]) >= 2
    [web1] = found["tailers"]
    assert (web1["tailer"], web1["sources"], web1["position"], web1["shard_lag"]) == ("web1", 1, log.stat().st_size, 0)
    assert "web1" in site.logagg.run("status", "--gearman", site.gearman).stdout


def test_a_worker_is_missing(site: Site) -> None:
    worker = site.worker("0/2")
    site.await_lake()
    wait_until(lambda: any("positions.0" in line for line in site.servers[0].ask("status")), worker)
    done = site.logagg.run("status", "--gearman", site.gearman, status=1)
    assert "unhealthy: shard 1: no worker answers" in done.stdout


def test_no_server(site: Site) -> None:
    done = site.logagg.run("status", "--gearman", f"127.0.0.1:{free_port()}", status=1)
    assert "no job server answers" in done.stdout
