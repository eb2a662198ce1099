"""How many logs stay open at a time.

An open log loses nothing when it is rotated away and deleted, so as many stay open as the limit of the system allows,
the busiest first. The others are opened when they have changed.
"""

from __future__ import annotations

import contextlib
import os
import resource

from logagg.errors import SourceError
from logagg.intake.reader import Reader

RESERVE = 64  # descriptors for all else: 32 parts that are merged, and 11 were measured beside them with 8 shards
FEWEST = 8  # logs that stay open at least


def allowance() -> int:
    """Return how many logs may stay open; raises the limit of this process as far as it may first. Raises SourceError."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    left = limit - _in_use() - RESERVE
    if left < FEWEST:
        needed = limit - left + FEWEST
        what = f"this process may open {limit} files at a time, and logagg needs {needed} at least"
        raise SourceError(what, "raise the limit: ulimit -n, or LimitNOFILE= of the service")
    return left


def _in_use() -> int:
    with contextlib.suppress(OSError):
        return len(os.listdir("/dev/fd"))
    return 32  # more than Python and Arrow have open at the start


class OpenFiles:
    """The sources whose files are open, the one that was read longest ago first."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.crowded = False  # there are more logs than may stay open
        self._open: dict[str, Reader] = {}

    def opened(self, reader: Reader) -> None:
        """Note that a source was opened, or read."""
        self._open.pop(reader.source.id, None)
        self._open[reader.source.id] = reader

    def make_room(self) -> bool:
        """Close sources that are read to their end until one more may be opened; tell whether it may."""
        self._open = {id_: reader for id_, reader in self._open.items() if reader.content}
        self.crowded |= len(self._open) >= self.most
        for reader in list(self._open.values()):
            if len(self._open) < self.most:
                break
            if reader.can_be_parked():
                reader.park()
                del self._open[reader.source.id]
        return len(self._open) < self.most
