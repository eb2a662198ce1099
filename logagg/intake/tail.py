"""Read on: tell rotation from truncation, resume at a position, give every byte once.

Two words. A file is *rotated* when its name now means another file: nothing is lost, the old one is read to its end
through the descriptor we hold, or under its new name. It is *truncated* when it no longer holds the bytes we have read:
what it holds now is a new source; bytes we had not read yet are gone, and a note says so.
"""

from __future__ import annotations

import os
import secrets
import select
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from logagg.cargo import Chunk, KnownSource, Mark, Source
from logagg.clock import Clock
from logagg.intake import sources
from logagg.intake.content import PROOF, Content, Plain, digest, mark, open_content, proves
from logagg.intake.lines import cut
from logagg.intake.sources import STDIN, Found

IDLE = 30.0  # seconds without a byte after which a rotated file counts as finished

Key = tuple[int, int]  # device, inode
Notice = Callable[[str, str], None]


@dataclass(slots=True)
class _Reader:
    """One source, and how far it is read."""

    source: Source
    position: int
    origin: int
    proof: Mark  # of the bytes before `position`
    stops: tuple[int, ...] = ()
    content: Content | None = None
    looked: tuple[int, int] = (-1, -1)  # size and mtime_ns when last read to the end
    moved: float = 0.0  # when bytes last came
    skipping: int = 0  # bytes of an over-long line passed so far
    held: bool = False  # matches no format; waits until it has grown
    found: Found | None = None
    seen: bool = False  # its file was found in this poll

    def close(self) -> None:
        if self.content:
            self.content.close()
            self.content = None


@dataclass(slots=True)
class _Stdin:
    source: Source
    position: int = 0
    ahead: bytes = b""
    tail: bytes = b""
    ended: bool = False


class Tailer:
    """Follows paths; pull-based, without threads."""

    def __init__(
        self,
        paths: Sequence[str],
        known: Sequence[KnownSource] = (),
        *,
        start_at: str | Literal["start", "end"] = "start",
        chunk_bytes: int = 8 << 20,
        max_line: int = 1 << 20,
        clock: Clock,
        notice: Notice,
    ) -> None:
        sources.check(paths)
        self._paths, self._chunk_bytes, self._max_line = paths, chunk_bytes, max_line
        self._clock, self._notice = clock, notice
        self._readers = {one.source.id: _resumed(one) for one in known}
        self._by_key = {_key_of(reader.source): reader for reader in self._readers.values() if not reader.source.note}
        self._told: set[tuple[str, str]] = set()
        self._stdin = _Stdin(_new_source(STDIN, 0, 0, "")) if STDIN in paths else None
        self._from_end = start_at == "end"

    def poll(self) -> Iterator[Chunk]:
        """Look at the paths and yield all that can be read now, oldest first in each stream; then stop."""
        for reader in self._readers.values():
            reader.seen = False
        streams: dict[str, list[_Reader]] = {}
        for found in sources.find(self._paths):
            if one := self._reader_of(found, streams):
                streams.setdefault(found.stream, []).append(one)
        self._from_end = False
        for reader in self._readers.values():
            if not reader.seen and reader.content and reader.found:
                streams.setdefault(reader.found.stream, []).insert(0, reader)
        yield from _in_turn([self._read_stream(readers) for readers in streams.values()])
        if self._stdin:
            yield from self._read_stdin(self._stdin)
        self._finish_idle()

    def drain_ends(self, whole: Callable[[str, bytes], bool]) -> Iterator[Chunk]:
        """Yield the last lines that have no newline, for a run that ends: of a live file, if `whole` says it is one."""
        for reader in list(self._readers.values()):
            if reader.content and not reader.held and not reader.source.finished:
                live = reader.found is not None and reader.found.live and not reader.source.compression
                yield from self._last_line(reader, whole if live else None)
        if self._stdin and self._stdin.ahead:
            yield self._chunk_of_stdin(self._stdin, len(self._stdin.ahead))

    def sources(self) -> list[Source]:
        """Return every source as it stands."""
        found = [reader.source for reader in self._readers.values()]
        return [*found, self._stdin.source] if self._stdin else found

    def set_format(self, source: str, format: str) -> None:
        """Remember the format a source is written in."""
        if self._stdin and self._stdin.source.id == source:
            self._stdin.source = replace(self._stdin.source, format=format)
        elif self._readers[source].source.format != format:
            self._readers[source].source = replace(self._readers[source].source, format=format)

    def refuse(self, source: str) -> None:
        """Take back a source's first chunk: nothing of it counts until it has grown."""
        if source in self._readers:
            reader = self._readers[source]
            reader.position, reader.proof, reader.held = reader.origin, Mark(reader.origin, 0, digest(b"")), True

    def reconsider(self) -> None:
        """Offer again what was refused: formats may have changed."""
        for reader in self._readers.values():
            if reader.held:
                reader.looked = (-1, -1)

    def ended(self) -> bool:
        """Tell whether standard input was all there is, and has ended."""
        return self._stdin is not None and self._stdin.ended and len(self._paths) == 1

    def backlog(self) -> int:
        """Return the bytes on disk that are not read yet, as far as that is known."""
        plain = [reader for reader in list(self._readers.values()) if not reader.source.compression and reader.content]
        return sum(max(0, reader.source.size - reader.position) for reader in plain)

    def close(self) -> None:
        for reader in self._readers.values():
            reader.close()

    # which source a file is

    def _reader_of(self, found: Found, streams: dict[str, list[_Reader]]) -> _Reader | None:
        """Return the reader of a found file, or None where it is to be left alone for now."""
        try:
            stat = os.stat(found.path)
            reader = self._by_key.get((stat.st_dev, stat.st_ino))
            if reader and reader.seen:
                return None  # the same file under another name
            if reader is None or not self._still_holds(reader, found, stat):
                reader = self._appeared(found, stat, streams)
        except OSError as error:
            self._tell("unreadable", found.path, f"{error.strerror or error}")
            return None
        if reader:
            reader.seen, reader.found = True, found
            reader.source = replace(reader.source, path=found.path, size=stat.st_size, modified=stat.st_mtime)
        return reader

    def _still_holds(self, reader: _Reader, found: Found, stat: os.stat_result) -> bool:
        """Tell whether a file still holds what was read of it; if not, its source ends here."""
        if reader.content is not None and reader.looked == (stat.st_size, stat.st_mtime_ns):
            return True
        if reader.content is None:
            reader.content, compression = open_content(found.path)
            if compression != reader.source.compression:
                return self._give_up(reader, stat)
        if not reader.source.compression and stat.st_size < reader.position:
            return self._give_up(reader, stat)
        if not (proves(reader.content, reader.source.head) and proves(reader.content, reader.proof)):
            return self._give_up(reader, stat)
        if reader.source.finished and not reader.source.compression and stat.st_size > reader.position:
            reader.source = replace(reader.source, finished=False)
        return True

    def _give_up(self, reader: _Reader, stat: os.stat_result) -> Literal[False]:
        lost = max(0, reader.source.size - reader.position)
        note = f"truncated at {reader.position} bytes" + (f", about {lost} bytes before anyone read them" if lost else "")
        reader.source = replace(reader.source, note=note)
        reader.close()
        del self._by_key[(stat.st_dev, stat.st_ino)]
        self._notice("truncated", f"{reader.source.path}: {note}; reading it from its start")
        return False

    def _appeared(self, found: Found, stat: os.stat_result, streams: dict[str, list[_Reader]]) -> _Reader | None:
        """Return the reader of a file with an unknown inode: a source that moved here, or a new one."""
        content, compression = open_content(found.path)
        for reader in self._candidates(found):
            if proves(content, reader.source.head) and proves(content, reader.proof):
                if self._is_intact(reader):
                    content.close()
                    return None  # a copy in the making; the original is still being read
                return self._move(reader, found, stat, content, compression)
        if not found.asked and not streams.get(found.stream):
            content.close()
            return None
        return self._begin(found, stat, content, compression)

    def _candidates(self, found: Found) -> list[_Reader]:
        """Return the sources that this file may be a later form of."""
        same = [
            reader
            for reader in self._readers.values()
            if reader.position > 0 and sources.describe(reader.source.path).stream == sources.describe(found.path).stream
        ]
        if found.live:  # a live file that looks like an old one is the old one only if that can be no chance
            return [reader for reader in same if reader.proof.length == PROOF and not self._is_intact(reader)]
        return sorted(same, key=lambda reader: -reader.position)

    def _is_intact(self, reader: _Reader) -> bool:
        """Tell whether a source's own file is still there and still holds it."""
        if self._by_key.get(_key_of(reader.source)) is not reader:
            return False
        try:
            stat = os.stat(reader.source.path)
        except OSError:
            return False
        return _key_of(reader.source) == (stat.st_dev, stat.st_ino)

    def _move(self, reader: _Reader, found: Found, stat: os.stat_result, content: Content, compression: str) -> _Reader:
        """Let a source go on in another file: its compressed form, or the copy made before it was truncated."""
        reader.close()
        self._by_key.pop(_key_of(reader.source), None)
        reader.content, reader.looked = content, (-1, -1)
        reader.source = replace(
            reader.source, device=stat.st_dev, inode=stat.st_ino, compression=compression, note="", finished=False
        )
        self._by_key[_key_of(reader.source)] = reader
        self._notice("source", f"{found.path} goes on with what was {reader.source.path}")
        return reader

    def _begin(self, found: Found, stat: os.stat_result, content: Content, compression: str) -> _Reader:
        source = replace(_new_source(found.path, stat.st_dev, stat.st_ino, compression), size=stat.st_size)
        origin = _after_last_newline(content, stat.st_size) if self._from_end and not compression else 0
        reader = _Reader(source, origin, origin, mark(content, origin), content=content, moved=self._clock.monotonic())
        self._readers[source.id] = self._by_key[_key_of(source)] = reader
        self._notice("source", f"{found.path}: reading from {origin}")
        return reader

    # reading

    def _read_stream(self, readers: Sequence[_Reader]) -> Iterator[Chunk]:
        """Read the generations of a stream one after the other, the oldest first."""
        for reader in readers:
            yield from self._read(reader)

    def _read(self, reader: _Reader) -> Iterator[Chunk]:
        looked = (reader.source.size, round(reader.source.modified * 1e9))
        try:
            looked = self._look(reader)
            if looked == reader.looked:
                return
            reader.held = False
            while not reader.held and (chunk := self._next(reader)):
                yield chunk
            if not reader.held:
                self._end_packed(reader)
        except OSError as error:
            self._tell("unreadable", reader.source.path, f"{error}; what was whole of it is counted")
        reader.looked = looked

    def _look(self, reader: _Reader) -> tuple[int, int]:
        stat = reader.content.stat() if isinstance(reader.content, Plain) else os.stat(reader.source.path)
        return stat.st_size, stat.st_mtime_ns

    def _next(self, reader: _Reader) -> Chunk | None:
        """Read the next chunk; None when there is no whole line ahead."""
        assert reader.content, "only open sources are read"
        size = self._chunk_bytes
        while True:
            start = reader.position + reader.skipping
            ahead = reader.content.read(start, size)
            stop = next((stop - start for stop in reader.stops if stop > start), None)
            if reader.skipping:
                return self._skip_on(reader, ahead)
            taken = cut(ahead, self._max_line, stop)
            if taken.end:
                return self._take(reader, ahead[: taken.end], taken.skipped)
            if not ahead or (len(ahead) < size and not taken.too_long):
                return None
            hole = len(ahead) - len(ahead.lstrip(b"\0"))
            if taken.too_long or hole == len(ahead):
                reader.skipping = len(ahead)
                return self._skip_on(reader, b"", hole == len(ahead))
            size *= 2

    def _skip_on(self, reader: _Reader, ahead: bytes, hole: bool = False) -> Chunk | None:
        """Pass a hole, or a line over the limit, a piece at a time; then give what follows."""
        assert reader.content, "only open sources are read"
        while True:
            if hole and (solid := ahead.lstrip(b"\0")):
                reader.skipping += len(ahead) - len(solid)
                return self._after_hole(reader)
            if not hole and (end := ahead.find(b"\n") + 1):
                skipped, reader.skipping = reader.skipping + end, 0
                return self._advance(reader, b"", skipped, too_long=1, last=ahead[:end])
            reader.skipping += len(ahead)
            ahead = reader.content.read(reader.position + reader.skipping, self._chunk_bytes)
            if not ahead:
                reader.skipping = 0
                return None

    def _after_hole(self, reader: _Reader) -> Chunk | None:
        assert reader.content, "only open sources are read"
        skipped, reader.skipping = reader.skipping, 0
        ahead = reader.content.read(reader.position + skipped, self._chunk_bytes)
        end = ahead.rfind(b"\n") + 1
        return self._advance(reader, ahead[:end], skipped) if end else None

    def _take(self, reader: _Reader, data: bytes, skipped: int) -> Chunk:
        return self._advance(reader, data[skipped:], skipped)

    def _advance(self, reader: _Reader, data: bytes, skipped: int = 0, *, too_long: int = 0, last: bytes = b"") -> Chunk:
        assert reader.content, "only open sources are read"
        start, end = reader.position, reader.position + skipped + len(data)
        enough = data if len(data) >= PROOF else reader.content.read(max(0, end - PROOF), min(PROOF, end))
        proof = Mark(end, min(PROOF, end), digest(enough[-PROOF:]))
        reader.position, reader.proof, reader.moved = end, proof, self._clock.monotonic()
        if reader.source.head.length < PROOF:
            reader.source = replace(reader.source, head=mark(reader.content, min(PROOF, end)))
        return Chunk(reader.source.id, reader.origin, start, end, data, proof, skipped, too_long)

    def _end_packed(self, reader: _Reader) -> None:
        """A compressed file that was read to its end is finished, unless it grows."""
        if reader.source.compression and not reader.content.read(reader.position, 1):  # type: ignore[union-attr]
            reader.source = replace(reader.source, finished=True)

    def _finish_idle(self) -> None:
        """Let go of rotated files that nobody has written to for a while."""
        for reader in self._readers.values():
            gone = not reader.seen or (reader.found is not None and not reader.found.live)
            idle = self._clock.monotonic() - reader.moved > IDLE
            if reader.content and gone and idle and not reader.held and not reader.source.finished:
                reader.source = replace(reader.source, finished=True)
                if not reader.seen:
                    reader.close()
                    self._by_key.pop(_key_of(reader.source), None)

    def _last_line(self, reader: _Reader, whole: Callable[[str, bytes], bool] | None) -> Iterator[Chunk]:
        assert reader.content, "only open sources are read"
        try:
            fragment = reader.content.read(reader.position, self._max_line + 1)
        except OSError:
            return
        if not fragment.strip(b"\0\r\n") or len(fragment) > self._max_line:
            return
        if whole is None or whole(reader.source.id, fragment):
            yield self._advance(reader, fragment)
            reader.source = replace(reader.source, finished=whole is None)

    # standard input

    def _read_stdin(self, stdin: _Stdin) -> Iterator[Chunk]:
        descriptor = sys.stdin.fileno()
        while not stdin.ended and select.select([descriptor], [], [], 0)[0]:
            data = os.read(descriptor, self._chunk_bytes)
            stdin.ended = not data
            stdin.ahead += data
            while end := cut(stdin.ahead, self._max_line).end:
                yield self._chunk_of_stdin(stdin, end)
            if len(stdin.ahead) > self._max_line:
                stdin.ahead = b""

    def _chunk_of_stdin(self, stdin: _Stdin, end: int) -> Chunk:
        data, stdin.ahead = stdin.ahead[:end], stdin.ahead[end:]
        start, stdin.position = stdin.position, stdin.position + end
        stdin.tail = (stdin.tail + data)[-PROOF:]
        proof = Mark(stdin.position, len(stdin.tail), digest(stdin.tail))
        return Chunk(stdin.source.id, 0, start, stdin.position, data, proof)

    def _tell(self, kind: str, path: str, text: str) -> None:
        """Say a thing about a path once."""
        if (kind, path) not in self._told:
            self._told.add((kind, path))
            self._notice(kind, f"{path}: {text}")


def _new_source(path: str, device: int, inode: int, compression: str) -> Source:
    return Source(secrets.token_hex(8), path, device, inode, Mark(0, 0, digest(b"")), compression)


def _resumed(known: KnownSource) -> _Reader:
    at = known.resume
    return _Reader(known.source, at.position, at.position, at.mark, known.stops)


def _key_of(source: Source) -> Key:
    return source.device, source.inode


def _after_last_newline(content: Content, size: int) -> int:
    """Return the position after the last newline of a plain file."""
    end = size
    while end > 0:
        start = max(0, end - (1 << 16))
        at = content.read(start, end - start).rfind(b"\n")
        if at >= 0:
            return start + at + 1
        end = start
    return 0


def _in_turn(streams: Sequence[Iterator[Chunk]]) -> Iterator[Chunk]:
    """Take a chunk of each in turn, so that one long log does not keep the others waiting."""
    waiting = list(streams)
    while waiting:
        for stream in list(waiting):
            chunk = next(stream, None)
            if chunk is None:
                waiting.remove(stream)
            else:
                yield chunk
