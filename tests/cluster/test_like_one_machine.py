"""A tail with a job server reads and counts the same lines as one without: both share the decisions of the driver."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import combined, wait_until
from tests.gearmand import Site


def equal_heads(folder: Path) -> None:
    """Two logs that begin alike: the older one could be an earlier state of the newer one, but is not."""
    (folder / "a.log").write_text(2 * combined([("/", 200)]))
    (folder / "a.log.1").write_text(combined([("/", 200)]))


def short_and_empty(folder: Path) -> None:
    (folder / "empty.log").touch()
    (folder / "short.log").write_text(combined([("/", 200)]))
    (folder / "short.log.1").write_text(combined([("/", 200), ("/more", 404)]))


def half_a_line(folder: Path) -> None:
    (folder / "a.log").write_text(combined([("/one", 200), ("/two", 200)]).removesuffix("\n"))
    (folder / "a.log.1").write_text(combined([("/zero", 200)]) + "half a li")


@pytest.mark.parametrize("made", [equal_heads, short_and_empty, half_a_line])
def test_once_reads_the_same(site: Site, made: Callable[[Path], None]) -> None:
    site.worker("0/1")
    site.await_lake()
    logs, other = site.logagg.folder / "logs", site.logagg.folder / "alone"
    logs.mkdir()
    made(logs)
    alone = site.logagg.run("tail", "--once", "--lake", other, logs)
    through = site.logagg.run("tail", "--gearman", site.gearman, "--once", logs)
    lines = alone.stdout.split(" lines")[0].split()[-1]
    assert through.stdout.split(" lines")[0].split()[-1] == lines
    query = "SELECT (SELECT coalesce(sum(hits), 0) FROM traffic) AS hits, (SELECT coalesce(sum(lines), 0) FROM rejects) AS rejects"
    assert site.logagg.sql(query) == json.loads(site.logagg.run("sql", "--lake", other, "--json", query).stdout)
    assert site.logagg.lines() == int(lines) > 0


def test_from_end_is_kept_although_no_line_is_written(site: Site) -> None:
    """A tail that begins at the end of a quiet log, and is stopped, resumes there: lines written meanwhile count."""
    log = site.logagg.folder / "access.log"
    log.write_text(combined([(f"/old/{number}", 200) for number in range(30)]))
    site.worker("0-1/2")
    site.await_lake()
    tail = site.tail("web1", "--from", "end", log)
    wait_until(lambda: site.logagg.read("SELECT count(*) FROM sources") == [(2,)], tail)
    site.stop(tail)
    with log.open("a") as file:
        file.write(combined([(f"/new/{number}", 200) for number in range(12)]))
    tail = site.tail("web1", "--from", "end", log)
    site.logagg.await_lines(12, tail)
    site.stop(tail)
