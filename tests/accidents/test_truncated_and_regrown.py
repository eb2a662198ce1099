"""A log is truncated, and by the next look has grown again, below or beyond its old size.

Vector #23619 (open: the old reader resumes), Fluent Bit #9580; "odd, but possible", says GoAccess's source. logagg proves by a digest, at every read, that the bytes before its position are still
there. The bytes that nobody had read when the log was truncated are lost to everyone: status and a notice say so.
"""

import pytest

from tests.accidents.conftest import Site


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_what_it_holds_now_is_read_from_its_start(site: Site, running: bool) -> None:
    logs = [site.log(f"{name}.log") for name in ("below", "beyond")]
    for log in logs:
        log.write(50)
    site.start()
    site.expect()
    if not running:
        site.stop()
    for log, lines in zip(logs, (1, 500), strict=True):
        log.path.write_bytes(site.lines(lines))
    if not running:
        site.start()
    site.expect()
    assert site.notices().count("truncated: ") == 2
    assert len([note for note in site.notes() if "truncated or replaced after" in note]) == 2


def test_bytes_lost_unread_are_counted_as_far_as_they_were_seen(site: Site) -> None:
    log = site.log()
    log.write(50)
    log.write_bytes(b"half a line")
    site.start()
    site.expect()
    log.path.write_bytes(site.lines(1))
    site.expect()
    site.expect_note("11 bytes at least")


def test_status_says_so_at_once(site: Site) -> None:
    """Even if nothing is written after the log was truncated."""
    log = site.log()
    log.write(50)
    site.start()
    site.expect()
    log.path.write_bytes(b"")
    site.expect_note("truncated or replaced after")
