"""`kill -9` of the real process at every step of its commits; the ordinary command then continues and is exact."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Command
from tests.laws import sums
from tests.laws.crashes import lines

DRIVER = Path(__file__).with_name("dying_tail.py")
# Small chunks and no pause between flushes, so that a run has many commits, with merges between them.
CONFIG = """
[tail]
chunk = "500B"
flush = "1ms"
[retention]
minute = "forever"
"""


@pytest.mark.thorough
@pytest.mark.e2e
@pytest.mark.slow
def test_killed_at_each_step_and_finished_by_the_ordinary_command(logagg: Command) -> None:
    log, written = logagg.folder / "access.log", b""
    (logagg.folder / "logagg.toml").write_text(CONFIG)
    killed = 0
    for step in (*range(1, 13), 15, 21, 30, 40):
        written += lines(30, 30 * step)
        log.write_bytes(written)
        argv = [sys.executable, str(DRIVER), str(step), "tail", "--once", "-q", "--flush", "0.001", str(log)]
        done = subprocess.run(argv, cwd=logagg.folder, env=logagg.env, capture_output=True, timeout=60)
        killed += done.returncode == -signal.SIGKILL
        assert done.returncode in (0, -signal.SIGKILL), done.stderr.decode()
    logagg.run("tail", "--once", "-q", log)
    assert killed >= 12
    sums.assert_agrees(logagg.lake, written.decode().splitlines())
