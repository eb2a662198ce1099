"""The lake is restored from a backup; the logs have gone on since, were rotated and compressed.

Filebeat's registry and Vector's checkpoints name inodes, which tell other files by then. logagg finds by what the logs
hold where the lake of that day had come to, and reads on from there.
"""

import shutil

from tests.accidents.conftest import Site


def test_what_came_since_is_read_again(site: Site) -> None:
    long, short = site.log(), site.log("short.access.log")
    long.write(300)
    short.write(5)
    site.once()
    backup = site.logagg.folder / "backup"
    shutil.copytree(site.logagg.lake, backup, symlinks=True)
    for age in (1, 2):
        long.write(100)
        short.write(1)
        site.once()
        if age == 2:
            long.compress(1)
        long.rotate()
        long.reopen()
        long.write(100)
        site.once()
    site.check()
    shutil.rmtree(site.logagg.lake)
    backup.rename(site.logagg.lake)
    site.once()
    site.check()
    long.write(1)
    site.start()
    site.expect()
