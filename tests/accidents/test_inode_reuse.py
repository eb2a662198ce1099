"""A file is deleted, and a new one gets its inode.

Fluent Bit #4895 (the new file is read from byte 1,244), #8025 (a stale row in its database), Filebeat #34419, #27278.
logagg trusts an inode only if the file has, before the position, the bytes that were read there.
"""

import pytest

from tests.accidents.conftest import Log, Site


def take_inode(site: Site, inode: int) -> Log:
    """Create access.log with this inode, which some file systems reuse at once."""
    for attempt in range(200):
        other = site.folder / f"spare.{attempt}"
        other.touch()
        if other.stat().st_ino == inode:
            other.rename(site.folder / "access.log")
            return site.log()
    pytest.skip("this file system does not reuse inodes at once")


@pytest.mark.parametrize("more", [False, True], ids=["shorter", "longer"])
def test_the_new_file_is_read_from_its_start(site: Site, more: bool) -> None:
    log = site.log()
    log.write(50)
    site.start()
    site.expect()
    site.stop()  # a running tail holds the file, and with it the inode
    inode = log.path.stat().st_ino
    log.path.unlink()
    log.close()
    new = take_inode(site, inode)
    new.write(80 if more else 10)
    site.start()
    site.expect()
