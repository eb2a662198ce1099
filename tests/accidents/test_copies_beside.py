"""An administrator makes a copy of a log beside it (gunzip -k, zcat >, cp), reads it, and may delete it or not.

A program that goes by inodes counts the copy again (Filebeat's manual warns of copies; Vector's fingerprint takes the copy for the log,
or the log for the copy). To logagg a file with the content of a source that has another file is a copy: it is not
counted while the content is the same.
"""

import gzip
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.accidents.conftest import Log, Site, settle

SETTLED = 3.5  # seconds after which logagg decides what an unchanged file is


@pytest.mark.thorough
def test_while_the_tail_runs(site: Site) -> None:
    log, elsewhere = _site(site), site.folder.with_name("elsewhere")
    elsewhere.mkdir()
    paths = [site.folder, elsewhere / "*"]
    site.start(*paths)
    site.expect()
    copies = _copy(site, log, elsewhere)
    _grows(site, log)
    settle(SETTLED)
    _grows(site, log)
    for copy in copies[::2]:
        copy.unlink()
    log.rotate()
    log.reopen()
    _grows(site, log)
    site.kill()
    site.start(*paths)
    _grows(site, log)
    for copy in copies[1::2]:
        copy.unlink()
    settle(SETTLED)
    _grows(site, log)


def test_while_the_tail_is_stopped(site: Site) -> None:
    log, elsewhere = _site(site), site.folder.with_name("elsewhere")
    elsewhere.mkdir()
    paths = [site.folder, elsewhere / "*"]
    site.start(*paths)
    site.expect()
    site.stop()
    _copy(site, log, elsewhere)
    site.once(*paths)
    site.check()
    log.write(10)
    site.start(*paths)
    settle(SETTLED)
    _grows(site, log)


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
@pytest.mark.thorough
def test_the_original_is_rotated_away_and_deleted(site: Site, running: bool) -> None:
    """The copies stay. A file that is named like another live log, and holds a part of a missing one, is a log of its own."""
    log = _site(site)
    site.start()
    site.expect()
    copies = _copy(site, log)
    settle(SETTLED)
    _grows(site, log)
    if not running:
        site.stop()
        (site.folder / "old.access.log").unlink()
    log.rotate()
    log.reopen()
    if running:
        _grows(site, log)
    log.write(10)
    for path in site.folder.iterdir():
        if path not in (log.path, *copies):
            path.unlink()
    if not running:
        site.start()
    settle(SETTLED)
    _grows(site, log)
    (site.folder / "old.access.log").unlink(missing_ok=True)
    site.stop()
    site.start()
    _grows(site, log)


def test_the_original_was_not_read_to_its_end(site: Site) -> None:
    log = _site(site)
    site.start()
    site.expect()
    site.kill()
    log.write(20)
    shutil.copyfile(log.path, site.folder / "access.log.bak")
    log.write(20)
    site.start()
    settle(SETTLED)
    _grows(site, log)


@pytest.mark.parametrize("lines", [3, 500])
def test_gunzip_keep_of_an_archive(site: Site, lines: int) -> None:
    """Also with fewer bytes than a full fingerprint."""
    log = site.log()
    log.write(lines)
    log.rotate()
    log.reopen()
    log.write(2)
    log.compress(1)
    site.start()
    site.expect()
    subprocess.run(["gunzip", "-k", log.rotated(1, ".gz")], check=True)
    settle(SETTLED)
    _grows(site, log)
    site.kill()
    site.start()
    _grows(site, log)
    log.rotated(1, ".gz").unlink()
    settle(SETTLED)
    _grows(site, log)


def _site(site: Site) -> Log:
    """Return a log with two rotations, the older one compressed."""
    log = site.log()
    for count in (300, 200, 100):
        log.write(count)
        log.rotate()
        log.reopen()
    log.compress(3)
    log.write(50)
    return log


def _copy(site: Site, log: Log, elsewhere: Path | None = None) -> list[Path]:
    """Make copies as administrators do; return them."""
    archive = log.rotated(3, ".gz")
    subprocess.run(["gunzip", "-k", archive], check=True)
    copies = {
        "access.log.bak": log.path,
        "old.access.log": log.path,
        "access.log.1.copy": log.rotated(1),
        "backup-access.log": archive,
    }
    for name, original in copies.items():
        subprocess.run(["cp", original, site.folder / name], check=True)
    (site.folder / "look.access.log").write_bytes(gzip.decompress(archive.read_bytes()))  # zcat >
    if elsewhere:
        subprocess.run(["cp", "-a", log.path, log.rotated(1), archive, elsewhere], check=True)
    made = [log.rotated(3), site.folder / "look.access.log", *(site.folder / name for name in copies)]
    return made + list(elsewhere.iterdir() if elsewhere else ())


def _grows(site: Site, log: Log) -> None:
    log.write(10)
    site.expect()
