"""A real nginx on a free loopback port, with its own configuration and log directory, and a real load on it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import wait_until

_CONFIGURATION = """
daemon off; master_process on; worker_processes {workers}; {user}
pid {folder}/nginx.pid; error_log {logs}/error.log notice;
events {{ worker_connections 512; }}
http {{
    default_type text/plain; keepalive_requests 1000000;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    {http}
    access_log {access_log};
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        {server}
    }}
}}
"""
_SERVER = """
        location / { return 200 "hello\\n"; }
        location /missing { return 404; }
        location /click { return 302 /landing; }
        location /imp { return 204; }
"""


class Nginx:
    """The server; its access log is `log`, beside `error.log` in the directory `logs`."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program, self.folder = program, folder
        self.logs = folder / "logs"
        self.log = self.logs / "access.log"
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self.logs.mkdir(parents=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process number of the master, which handles the signals."""
        assert self._process, "nginx runs"
        return self._process.pid

    @property
    def pidfile(self) -> Path:
        return self.folder / "nginx.pid"

    def start(
        self,
        *,
        access_log: str = "",
        http: str = "",
        server: str = _SERVER,
        workers: int = 1,
        also: Callable[[int], None] = lambda port: None,
    ) -> None:
        """Start with these parts of a configuration.

        `access_log` is the value of that directive, such as 'PATH main buffer=32k'; `also` writes what else needs the port.
        """
        for _ in range(5):  # another process may take a free port before nginx does
            self.port = free_port()
            also(self.port)
            self._write(access_log or f"{self.log} combined", http, server, workers)
            self._process = subprocess.Popen(self._argv(), cwd=self.folder, stderr=subprocess.DEVNULL)
            if self._comes_up():
                return
            self.stop()
        raise AssertionError((self.logs / "error.log").read_text())

    def stop(self) -> None:
        """Let nginx finish its requests, write its logs, and end."""
        if self._process:
            self._process.send_signal(signal.SIGQUIT)
            try:
                self._process.wait(20)
            finally:
                self._process.kill()
                self._process.wait()
                self._process = None

    def reopen(self) -> None:
        """Make nginx open new log files, as logrotate's postrotate does; wait until its workers have done so."""
        os.kill(self.pid, signal.SIGUSR1)
        wait_until(lambda: self.log.exists() and all(self._writes_to_live(worker) for worker in self._workers()))

    def get(self, target: str, **headers: str) -> int:
        """Send one request; return its status (redirects are not followed)."""
        return get(self.url + target, headers)

    def _argv(self) -> list[str]:
        return [
            self._program,
            "-p",
            str(self.folder),
            "-c",
            str(self.folder / "nginx.conf"),
            "-e",
            str(self.logs / "error.log"),
        ]

    def _write(self, access_log: str, http: str, server: str, workers: int) -> None:
        user = "user root;" if os.geteuid() == 0 else ""  # other users cannot enter the test's directory
        text = _CONFIGURATION.format(
            folder=self.folder,
            logs=self.logs,
            port=self.port,
            access_log=access_log,
            http=http,
            server=server,
            workers=workers,
            user=user,
        )
        (self.folder / "nginx.conf").write_text(text)

    def _comes_up(self) -> bool:
        assert self._process
        process = self._process
        wait_until(lambda: process.poll() is not None or (self.pidfile.exists() and listens(self.port)))
        return process.poll() is None

    def _workers(self) -> list[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [int(child) for child in children.read_text().split()]

    def _writes_to_live(self, worker: int) -> bool:
        live = self.log.stat()
        return any(os.path.samestat(live, stat) for stat in _open_files(worker))


class Load:
    """Requests that `wrk` sends."""

    def __init__(self, program: str) -> None:
        self._program = program

    def start(
        self, url: str, *, seconds: int, connections: int = 8, script: str | None = None
    ) -> subprocess.Popen[str]:
        argv = [self._program, "-t1", f"-c{connections}", f"-d{seconds}s", url]
        if script:
            argv[1:1] = ["-s", script]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def finish(self, load: subprocess.Popen[str]) -> int:
        """Wait for the end of the load; return the number of replies. The server may have logged a few more requests, cut off at the end."""
        output, _ = load.communicate(timeout=100)
        found = re.search(r"(\d+) requests in", output)
        assert load.returncode == 0 and found, output
        return int(found[1])


@pytest.fixture
def nginx(tmp_path: Path, tool: Callable[[str], str]) -> Iterator[Nginx]:
    server = Nginx(tool("nginx"), tmp_path / "nginx")
    yield server
    server.stop()


@pytest.fixture
def load(tool: Callable[[str], str]) -> Load:
    return Load(tool("wrk"))


def get(url: str, headers: dict[str, str]) -> int:
    """Send one request; return its status (redirects are not followed)."""
    try:
        with _OPENER.open(urllib.request.Request(url, headers=headers), timeout=20) as answer:
            answer.read()
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _open_files(pid: int) -> Iterator[os.stat_result]:
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            yield descriptor.stat()
        except OSError:
            continue
