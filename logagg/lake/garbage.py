"""Deletes files that no live catalog names, after a grace period for readers that still use them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from pathlib import Path

from logagg.clock import Clock
from logagg.lake import durable


class Sweeper:
    """Schedules the deletion of files by the monotonic clock, so that a leap of the wall clock deletes nothing early."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._scheduled: list[tuple[float, Path]] = []

    def delete_after(self, path: Path, grace: float) -> None:
        """Delete a file after its grace; its modification time records the start, in case this process ends before."""
        now = self._clock.now()
        with contextlib.suppress(OSError):
            os.utime(path, (now, now))
        self._scheduled.append((self._clock.monotonic() + grace, path))

    def delete_orphans(
        self, root: Path, pattern: str, live: Collection[Path], grace: float, *, settled: bool, spared: str = "-"
    ) -> None:
        """Delete orphans, left by a crash or an earlier run, after their grace; not those that match `spared`.

        The grace began at the modification time of a file, or begins now if the clock is not `settled`.
        """
        now, passed = self._clock.now(), self._clock.monotonic()
        for path in root.glob(pattern):
            if path not in live and not path.match(spared):
                with contextlib.suppress(OSError):  # another writer may have deleted it just now
                    waited = max(0.0, now - path.stat().st_mtime) if settled else 0.0
                    self._scheduled.append((passed + grace - waited, path))

    def delete_abandoned(self, folder: Path, pattern: str, live: Collection[Path], grace: float) -> None:
        """Delete at once what no catalog names and is older than its grace."""
        now = self._clock.now()
        for path in folder.glob(pattern):
            with contextlib.suppress(OSError):
                if path not in live and now - path.stat().st_mtime > grace:
                    path.unlink()

    def delete_due(self, live: Collection[Path]) -> None:
        """Delete the files that are due, except for orphans that another writer has committed meanwhile."""
        now = self._clock.monotonic()
        durable.remove(path for due, path in self._scheduled if due <= now and path not in live)
        self._scheduled = [(due, path) for due, path in self._scheduled if due > now]
