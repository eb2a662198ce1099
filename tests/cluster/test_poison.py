"""A job makes its shard fail, by an exception or by killing the process: the job is given up, and all other lines count."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from logagg.cluster import protocol
from logagg.cluster.protocol import JobMessage
from logagg.cluster.quarantine import ATTEMPTS
from logagg.parse.schemas import EVENT_SCHEMA
from tests.conftest import combined, wait_until
from tests.gearmand import Site

DRIVER = Path(__file__).with_name("poisoned_worker.py")
LINES = 40


class Supervised:
    """A worker that is restarted whenever it has died, as by a supervisor."""

    def __init__(self, site: Site, how: str, step: str) -> None:
        argv = ["worker", "--gearman", site.gearman, "--shards", "0/1", "--flush", "0.2"]
        self._argv = [sys.executable, str(DRIVER), how, step, *argv]
        self._site, self.starts = site, 0
        self._start()

    def keep_running(self) -> None:
        if self.process.poll() is not None:
            self._start()

    def _start(self) -> None:
        self.starts += 1
        with (self._site.logagg.folder / "tail.log").open("a") as log:
            command = self._site.logagg
            self.process = subprocess.Popen(
                self._argv, cwd=command.folder, env=command.env, stdout=log, stderr=log, text=True
            )


@contextmanager
def supervised(site: Site, how: str, step: str) -> Iterator[Supervised]:
    worker = Supervised(site, how, step)
    try:
        site.await_lake()
        yield worker
    finally:
        worker.process.kill()
        worker.process.wait()


def append(log: Path, *paths: str) -> None:
    with log.open("a") as file:
        file.write(combined([(path, 200) for path in paths]))


def good(name: str) -> list[str]:
    return [f"/{name}/{number}" for number in range(LINES)]


@pytest.mark.slow
@pytest.mark.parametrize("step", ["unpack", "absorb", "roll_up", "drain"])
@pytest.mark.parametrize("how", ["raises", "dies"])
@pytest.mark.thorough
def test_a_poisonous_job_is_given_up_and_the_others_count(site: Site, how: str, step: str) -> None:
    logs = [site.logagg.folder / f"{name}.log" for name in ("one", "two")]
    for log in logs:
        append(log, *good("first"))
    with supervised(site, how, step) as worker:
        tails = [site.tail(log.stem, log) for log in logs]

        def await_lines(lines: int) -> None:
            def came() -> bool:
                worker.keep_running()
                return site.logagg.lines() == lines

            wait_until(came, tails[0])

        await_lines(2 * LINES)
        append(logs[0], *good("bad"), "/poison")
        append(logs[1], *good("beside"))
        await_lines(4 * LINES + 1)
        for log in logs:
            append(log, *good("later"))
        await_lines(6 * LINES + 1)
        deaths = worker.starts - 1
        for tail in tails:
            site.stop(tail)
        assert how == "raises" or ATTEMPTS <= deaths <= ATTEMPTS + 1, "one more failure, if other jobs waited"
        assert how == "dies" or deaths == 0
    assert site.logagg.read("SELECT path, reason, lines FROM rejects") == [(str(logs[0]), "quarantined", LINES + 1)]
    [(hits, least, most)] = site.logagg.read("SELECT sum(views), min(path), max(path) FROM pages")
    assert (hits, least, most) == (5 * LINES, "/beside/0", "/later/9")
    [kept] = (site.lake / "quarantine").glob("*.job")
    job_message = protocol.unpack(kept.read_bytes(), EVENT_SCHEMA)
    assert isinstance(job_message, JobMessage) and job_message.job.events.num_rows == LINES + 1, "unchanged"
    assert "its shard failed with it again and again" in kept.with_suffix(".txt").read_text()
    assert "all is well" in site.logagg.run("check").stdout
