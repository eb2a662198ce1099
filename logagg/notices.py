"""Everything that a running tail has to tell: one line each, counted by kind.

2026-11-24T12:00:00Z warning truncated: access.log was truncated at 4096 bytes ...
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections import Counter
from datetime import UTC, datetime
from typing import TextIO

from logagg.clock import Clock

# Kinds that are worth a line only with -v.
QUIET_KINDS = frozenset({"source", "commit", "compact"})


class Notices:
    """Writes notices to a stream as they come, and remembers how many there were of each kind; safe for threads."""

    def __init__(self, clock: Clock, *, verbosity: int = 0, stream: TextIO | None = None) -> None:
        self.counts: Counter[str] = Counter()
        self._clock = clock
        self._verbosity = verbosity
        self._stream = stream
        self._lock = threading.Lock()

    def report(self, kind: str, text: str) -> None:
        """Count a notice and write it, unless -q or its kind keeps it quiet."""
        with self._lock:
            self.counts[kind] += 1
            if self._verbosity < 0 or (kind in QUIET_KINDS and self._verbosity < 1):
                return
            at = datetime.fromtimestamp(self._clock.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            show(f"{at} {kind}: {printable(text)}\n", self._stream or sys.stderr)


ANEW = "\r\x1b[K"  # to a terminal: begin the line again, and clear it


def show(text: str, stream: TextIO) -> None:
    """Write a text; on a terminal, over the status line. Who listens no more, or cannot be written to, is no failure."""
    with contextlib.suppress(OSError, ValueError):
        print(f"{ANEW if stream.isatty() else ''}{text}", end="", file=stream, flush=True)


def printable(text: str) -> str:
    """Escape what a terminal would act upon: a file's name may be made by a stranger."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
