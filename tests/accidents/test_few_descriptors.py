"""There are more logs than a process may have files open.

Filebeat's `log` input drops the files beyond the limit (#34763, #12068: it sends no more lines). logagg keeps as many
open as the limit allows, the busiest, and opens the others when they change; it gives a notice, since a log that is rotated and
deleted in between is not seen. It reserves descriptors for Parquet and DuckDB, and does not start if there are too few for them.
"""

import pytest

from tests.accidents.conftest import Log, Site

LOGS = 300


def limited(site: Site, descriptors: int) -> Site:
    site.under = ["prlimit", f"--nofile={descriptors}:{descriptors}"]
    return site


@pytest.fixture
def logs(site: Site) -> list[Log]:
    made = []
    for number in range(LOGS):
        log = site.log(f"site{number:03}.access.log")
        log.write(10)
        made.append(log)
    return made


@pytest.mark.thorough
def test_logs_grow_and_are_rotated(site: Site, logs: list[Log]) -> None:
    limited(site, 100).start(flush=0.5)
    site.expect()
    assert "descriptors: " in site.notices()
    for log in logs[::2]:
        log.rotate()
        log.write(1)
        log.reopen()
        log.write(1)
    site.expect()
    for log in logs[::4]:
        log.compress(1)
    for log in logs:
        log.write(1)
    site.expect()
    assert "truncated" not in site.notices()  # freed inodes are used again meanwhile
    site.kill()
    for log in logs[::3]:
        log.write(1)
        log.rotate()
        log.reopen()
        log.write(1)
    site.start(flush=0.5)
    site.expect()


@pytest.mark.thorough
def test_read_once(site: Site, logs: list[Log]) -> None:
    assert logs
    for _ in range(2):
        limited(site, 100).start(once=True)
        assert site.process
        assert site.process.wait(100) == 0, site.notices()
        site.process = None
        site.check()
        for log in logs[::3]:
            log.rotate()
            log.reopen()
            log.write(1)
    assert site.notices().count("descriptors: ") == 2
    site.once()


def test_too_few_descriptors_to_start(site: Site, logs: list[Log]) -> None:
    limited(site, 60)
    for argv in ({"once": True}, {}):
        site.start(**argv)
        assert site.process
        assert site.process.wait(60) == 1
        site.process = None
    output = site.notices().splitlines()
    assert len(output) == 2, output
    assert "this process may open 60 files at a time, and logagg needs" in output[0]
    assert "ulimit -n" in output[0]
    assert not (site.logagg.lake / "logagg.duckdb").exists()
    assert not list(site.logagg.lake.rglob("*.parquet"))
    site.under = []
    site.once()
