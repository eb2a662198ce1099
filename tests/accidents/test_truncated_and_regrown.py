"""A log is truncated, and has grown again at the next look, below or beyond its old size.

Vector #23619 (open: the old reader resumes), Fluent Bit #9580; GoAccess's source calls it "odd, but possible". logagg verifies by a digest, at every read, that the bytes before its position are still
there. Bytes that were unread at the truncation are lost to every program: status and a notice report it.
"""

import pytest

from tests.accidents.conftest import Site


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_the_new_content_is_read_from_its_start(site: Site, running: bool) -> None:
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


def test_lost_bytes_are_counted_if_the_tail_has_seen_them(site: Site) -> None:
    log = site.log()
    log.write(50)
    log.write_bytes(b"half a line")
    site.start()
    site.expect()
    log.path.write_bytes(site.lines(1))
    site.expect()
    site.expect_note("11 bytes at least")


def test_status_reports_it_at_once(site: Site) -> None:
    """Also if no line is written after the truncation."""
    log = site.log()
    log.write(50)
    site.start()
    site.expect()
    log.path.write_bytes(b"")
    site.expect_note("truncated or replaced after")
