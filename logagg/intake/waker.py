"""Wake me when files come, go or are renamed. Events are hints: the reconciling poll finds what they missed.

Bytes that are written wake nobody: a busy log would make an event a line, and the poll finds them soon enough.
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
        self._watched: dict[
            str, tuple[int, int] | None
        ] = {}  # directories: device and inode that are watched; None: gone

    @cached_property
    def _watch(self) -> Watch:
        from logagg.intake.watch import Watch  # takes a while, and who reads logs once waits for none

        return Watch(self.wake)

    def watch(self, directories: Iterable[str]) -> None:
        """Watch these directories, beside those watched already.

        One that is not there yet is watched when it has come; one that was made again, or mounted over, is another one.
        """
        for directory in directories:
            now = _key(directory)
            if self._watched.get(directory) != now:
                self._watched[directory] = now
                if now:
                    self._add(directory)

    def _add(self, directory: str) -> None:
        try:
            self._watch.remove(directory)  # what may be watched under this name is another directory
            self._watch.add(directory)
        except FileNotFoundError:
            self._watched[directory] = None  # it went at this moment
        except OSError as error:
            self._notice(directory_unwatched(directory, str(error)))

    def wake(self) -> None:
        self._woken.set()

    def wait(self, timeout: float) -> bool:
        """Wait until something happened, at most so many seconds; return whether it did."""
        woken = self._woken.wait(timeout)
        self._woken.clear()
        return woken

    def stop(self) -> None:
        if "_watch" in vars(self):  # else it was never made
            self._watch.stop()


def _key(directory: str) -> tuple[int, int] | None:
    """Return what tells a directory from another; None where it is not there, or not to be seen."""
    try:
        stat = os.stat(directory)
    except OSError:
        return None
    return stat.st_dev, stat.st_ino
