"""One owner for each shard: a waiting worker takes over when the owner has ended; a worker that reaches a limit exits normally."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import combined, wait_until
from tests.gearmand import Site


def write(log: Path, number: int) -> None:
    with log.open("a") as file:
        file.write(combined([(f"/{n}", 200) for n in range(number)]))


def owned(site: Site, shard: int) -> int:
    return len(re.findall(f"lease: shard {shard} is ours", site.notices()))


def test_a_standby_takes_over(site: Site) -> None:
    log = site.logagg.folder / "access.log"
    write(log, 50)
    first = site.worker("0-1/2")
    wait_until(lambda: owned(site, 0) == 1, first)
    second = site.worker("0-1/2")
    tail = site.tail("web1", log)
    site.logagg.await_lines(50, tail)
    assert owned(site, 0) == owned(site, 1) == 1, "the second worker waits"
    first.kill()
    first.wait()
    write(log, 30)
    site.logagg.await_lines(80, tail)
    assert owned(site, 0) == owned(site, 1) == 2
    site.stop(tail)
    site.stop(second)


def test_a_worker_that_gets_a_signal_commits_its_jobs(site: Site) -> None:
    log = site.logagg.folder / "access.log"
    write(log, 50)
    worker = site.worker("0", "--flush", "1h")
    site.await_lake()
    tail = site.tail("web1", log)
    wait_until(lambda: any(re.search(r"shard\.0\t0\t0\t1", one) for one in site.servers[0].ask("status")))
    wait_until(lambda: "reading from" in site.notices() or "connected" in site.notices(), tail)
    site.stop(worker)
    worker = site.worker("0")
    site.logagg.await_lines(50, tail)
    site.stop(tail)
    site.stop(worker)


def test_a_worker_ends_after_its_number_of_jobs(site: Site) -> None:
    log = site.logagg.folder / "access.log"
    write(log, 50)
    worker = site.worker("0", "--max-jobs", 2)
    site.await_lake()
    tail = site.tail("web1", log)
    assert worker.wait(60) == 0
    assert "2 jobs done, which is the limit: ending" in site.notices()
    site.worker("0")
    site.logagg.await_lines(50, tail)
    site.stop(tail)


def test_a_worker_ends_when_it_uses_too_much_memory(site: Site) -> None:
    worker = site.worker("0", "--memory", "1MB")
    assert worker.wait(60) == 0
    assert "over the limit: ending" in site.notices()


@pytest.mark.thorough
def test_another_number_of_shards_and_back_to_one_machine(site: Site) -> None:
    """The procedure of docs/cluster.md: stop tails, then workers; a tail without a job server continues, too."""
    log = site.logagg.folder / "access.log"
    lines = 0
    for shards in ("0-1/2", "0-2/3"):
        write(log, 50)
        lines += 50
        worker = site.worker(shards)
        site.await_lake()
        tail = site.tail("web1", log)
        site.logagg.await_lines(lines, tail)
        site.stop(tail)
        site.stop(worker)
    write(log, 50)
    site.logagg.run("tail", "--once", "-q", "--shards", 2, log)
    assert site.logagg.lines() == lines + 50
    assert "all is well" in site.logagg.run("check").stdout


def test_logs_that_were_read_before_the_cluster_existed(site: Site) -> None:
    """Each continues at its position, on its own host, under any name; another host's log with the same inode is a different log."""
    folder = site.logagg.folder / "logs"
    folder.mkdir()
    log, rotated = folder / "access.log", folder / "access.log.1"
    write(log, 50)
    site.logagg.run("tail", "--once", "-q", folder)
    ours, theirs = log.read_text(), combined([(f"/theirs/{n}", 200) for n in range(20)])
    site.worker("0-1/2")

    def tail(name: str) -> None:
        site.logagg.run("tail", "--gearman", site.gearman, "--name", name, "--once", "-q", folder)

    wait_until(lambda: owned(site, 1) == 1)
    log.write_text(theirs)  # in the same file, as on a host that was made from the same image
    tail("theirs")
    assert site.logagg.lines() == 70
    assert site.logagg.read("SELECT DISTINCT tailer, note FROM sources ORDER BY 1") == [("", ""), ("theirs", "")]
    log.write_text(ours)
    log.rename(rotated)
    write(log, 30)
    tail("ours")
    assert site.logagg.lines() == 100
    log.unlink()
    rotated.write_text(theirs + theirs.replace("theirs", "more"))
    rotated.rename(log)
    tail("theirs")
    assert site.logagg.lines() == 120
