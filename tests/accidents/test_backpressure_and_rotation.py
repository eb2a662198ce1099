"""The disk refuses writes for a while, and the logs are rotated meanwhile.

Fluent Bit #1903, #1065, #8046 (it never resumes), PR #466 (a log that is rotated during a pause is lost). logagg stops reading when
too many rows wait for a commit, retries until the disk accepts writes, and then finds each file under its new name.
"""

import os
import signal

import pytest

from tests.accidents.conftest import Site, settle


@pytest.mark.thorough
def test_the_disk_refuses(site: Site) -> None:
    log = site.log()
    log.write(100)
    site.logagg.env["LOGAGG_TAIL_CHUNK"] = "16KB"
    site.start()
    site.expect()
    data = site.logagg.lake / "data"
    data.rename(site.logagg.lake / "away")
    data.touch()  # a file in place of a directory
    for _ in range(2):
        for _ in range(5):
            log.write(2_000)
            settle(0.1)
        log.rotate()
        log.write(50)
        log.reopen()
    data.unlink()
    (site.logagg.lake / "away").rename(data)
    site.expect()
    assert "retry: " in site.notices()


def test_the_tail_is_suspended(site: Site) -> None:
    log = site.log()
    log.write(100)
    site.start()
    site.expect()
    assert site.process
    os.kill(site.process.pid, signal.SIGSTOP)
    for _ in range(2):
        log.write(500)
        log.rotate()
        log.write(50)
        log.reopen()
    log.compress(2)
    os.kill(site.process.pid, signal.SIGCONT)
    site.expect()
