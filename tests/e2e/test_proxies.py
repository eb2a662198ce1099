"""`logagg serve` behind nginx and Caddy, with the configurations that docs/http.md shows."""

from __future__ import annotations

import re
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import ROOT, Command, wait_until
from tests.gearmand import free_port
from tests.nginx import Nginx

SNIPPETS = re.findall(r"```ini\n(.*?)```", (ROOT / "docs/http.md").read_text(), re.DOTALL)
SOCKET = "/run/logagg/page.sock"


@pytest.fixture
def behind(demo: Command) -> Iterator[Path]:
    """Serve the demo's lake on a socket, under /logs; return the socket."""
    path = demo.folder / "page.sock"
    argv = demo.argv("serve", "--listen", f"unix:{path}", "--root-path", "/logs")
    process = subprocess.Popen(argv, cwd=demo.folder, env=demo.env, stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline().startswith("serving ")
    path.chmod(0o666)  # for nginx's workers, if they are of another user
    yield path
    process.kill()
    process.communicate()


def get(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=20) as answer:
        found: bytes = answer.read()
        return found


def check(address: str) -> None:
    """Raise AssertionError unless the page, its files, answers and events pass through the proxy."""
    assert b"<html" in get(f"{address}/logs/")
    assert b"uPlot" in get(f"{address}/logs/app.js") or len(get(f"{address}/logs/app.js")) > 50_000
    assert b'"hits": 6482' in get(f"{address}/logs/api/totals?since=2026-03-01")
    with urllib.request.urlopen(f"{address}/logs/api/events", timeout=20) as events:
        assert events.readline() == b"retry: 2000\n", "it is not held back"
        assert any(line.startswith(b"event: commit") for line in (events.readline() for _ in range(5)))


def test_nginx(behind: Path, nginx: Nginx) -> None:
    [snippet] = [one for one in SNIPPETS if "proxy_pass" in one]
    nginx.start(server=snippet.replace(SOCKET, str(behind)))
    check(nginx.url)


def test_caddy(behind: Path, tool: Callable[[str], str], tmp_path: Path) -> None:
    [snippet] = [one for one in SNIPPETS if "reverse_proxy" in one]
    address = f"http://127.0.0.1:{free_port()}"
    text = snippet.replace(SOCKET, str(behind)).replace("logs.example.com", address)
    (tmp_path / "Caddyfile").write_text("{\n admin off\n}\n" + text)
    with caddy(tool("caddy"), tmp_path):
        wait_until(lambda: answers(address))
        check(address)


@contextmanager
def caddy(program: str, folder: Path) -> Iterator[None]:
    argv = [program, "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    env = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "PATH": "/usr/bin"}
    process = subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def answers(address: str) -> bool:
    try:
        return bool(get(f"{address}/logs/"))
    except OSError:
        return False
