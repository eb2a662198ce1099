"""Temporary directories for data that do not fit in memory: created for one use, mode 0700, removed at the end.

Names are random, since another user could create a predictable one first. The directory of a killed process is removed
by the next process that needs one, because its lock is gone.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import time
from pathlib import Path

from logagg.file_lock import EXCLUSIVE, try_lock

PREFIX = "logagg-spill-"
SETTLED = 60.0  # seconds; younger ones may not be locked yet

_ours: dict[int, Spill] = {}  # process -> its directory


class Spill:
    """A temporary directory; its path is "" if it cannot be created."""

    def __init__(self) -> None:
        remove_abandoned()
        self.path, self._lock = "", -1
        try:
            self.path = tempfile.mkdtemp(prefix=PREFIX)
            self._lock = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            try_lock(self._lock, EXCLUSIVE)
        except OSError:  # no space or no permission: nothing is spilled
            self.remove()

    def remove(self) -> None:
        if self.path:
            shutil.rmtree(self.path, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
        self.path, self._lock = "", -1


def directory() -> str:
    """Return the directory of this process, which is removed when it ends; "" if it cannot be created."""
    process = os.getpid()
    if process not in _ours:  # the first call, or the first after a fork
        _ours.clear()
        _ours[process] = Spill()
        atexit.register(remove)
    return _ours[process].path


def remove() -> None:
    """Remove the directory of this process."""
    if (spill := _ours.pop(os.getpid(), None)) is not None:
        spill.remove()


def remove_abandoned() -> None:
    """Remove the directories that killed processes of this user left behind."""
    for path in Path(tempfile.gettempdir()).glob(PREFIX + "*"):
        try:
            found = path.lstat()
            if (
                found.st_uid == os.geteuid()
                and found.st_mode & 0o777 == 0o700
                and found.st_mtime < time.time() - SETTLED
            ):
                _remove_unlocked(path)
        except OSError:
            continue


def _remove_unlocked(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if try_lock(descriptor, EXCLUSIVE):
            shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(descriptor)
