"""`logagg status` shows the tail's own report to any user: logs that it cannot read or parse, and its progress."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.conftest import Command, combined, wait_until
from tests.e2e.failures import mode, without_power

LINES = 100
Tail = subprocess.Popen[str]


class Site:
    """Logs, and a tail that follows them."""

    def __init__(self, logagg: Command) -> None:
        self.logagg, self.logs = logagg, logagg.folder / "logs"
        self.logs.mkdir()
        self.tail: Tail | None = None

    def write(self, name: str, text: str = "") -> Path:
        """Append a text, or a hundred lines that are unique to this log, to a log."""
        path = self.logs / name
        with path.open("a") as file:
            file.write(text or combined([(f"/{name}/{number}", 200) for number in range(LINES)]))
        return path

    def start(self, *argv: object) -> Tail:
        self.tail = self.logagg.start("tail", "--flush", "0.1", *(argv or [self.logs]))
        wait_until(lambda: self.has_told(self.pid), self.tail)
        return self.tail

    @property
    def pid(self) -> int:
        assert self.tail
        return self.tail.pid

    def has_told(self, pid: int) -> bool:
        """Return whether the tail with this process number has written a heartbeat."""
        try:
            return bool(json.loads((self.logagg.lake / "tail.json").read_text())["pid"] == pid and self.json()["tails"])
        except (OSError, ValueError, LookupError):
            return False

    def end(self, number: int = signal.SIGTERM) -> None:
        if self.tail:
            self.tail.send_signal(number)
            self.tail.wait(60)
            self.tail = None

    def json(self, *argv: object) -> dict[str, Any]:
        done = self.logagg.run("status", "--json", *argv, status=None)
        found: dict[str, Any] = json.loads(done.stdout)
        assert done.returncode == int(not found["healthy"]) == int(bool(found["problems"]))
        return found

    def problems(self, *argv: object) -> list[str]:
        found: list[str] = self.json(*argv)["problems"]
        return found

    def await_problem(self, *texts: str) -> str:
        """Wait until exactly this one problem is reported; return it."""

        def is_told() -> bool:
            found = self.problems()
            return len(found) == 1 and all(text in found[0] for text in texts)

        wait_until(is_told, self.tail)
        return self.problems()[0]

    def await_health(self) -> None:
        wait_until(lambda: self.problems() == [], self.tail)


@pytest.fixture
def site(logagg: Command) -> Iterator[Site]:
    site = Site(logagg)
    yield site
    site.end(signal.SIGKILL)


# logs that the tail cannot read


def test_a_log_without_permission(site: Site, tool: Callable[[str], str]) -> None:
    site.write("access.log")
    locked = site.write("other.access.log")
    with without_power(site.logagg, tool), mode(locked, 0):
        site.start()
        told = site.await_problem(str(locked), "permission denied", "give the tail's user permission to read it")
        assert "other.access.log" in site.logagg.run("status", status=1).stdout
    assert "permission denied" in told
    site.await_health()
    site.logagg.await_lines(200, site.tail)  # type: ignore[arg-type]


def test_the_permissions_of_the_user_of_status_do_not_matter(site: Site, tool: Callable[[str], str]) -> None:
    """The user of `status` may not even enter the directory of a log that the tail reads; and the other way round."""
    site.write("access.log")
    site.start()
    site.logagg.await_lines(100, site.tail)  # type: ignore[arg-type]
    with without_power(site.logagg, tool), mode(site.logs, 0):
        assert not os.access(site.logs, os.R_OK) or os.geteuid() == 0
        found = site.json()
        assert (found["healthy"], found["running"], found["sources"][0]["lag"]) == (True, True, 0)
    site.end()
    with without_power(site.logagg, tool), mode(site.logs, 0):
        assert site.json()["healthy"]
        site.start()
        site.await_problem("permission denied", "not allowed to enter", str(site.logs))
    with mode(site.logs, 0):
        found = site.json()
    assert found["problems"] == [] or "permission denied" in found["problems"][0]


def test_logs_that_cannot_be_read_for_other_reasons(site: Site) -> None:
    site.write("access.log")
    (site.logs / "loop.log").symlink_to("loop.log")
    site.start(site.logs / "access.log", site.logs / "loop.log")
    site.await_problem("loop.log: Too many levels of symbolic links")
    (site.logs / "loop.log").unlink()
    site.await_health()


def test_a_corrupt_archive(site: Site) -> None:
    site.write("access.log")
    packed = bytearray(gzip.compress(combined([(f"/{os.urandom(20).hex()}", 200) for _ in range(2000)]).encode()))
    packed[50_000:50_100] = bytes(100)
    broken = site.logs / "access.log.1.gz"
    broken.write_bytes(packed)
    os.utime(broken, (1, 1))
    site.start()
    site.await_problem("access.log.1.gz: corrupt gz", "remove it")


# logs that it cannot parse


def test_a_log_that_no_format_matches(site: Site) -> None:
    site.write("access.log")
    site.write("strange.log", "a\nb\n")
    site.start()
    site.await_problem("strange.log: no known log format matches most of its first lines", "say it with --log-format")
    site.write("strange.log")
    site.await_health()


def test_a_log_that_is_mostly_rejected(site: Site) -> None:
    site.write("access.log")
    site.write("other.access.log")
    site.start()
    site.await_health()
    site.write("access.log", "another format\n" * 90)
    told = site.await_problem("access.log: ", "of its last 100 lines are rejects", "reject_samples")
    assert "/access.log: 90 of" in told
    [problem] = site.json()["tails"][0]["unparsed"]
    assert (problem["lines"], problem["rejects"]) == (100, 90)
    [source] = [one for one in site.json()["sources"] if one["path"].endswith("/access.log")]
    assert source["problem"] == "90 of its last 100 lines are rejects"
    site.end()
    site.await_problem("90 of its last 100 lines are rejects")  # this stays, although no tail runs now
    site.start()
    assert site.json()["tails"][0]["unparsed"][0]["since"] == pytest.approx(problem["since"], abs=1), (
        "the problem began before this run"
    )
    site.write("access.log")
    site.await_health()


# paths that it waits for, and logs that it follows


def test_missing_paths_are_listed_but_are_not_a_failure(site: Site) -> None:
    site.write("access.log")
    site.start(site.logs, site.logs / "later" / "*.log")
    found = site.json()
    assert found["healthy"] and [one["path"] for one in found["tails"][0]["waiting"]] == [
        str(site.logs / "later" / "*.log")
    ]
    shown = site.logagg.run("status").stdout
    assert (
        f"waiting: {site.logs}/later/*.log: matches no file now: no such file or directory: there is no {site.logs}/later, for"
        in shown
    )
    (site.logs / "later").mkdir()
    site.write("later/a.log")
    both = {str(site.logs / name) for name in ("access.log", "later/a.log")}
    wait_until(lambda: {one["path"] for one in site.json()["tails"][0]["logs"]} == both, site.tail)
    assert site.json()["tails"][0]["waiting"] == []


# whether it runs and makes progress


def test_a_tail_that_ends_reports_it(site: Site) -> None:
    site.write("access.log")
    site.start()
    site.logagg.await_lines(100, site.tail)  # type: ignore[arg-type]
    found = site.json()
    assert (found["running"], found["tails"][0]["state"]) == (True, "running")
    assert f"a tail is running, process {site.pid}" in site.logagg.run("status").stdout
    site.end()
    found = site.json()
    assert (found["running"], found["tails"][0]["state"], found["healthy"]) == (False, "ended", True)
    assert "no tail is running, the last ended" in site.logagg.run("status").stdout
    assert site.json("--max-age", "1h")["healthy"]
    wait_until(lambda: site.logagg.run("status", "-q", "--max-age", "1s", status=None).returncode == 1)
    assert "no heartbeat of a tail for" in site.problems("--max-age", "1s")[0]


def test_a_tail_that_is_killed_is_not_shown_as_alive(site: Site) -> None:
    site.write("access.log")
    site.start()
    site.logagg.await_lines(100, site.tail)  # type: ignore[arg-type]
    site.end(signal.SIGKILL)
    found = site.json()
    assert (found["running"], found["tails"][0]["state"]) == (False, "lost")
    assert "the last one did not end by itself (last heartbeat" in site.logagg.run("status").stdout
    site.start()
    assert site.json()["tails"][0]["state"] == "running"


def test_another_process_that_writes_the_lake_is_not_shown_as_a_tail(site: Site) -> None:
    site.write("access.log")
    site.logagg.run("tail", "--once", "-q", site.logs)
    flock = "import fcntl, os, sys; f = open(sys.argv[1], 'r+'); fcntl.flock(f, 2); f.truncate(); f.write(str(os.getpid())); f.flush(); print(); input()"
    with subprocess.Popen(
        ["python3", "-c", flock, site.logagg.lake / "lock"], stdin=-1, stdout=-1, text=True
    ) as holder:
        assert holder.stdout and holder.stdout.readline()
        assert f"process {holder.pid} writes it" in site.logagg.run("status").stdout
        assert site.json()["tails"][0]["state"] == "ended"
        holder.communicate("\n")


def test_a_tail_that_hangs_is_too_old_for_a_monitor(site: Site) -> None:
    site.write("access.log")
    tail = site.start()
    site.logagg.await_lines(100, tail)
    tail.send_signal(signal.SIGSTOP)
    try:
        wait_until(lambda: "no heartbeat of a tail for" in str(site.problems("--max-age", "1s")), tail)
        assert site.json("--max-age", "1h")["running"]
    finally:
        tail.send_signal(signal.SIGCONT)
    assert site.problems("--max-age", "1h") == []


def test_lines_that_wait_are_too_old_for_a_monitor(site: Site, tool: Callable[[str], str]) -> None:
    """The disk refuses writes; the tail is alive, and reports uncommitted lines."""
    site.write("access.log")
    with without_power(site.logagg, tool):
        tail = site.start()
        site.logagg.await_lines(100, tail)
        assert site.problems("--max-age", "1h") == []
        with mode(site.logagg.lake / "catalog", 0o500):
            site.write("access.log")
            wait_until(lambda: "not all lines written up to" in str(site.problems("--max-age", "1s")), tail)
            assert "no heartbeat of a tail" not in str(site.problems("--max-age", "1h"))
        site.logagg.await_lines(200, tail)
        wait_until(lambda: site.problems("--max-age", "1h") == [], tail)


def test_a_lake_without_a_heartbeat(site: Site) -> None:
    """A lake of an earlier version: its commits count."""
    site.write("access.log")
    site.logagg.run("tail", "--once", "-q", site.logs)
    (site.logagg.lake / "tail.json").unlink()
    assert site.json("--max-age", "1h")["healthy"]
    wait_until(lambda: "nothing was committed for" in str(site.problems("--max-age", "1s")))


def test_an_invalid_age(site: Site) -> None:
    done = site.logagg.run("status", "--max-age", "soon", status=2)
    assert "write a duration" in done.stderr


def test_logs_that_a_run_could_not_read_are_reported_after_it(site: Site, tool: Callable[[str], str]) -> None:
    """`tail --once` from a timer: between its runs its last heartbeat counts."""
    site.write("access.log")
    locked = site.write("other.access.log")
    with without_power(site.logagg, tool), mode(locked, 0):
        site.logagg.run("tail", "--once", "-q", site.logs, status=1)
    site.await_problem(str(locked), "permission denied")
    site.logagg.run("tail", "--once", "-q", site.logs)
    site.await_health()


def test_only_the_group_of_the_lake_may_read_the_heartbeat(site: Site) -> None:
    site.write("access.log")
    site.logagg.run("tail", "--once", "-q", site.logs)
    assert (site.logagg.lake / "tail.json").stat().st_mode & 0o777 == 0o640 & ~current_umask()


def current_umask() -> int:
    umask = os.umask(0o022)
    os.umask(umask)
    return umask


def test_formats_have_the_logs(site: Site) -> None:
    path = site.write("access.log")
    site.logagg.run("tail", "--once", "-q", path)
    [expected] = site.json()["sources"]
    [row] = map(json.loads, site.logagg.run("status", "--format", "jsonl").stdout.splitlines())
    assert row == expected
    file = site.logagg.folder / "status.parquet"
    site.logagg.run("status", "--format", "parquet", "--output", file)
    assert pq.read_table(file).to_pylist() == [expected]
    assert "unhealthy" not in site.logagg.run("status", "-q", "--format", "csv").stdout
    done = site.logagg.run("status", "--gearman", "127.0.0.1:1", "--format", "csv", status=2)
    assert "say --format table or json" in done.stderr
