"""Tails, a job server and workers: the sums are those of one process over the same logs."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

from tests.conftest import ROOT, Command
from tests.gearmand import Site, copy_secret
from tests.soak.writer import Writer, assert_written

pytestmark = pytest.mark.slow

DEMO = ROOT / "fixtures/demo"
VIEWS = ("traffic", "pages", "ads", "referrers", "agents", "errors", "latency")


def summed(lake: Path, view: str) -> list[tuple[object, ...]]:
    """Return all rows of a view, with the rows of one key added up."""
    with duckdb.connect(str(lake / "logagg.duckdb"), read_only=True) as connection:
        names = [(name, kind) for name, kind, *_ in connection.execute(f"DESCRIBE {view}").fetchall()]
        measures = {"hits", "bytes", "views", "clicks", "clicks_dup", "errors", "impressions", "conversions", "seconds"}
        columns = [
            f"uniques({name})" if kind.endswith("[]") else f"round(sum({name}), 6)" if name in measures else name
            for name, kind in names
        ]
        return connection.execute(f"SELECT {', '.join(columns)} FROM {view} GROUP BY ALL ORDER BY ALL").fetchall()


def test_every_view_equals_that_of_one_process(site: Site) -> None:
    for shards in ("0,2/4", "1,3/4"):
        site.worker(shards)
    site.await_lake()
    folders = []
    for name, log in (("one", "access.log"), ("two", "access.log.1"), ("three", "access.log.2.gz")):
        folders.append(site.logagg.folder / name)
        folders[-1].mkdir()
        shutil.copy(DEMO / log, folders[-1] / log)
    config = ("--config", DEMO / "logagg.toml")
    tails = [site.tail(folder.name, "--once", *config, folder) for folder in folders]
    assert [tail.wait(60) for tail in tails] == [0, 0, 0], site.notices()
    alone = Command(site.logagg.folder / "alone", site.logagg.folder)
    copy_secret(site.lake, alone.lake)
    alone.run("tail", "--once", "-q", *config, *folders)
    for view in VIEWS:
        assert summed(site.lake, view) == summed(alone.lake, view), view
    requests = "SELECT * EXCLUDE (source) FROM requests ORDER BY ALL"
    assert site.logagg.read(requests) == alone.read(requests)
    assert site.logagg.read("SELECT source, reason, lines FROM rejects") != []
    assert site.logagg.lines() == alone.lines() > 6000
    assert "all is well" in site.logagg.run("check").stdout


def test_three_tailers_four_shards_two_workers(site: Site) -> None:
    workers = [site.worker("0-1/4"), site.worker("2-3/4")]
    site.await_lake()
    writers = []
    for number in range(3):
        folder = site.logagg.folder / f"web{number}"
        folder.mkdir()
        writers.append(Writer(folder, number, network=f"192.0.{number}"))
    tails = []
    for writer in writers:
        with writer:
            tails.append(site.tail(writer.log.parent.name, writer.log.parent))
            site.logagg.await_more(5, tails[-1])
    for tail in tails:
        site.stop(tail)
    for writer in writers:  # lines that were written after a tail got the signal to stop
        site.logagg.run(
            "tail", "--gearman", site.gearman, "--name", writer.log.parent.name, "--once", "-q", writer.log.parent
        )
    for worker in workers:
        site.stop(worker)
    assert_written(site.lake, writers)
