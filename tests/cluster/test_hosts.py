"""Three hosts: a tail, the job server and a worker in separate network namespaces; the link between them is cut."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Command, combined, wait_until
from tests.gearmand import OPTIONS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

HOSTS = {"web": "10.203.7.1", "jobs": "10.203.7.2", "lake": "10.203.7.3"}
NETWORK, LINES = f"logagg{os.getpid()}", 400


def ip(*argv: str) -> None:
    subprocess.run(["ip", *argv], check=True, capture_output=True, text=True, timeout=20)


class Hosts:
    """Network namespaces with a bridge between them as a switch."""

    def __init__(self) -> None:
        self._bridge = f"lb{os.getpid()}"

    def make(self) -> None:
        ip("link", "add", self._bridge, "type", "bridge")
        ip("link", "set", self._bridge, "up")
        for number, (name, address) in enumerate(HOSTS.items()):
            inner, outer = f"li{os.getpid()}{number}", self._port(name)
            ip("netns", "add", self.name(name))
            ip("link", "add", inner, "type", "veth", "peer", "name", outer)
            ip("link", "set", inner, "netns", self.name(name))
            ip("link", "set", outer, "master", self._bridge, "up")
            for argv in (
                ("addr", "add", f"{address}/24", "dev", inner),
                ("link", "set", inner, "up"),
                ("link", "set", "lo", "up"),
            ):
                ip("-n", self.name(name), *argv)

    def name(self, host: str) -> str:
        return f"{NETWORK}{host}"

    def cut(self, host: str) -> None:
        ip("link", "set", self._port(host), "down")

    def restore(self, host: str) -> None:
        ip("link", "set", self._port(host), "up")

    def clear(self) -> None:
        for name in HOSTS:
            subprocess.run(["ip", "netns", "del", self.name(name)], capture_output=True, timeout=20)
        subprocess.run(["ip", "link", "del", self._bridge], capture_output=True, timeout=20)

    def _port(self, host: str) -> str:
        return f"lo{os.getpid()}{list(HOSTS).index(host)}"


@pytest.fixture
def hosts(tool: Callable[[str], str]) -> Iterator[Hosts]:
    tool("ip")
    hosts = Hosts()
    try:
        hosts.make()
    except (subprocess.CalledProcessError, PermissionError) as error:
        hosts.clear()
        why = getattr(error, "stderr", "") or error
        if os.environ.get("CI") == "1":
            pytest.fail(f"no network namespaces can be made here: {why}")
        pytest.skip(f"no network namespaces can be made here: {why}")
    yield hosts
    hosts.clear()


@pytest.mark.thorough
def test_a_link_is_cut_and_restored(hosts: Hosts, logagg: Command, tool: Callable[[str], str], tmp_path: Path) -> None:
    log, out = tmp_path / "access.log", (tmp_path / "tail.log").open("a")
    log.write_text(combined([(f"/{number}", 200) for number in range(LINES)]))
    processes: list[subprocess.Popen[str]] = []

    def start(host: str, *argv: object) -> subprocess.Popen[str]:
        inside = ["ip", "netns", "exec", hosts.name(host), *map(str, argv)]
        processes.append(subprocess.Popen(inside, cwd=tmp_path, env=logagg.env, stdout=out, stderr=out, text=True))
        return processes[-1]

    def more() -> None:
        with log.open("a") as file:
            file.write(combined([(f"/{number}", 200) for number in range(LINES)]))

    def noticed() -> int:
        """Return how often a process has noticed the loss of the server: by silence, or by a job that was not done in time."""
        return (tmp_path / "tail.log").read_text().count("; trying again")

    gearman = f"{HOSTS['jobs']}:4730"
    try:
        start(
            "jobs",
            tool("gearmand"),
            "--listen",
            HOSTS["jobs"],
            "--port",
            "4730",
            *OPTIONS,
            "--log-file",
            tmp_path / "g.log",
        )
        start("lake", *logagg.argv("worker", "--gearman", gearman, "--shards", "0-1/2", "--flush", "0.2"))
        wait_until(lambda: (logagg.lake / "logagg.duckdb").exists())
        tail = start("web", *logagg.argv("tail", "--gearman", gearman, "--name", "web1", "--flush", "0.2", log))
        logagg.await_lines(LINES, tail)
        for number, host in enumerate(("web", "lake"), 2):
            before = noticed()
            hosts.cut(host)
            more()
            wait_until(lambda before=before: noticed() > before)  # type: ignore[misc]
            hosts.restore(host)
            logagg.await_lines(number * LINES, tail)
    finally:
        for process in processes:
            process.terminate()
            process.wait(60)
        out.close()
    assert logagg.lines() == 3 * LINES
