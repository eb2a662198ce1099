"""New lines are soon visible in queries, and waiting for them uses almost no processor time."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import Command, combined, wait_until

pytestmark = pytest.mark.slow

IDLE = 10.0  # seconds of the measurement
SHARE = 0.02  # of a core


def following(logagg: Command, log: Path) -> subprocess.Popen[str]:
    """Start a tail, and wait until it has committed the existing lines."""
    log.write_text(combined([("/first", 200)]))
    tail = logagg.start("tail", "-q", log)
    wait_until(lambda: (logagg.lake / "logagg.duckdb").exists() and logagg.lines() == 1, tail)
    return tail


def seconds_used(process: subprocess.Popen[str]) -> float:
    """Return the processor time of a process, according to the kernel."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_new_line_is_soon_visible_in_sql(logagg: Command, capsys: pytest.CaptureFixture[str]) -> None:
    log = logagg.folder / "access.log"
    tail = following(logagg, log)
    try:
        taken = []
        for number in range(5):
            with log.open("a") as file:
                file.write(combined([(f"/fresh/{number}", 200)]))
            written = time.monotonic()
            query = f"SELECT 1 FROM pages WHERE path = '/fresh/{number}'"
            wait_until(lambda query=query: bool(logagg.read(query)), tail)  # type: ignore[misc]
            taken.append(time.monotonic() - written)
        assert logagg.sql("SELECT sum(views)::INT AS views FROM pages WHERE path LIKE '/fresh/%'") == [{"views": 5}]
    finally:
        tail.terminate()
        assert tail.wait(60) == 0
    with capsys.disabled():
        print(f"\nfreshness with the default flush of 1 s: {', '.join(f'{one:.2f}' for one in taken)} s")


@pytest.mark.thorough
def test_an_idle_tail_rests(logagg: Command, capsys: pytest.CaptureFixture[str]) -> None:
    tail = following(logagg, logagg.folder / "access.log")
    try:
        before, began = seconds_used(tail), time.monotonic()
        assert before > 0
        with pytest.raises(subprocess.TimeoutExpired):
            tail.wait(IDLE)
        used, passed = seconds_used(tail) - before, time.monotonic() - began
    finally:
        tail.terminate()
        assert tail.wait(60) == 0
    with capsys.disabled():
        print(f"\nan idle tail used {used:.2f} s of processor time in {passed:.1f} s: {used / passed:.1%} of a core")
    assert used < SHARE * passed
