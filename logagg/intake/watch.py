"""Wake me when files come, go or are renamed. Events are hints: the reconciling poll finds what they missed.

Bytes that are written wake nobody: a busy log would make an event a line, and the poll finds them soon enough.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from watchdog.events import FileCreatedEvent, FileDeletedEvent, FileMovedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

_NAMES = [FileCreatedEvent, FileDeletedEvent, FileMovedEvent]


class Waker(FileSystemEventHandler):
    """Watches directories; falls back to polling, with one notice, where the system has no watches left."""

    def __init__(self, notice: Callable[[str, str], None]) -> None:
        self._notice = notice
        self._woken = threading.Event()
        self._observer: BaseObserver | None = None
        self._watched: set[str] = set()

    def watch(self, directories: Iterable[str]) -> None:
        """Watch these directories, beside those watched already."""
        for directory in set(directories) - self._watched:
            self._watched.add(directory)
            try:
                self._started().schedule(self, directory, event_filter=_NAMES)
            except OSError as error:
                self._notice("watch", f"{directory}: cannot be watched ({error}); looking every half second instead")

    def _started(self) -> BaseObserver:
        """Return the observer; even making one fails where a user has too many."""
        if self._observer is None:
            observer = Observer()
            observer.start()
            self._observer = observer
        return self._observer

    def on_any_event(self, event: FileSystemEvent) -> None:
        self._woken.set()

    def wake(self) -> None:
        self._woken.set()

    def wait(self, timeout: float) -> bool:
        """Wait until something happened, at most so many seconds; return whether it did."""
        woken = self._woken.wait(timeout)
        self._woken.clear()
        return woken

    def stop(self) -> None:
        if self._observer:
            self._observer.stop()
            self._observer.join()
            self._observer = None
