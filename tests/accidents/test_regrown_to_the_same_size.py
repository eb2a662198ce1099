"""A log is truncated, and by the next look has exactly its old size again; perhaps even its old time.

GoAccess treats the same size as no change (`length == glog->length`). logagg looks again at every file that was changed
in any way, and verifies by a digest that the bytes it has read are still there.
"""

import os

import pytest

from tests.accidents.conftest import Site


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_other_bytes_are_other_lines(site: Site, running: bool) -> None:
    site.written = 1000  # numbers of equal length, so that equally many lines have the same size
    site.lost = set(range(1000))
    log = site.log()
    log.write(50)
    site.start()
    site.expect()
    for keeps_time in (False, True):
        if not running:
            site.stop()
        before = log.path.stat()
        log.path.write_bytes(site.lines(50))
        if keeps_time:
            os.utime(log.path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert log.path.stat().st_size == before.st_size
        if not running:
            site.start()
        site.expect()
