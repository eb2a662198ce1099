"""`logagg status --gearman`: what is well, and what is not, and the exit status that says so."""

from __future__ import annotations

import json
import socket

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
    assert sum(one["taken"] for one in found["shards"]) >= 2 and sum(one["refused"] for one in found["shards"]) == 0
    [web1] = found["tailers"]
    assert (web1["tailer"], web1["sources"], web1["position"], web1["shard_lag"]) == ("web1", 1, log.stat().st_size, 0)
    assert "web1" in site.logagg.run("status", "--gearman", site.gearman).stdout


def test_a_worker_is_missing(site: Site) -> None:
    worker = site.worker("0/2")
    site.await_lake()
    wait_until(lambda: any("positions.0" in line for line in site.servers[0].ask("status")), worker)
    done = site.logagg.run("status", "--gearman", site.gearman, status=1)
    assert "unhealthy: shard 1: no worker answers" in done.stdout


def test_without_the_secret_only_the_job_server_answers(site: Site) -> None:
    site.worker("0-1/2")
    site.await_lake()
    wait_until(lambda: any("positions.1" in line for line in site.servers[0].ask("status")))
    other = site.logagg.folder / "other"
    other.write_bytes(b"x" * 32)
    done = site.logagg.run("status", "--gearman", site.gearman, "--secret", "nowhere", "--json", status=1)
    found = json.loads(done.stdout)
    assert [one["workers"] for one in found["shards"]] == [1, 1] and [one["taken"] for one in found["shards"]] == [None, None]
    assert found["problems"] == [
        "the workers were not asked: nowhere: the lake's secret cannot be read: No such file or directory; "
        "copy the file secret out of the lake, and name it with --secret"
    ]
    done = site.logagg.run("status", "--gearman", site.gearman, "--secret", other, status=1)
    assert "shard 1: no worker answers with the lake's secret" in done.stdout


def test_functions_of_no_shard_are_passed_over(site: Site) -> None:
    """Anybody may register a function at a job server."""
    site.worker("0/1")
    site.await_lake()
    names = [f"logagg.shard.{number}" for number in ("4294967296", "9" * 400, "-1", "x")]
    with socket.create_connection(("127.0.0.1", site.servers[0].port), 5) as connection:
        for name in names:
            connection.sendall(b"\0REQ" + (1).to_bytes(4, "big") + len(name).to_bytes(4, "big") + name.encode())
        wait_until(lambda: any("positions.0" in line for line in site.servers[0].ask("status")))
        found = json.loads(site.logagg.run("status", "--gearman", site.gearman, "--json").stdout)
    assert [one["shard"] for one in found["shards"]] == [0]


def test_no_server(site: Site) -> None:
    done = site.logagg.run("status", "--gearman", f"127.0.0.1:{free_port()}", status=1)
    assert "no job server answers" in done.stdout
