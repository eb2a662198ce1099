"""File events of directories: names that are created, deleted or moved."""

from __future__ import annotations

from collections.abc import Callable

from watchdog.events import FileCreatedEvent, FileDeletedEvent, FileMovedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, ObservedWatch

_NAMES = [FileCreatedEvent, FileDeletedEvent, FileMovedEvent]


class Watch(FileSystemEventHandler):
    """Watches directories, and calls `seen` at each event."""

    def __init__(self, seen: Callable[[], None]) -> None:
        self._seen = seen
        self._observer: BaseObserver | None = None
        self._watches: dict[str, ObservedWatch] = {}

    def add(self, directory: str) -> None:
        """Watch one more directory. Raises OSError if it does not exist, or the system has no watches left."""
        self._watches[directory] = self._started().schedule(self, directory, event_filter=_NAMES)

    def remove(self, directory: str) -> None:
        """Stop watching a directory, if it was watched."""
        if watch := self._watches.pop(directory, None):
            self._started().unschedule(watch)

    def stop(self) -> None:
        if self._observer:
            self._observer.stop()
            self._observer.join()
            self._observer = None

    def on_any_event(self, event: FileSystemEvent) -> None:
        self._seen()

    def _started(self) -> BaseObserver:
        """Return the observer. Raises OSError where the user has too many of them."""
        if self._observer is None:
            observer = Observer()
            observer.start()
            self._observer = observer
        return self._observer
