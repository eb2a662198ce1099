"""`logagg serve` as it is installed: beside a tail, on a port, on a unix socket, before hostile clients."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import Command, combined, wait_until

Started = Callable[..., tuple[subprocess.Popen[str], str]]


@pytest.fixture
def serve(logagg: Command) -> Iterator[Started]:
    """Start servers on free ports; each is returned with the address that it says."""
    running = []

    def start(*options: object, listen: str = "127.0.0.1:0") -> tuple[subprocess.Popen[str], str]:
        argv = logagg.argv("serve", "--listen", listen, *options)
        process = subprocess.Popen(
            argv, cwd=logagg.folder, env=logagg.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        running.append(process)
        assert process.stdout
        said = process.stdout.readline()
        found = re.fullmatch(r"serving .* at (\S+)\n", said)
        assert found, said + (process.communicate()[1] if process.poll() is not None else "")
        return process, found[1]

    yield start
    for process in running:
        process.kill()
        process.communicate()


def ask(address: str, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    host, port = re.findall(r"http://([\d.]+):(\d+)", address)[0]
    with closing(http.client.HTTPConnection(host, int(port), timeout=30)) as connection:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def page(address: str) -> dict[str, int]:
    status, _, body = ask(address, "/api/totals?since=2020-01-01")
    assert status == 200, body
    found: dict[str, int] = json.loads(body)["now"]
    return found


def test_a_commit_reaches_an_open_page(logagg: Command, serve: Started) -> None:
    log = logagg.folder / "access.log"
    log.write_text(combined([("/a", 200)] * 3))
    tail = logagg.start("tail", "--flush", "0.2", log)
    wait_until(lambda: (logagg.lake / "logagg.duckdb").exists(), tail)
    process, address = serve()
    wait_until(lambda: page(address)["hits"] == 3, process)
    host, port = re.findall(r"http://([\d.]+):(\d+)", address)[0]
    with socket.create_connection((host, int(port)), 10) as stream, stream.makefile("rb") as events:
        stream.sendall(f"GET /api/events HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        first = next(line for line in events if line.startswith(b"id:"))
        with log.open("a") as file:
            file.write(combined([("/b", 404)] * 2))
        again = next(line for line in events if line.startswith(b"id:") and line != first)
        assert int(again.split()[1]) > int(first.split()[1])
    assert page(address)["hits"] == 5 and page(address)["errors"] == 2
    assert json.loads(ask(address, "/api/status")[2])["state"] == "good"
    tail.kill()
    tail.wait()
    wait_until(lambda: json.loads(ask(address, "/api/status")[2])["state"] != "good", process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


def test_a_tail_serves_too(logagg: Command) -> None:
    log = logagg.folder / "access.log"
    log.write_text(combined([("/a", 200)] * 3))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    tail = logagg.start("tail", "--flush", "0.2", f"--serve=127.0.0.1:{port}", log)

    def answers() -> bool:
        try:
            return page(f"http://127.0.0.1:{port}")["hits"] == 3
        except OSError:
            return False

    wait_until(answers, tail)
    tail.kill()  # the server ends with it, however it ends
    tail.wait()

    def is_gone() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) != 0

    wait_until(is_gone)


def test_a_unix_socket(demo: Command, serve: Started) -> None:
    path = demo.folder / "page.sock"
    for _ in range(2):  # the second one replaces a socket without a listener
        process, said = serve(listen=f"unix:{path}")
        assert said == f"unix:{path}" and path.stat().st_mode & 0o007 == 0
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(b"GET /api/totals?since=2026-03-01 HTTP/1.0\r\nHost: logs.example\r\n\r\n")
            assert b'"hits": 6482' in client.makefile("rb").read()
        process.kill()
        process.wait()
    path.unlink()
    path.write_text("mine")
    failed = demo.run("serve", "--listen", f"unix:{path}", status=1)
    assert "cannot listen at" in failed.stderr and path.read_text() == "mine"


def test_beyond_loopback_a_token_is_needed(demo: Command, serve: Started) -> None:
    process, said = serve(listen="0.0.0.0:0")
    found = re.fullmatch(r"http://0\.0\.0\.0:(\d+)/\?token=(\S+)", said)
    assert found
    address = f"http://127.0.0.1:{found[1]}"
    assert ask(address, "/api/lake")[0] == 401
    assert ask(address, "/api/lake", Authorization=f"Bearer {found[2]}")[0] == 200
    status, headers, _ = ask(address, f"/?token={found[2]}")
    assert (status, headers["location"]) == (303, "/")
    cookie = headers["set-cookie"].partition(";")[0]
    assert ask(address, "/api/lake", Cookie=cookie)[0] == 200


def test_a_token_in_a_file(demo: Command, serve: Started) -> None:
    file = demo.folder / "token"
    file.write_text("0123456789abcdef\n")
    file.chmod(0o644)
    assert "every user may read it" in demo.run("serve", "--token-file", file, status=1).stderr
    file.chmod(0o600)
    _, address = serve("--token-file", file)
    assert ask(address, "/api/lake", Authorization="Bearer 0123456789abcdef")[0] == 200
    file.write_text("short")
    assert "16 characters" in demo.run("serve", "--token-file", file, status=1).stderr


@pytest.mark.thorough
def test_slow_clients_hold_nothing_up(demo: Command, serve: Started) -> None:
    process, address = serve()
    host, port = re.findall(r"http://([\d.]+):(\d+)", address)[0]
    silent = [socket.create_connection((host, int(port))) for _ in range(100)]
    for number, one in enumerate(silent):
        one.sendall(b"GET /api/page HTTP/1.1\r\nHost: " if number % 2 else b"")
    assert page(address)["hits"] > 0
    for one in silent:
        one.settimeout(30)
        assert one.recv(10) in (b"", b"HTTP/1.1 4"), "the connection is closed after a while"
        one.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"GET /api/panels/pages?search=%ff%fe%00&is=path:%ff HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /static/%2e%2e/secret HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /api/lake HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999999\r\n\r\n",
        b"GET /api/events HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    ],
)
def test_hostile_bytes(sent: bytes, demo: Command, serve: Started) -> None:
    process, address = serve()
    host, port = re.findall(r"http://([\d.]+):(\d+)", address)[0]
    with socket.create_connection((host, int(port)), 30) as client:
        client.sendall(sent)
        found = client.recv(200)
    secret = (demo.lake / "secret").read_bytes()
    assert secret not in found and b"root:" not in found
    assert page(address)["hits"] > 0 and process.poll() is None


def test_it_writes_nothing(demo: Command, serve: Started) -> None:
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in demo.lake.rglob("*")}
    _, address = serve("--sql")
    for path in (
        "page",
        "panels/pages?format=parquet",
        "requests",
        "lines?since=2026-03-01&limit=5",
        "status",
        "sql?q=SELECT+1",
    ):
        assert ask(address, f"/api/{path}")[0] == 200, path
    assert before == {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in demo.lake.rglob("*")}


def test_failures_are_one_line(logagg: Command) -> None:
    assert "no lake there" in logagg.run("serve", status=1).stderr
    assert "HOST:PORT" in logagg.run("serve", "--listen", "nonsense", status=2).stderr


def test_a_port_in_use(demo: Command, serve: Started) -> None:
    _, address = serve()
    port = address.rpartition(":")[2].strip("/")
    assert "Address already in use" in demo.run("serve", "--listen", f"127.0.0.1:{port}", status=1).stderr


def test_it_waits_for_a_lake(logagg: Command) -> None:
    argv = logagg.argv("serve", "--wait", "--listen", "127.0.0.1:0")
    process = subprocess.Popen(argv, cwd=logagg.folder, env=logagg.env, stdout=subprocess.PIPE, text=True)
    time.sleep(1)
    log = logagg.folder / "access.log"
    log.write_text(combined([("/a", 200)]))
    logagg.run("tail", "--once", log)
    assert process.stdout and process.stdout.readline().startswith("serving ")
    process.kill()
    process.communicate()


def test_a_user_who_can_only_read(demo: Command, tmp_path: Path) -> None:
    """The files of the lake are not writable, and neither are its directories."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become nobody")
    subprocess.run(["chmod", "-R", "a+rX", str(demo.lake)], check=True)
    (demo.lake / "secret").chmod(0o600)
    for folder in [tmp_path, *tmp_path.parents]:
        if folder.stat().st_uid == 0 and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    argv = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        *demo.argv("serve", "--listen", "127.0.0.1:0"),
    ]
    process = subprocess.Popen(argv, cwd="/", env=demo.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout and process.stderr
    said = process.stdout.readline()
    assert said.startswith("serving "), process.stderr.read()
    assert page(said.split()[-1])["hits"] == 6482
    process.kill()
    process.communicate()
