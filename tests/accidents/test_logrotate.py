"""Debian's logrotate rotates the log of a real nginx under a real load, by force and many times.

With the configuration that nginx ships (create, delaycompress, USR1) every line that nginx has written is counted once.
With copytruncate the lines written between copy and truncation are destroyed before any program can read them: all lines that
are left in the files are counted once, no line twice, and status reports the loss.
"""

from __future__ import annotations

import gzip
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.accidents.conftest import settle
from tests.conftest import Command, wait_until
from tests.nginx import Load, Nginx

ROTATIONS = 12
SHIPPED = """{log} {{
    daily
    missingok
    rotate 100
    compress
    delaycompress
    notifempty
    create 0640
    sharedscripts
    postrotate
        kill -USR1 $(cat {pid})
    endscript
}}
"""
COPIED = """{log} {{
    daily
    rotate 100
    compress
    delaycompress
    copytruncate
}}
"""
NUMBERED = """
local number = 0
function request()
    number = number + 1
    return wrk.format("GET", "/n/" .. number)
end
function delay() return 8 end
"""


class Logrotate:
    def __init__(self, program: str, nginx: Nginx) -> None:
        self._program, self._nginx = program, nginx

    def force(self, configuration: str) -> None:
        path = self._nginx.folder / "logrotate.conf"
        path.write_text(configuration.format(log=self._nginx.log, pid=self._nginx.pidfile))
        path.chmod(0o644)
        argv = [self._program, "--force", "--state", str(path.with_suffix(".state")), str(path)]
        subprocess.run(argv, check=True, capture_output=True, timeout=60)


@pytest.fixture
def logrotate(tool: Callable[[str], str], nginx: Nginx) -> Logrotate:
    return Logrotate(tool("logrotate"), nginx)


@pytest.fixture
def tail(logagg: Command, nginx: Nginx) -> Iterator[subprocess.Popen[str]]:
    nginx.start(workers=2)
    logagg.env["LOGAGG_LIMITS_KEYS"] = "1000000"
    nginx.get("/n/0")
    process = logagg.start("tail", "--flush", "0.2", nginx.logs)
    wait_until(lambda: counted(logagg).total() == 1, process)
    yield process
    process.kill()
    process.wait()


def rotate_under_load(configuration: str, nginx: Nginx, load: Load, logrotate: Logrotate) -> int:
    """Return the number of answered requests."""
    script = nginx.folder / "numbered.lua"
    script.write_text(NUMBERED)
    running = load.start(nginx.url, seconds=ROTATIONS // 2, script=str(script))
    for _ in range(ROTATIONS):
        settle(0.4)
        logrotate.force(configuration)
    answered = load.finish(running)
    nginx.stop()
    return answered


def test_create_and_usr1(
    logagg: Command, nginx: Nginx, load: Load, logrotate: Logrotate, tail: subprocess.Popen[str]
) -> None:
    answered = rotate_under_load(SHIPPED, nginx, load, logrotate)
    logged = left_in_the_files(nginx.logs)
    assert logged.total() >= answered > 1_000
    assert len(list(nginx.logs.glob("*.gz"))) > ROTATIONS // 2
    wait_until(lambda: counted(logagg).total() >= logged.total(), tail)
    tail.terminate()
    assert tail.wait(60) == 0
    assert counted(logagg) == logged


def test_copytruncate(
    logagg: Command, nginx: Nginx, load: Load, logrotate: Logrotate, tail: subprocess.Popen[str]
) -> None:
    answered = rotate_under_load(COPIED, nginx, load, logrotate)
    left = left_in_the_files(nginx.logs)
    wait_until(lambda: counted(logagg).total() >= left.total(), tail)
    tail.terminate()
    assert tail.wait(60) == 0
    assert left <= counted(logagg), "every line that could be read is counted"
    assert set(counted(logagg).values()) == {1}
    # Eight requests may have been in progress when the load ended.
    assert left.total() <= counted(logagg).total() <= 1 + answered + 8
    notes = logagg.read("SELECT DISTINCT note FROM sources WHERE note <> ''")
    assert any("lost" in note for (note,) in notes)


def left_in_the_files(folder: Path) -> Counter[str]:
    """Return the paths of the requests in all generations of the log."""
    found: Counter[str] = Counter()
    for path in folder.glob("access.log*"):
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        found.update(re.findall(r'"GET (/n/\d+) HTTP', content.decode()))
    return found


def counted(logagg: Command) -> Counter[str]:
    rows = (
        logagg.read("SELECT path, sum(views)::BIGINT FROM pages GROUP BY path")
        if (logagg.lake / "logagg.duckdb").exists()
        else []
    )
    return Counter(dict(rows))
