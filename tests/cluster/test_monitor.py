"""`logagg status --gearman` and `monitor.check`, with a real gearmand: what is down is said, in time, and nothing is written."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from logagg.clock import SystemClock
from logagg.cluster import monitor, protocol
from logagg.cluster.gearman import Connection, PacketType, Server
from logagg.cluster.monitor import CheckedCluster
from logagg.cluster.shard_rows import NO_SECRET
from logagg.query import snapshot
from tests.conftest import Command, combined, wait_until
from tests.gearmand import JobServer, Site, free_port
from tests.peer import Peer

LINES = 50
LIMIT = 15  # seconds for a look, long enough for a busy machine
AS_USER = Path(__file__).parent.parent / "e2e" / "as_user.py"


@pytest.fixture
def log(logagg: Command) -> Path:
    path = logagg.folder / "access.log"
    path.write_text(combined([(f"/{number}", 200) for number in range(LINES)]))
    return path


def look(site: Site, *others: Server, secret: bool = True) -> CheckedCluster:
    servers = [Server("127.0.0.1", server.port) for server in site.servers]
    key = (site.lake / "secret").read_bytes() if secret else None
    began = time.monotonic()
    found = monitor.check([*servers, *others], site.lake, key, SystemClock())
    assert time.monotonic() - began < LIMIT
    json.dumps(found, allow_nan=False)
    return found


def status(site: Site, *options: object) -> dict[str, Any]:
    done = site.logagg.run("status", "--gearman", site.gearman, "--json", *options, status=None)
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == int(bool(found["problems"]))
    return found


@contextmanager
def silent_server() -> Iterator[Server]:
    """A server that accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield Server("127.0.0.1", server.getsockname()[1])


def submit(server: JobServer, function: str) -> Connection:
    """Send a job that is in the queue as long as the connection is open."""
    connection = Connection(Server("127.0.0.1", server.port), SystemClock())
    connection.send(PacketType.SUBMIT_JOB, task=function.encode(), unique=b"u", data=b"junk")
    wait_until(lambda: any(line.startswith(f"{function}\t1") for line in server.ask("status")))
    return connection


def test_all_of_a_healthy_cluster(site: Site, log: Path) -> None:
    worker = site.worker("0-1/2")
    site.await_lake()
    tail = site.tail("web1", log)
    site.logagg.await_lines(LINES, tail)
    wait_until(lambda: bool(look(site)["heartbeats"]) and look(site)["tailers"][0]["lag_bytes"] == 0, tail)
    wait_until(lambda: [row["lag"] for row in look(site)["shards"]] == [0, 0], tail)
    found = look(site)
    assert found["problems"] == [] and found["quarantine"] == []
    [server] = found["servers"]
    assert (server["address"], server["up"], server["problem"]) == (site.servers[0].address, True, "")
    assert server["version"] and server["version"][0].isdecimal()
    functions = {one["name"]: (one["queued"], one["running"], one["workers"]) for one in server["functions"]}
    assert functions == {f"logagg.{kind}.{shard}": (0, 0, 1) for kind in ("positions", "shard") for shard in (0, 1)}
    for row in found["shards"]:
        assert row["owner"] == f"{socket.gethostname()}-{worker.pid}" and row["problem"] == ""
        assert (row["lag"], row["gaps"], row["workers"]) == (0, 0, 1) and row["taken"] and row["commits"]
        assert row["last_commit"] and row["last_commit"].endswith("Z")
    [web1] = found["tailers"]
    assert (web1["name"], web1["state"], web1["sources"], web1["resent"]) == ("web1", "running", 1, 0)
    assert web1["version"] and web1["lag_seconds"] is not None and web1["lag_seconds"] < 60
    size = log.stat().st_size
    assert web1["logs"] == [{"path": str(log), "position": size, "size": size, "lag": 0}]
    assert found["lake"]["commits"] and found["lake"]["problem"] == ""
    with snapshot.connect(site.lake) as connection:
        again = monitor.observe([], site.lake, None, SystemClock(), connection)
    assert again["tailers"][0]["logs"] == web1["logs"]
    assert list(again) == ["servers", "shards", "tailers", "quarantine", "lake"]


def test_the_command_shows_the_same_with_the_names_that_it_had(site: Site, log: Path) -> None:
    site.worker("0-1/2")
    site.await_lake()
    site.logagg.await_lines(LINES, site.tail("web1", log))
    wait_until(lambda: bool(status(site)["heartbeats"]))
    found = status(site)
    assert {"server", "functions", "queued", "running"} <= found["servers"][0].keys()
    assert found["servers"][0]["functions"] == 4 and len(found["functions"]) == 4
    assert {"shard", "workers", "queued", "running", "taken", "duplicates", "gaps", "held", "refused"} <= found[
        "shards"
    ][0].keys()
    names = "tailer sources position shard_lag unread uncommitted behind resent refused silent".split()
    assert set(names) <= found["tailers"][0].keys() and found["tailers"][0]["tailer"] == "web1"
    assert {"problems", "waiting", "heartbeats", "healthy"} <= found.keys()
    text = site.logagg.run("status", "--gearman", site.gearman).stdout
    for word in ("logagg.positions.1", "last_commit", "lag_seconds", str(log), "running", found["shards"][0]["owner"]):
        assert word in text, word


def test_servers_that_are_up_down_and_silent(site: Site) -> None:
    site.worker("0/1")
    site.await_lake()
    wait_until(lambda: look(site)["problems"] == [])
    with silent_server() as silent:
        down = Server("127.0.0.1", free_port())
        found = look(site, down, silent)
    assert [row["up"] for row in found["servers"]] == [True, False, False]
    assert found["servers"][1]["problem"] == f"{down}: no job server answers: Connection refused; start gearmand there"
    assert found["servers"][2]["problem"].startswith(f"{silent}: something listens there, but gives no answer")
    assert found["problems"] == [row["problem"] for row in found["servers"][1:]]
    assert found["shards"][0]["taken"] == 0, "the worker is asked through the server that is up"


def test_no_server_is_up(site: Site, log: Path) -> None:
    """Who owns a shard, and what was committed, is still in the lake."""
    worker = site.worker("0/1")
    site.await_lake()
    site.logagg.await_lines(LINES, site.tail("web1", log))
    site.servers[0].kill()
    found = look(site)
    [shard] = found["shards"]
    assert (shard["problem"], shard["owner"]) == ("no job server answers", f"process {worker.pid}")
    assert (shard["lag"], shard["taken"]) == (0, None)
    assert [row["name"] for row in found["tailers"]] == ["web1"]
    done = site.logagg.run("status", "--gearman", site.gearman, status=1)
    assert "unhealthy: " in done.stdout and "no job server answers" in done.stdout


def test_jobs_wait_without_a_worker(site: Site) -> None:
    site.worker("0/2")
    site.await_lake()
    connection = submit(site.servers[0], "logagg.shard.1")
    wait_until(lambda: look(site)["shards"][0]["taken"] == 0)
    found = look(site)
    shard = found["shards"][1]
    assert (shard["queued"], shard["running"], shard["workers"], shard["owner"]) == (1, 0, 0, None)
    assert shard["problem"] == "no worker answers: none is connected to a job server; start one"
    assert f"shard 1: {shard['problem']}" in found["problems"]
    waiting = [one for one in found["servers"][0]["functions"] if one["queued"]]
    assert [one["name"] for one in waiting] == ["logagg.shard.1"]
    connection.close()


def test_a_worker_is_killed(site: Site, log: Path) -> None:
    one, two = site.worker("0/2"), site.worker("1/2")
    site.await_lake()
    tail = site.tail("web1", log)
    site.logagg.await_lines(LINES, tail)
    two.kill()
    two.wait()
    with log.open("a") as file:
        file.write(combined([(f"/more/{number}", 200) for number in range(LINES)]))
    size = log.stat().st_size
    wait_until(lambda: look(site)["tailers"][0]["position"] == size, one)
    found = look(site)
    assert found["shards"][0]["owner"] == f"{socket.gethostname()}-{one.pid}" and found["shards"][0]["lag"] == 0
    shard = found["shards"][1]
    assert (shard["owner"], shard["taken"], shard["commits"]) == (None, None, None)
    assert shard["problem"].startswith("no worker answers") and (shard["lag"] or 0) > 0
    [row] = found["tailers"]
    assert (row["lag_bytes"] or 0) > 0
    site.worker("1/2")
    wait_until(lambda: look(site)["problems"] == [], tail)
    wait_until(lambda: look(site)["shards"][1]["lag"] == 0, tail)


def test_a_worker_hangs(site: Site) -> None:
    worker = site.worker("0/1")
    site.await_lake()
    wait_until(lambda: look(site)["problems"] == [])
    worker.send_signal(signal.SIGSTOP)
    try:
        [shard] = look(site)["shards"]
    finally:
        worker.send_signal(signal.SIGCONT)
    assert shard["problem"].startswith("no worker answers with the lake's secret: one is connected, but hangs")
    assert shard["owner"] == f"{socket.gethostname()}-{worker.pid}"


def test_a_job_in_quarantine(site: Site) -> None:
    site.worker("0/1")
    site.await_lake()
    peer = Peer(site.servers[0].port, site.lake)
    assert peer.keys
    data = peer.keys.sign(protocol._framed(protocol.JOB, {"tailer": 7}), b"n" * 16, peer.owner())
    assert peer.ask(data, function="logagg.shard.0").outcome == "refused"
    for found in (look(site), look(site, secret=False), status(site)):
        [kept] = found["quarantine"]
        assert (site.lake / kept["file"]).read_bytes() == data and kept["bytes"] == len(data)
        assert "logagg.shard.0" in kept["reason"] and "lacks 'source'" in kept["reason"] and kept["at"]
    assert "lacks 'source'" in site.logagg.run("status", "--gearman", site.gearman, status=None).stdout


def test_without_the_secret(site: Site, log: Path) -> None:
    site.worker("0-1/2")
    site.await_lake()
    tail = site.tail("web1", log)
    site.logagg.await_lines(LINES, tail)
    wait_until(lambda: bool(look(site, secret=False)["heartbeats"]), tail)
    wait_until(lambda: [row["lag"] for row in look(site, secret=False)["shards"]] == [0, 0], tail)
    found = look(site, secret=False)
    assert found["problems"] == [] and found["servers"][0]["up"]
    for row in found["shards"]:
        assert (row["problem"], row["taken"], row["held"], row["commits"]) == (NO_SECRET, None, None, None)
        assert row["lag"] == 0 and row["workers"] == 1 and row["owner"]
    [web1] = found["tailers"]
    assert web1["state"] == "running" and web1["version"] and web1["resent"] == 0 and web1["lag_bytes"] is not None


def test_a_lake_of_another_cluster_is_not_shown(site: Site, log: Path) -> None:
    site.worker("0/1")
    site.await_lake()
    other = Command(site.logagg.folder / "other", site.logagg.folder)
    other.run("tail", "--once", "--quiet", log)
    shutil.copy(site.lake / "secret", site.logagg.folder / "key")
    found = status(site, "--secret", "key", "--lake", "other")
    assert found["lake"]["commits"] is None and "the lake of another secret" in found["lake"]["problem"]
    assert found["tailers"] == [] and found["shards"][0]["taken"] == 0


def test_a_look_writes_nothing(site: Site, log: Path) -> None:
    site.worker("0/1")
    site.await_lake()
    assert site.tail("web1", "--once", log).wait(60) == 0
    site.close()

    def files() -> dict[Path, tuple[int, int, int]]:
        stats = {path: path.lstat() for path in [site.lake, *site.lake.rglob("*")]}
        return {path: (one.st_mtime_ns, one.st_ctime_ns, one.st_size) for path, one in stats.items()}

    before = files()
    look(site)
    assert files() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a command as another user")
def test_a_user_who_can_only_read(tool: Callable[[str], str]) -> None:
    folder = Path(f"/tmp/logagg-monitor-{os.getpid()}")  # pytest closes its own directories to others
    folder.mkdir(mode=0o755)
    server = JobServer(tool("gearmand"), folder)
    server.start()
    site = Site(Command(folder / "lake", folder), [server])
    try:
        log = folder / "access.log"
        log.write_text(combined([("/", 200)]))
        site.worker("0/1")
        site.await_lake()
        site.logagg.await_lines(1, site.tail("web1", log))
        wait_until(lambda: (site.lake / "tails").is_dir() and any((site.lake / "tails").iterdir()))
        reader = as_reader(site, groups=str(os.getgid()))
        assert reader["problems"][0].endswith("and name it with --secret") and len(reader["problems"]) == 1
        assert [row["state"] for row in reader["tailers"]] == ["running"] and reader["lake"]["problem"] == ""
        assert reader["shards"][0]["problem"] == NO_SECRET and reader["shards"][0]["lag"] == 0
        for name, problem in (("quarantine", "Permission denied"), ("catalog", "not allowed to read it")):
            (site.lake / name).chmod(0o700)
            reader = as_reader(site, groups=str(os.getgid()))
            assert problem in reader["lake"]["problem"] and reader["servers"][0]["up"]
            assert [row["state"] for row in reader["tailers"]] == ["running"] and reader["shards"][0]["workers"] == 1
    finally:
        site.close()
        shutil.rmtree(folder)


def as_reader(site: Site, groups: str) -> dict[str, Any]:
    """Return what the command says to a user who owns nothing, in these groups."""
    nobody = pwd.getpwnam("nobody")
    everywhere = ",".join(filter(None, (str(nobody.pw_gid), groups)))
    argv = [sys.executable, str(AS_USER), str(nobody.pw_uid), everywhere, "022"]
    done = subprocess.run(
        [*argv, "status", "--gearman", site.gearman, "--json"],
        cwd=site.logagg.folder,
        env=site.logagg.env | {"HOME": str(site.logagg.folder)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
