"""A log is truncated, and by the next look has grown again: below, to exactly, or beyond its old size.

Vector #23619 (open: the old reader resumes), Fluent Bit #9580; GoAccess takes the same size for no change ("odd, but
possible", says its source). logagg proves by a digest, at every read, that the bytes before its position are still
there. The bytes that nobody had read when the log was truncated are lost to everyone: status and a notice say so.
"""

import pytest

from tests.accidents.conftest import Site


@pytest.mark.parametrize("lines", [1, 50, 500], ids=["below", "to exactly", "beyond"])
@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_what_it_holds_now_is_read_from_its_start(site: Site, lines: int, running: bool) -> None:
    log = site.log()
    site.written = 1000  # numbers of one length, so that the same number of lines is the same size
    site.lost = set(range(1000))
    log.write(50)
    size = log.path.stat().st_size
    site.start()
    site.expect()
    if not running:
        site.stop()
    log.path.write_bytes(site.lines(lines))
    assert lines != 50 or log.path.stat().st_size == size
    if not running:
        site.start()
    site.expect()
    assert "truncated: " in site.notices()
    site.expect_note("truncated after")


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
    site.expect_note("truncated after")
