"""A real gearmand on a free loopback port, and processes of logagg around it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.conftest import Command, wait_until

OPTIONS = ("--job-retries=3", "--round-robin", "--worker-wakeup=1")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class JobServer:
    """The server; after a restart it has the same port, and no jobs."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program, self._folder = program, folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        log = self._folder / f"gearmand-{self.port}.log"
        argv = [self._program, "--listen", "127.0.0.1", "--port", str(self.port), *OPTIONS, "--log-file", str(log)]
        self.process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self._answers)

    def kill(self) -> None:
        assert self.process
        self.process.kill()
        self.process.wait()

    def ask(self, command: str) -> list[str]:
        """Send an administrative command; return the lines of the reply."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as connection, connection.makefile("rw") as file:
            file.write(f"{command}\n")
            file.flush()
            return list(iter(lambda: file.readline().rstrip("\n"), "."))

    def ask_line(self, command: str) -> str:
        """Send an administrative command with a reply of one line."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as connection, connection.makefile("rw") as file:
            file.write(f"{command}\n")
            file.flush()
            return file.readline().rstrip("\n")

    def _answers(self) -> bool:
        assert self.process and self.process.poll() is None
        try:
            return bool(self.ask("status") is not None)
        except OSError:
            return False


class Site:
    """One lake, its workers, and tails that send to it."""

    def __init__(self, logagg: Command, servers: list[JobServer]) -> None:
        self.logagg, self.servers = logagg, servers
        self.lake = logagg.lake
        self._processes: list[subprocess.Popen[str]] = []

    @property
    def gearman(self) -> str:
        return ",".join(server.address for server in self.servers)

    def worker(self, shards: str, *options: object) -> subprocess.Popen[str]:
        return self._start("worker", "--gearman", self.gearman, "--shards", shards, "--flush", "0.2", *options)

    def tail(self, name: str, *options: object, under: Sequence[str] = ()) -> subprocess.Popen[str]:
        """Start a tail; `under` is a program that starts it, with its options."""
        return self._start("tail", "--gearman", self.gearman, "--name", name, "--flush", "0.2", *options, under=under)

    def notices(self) -> str:
        return (self.logagg.folder / "tail.log").read_text()

    def await_lake(self) -> None:
        """Wait until the first worker has created the lake."""
        wait_until(lambda: (self.lake / "logagg.duckdb").exists())

    def stop(self, process: subprocess.Popen[str]) -> None:
        """End a process as an administrator does; its exit status must be 0."""
        process.terminate()
        assert process.wait(60) == 0, self.notices()

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        for server in self.servers:
            server.kill()

    def _start(self, *argv: object, under: Sequence[str] = ()) -> subprocess.Popen[str]:
        process = self.logagg.start(*argv, under=under)
        self._processes.append(process)
        return process


@pytest.fixture
def job_server(tool: Callable[[str], str], tmp_path: Path) -> Iterator[JobServer]:
    server = JobServer(tool("gearmand"), tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def site(tool: Callable[[str], str], logagg: Command) -> Iterator[Site]:
    server = JobServer(tool("gearmand"), logagg.folder)
    server.start()
    site = Site(logagg, [server])
    yield site
    site.close()


def copy_secret(lake: Path, other: Path) -> None:
    """Give another lake the secret of this one, so that visitors are the same in both."""
    other.mkdir()
    shutil.copy(lake / "secret", other / "secret")
    os.chmod(other / "secret", 0o600)
    (other / "lock").touch()
