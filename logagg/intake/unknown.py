"""Files whose inode is not that of a known source: which source each one is, and when it has to be examined again."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from logagg.clock import Clock
from logagg.intake.compare import ends_with, shared_lines
from logagg.intake.content import Content, Key, key_of, open_content
from logagg.intake.lines import after_last_newline
from logagg.intake.match import (
    SETTLE_SECONDS,
    Match,
    MatchKind,
    continued,
    match,
)
from logagg.intake.names import Found, is_called_a_copy
from logagg.intake.reader import Reader, Stamp, stamp_of
from logagg.intake.similar import Candidate, SourceIndex
from logagg.intake.trimmed import trimmed_at
from logagg.notices import Notice, log_is_copy


@dataclass(frozen=True, slots=True)
class UnknownFile:
    """A file whose inode is not that of a known source."""

    found: Found
    stat: os.stat_result

    @property
    def key(self) -> Key:
        return key_of(self.stat)


@dataclass(frozen=True, slots=True)
class Observation:
    """The findings of the last look at an unknown file."""

    path: str
    stamp: Stamp
    written: tuple[int, int]  # its size and mtime: a rename changes neither
    since: float  # monotonic clock: the last change
    first_look: int  # the number of the look that found it first
    reader: Reader | None = None  # the source that it was matched with
    match_kind: MatchKind | None = None
    had_file: bool = False  # that source had a file
    original_size: int | None = None  # bytes of the source's file when this one was found
    missing: frozenset[str] = frozenset()  # sources without a file then, none of which it continues
    settled: bool = False  # the file was assumed to be complete
    passed: bool = False  # `--from end` skips it

    @classmethod
    def of(cls, unknown: UnknownFile, before: Observation | None, now: float, look: int) -> Observation:
        """Return the observation of a file that is about to be opened."""
        path, stat = unknown.found.path, unknown.stat
        stamp, written = stamp_of(stat), (stat.st_size, stat.st_mtime_ns)
        if before is None or (before.path != path and before.written != written):
            return cls(path, stamp, written, now, look)  # the inode of a deleted file was reused
        seen = replace(
            before, path=path, stamp=stamp, written=written, since=before.since if before.stamp == stamp else now
        )
        return seen if before.written == written else replace(seen, match_kind=None)

    def judged(self, match: Match | None, missing: frozenset[str], *, settled: bool, passed: bool) -> Observation:
        """Return the observation with what the file was taken for."""
        if match is None:
            return replace(self, reader=None, match_kind=None, missing=missing, settled=settled, passed=passed)
        size, reader = self.original_size, match.reader
        if (size is None or self.reader is not reader) and not reader.source.compression:
            size = reader.content.stat().st_size if reader.content else reader.source.size
        judged = replace(self, reader=reader, match_kind=match.kind, had_file=reader.seen, missing=missing)
        return replace(judged, original_size=size, settled=settled)

    def postponed(self, missing: frozenset[str]) -> Observation:
        """Return the observation of a file that is judged when it has grown, or has not changed for a while."""
        return replace(self, reader=None, match_kind="wait", missing=missing, settled=False, passed=False)

    def holds(self, unknown: UnknownFile, missing: frozenset[str], now: float) -> bool:
        """Return whether the file need not be opened again: neither it nor the source it was matched with has changed."""
        if self.stamp != stamp_of(unknown.stat) or (self.reader and not self.match_kind):
            return False
        if self.match_kind == "wait" and not self.settled and now - self.since >= SETTLE_SECONDS:
            return False
        if self.reader is None:
            is_at_rest = self.match_kind == "wait" or not unknown.found.asked
            return self.passed or (is_at_rest and missing <= self.missing)
        return self.had_file == self.reader.seen


class EndPositions:
    """Where `--from end` begins to read the files that existed when the tail started."""

    def __init__(self, started: float, known: Sequence[Reader]) -> None:
        self._started = started
        self._known: dict[str, list[Reader]] = {}  # the sources of earlier runs, by their streams
        for reader in known:
            self._known.setdefault(reader.stream, []).append(reader)
        self._sizes: dict[Key, int] = {}
        self._hidden: set[str] = set()

    def note(self, unknown: UnknownFile) -> None:
        """Remember the size of a file that cannot be read yet."""
        self._sizes.setdefault(unknown.key, unknown.stat.st_size)

    def hide(self, path: str) -> None:
        """Remember a file or a directory that cannot be examined yet: its content may be older than the start."""
        self._hidden.add(path)

    def of(self, unknown: UnknownFile, *, is_first_look: bool) -> int | None:
        """Return the size up to which a file is skipped; None for a file that is newer than the start."""
        if self._is_next_generation(unknown):
            return None
        if unknown.key in self._sizes:
            return self._sizes[unknown.key]
        path = unknown.found.path
        was_hidden = path in self._hidden or (os.path.dirname(path) or ".") in self._hidden
        was_there = is_first_look or was_hidden or unknown.stat.st_ctime < self._started
        return unknown.stat.st_size if was_there else None

    def _is_next_generation(self, unknown: UnknownFile) -> bool:
        """Return whether a file is a later generation of a log that an earlier run has followed."""
        known = self._known.get(unknown.found.stream, ())
        if unknown.found.live or not known:
            return bool(known)
        ages = [reader.found.age for reader in known if reader.seen and reader.found]
        if ages:
            return min(ages) < unknown.found.age
        return unknown.stat.st_mtime > max(reader.source.modified for reader in known)  # all of them were deleted


class Sources(Protocol):
    """The registry of known sources, as far as it is needed here."""

    readers: dict[str, Reader]
    missing: frozenset[str]

    def look_again(self) -> None: ...

    def is_known(self, key: Key) -> bool: ...

    def follows(self, found: Found) -> bool: ...

    def move(self, reader: Reader, candidate: Candidate) -> bool: ...

    def begin(self, candidate: Candidate, origin: int, *, announce: bool) -> Reader: ...

    def trim(self, reader: Reader) -> None: ...

    def refuse(self, found: Found, error: OSError) -> None: ...

    def tell(self, notice: Notice) -> None: ...


class UnknownFiles:
    """Decides whether an unknown file continues a source, is a copy of one, or is a source of its own."""

    def __init__(self, sources: Sources, clock: Clock, ends: EndPositions | None, *, patient: bool) -> None:
        self._sources, self._clock, self._ends = sources, clock, ends
        self._patient = patient  # more looks follow, so a decision can wait
        self._looks = 0
        self._observations: dict[Key, Observation] = {}
        self._packed: set[Key] = set()  # the compressed ones
        self._replaced: dict[str, Reader] = {}  # by path: the source whose file was there before
        self._index = SourceIndex(())

    def meet(self, unknown: Mapping[Key, UnknownFile]) -> None:
        """Examine the files that are new, or whose last match may no longer hold."""
        self._looks += 1
        self._observations = {key: seen for key, seen in self._observations.items() if key in unknown}
        if due := [one for one in unknown.values() if self._is_due(one)]:
            self._meet(due)

    def hide(self, path: str) -> None:
        """Note a file or a directory that cannot be examined; at the start, its content may be older than the tail."""
        if self._ends and self._looks <= 1:
            self._ends.hide(path)

    def waiting(self) -> set[str]:
        """Return the paths of the files on which the decision was postponed."""
        return {seen.path for seen in self._observations.values() if seen.match_kind == "wait"}

    def _is_due(self, unknown: UnknownFile) -> bool:
        seen = self._observations.get(unknown.key)
        if seen is None or not seen.holds(unknown, self._sources.missing, self._clock.monotonic()):
            return True
        return (
            seen.reader is None and not seen.passed and not unknown.found.asked and self._sources.follows(unknown.found)
        )

    def _meet(self, unknown: Sequence[UnknownFile]) -> None:
        # First the files that continue known sources, since younger generations are read only after that. Then the
        # others in the order live, plain, compressed, because later ones may be copies of earlier ones.
        self._index, self._packed = SourceIndex(self._sources.readers.values()), set()
        paths = {reader.last_path for reader in self._sources.readers.values() if not reader.seen}
        for one in sorted(
            unknown, key=lambda one: one.found.absolute not in paths
        ):  # the last known path first: a backup may hold the same
            self._open(one, self._continue)
        rest = [one for one in unknown if not self._sources.is_known(one.key)]
        self._replaced = self._replaced_sources()
        for one in sorted(rest, key=lambda one: (one.key in self._packed, not one.found.live)):
            self._open(one, self._judge)

    def _open(self, unknown: UnknownFile, judge: Callable[[Candidate], bool]) -> None:
        """Open a file and pass it to `judge`; keep it open if that returns True."""
        try:
            content = open_content(unknown.found.path)
        except FileNotFoundError:
            return  # renamed or deleted meanwhile
        except OSError as error:
            if self._ends and self._looks == 1:
                self._ends.note(unknown)
            if unknown.found.asked:
                self._sources.refuse(unknown.found, error)
            return
        taken = False
        try:
            stat = content.stat()
            if key_of(stat) == unknown.key and not self._sources.is_known(unknown.key):  # else it was renamed meanwhile
                taken = judge(self._candidate(UnknownFile(unknown.found, stat), content))
        except OSError as error:
            self._sources.refuse(unknown.found, error)
        finally:
            if not taken:
                content.close()

    def _candidate(self, unknown: UnknownFile, content: Content) -> Candidate:
        now = self._clock.monotonic()
        seen = Observation.of(unknown, self._observations.get(unknown.key), now, self._looks)
        self._observations[unknown.key] = seen
        if content.compression:
            self._packed.add(unknown.key)
        return Candidate(unknown.found, content, unknown.stat, now - seen.since, seen.first_look, seen.original_size)

    def _continue(self, candidate: Candidate) -> bool:
        """Let a source without a file continue in this one if it holds all that was read."""
        reader = continued(candidate, self._index.similar_to(candidate))
        return reader is not None and self._sources.move(reader, candidate)

    def _judge(self, candidate: Candidate) -> bool:
        """Decide what a file is, and begin to read it if it is a log of its own."""
        settled = not self._patient or candidate.unchanged >= SETTLE_SECONDS
        if candidate.is_half_made and not settled:
            return self._postpone(candidate)
        found = match(candidate, self._index.similar_to(candidate), settled=settled) or self._still_a_copy(candidate)
        if found and found.kind == "same":
            return self._sources.move(found.reader, candidate)
        passed = False
        if not found and (candidate.found.asked or self._sources.follows(candidate.found)):
            passed = not self._begin(candidate)
            if not passed:
                return True
        if found and found.kind == "wait" and not self._patient:
            self._sources.look_again()
        if found and found.kind == "copy":
            self._sources.tell(log_is_copy(candidate.found.path, found.reader.source.path))
        seen = self._observations[candidate.key]
        self._observations[candidate.key] = seen.judged(found, self._sources.missing, settled=settled, passed=passed)
        return False

    def _postpone(self, candidate: Candidate) -> bool:
        seen = self._observations[candidate.key]
        self._observations[candidate.key] = seen.postponed(self._sources.missing)
        return False

    def _still_a_copy(self, candidate: Candidate) -> Match | None:
        """Return the last match of a copy: while it is unchanged it stays a copy, even if its original changes."""
        seen = self._observations[candidate.key]
        return Match(seen.reader, "copy") if seen.reader and seen.match_kind == "copy" else None

    def _begin(self, candidate: Candidate) -> bool:
        """Begin to read a file at its start, at its end (`--from end`), or at the new lines of a trimmed log; skip old archives."""
        unknown, content = UnknownFile(candidate.found, candidate.stat), candidate.content
        end = self._ends.of(unknown, is_first_look=self._looks == 1) if self._ends else None
        origin = self._trace(candidate)
        if end is not None and not origin:
            if content.compression:
                return False
            origin = after_last_newline(content.read, min(end, candidate.stat.st_size))
        self._index.add(self._sources.begin(candidate, origin, announce=end is not None or origin > 0))
        return True

    def _replaced_sources(self) -> dict[str, Reader]:
        """Return by path the sources of which a file there may be the rest, cut at its front."""
        readers = [one for one in self._sources.readers.values() if one.position]
        replaced = {one.last_path: one for one in readers if not one.seen}
        # A new log after a rotation is not a trimmed one, even if it begins with the lines that the last one ended with:
        # under load a second has many equal lines.
        backups = [one for one in readers if one.seen and is_called_a_copy(one.last_path, one.former_path)]
        return replaced | {one.former_path: one for one in backups}

    def _trace(self, candidate: Candidate) -> int:
        """Return where the new lines of a trimmed log begin, since the lines before were counted; 0 for any other file.

        It is looked at as it is when reading begins: a moment ago it may have been empty.
        """
        reader = self._replaced.get(candidate.found.absolute)
        origin = trimmed_at(candidate.content, reader.fingerprint, reader.last_bytes) if reader else None
        if reader is None or origin is None:
            return 0
        if reader.content and not reader.content.compression:
            if not ends_with(reader.content, reader.position, candidate.content, origin):
                return 0
            # Lines that follow in both are read from that content.
            origin += shared_lines(candidate.content, origin, reader.content, reader.position)
        if not reader.seen:
            self._sources.trim(reader)
        return origin
