"""Files that no live catalog names: they are deleted when a grace has passed, in which readers may still use them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from pathlib import Path

from logagg.clock import Clock
from logagg.lake import durable


class Sweeper:
    """Remembers which files are to be deleted, and when, by the time that passes: a clock that leaps takes no reader's files."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._doomed: list[tuple[float, Path]] = []

    def delete_after(self, path: Path, grace: float) -> None:
        """Let a file wait for its grace to pass; its own time says since when, if we end before."""
        now = self._clock.now()
        with contextlib.suppress(OSError):
            os.utime(path, (now, now))
        self._doomed.append((self._clock.monotonic() + grace, path))

    def doom_orphans(self, root: Path, pattern: str, live: Collection[Path], grace: float, *, settled: bool) -> None:
        """Let what a crash left wait for its grace to pass, and what a run left that ended before.

        For how long it has waited the clock says; where that is not `settled`, it has only begun to.
        """
        now, passed = self._clock.now(), self._clock.monotonic()
        for path in root.glob(pattern):
            if path not in live:
                with contextlib.suppress(OSError):  # another writer may have deleted it just now
                    waited = max(0.0, now - path.stat().st_mtime) if settled else 0.0
                    self._doomed.append((passed + grace - waited, path))

    def delete_due(self, live: Collection[Path]) -> None:
        """Delete what is due; what was an orphan may have been a part that another writer has committed since."""
        now = self._clock.monotonic()
        durable.remove(path for due, path in self._doomed if due <= now and path not in live)
        self._doomed = [(due, path) for due, path in self._doomed if due > now]
