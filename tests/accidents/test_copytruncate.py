"""logrotate's copytruncate: the log is copied to access.log.1, then truncated; the glob matches both.

Filebeat #45300 (open: 100 of 150 lines), Fluent Bit #375, #4839, Loki PR #8096; all tailers of Vector's old comparison
fail. logagg knows the copy by what it holds: it is not read again, and what was not read of the original is read there.
What is written between copy and truncation is lost to everyone: status and a notice say so.
"""

import shutil

from tests.accidents.conftest import Site


def test_nothing_is_read_twice(site: Site) -> None:
    log = site.log()
    log.write(100)
    site.start()
    site.expect()
    log.copy_and_truncate()
    log.write(150)
    site.expect()
    site.expect_note("anything written between the two is lost")


def test_what_was_not_read_is_read_in_the_copy(site: Site) -> None:
    log = site.log()
    log.write(100)
    site.start()
    site.expect()
    site.kill()
    log.write(50)
    log.copy_and_truncate()
    log.write(500)  # beyond the old size
    site.start()
    site.expect()


def test_a_copy_that_is_behind_what_was_read(site: Site) -> None:
    log = site.log()
    log.write(100)
    site.start()
    site.expect()
    shutil.copyfile(log.path, log.rotated(1))
    log.write(20)
    site.expect()  # read before it is truncated
    log.path.write_bytes(site.lines(10))
    site.expect()


def test_a_copy_that_grows_slowly(site: Site) -> None:
    log = site.log()
    log.write(300)
    site.start()
    site.expect()
    content = log.path.read_bytes()
    with log.rotated(1).open("wb", buffering=0) as copy:
        for at in range(0, len(content), 9_000):
            copy.write(content[at : at + 9_000])
            log.write(5)
            site.expect()
        copy.write(log.path.read_bytes()[len(content) :])
    log.path.write_bytes(site.lines(10))
    site.expect()


def test_lines_written_in_between_are_lost_and_status_says_so(site: Site) -> None:
    log = site.log()
    log.write(100)
    site.start()
    site.expect()
    log.copy_and_truncate(meanwhile=20)
    log.write(10)
    site.expect()
    counted = site.counted()
    assert 110 <= len(counted) <= 130
    assert "truncated: " in site.notices()
    site.expect_note("is lost")
