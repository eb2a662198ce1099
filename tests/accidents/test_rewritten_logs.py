"""A log is replaced by another file with its name: by rsync, by an editor, by `sed -i`; or is cut to its last lines.

Logstash's file input (#63) and log-courier (#260) read all again after each rsync, since the inode is different; their advice is
`--inplace`. Vector and Filebeat know a file by its first bytes, if it has enough. After a reboot the number of the device
may change, too (LVM, NFS; Filebeat #13314, #34418). logagg knows a log by the bytes that were read; if these are too few for a proof,
less than 1 KiB, together with its path.
"""

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.accidents.conftest import Log, Site, settle

SHORT, LONG = 3, 40  # lines: below 1 KiB, and above
SETTLED = 3.5


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_rsync(site: Site, tool: Callable[[str], str], running: bool) -> None:
    remote = site.folder.with_name("remote")
    remote.mkdir()
    logs = [Log(site, remote / f"{name}.access.log") for name in ("short", "long")]
    argv = [tool("rsync"), "-a", f"{remote}/", f"{site.folder}/"]
    for log, count in zip(logs, (1, LONG), strict=True):
        log.write(count)
    subprocess.run(argv, check=True)
    site.start()
    site.expect()
    for _ in range(3):
        for log in logs:
            log.write(1)
        if not running:
            site.kill()
        subprocess.run(argv, check=True)
        if not running:
            site.start()
        site.expect()
    settle(SETTLED)
    site.check()
    for log in logs:
        log.close()


def _sed(path: Path) -> None:
    subprocess.run(["sed", "-i", "s/nothing/changes/", path], check=True)


def _sed_with_a_backup(path: Path) -> None:
    subprocess.run(["sed", "-i.bak", "s/nothing/changes/", path], check=True)


def _editor(path: Path) -> None:
    """As vim and others: the old file becomes a backup, a new one is written, the backup is deleted."""
    content, backup = path.read_bytes(), path.with_name(f"{path.name}~")
    path.rename(backup)
    path.write_bytes(content)
    settle(0.3)
    backup.unlink()


def _careful_editor(path: Path) -> None:
    """As other editors: a copy is written, and renamed; a backup stays."""
    shutil.copy2(path, path.with_name(f"{path.name}~"))
    new = path.with_name(f".{path.name}.swp")
    new.write_bytes(path.read_bytes())
    settle(0.3)
    new.rename(path)


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
@pytest.mark.parametrize(
    "rewrite",
    [
        _sed,
        pytest.param(_sed_with_a_backup, marks=pytest.mark.soak),
        _editor,
        pytest.param(_careful_editor, marks=pytest.mark.soak),
    ],
)
def test_an_editor_that_changes_nothing(site: Site, rewrite: Callable[[Path], None], running: bool) -> None:
    logs = [site.log(name) for name in ("short.access.log", "long.access.log")]
    for log, count in zip(logs, (SHORT, LONG), strict=True):
        log.write(count)
    site.start()
    site.expect()
    for soon in (False, True):
        if not running:
            site.stop()
        for log in logs:
            rewrite(log.path)
            log.reopen()
        if soon:
            for log in logs:
                log.write(1)
        if not running:
            site.start()
        site.expect()
        settle(SETTLED)
        for log in logs:
            log.write(1)
        site.expect()


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
@pytest.mark.parametrize("back", ["cat t > access.log; rm t", "mv t access.log"], ids=["in_place", "renamed"])
def test_cut_to_its_last_lines(site: Site, back: str, running: bool) -> None:
    log = site.log()
    log.write(3000)
    site.start()
    site.expect()
    for keep in (1000, 100):
        if not running:
            site.stop()
        subprocess.run(f"tail -n {keep} access.log > t; {back}", shell=True, cwd=site.folder, check=True)
        log.reopen()
        if running:
            settle(1)
        log.write(50)
        if not running:
            site.start()
        site.expect()
    site.expect_note("cut at its front after")


def test_cut_to_lines_that_were_not_all_read(site: Site) -> None:
    log = site.log()
    log.write(3000)
    site.start()
    site.expect()
    site.kill()
    log.write(100)
    subprocess.run("tail -n 1000 access.log > t; cat t > access.log; rm t", shell=True, cwd=site.folder, check=True)
    log.write(50)
    site.start()
    site.expect()


@pytest.fixture
def disk(site: Site, tool: Callable[[str], str], mount: Callable[..., None]) -> Iterator[Callable[[], None]]:
    """Give the directory of the logs a file system of its own; at each call on another device."""
    image, devices = site.folder.with_name("disk.img"), list[str]()
    image.touch()
    os.truncate(image, 16 << 20)
    subprocess.run([tool("mkfs.ext4"), "-q", image], check=True)

    def attach() -> None:
        done = subprocess.run([tool("losetup"), "-f", "--show", image], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"no loop device: {done.stderr.strip()}")
        devices.append(done.stdout.strip())
        if len(devices) > 1:
            subprocess.run(["umount", site.folder], check=True)
        mount(devices[-1], at=site.folder)

    yield attach
    subprocess.run(["umount", "-q", "-l", site.folder], check=False)
    for device in devices:
        subprocess.run(["losetup", "-d", device], check=False)


def test_the_device_has_another_number(site: Site, disk: Callable[[], None]) -> None:
    disk()
    same = site.lines(SHORT)
    for name in ("one", "two", "three"):
        (site.folder / f"{name}.access.log").write_bytes(same)
    (site.folder / "long.access.log").write_bytes(site.lines(LONG))
    site.once()
    before, counted = os.stat(site.folder).st_dev, site.counted()
    assert counted == Counter(list(range(SHORT)) * 3 + list(range(SHORT, SHORT + LONG)))
    disk()
    assert os.stat(site.folder).st_dev != before
    site.once()
    assert site.counted() == counted
    for name in ("one", "two", "three", "long"):
        with (site.folder / f"{name}.access.log").open("ab") as log:
            log.write(site.lines(1))
    site.once()
    assert site.counted() == counted + Counter(range(SHORT + LONG, site.written))
    site.check = lambda: None  # type: ignore[method-assign]  # three of the logs hold the same lines
