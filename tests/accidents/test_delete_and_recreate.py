"""A log is deleted, and created again: at once, or a while later.

Vector #15885 (the old one is never closed, the new one never read), GoAccess #2821 (it exits), Grafana Alloy #3266 (open).
logagg reads the deleted file to its end through its descriptor, closes it when it has not changed for
`tail.idle`, and reads the new one.
"""

import os
from pathlib import Path

from tests.accidents.conftest import Site, settle
from tests.conftest import wait_until


def test_within_one_look(site: Site) -> None:
    log = site.log()
    log.write(20)
    site.start()
    site.expect()
    for _ in range(5):
        log.write(5)
        log.path.unlink()
        log.write(5)  # the server still holds it open
        site.expect()
        log.reopen()
        log.write(5)
        site.expect()


def test_a_missing_file_is_no_failure(site: Site) -> None:
    log = site.log()
    log.write(20)
    site.start(log.path)
    site.expect()
    log.path.unlink()
    settle(1)
    log.reopen()
    log.write(20)
    site.expect()


def test_a_deleted_file_is_closed(site: Site) -> None:
    site.logagg.env["LOGAGG_TAIL_IDLE"] = "1s"
    log = site.log()
    log.write(20)
    site.start()
    site.expect()
    log.path.unlink()
    log.reopen()
    log.write(20)
    site.expect()
    assert site.process
    descriptors = Path(f"/proc/{site.process.pid}/fd")
    wait_until(lambda: not any("(deleted)" in _target(one) for one in descriptors.iterdir()), site.process)


def _target(descriptor: Path) -> str:
    try:
        return os.readlink(descriptor)
    except OSError:
        return ""
