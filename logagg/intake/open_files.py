"""How many logs stay open at a time.

A log that is open can be read to its end even when it is rotated and deleted. So as many logs stay open as the limit of
the system allows, the most recently read ones first. The others are opened when they have changed.
"""

from __future__ import annotations

import contextlib
import os
import resource

from logagg.errors import SourceError
from logagg.intake.reader import Reader
from logagg.quantities import counted

# Descriptors for short use beside the logs: a file that is judged, and the one that it is compared with; listings,
# heartbeats, file events, scrapes.
RESERVE = 12
FEWEST = 8  # logs that can stay open, at least


def allowance(reserved: int) -> int:
    """Return how many logs may be open, after raising the soft limit to the hard one. Raises SourceError.

    `reserved`: descriptors that others than the intake need beside those that they have open now.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    left = limit - _in_use() - RESERVE - reserved
    if left < FEWEST:
        needed = limit - left + FEWEST
        what = f"this process may open {counted(limit, 'file')} at a time, and logagg needs {needed} at least"
        raise SourceError(what, "raise the limit: ulimit -n, or LimitNOFILE= of the service")
    return left


def _in_use() -> int:
    with contextlib.suppress(OSError):
        return len(os.listdir("/dev/fd"))
    return 32  # more than Python and Arrow have open at the start


class OpenFiles:
    """The sources whose files are open, the least recently read first."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.crowded = False  # there were more logs than may stay open
        self._open: dict[str, Reader] = {}

    def opened(self, reader: Reader) -> None:
        """Note that a source was opened, or read."""
        self._open.pop(reader.source.id, None)
        self._open[reader.source.id] = reader

    def close_idle(self) -> bool:
        """Park sources that are read to their end until one more may be opened; return whether it may."""
        return self._park_idle(self.most - 1)

    def rest(self, reader: Reader) -> None:
        """Park sources that are read to their end, or else this one, whose turn is over, if more are open than may be."""
        if not self._park_idle(self.most) and reader.can_be_opened_again():
            reader.park()

    def _park_idle(self, most: int) -> bool:
        """Park sources that are read to their end until at most `most` are open; return whether that succeeded."""
        if len(self._open) <= most:
            return True
        self._open = {id_: reader for id_, reader in self._open.items() if reader.content}
        self.crowded |= len(self._open) > most
        for reader in list(self._open.values()):
            if len(self._open) <= most:
                break
            if reader.can_be_parked():
                reader.park()
                del self._open[reader.source.id]
        return len(self._open) <= most
