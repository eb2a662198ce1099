"""One log is found by two paths: a symbolic link, a hard link, a glob that overlaps.

Vector takes them for one log if their first lines are equal. logagg compares device and inode.
"""

import os

from tests.accidents.conftest import Site


def test_it_is_read_once(site: Site) -> None:
    log = site.log()
    log.write(50)
    (site.folder / "link.access.log").symlink_to(log.path)
    os.link(log.path, site.folder / "hard.access.log")
    (site.logagg.folder / "same").symlink_to(site.folder)
    site.start(site.folder, site.folder / "*.log", log.path, site.logagg.folder / "same")
    site.expect()
    log.write(50)
    site.expect()
    log.rotate()
    log.write(5)
    log.reopen()
    log.write(5)
    site.expect()
    site.kill()
    site.start()
    log.write(5)
    site.expect()
