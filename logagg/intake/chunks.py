"""Read on in a content from a position, in chunks of whole lines.

Each chunk is proved to follow what was read before: after every read the content must still hold the bytes that the
fingerprint of the position covers. Otherwise the read is dropped.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable
from dataclasses import dataclass, replace

from logagg.intake.content import FINGERPRINT_BYTES, Content, digest, fingerprint_of, has_fingerprint
from logagg.intake.lines import cut
from logagg.records import Chunk, Fingerprint, Source

TakeBuffer = Callable[
    [], memoryview
]  # returns memory for a chunk; if it is too small, the chunk gets memory of its own

# A source's format, the bytes ahead, how many of them are lines, the longest line -> how many bytes to take.
WholeLines = Callable[[str, memoryview, int, int], int]

_PIECE = 1 << 20  # bytes of a hole, or of a line over the limit, that are read at a time
_ZEROS = bytes(_PIECE)


class Replaced(Exception):
    """The file no longer holds what was read of it."""


def no_buffer() -> memoryview:
    return memoryview(b"")


def all_lines(_format: str, _ahead: memoryview, end: int, _longest: int) -> int:
    return end


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """How much is read at a time, and into which memory."""

    chunk: int = 8 << 20
    line: int = 1 << 20
    take_buffer: TakeBuffer = no_buffer
    whole_lines: WholeLines = all_lines  # less than all where a line may come in parts


class Outgrown(Exception):
    """The file has grown beyond the few bytes by which it was judged: it may become an archive or a copy."""


class ChunkReader:
    """The position in a source, and the chunks from there on."""

    def __init__(
        self, source: Source, at: Fingerprint, limits: ReadLimits, stops: tuple[int, ...], resume: Fingerprint | None
    ) -> None:
        self.source, self.fingerprint, self.stops = source, at, stops
        self.content: Content | None = None
        self.announced = True  # the lake knows where reading begins, or will with the first lines
        self.was_announced = False  # in this run, by a chunk without a line
        self.first = b""  # the bytes that the fingerprint `source.head` covers, where known
        self._untouched = True  # nothing was read of it in this run
        self._limits = limits
        # The furthest position identifies the file, so the reader is there until it has one; then it goes back to
        # the position that every shard has reached.
        self._resume = resume if resume and resume.position < at.position else None
        self._furthest = at  # the furthest that any shard has reached; this run may be behind it
        self._origin = (self._resume or at).position
        self._reached = at  # the furthest read byte: beyond the position while inside a line over the limit
        self._tail = b""  # the bytes that the fingerprint `_reached` covers
        self._before = at, b""  # fingerprint and tail before the last chunk

    @property
    def position(self) -> int:
        return self.fingerprint.position

    @property
    def furthest(self) -> Fingerprint:
        """Return the fingerprint of the furthest position that is known: a file that holds its bytes is that of the source."""
        return max(self._furthest, self.fingerprint, key=lambda one: one.position)

    @property
    def last_bytes(self) -> bytes:
        """Return the bytes before the position, as many as the fingerprint covers; none where they are not in memory."""
        return self._tail if self._reached is self.fingerprint else b""

    def is_intact(self) -> bool:
        """Return whether its file still holds what was read of it."""
        if self.content is None:
            return True
        is_behind = self._reached.position < self._furthest.position
        return self.content.holds(self._reached) and not (is_behind and not self.content.holds(self._furthest))

    def announce(self) -> Chunk:
        """Return a chunk without a line, from which the lake learns where reading begins."""
        self.announced = self.was_announced = True
        return Chunk(self.source.id, self._origin, self.position, self.position, b"", self.fingerprint)

    def outgrew(self) -> bool:
        """Return whether the file has more bytes than those by which it was judged."""
        return False

    def next(self) -> Chunk | None:
        """Return the next chunk; None when no whole line lies ahead. Raises Replaced, Outgrown or OSError."""
        if self._reached is not self.fingerprint:
            return self._pass_line()
        size = self._limits.chunk
        while self.content:
            ahead = self._read_ahead(size)
            taken = cut(ahead, self._limits.line, self._stop(), self._whole_lines)
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

    def last(self, accept: Callable[[bytes], bool]) -> Chunk | None:
        """Return the rest as a chunk: lines that may go on, and the bytes after the last newline if `accept` takes them
        for a line."""
        if self._reached is not self.fingerprint:
            return self._chunk(b"", too_long=1) if accept(b"") else None
        lines, fragment = self._left()
        data = lines + fragment if fragment and accept(fragment) else lines
        return self._take(data) if data else None

    def fragment(self) -> bytes:
        """Return the bytes after the last newline; empty if they are not a line, but blanks or NULs."""
        return self._left()[1]

    def _left(self) -> tuple[bytes, bytes]:
        """Return the lines that were not taken since they may go on, and what comes after them; empty if that is not a line, as blanks or NULs are not."""
        left = self._read(self._limits.line + 1) if self.content else b""
        end = left.rfind(b"\n") + 1
        if end and self._whole_lines(memoryview(left), end):  # it has grown
            return b"", b""
        fragment = left[end:].rstrip(b"\0")
        return left[:end], fragment if fragment.strip(b"\r\0") else b""

    def take_back(self) -> None:
        """Go back to where the last chunk began."""
        self.fingerprint, self._tail = self._before
        self._reached = self.fingerprint

    def _attach(self, content: Content) -> bool:
        """Read on in this content if it holds what was read of the source; return whether it does."""
        head, first = self.source.head, content.first()
        if digest(first[: head.length]) != head.digest or not has_fingerprint(content, self.furthest):
            return False
        self._detach()
        self.content, self.first = content, first[: head.length]
        if self._resume:
            self.fingerprint, self._resume = self._resume, None
        tail = content.read(self.position - self.fingerprint.length, self.fingerprint.length)
        self._reached, self._tail, self._before = self.fingerprint, tail, (self.fingerprint, tail)
        return True

    def _detach(self) -> None:
        if self.content:
            self.content.close()
            self.content = None

    def _is_cut_well(self, data: bytes | memoryview) -> bool:
        """Return whether a chunk ends at the end of a line, which depends on the format; the end of a log is one."""
        return bytes(data[-1:]) != b"\n" or self._whole_lines(memoryview(data), len(data)) == len(data)

    def _whole_lines(self, ahead: memoryview, end: int) -> int:
        return self._limits.whole_lines(self.source.format, ahead, end, self._limits.line)

    def _stop(self) -> int | None:
        return next((stop - self.position for stop in self.stops if stop > self.position), None)

    def _read_ahead(self, size: int) -> memoryview:
        """Return the bytes ahead, megabytes of them, in memory shared with the parsers if some is free."""
        assert self.content, "only open sources are read"
        buffer = self._limits.take_buffer()
        if len(buffer) < size:
            return memoryview(self._read(size))
        buffer = buffer[:size]
        ahead = buffer[: self.content.read_into(self._reached.position, buffer)].toreadonly()
        self._check_intact()
        return ahead

    def _read(self, size: int) -> bytes:
        assert self.content, "only open sources are read"
        ahead = self.content.read(self._reached.position, size)
        self._check_intact()
        return ahead

    def _check_intact(self) -> None:
        if not self.is_intact():
            raise Replaced

    def _pass_line(self) -> Chunk | None:
        """Skip a line over the limit, a piece at a time; return a chunk once its end is reached."""
        while self.content and (piece := self._read(_PIECE)):
            end = piece.find(b"\n") + 1 or len(piece)
            self._move(end, piece[max(0, end - FINGERPRINT_BYTES) : end])
            if piece[end - 1 : end] == b"\n":
                return self._chunk(b"", too_long=1)
        return None

    def _pass_hole(self) -> Chunk | None:
        """Skip NUL bytes only if data follows: otherwise the file is preallocated, and the writer will still fill them."""
        nuls = self._count_nuls(self.position)
        self._check_intact()
        if not nuls:
            return None
        self._move(nuls, bytes(min(nuls, FINGERPRINT_BYTES)))
        self.source = replace(self.source, nul_bytes=self.source.nul_bytes + nuls)
        return self._chunk(b"")

    def _is_unfilled(self, ahead: memoryview) -> bool:
        """Return whether only NULs follow an unfinished line up to the end of the file: preallocated space that it will fill."""
        at = bytes(ahead).find(b"\0")
        return at >= 0 and not self._count_nuls(self.position + at)

    def _count_nuls(self, start: int) -> int:
        """Return how many NULs there are from a position on; 0 if no data follows them."""
        assert self.content, "only open sources are read"
        at = self.content.skip_hole(start)
        while piece := self.content.read(at, _PIECE):
            nuls = len(piece) if piece == _ZEROS[: len(piece)] else len(piece) - len(piece.lstrip(b"\0"))
            at += nuls
            if nuls < len(piece):
                return at - start
        return 0

    def _take(self, data: bytes | memoryview) -> Chunk:
        if self.outgrew():  # checked again now: the file may have been empty when it was opened, a moment ago
            raise Outgrown
        self._before, self._untouched = (self.fingerprint, self._tail), False
        begins = self.position == 0 and bytes(data[: len(BOM_UTF8)]) == BOM_UTF8
        self._move(len(data), bytes(data[-FINGERPRINT_BYTES:]))
        return self._chunk(data[len(BOM_UTF8) :] if begins else data)

    def _move(self, count: int, tail: bytes) -> None:
        """Advance by a number of bytes, which end with `tail`."""
        self._tail = tail if len(tail) == FINGERPRINT_BYTES else (self._tail + tail)[-FINGERPRINT_BYTES:]
        self._reached = fingerprint_of(self._reached.position + count, self._tail)

    def _chunk(self, data: bytes | memoryview, *, too_long: int = 0) -> Chunk:
        """Return the chunk from the position to where reading has come, and move the position there."""
        start, self.fingerprint = self.position, self._reached
        self._grow_head()
        skipped = self.position - start - len(data)
        return Chunk(self.source.id, self._origin, start, self.position, data, self.fingerprint, skipped, too_long)

    def _grow_head(self) -> None:
        if self.content and len(self.first) < min(FINGERPRINT_BYTES, self.position):
            self.first = self.content.first()[: self.position]
            self.source = replace(self.source, head=fingerprint_of(len(self.first), self.first))
