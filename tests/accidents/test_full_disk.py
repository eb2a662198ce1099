"""The disk of the lake is full for a while; logs are rotated and deleted meanwhile (Vector #22288).

Open files are read when there is space again; deleted ones are closed then.
"""

import os
from collections.abc import Callable
from pathlib import Path

from tests.accidents.conftest import Site, settle
from tests.conftest import wait_until


def test_rotated_and_deleted_meanwhile(mount: Callable[..., None], site: Site) -> None:
    disk = site.logagg.folder / "disk"
    mount("-t", "tmpfs", "-o", "size=16m", "tmpfs", at=disk)
    site.logagg.lake = disk / "lake"
    site.logagg.env |= {"LOGAGG_LAKE": str(disk / "lake"), "LOGAGG_TAIL_IDLE": "1s"}
    log = site.log()
    log.write(500)
    site.start()
    site.expect()
    filler = _fill(disk)
    for _ in range(4):
        log.write(200)
        settle(0.7)
        log.rotate()
        log.reopen()
        log.write(100)
        settle(0.7)
        log.rotated(1).unlink()
    filler.unlink()
    site.expect()
    assert site.process
    held = Path(f"/proc/{site.process.pid}/fd")
    wait_until(
        lambda: not any("(deleted)" in _target(one) and "access" in _target(one) for one in held.iterdir()),
        site.process,
    )
    site.stop()
    site.check()


def _fill(disk: Path) -> Path:
    """Fill the disk."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        size = 1 << 16
        while size:
            try:
                file.write(bytes(size))
            except OSError:
                size //= 2
    return filler


def _target(descriptor: Path) -> str:
    try:
        return os.readlink(descriptor)
    except OSError:
        return ""
