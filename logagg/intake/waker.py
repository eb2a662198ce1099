"""Wake me when files come, go or are renamed. Events are hints: the reconciling poll finds what they missed.

Bytes that are written wake nobody: a busy log would make an event a line, and the poll finds them soon enough.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from logagg.intake.watch import Watch


class Waker:
    """Watches directories; falls back to polling, with one notice, where the system has no watches left."""

    def __init__(self, notice: Callable[[str, str], None]) -> None:
        self._notice = notice
        self._woken = threading.Event()
        self._watched: set[str] = set()

    @cached_property
    def _watch(self) -> Watch:
        from logagg.intake.watch import Watch  # takes a while, and who reads logs once waits for none

        return Watch(self.wake)

    def watch(self, directories: Iterable[str]) -> None:
        """Watch these directories, beside those watched already."""
        for directory in set(directories) - self._watched:
            self._watched.add(directory)
            try:
                self._watch.add(directory)
            except OSError as error:
                self._notice("watch", f"{directory}: cannot be watched ({error}); looking every half second instead")

    def wake(self) -> None:
        self._woken.set()

    def wait(self, timeout: float) -> bool:
        """Wait until something happened, at most so many seconds; return whether it did."""
        woken = self._woken.wait(timeout)
        self._woken.clear()
        return woken

    def stop(self) -> None:
        if self._watched:
            self._watch.stop()
