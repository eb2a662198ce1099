"""One source: read on from a position, in chunks of whole lines, each proved to follow what was read before.

The proof is the digest of the bytes before the position. It is looked at again after every read: what was read counts
only if the file still held, around that moment, what it held before.
"""

from __future__ import annotations

import os
from codecs import BOM_UTF8
from collections.abc import Callable
from dataclasses import dataclass, replace

from logagg.cargo import Chunk, Mark, Source
from logagg.intake.content import PROOF, Content, Plain, digest, mark
from logagg.intake.lines import cut
from logagg.intake.names import Found

Stamp = tuple[int, int]  # size of a file, and when it changed, in nanoseconds

Room = Callable[[], memoryview]  # gives memory for a chunk; where that is too little, a chunk has its own

NEVER: Stamp = (-1, -1)
_PIECE = 1 << 20  # bytes of a hole, or of a line over the limit, looked at a time
_ZEROS = bytes(_PIECE)


def stamp_of(stat: os.stat_result) -> Stamp:
    """Return what is another when the content is: the mtime alone can be set back, as rsync does."""
    return stat.st_size, max(stat.st_mtime_ns, stat.st_ctime_ns)


class Replaced(Exception):
    """The file no longer holds what was read of it."""


class Outgrown(Exception):
    """The file has grown beyond the few bytes by which it was judged: it may be an archive, or a copy, that is being made."""


def no_room() -> memoryview:
    return memoryview(b"")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much at a time, and into which memory."""

    chunk: int = 8 << 20
    line: int = 1 << 20
    room: Room = no_room


class Reader:
    """A source and its file, as far as there is one."""

    def __init__(
        self,
        source: Source,
        at: Mark,
        limits: Limits,
        stream: str,
        stops: tuple[int, ...] = (),
        resume: Mark | None = None,
    ) -> None:
        self.source, self.proof, self.stream, self.stops = source, at, stream, stops
        self.content: Content | None = None
        self.found: Found | None = None  # where its file was last found
        self.seen = False  # its file was found at the last look
        self.stamp = NEVER  # of its file at the last look
        self.looked = NEVER  # its stamp when it was last read to the end
        self.seen_at = self.moved_at = 0.0  # when its file was last seen, and when bytes last came from it
        self.held = False  # matches no format; waits until it has grown
        self.met = 0  # the number of the look that found its file first; 0: an earlier run did
        self.former_path = ""  # where its file was before it was renamed
        self.untouched = True  # nothing was read of it in this run
        self.judged = 0  # bytes of its file when it was taken for a log of its own
        self.parked = False  # read to its end, and closed to save a descriptor
        self.announced = True  # the lake knows where reading begins, or will with the first lines
        self.was_announced = False  # by a chunk without a line
        self.first = b""  # what `source.head` is the digest of, where known
        self._limits = limits
        # Until it has a file it stands where most was read, by which that is known; then it goes back to read on.
        self._resume = resume if resume and resume.position < at.position else None
        self._origin = (self._resume or at).position
        self._reached = at  # beyond the position inside a line over the limit
        self._tail = b""  # the bytes that `_reached` is the digest of
        self._before = at, b""  # proof and tail before the last chunk

    @property
    def last_path(self) -> str:
        """Return the absolute path at which its file was last found."""
        return os.path.abspath(self.source.path)

    @property
    def position(self) -> int:
        return self.proof.position

    def open(self, content: Content) -> bool:
        """Read on in this content if it holds what was read of the source; tell whether it does."""
        head, first = self.source.head, content.first()
        tail = content.read(self.position - self.proof.length, self.proof.length) if self.proof.length else b""
        if digest(first[: head.length]) != head.digest or digest(tail) != self.proof.digest:
            return False
        self.close()
        self.content, self.first, self.looked, self.parked = content, first[: head.length], NEVER, False
        if self._resume:
            self.proof, self._resume = self._resume, None
            tail = content.read(self.position - self.proof.length, self.proof.length)
        self._reached, self._tail, self._before = self.proof, tail, (self.proof, tail)
        return True

    def is_intact(self) -> bool:
        """Tell whether its file still holds what was read of it."""
        return self.content is None or self.content.holds(self._reached)

    def close(self) -> None:
        if self.content:
            self.content.close()
            self.content = None

    @property
    def last_bytes(self) -> bytes:
        """Return the bytes before the position, as many as the fingerprint covers; none where they are not in memory."""
        return self._tail if self._reached is self.proof else b""

    def announce(self) -> Chunk:
        """Return a chunk without a line, by which the lake learns where reading begins."""
        self.announced = self.was_announced = True
        return Chunk(self.source.id, self._origin, self.position, self.position, b"", self.proof)

    def outgrew(self) -> bool:
        """Tell whether its file, of which nothing was read, has more than the few bytes by which it was judged."""
        judged_early = self.untouched and self.met > 0 and self.judged < PROOF and self.position == 0
        return judged_early and self.content is not None and self.content.stat().st_size > self.judged

    def can_be_parked(self) -> bool:
        """Tell whether its file may be closed and opened again by its name: all of it was read, and nobody renames it now."""
        return self.seen and self.announced and self.looked == self.stamp and isinstance(self.content, Plain)

    def park(self) -> None:
        """Close the file until it changes."""
        self.close()
        self.parked = True

    def waits(self) -> bool:
        """Tell whether its file has changed since it was read to the end."""
        return (self.content is not None or self.parked) and self.stamp != self.looked

    def next(self) -> Chunk | None:
        """Return the next chunk; None when no whole line lies ahead. Raises Replaced, Outgrown or OSError."""
        if self._reached is not self.proof:
            return self._pass_line()
        size = self._limits.chunk
        while self.content:
            ahead = self._read_ahead(size)
            taken = cut(ahead, self._limits.line, self._stop())
            if taken.hole:
                return self._pass_hole()
            if taken.end:
                return self._take(ahead[: taken.end])
            if taken.too_long:
                return None if self._is_unfilled(ahead) else self._pass_line()
            if len(ahead) < size:
                break
            size *= 2
        return None

    def last(self) -> Chunk | None:
        """Return what comes after the last newline as a line, if it is one."""
        if self._reached is not self.proof:
            return self._chunk(b"", too_long=1)
        fragment = self.fragment()
        if not fragment:
            return None
        return self._take(fragment)

    def fragment(self) -> bytes:
        """Return what comes after the last newline; nothing if that is no line."""
        if not self.content:
            return b""
        fragment = self._read(self._limits.line + 1).rstrip(b"\0")
        return fragment if fragment.strip(b"\0\r\n") and b"\n" not in fragment else b""

    def go_back(self) -> None:
        """Unread the last chunk."""
        self.proof, self._tail = self._before
        self._reached = self.proof

    def _stop(self) -> int | None:
        return next((stop - self.position for stop in self.stops if stop > self.position), None)

    def _read_ahead(self, size: int) -> memoryview:
        """Return what lies ahead, megabytes, where parsers can have it."""
        assert self.content, "only open sources are read"
        room = self._limits.room()
        if len(room) < size:
            return memoryview(self._read(size))
        room = room[:size]
        ahead = room[: self.content.read_into(self._reached.position, room)].toreadonly()
        self._prove()
        return ahead

    def _read(self, size: int) -> bytes:
        assert self.content, "only open sources are read"
        ahead = self.content.read(self._reached.position, size)
        self._prove()
        return ahead

    def _prove(self) -> None:
        if not self.is_intact():
            raise Replaced

    def _pass_line(self) -> Chunk | None:
        """Pass a line over the limit, a piece at a time, until its end is in sight."""
        while self.content and (piece := self._read(_PIECE)):
            end = piece.find(b"\n") + 1 or len(piece)
            self._move(end, piece[max(0, end - PROOF) : end])
            if piece[end - 1 : end] == b"\n":
                return self._chunk(b"", too_long=1)
        return None

    def _pass_hole(self) -> Chunk | None:
        """Pass NULs, if anything follows them: a file made longer than it is filled is filled from its front."""
        nuls = self._count_nuls(self.position)
        self._prove()
        if not nuls:
            return None
        self._move(nuls, bytes(min(nuls, PROOF)))
        self.source = replace(self.source, nul_bytes=self.source.nul_bytes + nuls)
        return self._chunk(b"")

    def _is_unfilled(self, ahead: memoryview) -> bool:
        """Tell whether a line is cut off by NULs up to the end of the file: by the place that it will take."""
        at = bytes(ahead).find(b"\0")
        return at >= 0 and not self._count_nuls(self.position + at)

    def _count_nuls(self, start: int) -> int:
        """Return how many NULs there are from a position on; none if nothing follows them."""
        assert self.content, "only open sources are read"
        at = self.content.skip_hole(start)
        while piece := self.content.read(at, _PIECE):
            nuls = len(piece) if piece == _ZEROS[: len(piece)] else len(piece) - len(piece.lstrip(b"\0"))
            at += nuls
            if nuls < len(piece):
                return at - start
        return 0

    def _take(self, data: bytes | memoryview) -> Chunk:
        if self.outgrew():  # looked at again now: it may have been empty when it was opened, a moment ago
            raise Outgrown
        self._before, self.untouched = (self.proof, self._tail), False
        begins = self.position == 0 and bytes(data[: len(BOM_UTF8)]) == BOM_UTF8
        self._move(len(data), bytes(data[-PROOF:]))
        return self._chunk(data[len(BOM_UTF8) :] if begins else data)

    def _move(self, count: int, tail: bytes) -> None:
        """Go past so many bytes, which end with `tail`."""
        self._tail = tail if len(tail) == PROOF else (self._tail + tail)[-PROOF:]
        self._reached = mark(self._reached.position + count, self._tail)

    def _chunk(self, data: bytes | memoryview, *, too_long: int = 0) -> Chunk:
        """Return what lies between the position and where reading has come; the position is there now."""
        start, self.proof = self.position, self._reached
        self._grow_head()
        skipped = self.position - start - len(data)
        return Chunk(self.source.id, self._origin, start, self.position, data, self.proof, skipped, too_long)

    def _grow_head(self) -> None:
        if self.content and len(self.first) < min(PROOF, self.position):
            self.first = self.content.first()[: self.position]
            self.source = replace(self.source, head=mark(len(self.first), self.first))
