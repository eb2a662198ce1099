"""Wakes the tail when files are created, deleted or renamed. Events are hints: the next poll finds changes without one.

Writes do not wake it: a busy log would make an event for each line, and the poll finds them soon enough.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from logagg.notices import Report, directory_unwatched

if TYPE_CHECKING:
    from logagg.intake.watch import Watch


class Waker:
    """Watches directories; falls back to polling, with one notice, where the system has no watches left."""

    def __init__(self, notice: Report) -> None:
        self._notice = notice
        self._woken = threading.Event()
        # By directory: the device and inode that are watched; None where it does not exist.
        self._watched: dict[str, tuple[int, int] | None] = {}

    @cached_property
    def _watch(self) -> Watch:
        from logagg.intake.watch import Watch  # a slow import that a run with --once does not need

        return Watch(self.wake)

    def watch(self, directories: Iterable[str]) -> None:
        """Watch these directories, beside those watched already.

        A directory is watched as soon as it exists, and again after it was recreated or mounted over.
        """
        for directory in directories:
            now = _key(directory)
            if self._watched.get(directory) != now:
                self._watched[directory] = now
                if now:
                    self._add(directory)

    def _add(self, directory: str) -> None:
        try:
            self._watch.remove(directory)  # the watch of a directory that had this name before
            self._watch.add(directory)
        except FileNotFoundError:
            self._watched[directory] = None  # deleted meanwhile
        except OSError as error:
            self._notice(directory_unwatched(directory, str(error)))

    def wake(self) -> None:
        self._woken.set()

    def wait(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds for an event; return whether there was one."""
        woken = self._woken.wait(timeout)
        self._woken.clear()
        return woken

    def stop(self) -> None:
        if "_watch" in vars(self):  # else nothing was watched
            self._watch.stop()


def _key(directory: str) -> tuple[int, int] | None:
    """Return the identity of a directory; None if it is missing or not accessible."""
    try:
        stat = os.stat(directory)
    except OSError:
        return None
    return stat.st_dev, stat.st_ino
