"""The disk of a lake has no free inodes, or is read-only: the notice says which, and no line is lost once it is writable again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.accidents.conftest import Site
from tests.conftest import wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a file system")


@pytest.fixture
def disk(tmp_path: Path, tool: Callable[[str], str]) -> Iterator[Path]:
    """The directory of the lake, on a small file system of its own."""
    path = tmp_path / "lake"
    path.mkdir()
    subprocess.run([tool("mount"), "-t", "tmpfs", "-o", "size=50M,nr_inodes=100,mode=0750", "tmpfs", path], check=True)
    yield path
    subprocess.run([tool("umount"), "--lazy", path], check=True)


def fill(folder: Path) -> list[Path]:
    """Create files until no inode is free."""
    made: list[Path] = []
    try:
        while True:
            (path := folder / f"file{len(made)}").touch()
            made.append(path)
    except OSError:
        return made


def test_no_inodes_are_left(disk: Path, site: Site) -> None:
    log = site.log()
    log.write(10)
    site.start()
    site.expect()
    made = fill(disk)
    log.write(10)
    wait_until(lambda: "no inodes are free on its file system" in site.notices(), site.process)
    assert "bytes free" not in site.notices()
    for path in made:
        path.unlink()
    site.expect()


def test_the_file_system_is_read_only_for_a_while(disk: Path, site: Site, tool: Callable[[str], str]) -> None:
    log = site.log()
    log.write(10)
    site.start()
    site.expect()
    subprocess.run([tool("mount"), "--bind", disk, disk], check=True)
    subprocess.run([tool("mount"), "-o", "remount,bind,ro", disk], check=True)
    try:
        log.write(10)
        wait_until(lambda: "its file system is read-only" in site.notices(), site.process)
    finally:
        subprocess.run([tool("umount"), disk], check=True)
    site.expect()
