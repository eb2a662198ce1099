"""What is remembered of files that are no source: why they are left alone, and until when."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from logagg.intake.content import Key
from logagg.intake.match import SETTLED, Match, Verdict
from logagg.intake.names import Found
from logagg.intake.reader import Reader, Stamp, stamp_of


@dataclass(frozen=True, slots=True)
class Unknown:
    """A file whose inode is not that of a known source."""

    found: Found
    stat: os.stat_result

    @property
    def key(self) -> Key:
        return self.stat.st_dev, self.stat.st_ino


@dataclass(frozen=True, slots=True)
class Impression:
    """What the last look at an unknown file gave."""

    path: str
    stamp: Stamp
    since: float  # by the monotonic clock: it has been unchanged
    met: int  # the number of the look that found it first
    reader: Reader | None = None  # the source that it resembles
    verdict: Verdict | None = None
    had_file: bool = False  # the source
    original_size: int | None = None  # bytes of the source's file when this one was found
    missing: frozenset[str] = frozenset()  # sources without a file, none of which it continues
    settled: bool = False  # the file was complete by then
    passed: bool = False  # it is older than where `--from end` begins

    @classmethod
    def of(cls, unknown: Unknown, before: Impression | None, now: float, look: int) -> Impression:
        """Return the impression of a file that is about to be opened."""
        stamp = stamp_of(unknown.stat)
        if before is None:
            return cls(unknown.found.path, stamp, now, look)
        return replace(before, path=unknown.found.path, stamp=stamp, since=before.since if before.stamp == stamp else now)

    def judged(self, match: Match | None, missing: frozenset[str], *, settled: bool, passed: bool) -> Impression:
        """Return the impression with what the file was taken for."""
        if match is None:
            return replace(self, reader=None, verdict=None, missing=missing, settled=settled, passed=passed)
        size, reader = self.original_size, match.reader
        if (size is None or self.reader is not reader) and not reader.source.compression:
            size = reader.content.stat().st_size if reader.content else reader.source.size
        judged = replace(self, reader=reader, verdict=match.verdict, had_file=reader.seen, missing=missing)
        return replace(judged, original_size=size, settled=settled)

    def holds(self, unknown: Unknown, missing: frozenset[str], now: float) -> bool:
        """Tell whether the file need not be opened again: neither it nor the source that it resembles has changed."""
        if self.stamp != stamp_of(unknown.stat):
            return False
        if self.verdict == "wait" and not self.settled and now - self.since >= SETTLED:
            return False
        if self.reader is None:
            return self.passed or (not unknown.found.asked and missing <= self.missing)
        return self.had_file == self.reader.seen


class Ends:
    """Where `--from end` begins to read the files that were there when the tail started."""

    def __init__(self, started: float, known_streams: set[str]) -> None:
        self._started, self._known_streams = started, known_streams
        self._sizes: dict[Key, int] = {}

    def note(self, unknown: Unknown) -> None:
        """Remember the size of a file that cannot be read yet."""
        self._sizes.setdefault(unknown.key, unknown.stat.st_size)

    def of(self, unknown: Unknown, *, first_look: bool) -> int | None:
        """Return the size before which a file is not read; None for a file that is newer than the start."""
        if unknown.found.live and unknown.found.stream in self._known_streams:
            return None  # the next generation of a log that is known
        if unknown.key in self._sizes:
            return self._sizes[unknown.key]
        was_there = first_look or unknown.stat.st_ctime < self._started
        return unknown.stat.st_size if was_there else None
