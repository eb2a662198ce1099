"""Logs are touched; their owners, modes and attributes are changed (cAdvisor #1292). Their lines stay the same."""

import os

import pytest

from tests.accidents.conftest import Site, settle


@pytest.mark.thorough
def test_nothing_is_read_again(site: Site) -> None:
    site.logagg.env["LOGAGG_TAIL_IDLE"] = "1s"
    old, live = site.log("access.log.1"), site.log()
    for log in (old, live):
        log.write(200)
    site.start()
    site.expect()
    for when in (1.6e9, 1.9e9, None):
        for log in (old, live):
            log.path.chmod(0o600 if when else 0o640)
            os.utime(log.path, (when, when) if when else None)
            os.setxattr(log.path, "user.note", b"seen")
        settle(0.8)
        live.write(10)
        site.expect()
        site.kill()
        os.utime(old.path, (2e9, 2e9))
        site.start()
        live.write(10)
        site.expect()
