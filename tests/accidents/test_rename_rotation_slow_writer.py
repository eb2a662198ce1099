"""A log is renamed, and the server continues to write to the old file until a signal makes it reopen.

GoAccess reopens by name and loses the rest of the old file; logstash-input-file #214, #151 (318,503 of 320,001 lines).
logagg keeps the renamed file open and reads both files, the old one first.
"""

from tests.accidents.conftest import Site


def test_all_are_counted(site: Site) -> None:
    log = site.log()
    log.write(100)
    site.start()
    site.expect()
    log.rotate()
    log.write(50)
    site.expect()

    other = site.log()  # the new file exists, but the server still writes to the old one
    other.write(30)
    log.write(20)
    site.expect()
    log.write(10)
    log.reopen()
    log.write(40)
    site.expect()


def test_the_old_one_may_be_deleted_while_it_is_written_to(site: Site) -> None:
    log = site.log()
    log.write(10)
    site.start()
    site.expect()
    log.rotate()
    log.rotated(1).unlink()
    log.write(10)
    site.expect()
