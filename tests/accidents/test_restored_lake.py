"""The lake is restored from a backup; the logs have grown since, and were rotated and compressed.

Filebeat's registry and Vector's checkpoints name inodes, which other files use by then. logagg finds the positions of
the backup by the content of the logs, and continues from there.
"""

import shutil

import pytest

from tests.accidents.conftest import Site


@pytest.mark.thorough
def test_lines_since_the_backup_are_read_again(site: Site) -> None:
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
