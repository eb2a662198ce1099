"""Each line counts once, with every known scheme to name, compress and move rotated logs.

Tailers know some names: an archive with another name is read as a new log (Vector #7990, Alloy #3193, Filebeat
#36541). logagg recognises a log by its content, so this table may be extended at will. logrotate's schemes are run by
logrotate itself, with its directives; the others by hand, as cronolog, rotatelogs, lumberjack, logback, Tomcat, IIS,
savelog, newsyslog and multilog do.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
import zstandard

from tests.accidents.conftest import Log, Site
from tests.conftest import Command, wait_until

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.compress,
}
ROTATIONS = 3

# Rotated to these names, by generation; an ending such as `gz` means that it is compressed.
RENAMED = {
    "access.log": [
        "access.log.{n}",
        "access.log.{n}.gz",
        "access.log.{n}.bz2",
        "access.log.{n}.xz",
        "access.log.{n}.zst",
        "access.log.0{n}.gz",
        "access.log.1234{n}.gz",
        "access.log-2026112{n}",
        "access.log-2026112{n}.gz",
        "access.log-2026112{n}-176423040{n}.gz",
        "access.log-2026-11-2{n}-10:30.gz",
        "access.log_2026112{n}.gz",
        "access.log.2026112{n}T101500Z.gz",
        "access.log.2026-11-2{n}-1732838400.gz",
        "access.log.20261{n}.gz",
        "access.log.2026-W4{n}.gz",
        "access.log.173283840{n}",
        "access.log.173283840{n}.gz",
        "access.log.2026-11-2{n}.{n}.gz",
        "access-2026112{n}.log",
        "access-2026112{n}.log.gz",
        "access.2026-11-2{n}.log.gz",
        "access-2026-11-2{n}T00-00-00.000.log",
        "access-2026-11-2{n}T00-00-00.000.log.gz",
        "access-2026-11-2{n}-{n}.log.gz",
        "access.{n}.log",
        "access.{n}.log.gz",
        "{n}.access.log.gz",
        "old-{n}-access.log.gz",
        "access.log.bak{n}.gz",
        "access.log.old{n}",
        "access.log.{n}~",
        "access log ({n}).gz",
        "Kopie von access.log.{n}.gz",
        "archive/access.log.{n}.gz",
        "archive/2026-11-2{n}/access.log.gz",
        "archive/{n}.log.xz",
    ],
    "access_log": ["access_log.{day}", "access_log.{day}.gz", "access_log.{day}.{n}.zst"],
    "other_vhosts_access.log": ["other_vhosts_access.log.{n}.gz", "other_vhosts_access-{n}.log.xz"],
    "localhost_access_log.txt": ["localhost_access_log.2026-11-2{n}.txt", "localhost_access_log.2026-11-2{n}.txt.gz"],
}
# Written under these names, one after the other; the previous one is compressed if its name has such an ending.
DATED = [
    "access.log.2026-11-2{n}",
    "access.2026-11-2{n}.log",
    "access-2026-11-2{n}-00_00_00.log",
    "access.log.173283840{n}",
    "u_ex26112{n}.log",
    "u_ex261129{n}0.log|.gz",
    "2026/11/2{n}/access.log",
    "localhost_access_log.2026-11-2{n}.txt|.gz",
    "access-2026-11-2{n}.log|.xz",
]
DIRECTIVES = {
    "numbers": "compress\ndelaycompress",
    "dateext": "dateext\ncompress",
    "epoch": "dateext\ndateformat -%Y%m%d-%s\ncompress",
    "minutes": "dateext\ndateformat -%Y-%m-%d-%H:%M-%s\ncompress\ndelaycompress",
    "underscore": "dateext\ndateformat _%Y%m%d.%s\ncompress",
    "extension": "extension .log\ndateext\ndateformat -%Y%m%d%H-%s\ncompress",
    "addextension": "addextension .log\ncompress",
    "olddir": "olddir archive\ncreateolddir 755\ncompress",
    "xz": "compress\ncompresscmd /usr/bin/xz\nuncompresscmd /usr/bin/unxz\ncompressext .xz",
    "copy": "copytruncate\ncompress\ndateext\ndateformat .%s",
}
DAYS = ["Sun", "Mon", "Tue", "Wed"]


@dataclass
class Scheme:
    """A log in a directory of its own, and how it is rotated."""

    site: Site
    log: Log
    folder: Path
    rotated: str
    compression: str = ""
    dated: bool = False

    def rotate(self, number: int) -> None:
        old, new = self.log.path, self.folder / self.rotated.format(n=number, day=DAYS[number % 4])
        new.parent.mkdir(parents=True, exist_ok=True)
        if self.dated:
            self.log.path = new
        elif not self.compression:
            old.rename(new)
            old = new
        else:
            old.rename(new.with_name("rotated.tmp"))
            old = new.with_name("rotated.tmp")
        self.log.reopen()
        if self.compression:
            target = old.with_name(old.name + self.compression) if self.dated else new
            target.write_bytes(COMPRESSORS[self.compression](old.read_bytes()))
            old.unlink()


def schemes(site: Site) -> list[Scheme]:
    numbers = count(10)
    made = []
    for live, names in RENAMED.items():
        for name in names:
            folder = _folder(site, next(numbers))
            made.append(Scheme(site, _log(site, folder / live), folder, name, _suffix(name)))
    for name in DATED:
        folder, (pattern, _, compression) = _folder(site, next(numbers)), name.partition("|")
        made.append(Scheme(site, _log(site, folder / pattern.format(n=0)), folder, pattern, compression, dated=True))
    return made


def _folder(site: Site, number: int) -> Path:
    """Create a directory, with those of its rotations, so that a tail can look at all of them from its start."""
    folder = site.folder / str(number)
    for below in (
        "",
        "archive",
        *(f"archive/2026-11-2{n}" for n in range(ROTATIONS + 1)),
        *(f"2026/11/2{n}" for n in range(ROTATIONS + 1)),
    ):
        (folder / below).mkdir(parents=True, exist_ok=True)
    return folder


def _log(site: Site, path: Path) -> Log:
    return site.log(os.path.relpath(path, site.folder))


def _suffix(name: str) -> str:
    suffix = os.path.splitext(name)[1]
    return suffix if suffix in COMPRESSORS else ""


def paths(site: Site) -> list[str]:
    """Return all globs that the tail follows, as a user would name directories of directories."""
    return [str(site.folder / below / "*") for below in ("*", "*/archive", "*/archive/*", "*/2026/11/*")]


def test_there_are_enough_schemes() -> None:
    assert sum(map(len, RENAMED.values())) + len(DATED) + len(DIRECTIVES) >= 60


@pytest.mark.parametrize("restarts", [False, True], ids=["running", "stopped"])
def test_names(site: Site, restarts: bool) -> None:
    every = schemes(site)
    for scheme in every:
        scheme.log.write(20)
    site.start(*paths(site))
    site.expect()
    for number in range(1, ROTATIONS + 1):
        if restarts:
            site.stop()
        for scheme in every:
            scheme.log.write(3)  # the tail has not read these if it does not run
            scheme.rotate(number)
            scheme.log.write(20)
        if restarts:
            site.start(*paths(site))
        site.expect()
    assert "truncated" not in site.notices()


@pytest.mark.parametrize("restarts", [False, True], ids=["running", "stopped"])
def test_directives_of_logrotate(site: Site, tool: Callable[[str], str], logagg: Command, restarts: bool) -> None:
    logs = {name: _log(site, _folder(site, number) / "access.log") for number, name in enumerate(DIRECTIVES)}
    for log in logs.values():
        log.path.parent.chmod(0o755)
        log.write(20)
    site.start(*paths(site))
    site.expect()
    for _ in range(ROTATIONS):
        if restarts:
            site.stop()
        _logrotate(logagg, tool("logrotate"), logs)
        for log in logs.values():
            log.reopen()
            log.write(20)
        if restarts:
            site.start(*paths(site))
        site.expect()
        _wait_for_another_second()


def _logrotate(logagg: Command, program: str, logs: dict[str, Log]) -> None:
    configuration = logagg.folder / "logrotate.conf"
    sections = [f"{log.path} {{\nrotate 20\ncreate 644\n{DIRECTIVES[name]}\n}}\n" for name, log in logs.items()]
    configuration.write_text("".join(sections).replace("create 644\ncopytruncate", "copytruncate"))
    configuration.chmod(0o644)
    argv = [program, "--force", "--state", str(configuration.with_suffix(".state")), str(configuration)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    complaints = [line for line in done.stderr.splitlines() if line]
    assert all("already exists, skipping rotation" in line for line in complaints), (
        done.stderr
    )  # `dateext`, the same day


def _wait_for_another_second() -> None:
    """Wait for the next second: logrotate's names contain seconds, and it keeps a file whose name exists."""
    began = int(time.time())
    wait_until(lambda: int(time.time()) > began)
