"""`logagg status --gearman`: healthy and unhealthy clusters, and the exit status for each."""

from __future__ import annotations

import json
import shutil
import socket

import pytest

from tests.conftest import combined, wait_until
from tests.gearmand import Site, free_port


def test_a_healthy_cluster(site: Site) -> None:
    log = site.logagg.folder / "access.log"
    log.write_text(combined([(f"/{number}", 200) for number in range(50)]))
    site.worker("0-1/2")
    site.await_lake()
    tail = site.tail("web1", log)
    site.logagg.await_lines(50, tail)
    found = json.loads(site.logagg.run("status", "--gearman", site.gearman, "--json").stdout)
    assert found["healthy"] and found["problems"] == []
    assert [(one["shard"], one["workers"], one["queued"], one["gaps"]) for one in found["shards"]] == [
        (0, 1, 0, 0),
        (1, 1, 0, 0),
    ]
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
    assert [one["workers"] for one in found["shards"]] == [1, 1] and [one["taken"] for one in found["shards"]] == [
        None,
        None,
    ]
    assert found["problems"] == [
        "the workers were not asked: nowhere: the lake's secret cannot be read: No such file or directory; "
        "copy the file secret out of the lake, and name it with --secret"
    ]
    done = site.logagg.run("status", "--gearman", site.gearman, "--secret", other, status=1)
    assert "shard 1: no worker answers with the lake's secret" in done.stdout


def test_functions_that_are_not_of_a_shard_are_ignored(site: Site) -> None:
    """Any program may register a function at a job server."""
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


def problems(site: Site, *argv: object) -> list[str]:
    """Return the problems of tails that the lake's machine reports; this needs no job server."""
    done = site.logagg.run("status", "--json", *argv, status=None)
    found = json.loads(done.stdout)
    assert done.returncode == int(bool(found["problems"]))
    return [str(problem) for problem in found["problems"]]


def test_the_lakes_machine_reports_logs_that_a_remote_tail_cannot_read(site: Site) -> None:
    """Its heartbeat is sent with its requests, since the tail has no access to the lake."""
    folder = site.logagg.folder
    (folder / "access.log").write_text(combined([(f"/{number}", 200) for number in range(50)]))
    (folder / "loop.log").symlink_to("loop.log")
    site.worker("0-1/2")
    site.await_lake()
    tail = site.tail("web1", "access.log", "loop.log", "later.log")
    expected = "web1:loop.log: Too many levels of symbolic links"
    wait_until(lambda: any(text.startswith(expected) for text in problems(site)), tail)
    done = site.logagg.run("status", "--gearman", site.gearman, status=1)
    assert (
        f"unhealthy: {expected}" in done.stdout and "waiting: web1:later.log: no such file or directory" in done.stdout
    )
    shown = site.logagg.run("status", status=1).stdout
    assert "waiting: web1:later.log: no such file" in shown and "web1" in shown and "running" in shown
    (folder / "loop.log").unlink()
    (folder / "later.log").write_text(combined([("/", 200)]))
    wait_until(lambda: problems(site) == [], tail)
    site.logagg.await_lines(51, tail)


@pytest.mark.thorough
def test_a_remote_tail_that_ends_reports_it_and_a_killed_one_alarms_the_monitor(site: Site) -> None:
    log = site.logagg.folder / "access.log"
    log.write_text(combined([(f"/{number}", 200) for number in range(50)]))
    site.worker("0-1/2")
    site.await_lake()

    def state() -> str:
        tails = json.loads(site.logagg.run("status", "--json", status=None).stdout)["tails"]
        return str(tails[0]["state"]) if tails else ""

    tail = site.tail("web1", log)
    wait_until(lambda: state() == "running", tail)
    assert problems(site, "--max-age", "1h") == []
    site.stop(tail)
    assert state() == "ended" and problems(site) == []
    assert "web1" in site.logagg.run("status").stdout
    tail = site.tail("web1", log)
    wait_until(lambda: state() == "running", tail)
    tail.kill()
    wait_until(lambda: "tailer web1: no heartbeat of a tail for" in str(problems(site, "--max-age", "1s")))
    done = site.logagg.run("status", "--gearman", site.gearman, "--max-age", "1s", status=1)
    assert "unhealthy: tailer web1: no heartbeat of a tail for" in done.stdout


def test_a_tail_waits_for_its_log(site: Site) -> None:
    folder = site.logagg.folder / "volume"
    site.worker("0-1/2")
    site.await_lake()
    tail = site.tail("web1", folder, folder / "x" / "*.log")
    wait_until(
        lambda: f"waiting: {folder}: no such file or directory; reading begins when it comes" in site.notices(), tail
    )
    (folder / "x").mkdir(parents=True)
    for name in ("access.log", "x/a.log"):
        (folder / name).write_text(combined([(f"/{name}/{number}", 200) for number in range(20)]))
    site.logagg.await_lines(40, tail)
    assert site.notices().count(f"waiting: {folder}") == 2
    site.stop(tail)


def test_once_does_not_wait(site: Site) -> None:
    site.worker("0-1/2")
    site.await_lake()
    shutil.copy(site.lake / "secret", site.logagg.folder / "secret")
    for path, message in {"nothing.log": "no such file or directory", "*.nothing": "matches no file now"}.items():
        done = site.logagg.run("tail", "--gearman", site.gearman, "--secret", "secret", "--once", path, status=1)
        assert done.stderr.startswith(f"logagg: {path}: {message}; check the pa") and done.stderr.count("\n") == 1


def test_a_worker_that_takes_over_gets_the_next_heartbeat(site: Site) -> None:
    log = site.logagg.folder / "access.log"
    log.write_text(combined([(f"/{number}", 200) for number in range(50)]))
    worker = site.worker("0")
    site.await_lake()
    tail = site.tail("web1", log)
    wait_until(lambda: (site.lake / "tails" / "web1.json").exists(), tail)
    worker.kill()
    (site.lake / "tails" / "web1.json").unlink()
    site.worker("0")
    wait_until(lambda: (site.lake / "tails" / "web1.json").exists(), tail)
    site.stop(tail)
