"""Follow all sources, the oldest generation of each stream first; yield every byte once."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from typing import Literal

from logagg.clock import Clock, is_set, not_set, written
from logagg.errors import ClockError
from logagg.heartbeat import FollowedLog
from logagg.intake.chunks import Outgrown, ReadLimits, Replaced, TakeBuffer, WholeLines, all_lines, no_buffer
from logagg.intake.content import Compressed, Pipe
from logagg.intake.discover import Finder
from logagg.intake.names import STDIN, describe
from logagg.intake.open_files import OpenFiles, allowance
from logagg.intake.reader import NEVER, Reader
from logagg.intake.registry import SourceRegistry, new_source
from logagg.notices import (
    Report,
    archive_broken,
    clock_not_set,
    clock_set,
    last_line_unreadable,
    log_has_nul_bytes,
    log_unreadable,
    path_unreadable,
)
from logagg.records import Chunk, KnownSource, Source

ROUNDS = 3  # of looking and reading in a poll: files that turn out to be replaced need another look
LOOK_AGAIN = 0.5  # seconds between looks during a long poll, to open logs before they are rotated and deleted
BLOCK = 1 << 20  # bytes before a position that are read at a time
LOOK_BACK = 64 << 20  # bytes before a position that are searched at most
LONGEST_LINE = 1 << 13  # bytes of a line that may reach beyond a block
MISS_AFTER = 60.0  # seconds between searches for sources without a file


class Tailer:
    """Follows paths; pull-based, without threads."""

    def __init__(
        self,
        paths: Sequence[str],
        known: Sequence[KnownSource] = (),
        *,
        apart: Collection[str] = (),
        start_at: str | Literal["start", "end"] = "start",
        chunk_bytes: int = 8 << 20,
        max_line: int = 1 << 20,
        idle: float = 30.0,
        forget: float = 30 * 86_400.0,
        once: bool = False,
        take_buffer: TakeBuffer = no_buffer,
        whole_lines: WholeLines = all_lines,
        reserved: int = 0,
        clock: Clock,
        notice: Report,
        may_forget: Callable[[], bool] = lambda: True,
    ) -> None:
        self._at_once = max(1, allowance(reserved) // 4)  # logs that are read in turn
        open_files = OpenFiles(3 * self._at_once)
        limits = ReadLimits(chunk_bytes, max_line, take_buffer, whole_lines)
        self._finder = Finder(paths, clock.now, apart)
        from_end = start_at == "end"
        self._registry = SourceRegistry(known, limits, clock, notice, open_files, patient=not once, from_end=from_end)
        self._stdin = _read_stdin(limits) if STDIN in paths else None
        self._only_stdin = list(paths) == [STDIN]
        self._idle, self._forget, self._clock, self._notice = idle, forget, clock, notice
        self._may_forget = may_forget  # tells whether the clock can be trusted
        self._waits = False  # for the clock to be set; that was reported
        self._looked = self._missed = float("-inf")  # monotonic clock: the last look, the last search

    def poll(self) -> Iterator[Chunk]:
        """Look at the paths and yield all that can be read now, the oldest generation of each stream first.

        While the clock has not been set, files are held open but not read: their lines would seem to be from the future.
        """
        if self.waits_for_clock():
            self._look()
            yield from [one.announce() for one in self._registry.readers.values() if one.content and not one.announced]
            return
        for _ in range(ROUNDS):
            self._look()
            self._registry.unsettled = False
            for chunk in _round_robin([self._read_stream(readers) for readers in self._streams()], self._at_once):
                yield chunk
                if self._clock.monotonic() - self._looked > LOOK_AGAIN:
                    self._look()
            if not self._registry.unsettled:
                break
        if self._stdin:
            yield from self._read_on(self._stdin)
        if not self._waits:
            yield from self._finish_idle()
            self._miss_now_and_then()

    def drain_ends(self, whole: Callable[[str, bytes], bool]) -> Iterator[Chunk]:
        """Yield the last lines without a newline, for a run that ends, and those whose last part may be missing.

        Of a log that may still be written to, a line without a newline is yielded only if `whole` accepts it as complete.
        """
        if self.waits_for_clock():
            return
        for reader in self._all():
            if reader.source.finished or not self._may_have_rest(reader):
                continue
            over = reader is self._stdin or not (_is_live(reader) or self._is_young(reader))
            yield from self._last_line(reader, None if over else whole)
            if reader is self._stdin:
                continue
            if over:
                self._registry.let_go(reader)
            else:
                self._registry.rest(reader)

    def waits_for_clock(self) -> bool:
        """Return whether reading waits for the clock to be set; report when that begins and ends."""
        now = self._clock.now()
        if self._waits == is_set(now):
            self._waits = not self._waits
            self._notice(clock_not_set(not_set(now)) if self._waits else clock_set(written(now)))
        return self._waits

    def check_clock(self) -> None:
        """Raise ClockError if the clock is not set: a run with --once would end with logs unread."""
        if not is_set(now := self._clock.now()):
            raise ClockError(not_set(now), "set it; the rest is read then")

    def sources(self) -> list[Source]:
        """Return every source in its current state."""
        return [reader.source for reader in self._all()]

    def source(self, id_: str) -> Source:
        """Return a source in its current state."""
        return self._reader(id_).source

    def folders(self) -> list[str]:
        """Return the directories in which files may appear."""
        return self._finder.folders()

    def take_changes(self) -> bool:
        """Return whether a source has news that no chunk carried, and reset that."""
        changed, self._registry.changed = self._registry.changed, False
        return changed

    def set_format(self, chunk: Chunk, format: str) -> bool:
        """Remember the format that the last chunk of a source is written in; return False if it was taken back, to be cut as the format demands."""
        return self._reader(chunk.source).set_format(format, chunk.data)

    def note_format(self, source: str, format: str) -> None:
        """Remember the formats of a source, of which one is new; it does not change where the log is cut."""
        self._reader(source).note_format(format)

    def bytes_before(self, source: str, position: int, sign: bytes) -> Iterator[bytes]:
        """Yield the bytes before a position in blocks, the nearest first, if the source's beginning has a sign; then
        its beginning.

        A compressed file yields its beginning only; a pipe, or a file that is not open, nothing.
        """
        content = self._reader(source).content
        first = content.read(0, min(position, BLOCK)) if content and position else b""
        if content is None or sign not in first:
            return
        for end in range(position, max(0, position - LOOK_BACK), -BLOCK) if not content.compression else ():
            start = max(0, end - BLOCK)
            yield content.read(start, min(end + LONGEST_LINE, position) - start)
        yield first

    def names(self, source: str) -> tuple[str, str]:
        """Return the absolute paths of the live log that a source is or was, and of its file."""
        reader = self._reader(source)
        found = reader.found or describe(reader.source.path)
        return found.stream, reader.last_path

    def set_site(self, source: str, site: str) -> Source:
        """Remember the site of a source's lines, if that is known; return the source."""
        reader = self._reader(source)
        reader.set_site(site)
        return reader.source

    def follow(self, paths: Sequence[str], apart: Collection[str] = ()) -> None:
        """Follow these paths from now on, of which none is standard input; globs do not mean the files in `apart`."""
        self._finder = Finder(paths, self._clock.now, apart)

    def fragment(self, source: str) -> bytes:
        """Return the bytes after the last newline of a source, read again. Raises Replaced or OSError."""
        return self._reader(source).fragment()

    def refuse(self, source: str) -> None:
        """Take back the last chunk of a source; it is read again when its file has grown."""
        self._reader(source).refuse()

    def reconsider(self) -> None:
        """Read refused sources again: formats may have changed."""
        for reader in self._all():
            reader.reconsider()

    @property
    def only_stdin(self) -> bool:
        """Return whether only standard input is read: then a poll lasts while more data comes without a pause."""
        return self._only_stdin

    def ended(self) -> bool:
        """Return whether only standard input is read, and it has ended."""
        return self._only_stdin and not self.is_piped()

    def is_piped(self) -> bool:
        """Return whether more may come through standard input."""
        return self._stdin is not None and isinstance(self._stdin.content, Pipe) and not self._stdin.content.ended

    def backlog(self) -> int:
        """Return the bytes of open, uncompressed logs that are not read yet."""
        return sum(self.backlogs().values())

    def backlogs(self) -> dict[str, int]:
        """Return the same by the path of the log; safe from any thread."""
        found: Counter[str] = Counter()  # a path has two sources from a rotation until that is noticed
        for reader in self._all():
            if not reader.source.compression and reader.content:
                found[reader.source.path] += max(0, reader.source.size - reader.position)
        return found

    def followed(self) -> list[FollowedLog]:
        """Return the logs that are not finished; safe from any thread."""
        rows = [(reader.source, reader.position) for reader in self._all() if reader.found or reader is self._stdin]
        return [FollowedLog(one.id, one.path, at, one.size) for one, at in rows if not one.finished and not one.gone]

    def read_errors(self) -> dict[str, str]:
        """Return by path which logs and directories cannot be read now, and why; safe from any thread."""
        return self._registry.read_errors.now()

    def broken(self) -> list[Source]:
        """Return the archives that cannot be decompressed to their end; safe from any thread."""
        return [one for one in self.sources() if one.compression and one.note.startswith("corrupt ") and not one.gone]

    def close(self) -> None:
        for reader in self._all():
            reader.close()

    def _all(self) -> list[Reader]:
        return [*self._registry.readers.values(), *([self._stdin] if self._stdin else [])]

    def _reader(self, source: str) -> Reader:
        if self._stdin and self._stdin.source.id == source:
            return self._stdin
        return self._registry.readers[source]

    def _look(self) -> None:
        errors = self._registry.read_errors
        errors.begin_look()
        self._registry.identify(self._finder.find())
        for folder, problem in self._finder.problems():
            if not errors.within(folder):  # else the wanted file itself was reported
                self._registry.tell(path_unreadable(folder, problem))
        for folder, problem in self._finder.hidden():
            errors.failed(folder, problem)
        for folder in self._finder.shut():
            self._registry.hide(folder)
        self._looked = self._clock.monotonic()

    def _streams(self) -> list[list[Reader]]:
        """Return the sources that have more to read, by stream, the oldest generation first."""
        streams: defaultdict[str, list[Reader]] = defaultdict(list)
        for reader in self._registry.readers.values():
            if reader.found and reader.has_file():
                reader.stat_unseen()
                if reader.has_more():
                    streams[reader.found.stream].append(reader)
        return [sorted(readers, key=_age) for readers in streams.values()]

    def _read_stream(self, readers: Sequence[Reader]) -> Iterator[Chunk]:
        for reader in readers:
            yield from self._read_on(reader)
            if reader.source.compression:
                yield from self._finish_if_over(reader)
            self._registry.rest(reader)

    def _read_on(self, reader: Reader) -> Iterator[Chunk]:
        """Read one source to its end; standard input, which may be endless, only for as long as files can wait."""
        stamp, began = reader.start_pass(), self._clock.monotonic()
        try:
            if reader is not self._stdin and not self._registry.is_ready(reader):
                return
            if not reader.announced:
                yield reader.announce()
            while not reader.refused and not self.waits_for_clock() and (chunk := reader.next()):
                reader.note_read(self._clock.monotonic())
                self._tell_skipped(reader, chunk)
                yield chunk
                if reader is self._stdin and not self._only_stdin and reader.read_at - began > LOOK_AGAIN:
                    break
            reader.end_pass(NEVER if self._waits else stamp)
        except Replaced:
            self._registry.lose(reader)
        except Outgrown:
            self._registry.reconsider(reader)
        except OSError as error:
            self._registry.read_errors.failed(reader.source.path, error.strerror or str(error))
            self._registry.tell(log_unreadable(reader.source.path, error.strerror or str(error)))

    def _tell_skipped(self, reader: Reader, chunk: Chunk) -> None:
        if chunk.skipped and not chunk.data and not chunk.too_long:
            self._registry.tell(log_has_nul_bytes(reader.source.path, chunk.skipped, chunk.start))

    def _finish_idle(self) -> Iterator[Chunk]:
        """Finish sources that are rotated or compressed, and no longer written to."""
        for reader in list(self._registry.readers.values()):
            if not (_is_live(reader) and reader.seen):
                yield from self._finish_if_over(reader)

    def _finish_if_over(self, reader: Reader) -> Iterator[Chunk]:
        if reader.has_file() and not reader.source.finished and self._is_over(reader):
            yield from self._last_line(reader, None)
            self._registry.let_go(reader)

    def _may_have_rest(self, reader: Reader) -> bool:
        """Return whether a source may have a line without a newline; its file is open then."""
        if reader.content is None and (not reader.has_file() or reader.source.size == reader.position):
            return False
        try:
            return reader is self._stdin or self._registry.is_ready(reader)
        except OSError:
            return False  # reported by the look that found it

    def _is_over(self, reader: Reader) -> bool:
        """Return whether no more is expected of a file that is rotated or compressed."""
        if not reader.is_read_to_end():
            return False
        if isinstance(reader.content, Compressed) and self._is_packed_up(reader, reader.content):
            return True
        return not self._is_young(reader)

    def _is_packed_up(self, reader: Reader, content: Compressed) -> bool:
        """Return whether a compressed file was read to the end of its last member, or to where it is corrupt."""
        if content.broken:
            self._registry.tell(archive_broken(reader.source.path, content.broken))
            reader.set_note(content.broken)
        return content.complete or bool(content.broken)

    def _last_line(self, reader: Reader, whole: Callable[[str, bytes], bool] | None) -> Iterator[Chunk]:
        """Yield the rest of a log; the line after the last newline only if `whole`, if given, accepts it."""
        if reader.content is None and not self._may_have_rest(reader):
            return
        if reader.refused or (isinstance(reader.content, Compressed) and not reader.content.complete):
            return
        try:
            if chunk := reader.last(lambda line: whole is None or whole(reader.source.id, line)):
                yield chunk
        except Replaced:
            self._registry.lose(reader)
        except OSError as error:
            self._registry.tell(last_line_unreadable(reader.source.path, error.strerror or str(error)))

    def _is_young(self, reader: Reader) -> bool:
        """Return whether a writer may still have the file open."""
        now, moved = self._clock.monotonic(), max(reader.read_at, reader.seen_at)
        unseen = not reader.seen and now - moved < self._idle
        return unseen or self._clock.now() - reader.source.modified < self._idle

    def _miss_now_and_then(self) -> None:
        now = self._clock.monotonic()
        if now - self._missed > MISS_AFTER:
            self._missed = now
            self._registry.miss()
            if self._may_forget():
                self._registry.forget(self._forget)


def _read_stdin(limits: ReadLimits) -> Reader:
    source = new_source(STDIN)
    reader = Reader(source, source.head, limits, STDIN)
    reader.open(Pipe(sys.stdin.fileno()))
    return reader


def _is_live(reader: Reader) -> bool:
    return reader.found is not None and reader.found.live and not reader.source.compression


def _age(reader: Reader) -> tuple[bool, tuple[int, str, int]]:
    """Return a sort key by age; a file that is deleted is older than those that are not."""
    assert reader.found, "only the logs that were found are read"
    return reader.seen, reader.found.age


def _round_robin(streams: Sequence[Iterator[Chunk]], at_once: int) -> Iterator[Chunk]:
    """Take a chunk of each of `at_once` streams in turn, so that a long log does not keep the others waiting."""
    later = iter(streams)
    active = list(islice(later, at_once))
    while active:
        for stream in list(active):
            chunk = next(stream, None)
            if chunk is None:
                active.remove(stream)
                active += islice(later, 1)
            else:
                yield chunk
