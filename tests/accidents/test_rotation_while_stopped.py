"""Logs are rotated while no tail runs, once or several times.

Vector #22954 (open), Fluent Bit #1330, #5024, Loki #8039, #2134: the rest of a partly read log is lost, or all is
read again. logagg finds the file by its inode, continues at the committed position, then reads the newer files.
"""

import pytest

from tests.accidents.conftest import Site


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("path", ["", "access.log", "*.log"])
def test_reading_continues_at_its_position(site: Site, times: int, path: str) -> None:
    paths = [site.folder / path]
    log = site.log()
    log.write(100)
    site.start(*paths)
    site.expect()
    site.stop()
    log.write(20)
    for _ in range(times):
        log.rotate()
        log.reopen()
        log.write(30)
    site.start(*paths)
    site.expect()


@pytest.mark.parametrize("path", ["", "access.log"])
def test_reading_continues_in_compressed_rotations(site: Site, path: str) -> None:
    paths = [site.folder / path]
    log = site.log()
    log.write(100)
    site.start(*paths)
    site.expect()
    site.kill()
    log.write(20)
    for _ in range(3):
        log.rotate()
        log.reopen()
        log.write(30)
    log.compress(3)
    log.compress(2)
    site.start(*paths)
    site.expect()


def test_logs_deleted_before_they_were_read_are_reported(site: Site) -> None:
    log = site.log()
    log.write(100)
    site.start()
    site.expect()
    site.stop()
    log.write(20)
    site.lost = set(range(100, 120))
    log.rotate()
    log.rotated(1).unlink()
    log.reopen()
    log.write(30)
    site.start()
    site.expect()
    site.expect_note("bytes were read; anything after them is lost")
    assert "gone: " in site.notices() or "truncated: " in site.notices()  # the new file may have got the old inode
