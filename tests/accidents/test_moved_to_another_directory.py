"""Rotations are moved to another directory (olddir), and compressed there; or all logs move to another disk.

Programs that go by paths or inodes read them again. logagg recognises a log by its content, if at least a full fingerprint
matches.
"""

import shutil

from tests.accidents.conftest import Site


def test_olddir(site: Site) -> None:
    log, old = site.log(), site.folder.with_name("old")
    old.mkdir()
    paths = [site.folder, old / "*"]
    log.write(200)
    site.start(*paths)
    site.expect()
    site.stop()
    log.write(50)
    log.rotate()
    log.reopen()
    log.compress(1)
    shutil.move(log.rotated(1, ".gz"), old)
    log.write(10)
    site.start(*paths)
    site.expect()


def test_another_disk(site: Site) -> None:
    log, other = site.log(), site.folder.with_name("other")
    log.write(200)
    site.start()
    site.expect()
    site.stop()
    log.write(50)
    shutil.copytree(site.folder, other)
    log.path.unlink()
    site.start(other)
    site.expect()
