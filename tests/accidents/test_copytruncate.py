"""logrotate's copytruncate: the log is copied to access.log.1, then truncated; the glob matches both.

Filebeat #45300 (open: 100 of 150 lines), Fluent Bit #375, #4839, Loki PR #8096; all tailers of Vector's old comparison
fail. logagg recognises the copy by its content: it is not read again, except for lines that were unread in the original.
Lines written between copy and truncation are lost to every program: status and a notice report it.
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


def test_unread_lines_are_read_from_the_copy(site: Site) -> None:
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


def test_a_copy_that_is_shorter_than_the_position(site: Site) -> None:
    log = site.log()
    log.write(100)
    site.start()
    site.expect()
    shutil.copyfile(log.path, log.rotated(1))
    log.write(20)
    site.expect()  # read before the truncation
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


def test_lines_written_in_between_are_lost_and_status_reports_it(site: Site) -> None:
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
