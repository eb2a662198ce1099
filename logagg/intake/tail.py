"""Read on in all sources, the oldest generation of each stream first; give every byte once."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Literal

from logagg.cargo import Chunk, KnownSource, Source
from logagg.clock import Clock, is_set, not_set, written
from logagg.errors import ClockError
from logagg.heartbeat import FollowedLog
from logagg.intake.content import Packed, Pipe
from logagg.intake.identity import Ledger, Notice, new_source
from logagg.intake.names import STDIN
from logagg.intake.open_files import OpenFiles, allowance
from logagg.intake.reader import NEVER, Limits, Outgrown, Reader, Replaced, Room, no_room, stamp_of
from logagg.intake.sources import Finder

ROUNDS = 3  # of looking and reading in a poll: what turns out to be replaced is looked at again
LOOK_AGAIN = 0.5  # seconds between looks while much is read: a log that comes and goes meanwhile is held open
MISS_AFTER = 60.0  # seconds between searches for files that have gone


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
        idle: float = 30.0,
        forget: float = 30 * 86_400.0,
        once: bool = False,
        room: Room = no_room,
        clock: Clock,
        notice: Notice,
        may_forget: Callable[[], bool] = lambda: True,
    ) -> None:
        self._at_once = max(1, allowance() // 4)  # logs that are read in turn
        open_files = OpenFiles(3 * self._at_once)
        limits = Limits(chunk_bytes, max_line, room)
        self._finder = Finder(paths, clock.now)
        from_end = start_at == "end"
        self._ledger = Ledger(known, limits, clock, notice, open_files, patient=not once, from_end=from_end)
        self._stdin = _read_stdin(limits) if STDIN in paths else None
        self._only_stdin = list(paths) == [STDIN]
        self._idle, self._forget, self._clock, self._notice = idle, forget, clock, notice
        self._may_forget = may_forget  # the clock is to be believed
        self._waits = False  # for the clock to be set, and has said so
        self._looked = self._missed = float("-inf")  # when

    def poll(self) -> Iterator[Chunk]:
        """Look at the paths and yield all that can be read now, oldest first in each stream; then stop.

        While the clock has not been set files are held open and not read: their lines would be from the future.
        """
        if self.waits_for_clock():
            self._look()
            yield from [one.announce() for one in self._ledger.readers.values() if one.content and not one.announced]
            return
        for _ in range(ROUNDS):
            self._look()
            self._ledger.unsettled = False
            for chunk in _in_turn([self._read_stream(readers) for readers in self._streams()], self._at_once):
                yield chunk
                if self._clock.monotonic() - self._looked > LOOK_AGAIN:
                    self._look()
            if not self._ledger.unsettled:
                break
        if self._stdin:
            yield from self._read(self._stdin)
        if not self._waits:
            yield from self._finish_idle()
            self._miss_now_and_then()

    def drain_ends(self, whole: Callable[[str, bytes], bool]) -> Iterator[Chunk]:
        """Yield the last lines that have no newline, for a run that ends.

        Of a log that may be written on, only if `whole` says that the line is one.
        """
        if self.waits_for_clock():
            return
        for reader in self._all():
            if not self._may_have_rest(reader):
                continue
            over = reader is self._stdin or not (_is_live(reader) or self._is_young(reader))
            yield from self._last_line(reader, None if over else whole)
            if over and reader is not self._stdin:
                self._ledger.let_go(reader)

    def waits_for_clock(self) -> bool:
        """Tell whether nothing is read because the clock has not been set; say so when that begins, and when it ends."""
        now = self._clock.now()
        if self._waits == is_set(now):
            self._waits = not self._waits
            then = (
                f"{not_set(now)}: nothing is read until it is set"
                if self._waits
                else f"it is set to {written(now)}: reading on"
            )
            self._notice("clock", then)
        return self._waits

    def check_clock(self) -> None:
        """Raise ClockError where a run that ends by itself would leave all unread, or has left the rest."""
        if not is_set(now := self._clock.now()):
            raise ClockError(not_set(now), "set it; what was not read yet is read then")

    def sources(self) -> list[Source]:
        """Return every source as it stands."""
        return [reader.source for reader in self._all()]

    def source(self, id_: str) -> Source:
        """Return a source as it stands."""
        return self._reader(id_).source

    def folders(self) -> list[str]:
        """Return the directories in which files may appear."""
        return self._finder.folders()

    def take_changes(self) -> bool:
        """Tell, once, whether there is something new to say of a source that came with no chunk."""
        changed, self._ledger.changed = self._ledger.changed, False
        return changed

    def set_format(self, source: str, format: str) -> None:
        """Remember the format a source is written in."""
        reader = self._reader(source)
        if reader.source.format != format:
            reader.source = replace(reader.source, format=format)

    def refuse(self, source: str) -> None:
        """Take back what was read of a source: nothing of it counts until it has grown."""
        reader = self._reader(source)
        reader.go_back()
        reader.held = True

    def reconsider(self) -> None:
        """Offer again what was refused: formats may have changed."""
        for reader in self._all():
            if reader.held:
                reader.looked = NEVER
                reader.source = replace(reader.source, finished=False)  # opens it again where it was let go

    @property
    def only_stdin(self) -> bool:
        """Tell whether standard input is all that is read: then a poll lasts as long as more comes at once."""
        return self._only_stdin

    def ended(self) -> bool:
        """Tell whether standard input was all there is, and has ended."""
        return self._only_stdin and not self.is_piped()

    def is_piped(self) -> bool:
        """Tell whether more may come through standard input."""
        return self._stdin is not None and isinstance(self._stdin.content, Pipe) and not self._stdin.content.ended

    def backlog(self) -> int:
        """Return the bytes on disk that are not read yet, as far as that is known."""
        plain = [reader for reader in self._all() if not reader.source.compression and reader.content]
        return sum(max(0, reader.source.size - reader.position) for reader in plain)

    def followed(self) -> list[FollowedLog]:
        """Return the logs that more may come to; for any thread."""
        rows = [(reader.source, reader.position) for reader in self._all() if reader.found or reader is self._stdin]
        return [FollowedLog(one.id, one.path, at, one.size) for one, at in rows if not one.finished and not one.gone]

    def read_errors(self) -> dict[str, str]:
        """Return by path which logs and directories cannot be read now, and why; for any thread."""
        return self._ledger.read_errors.now()

    def broken(self) -> list[Source]:
        """Return the archives that cannot be decompressed to their end; for any thread."""
        return [one for one in self.sources() if one.compression and one.note.startswith("corrupt ") and not one.gone]

    def close(self) -> None:
        for reader in self._all():
            reader.close()

    def _all(self) -> list[Reader]:
        return [*self._ledger.readers.values(), *([self._stdin] if self._stdin else [])]

    def _reader(self, source: str) -> Reader:
        if self._stdin and self._stdin.source.id == source:
            return self._stdin
        return self._ledger.readers[source]

    def _look(self) -> None:
        errors = self._ledger.read_errors
        errors.look()
        self._ledger.look(self._finder.find())
        for folder, problem in self._finder.problems():
            if not errors.within(folder):  # else that was said of the file that is wanted
                self._ledger.tell("unreadable", folder, problem)
        for folder, problem in self._finder.hidden():
            errors.failed(folder, problem)
        for folder in self._finder.shut():
            self._ledger.hide(folder)
        self._looked = self._clock.monotonic()

    def _streams(self) -> list[list[Reader]]:
        """Return what there is to read, by stream, the oldest generation first."""
        streams: defaultdict[str, list[Reader]] = defaultdict(list)
        for reader in self._ledger.readers.values():
            if reader.found and (reader.content or reader.parked):
                if (
                    reader.content and not reader.seen
                ):  # nobody else has its file any more, but somebody may still write to it
                    reader.stamp = stamp_of(reader.content.stat())
                if reader.waits():
                    streams[reader.found.stream].append(reader)
        return [sorted(readers, key=_age) for readers in streams.values()]

    def _read_stream(self, readers: Sequence[Reader]) -> Iterator[Chunk]:
        for reader in readers:
            yield from self._read(reader)

    def _read(self, reader: Reader) -> Iterator[Chunk]:
        """Read one source to its end; or standard input, which may have none, for as long as files can wait."""
        stamp, began = reader.stamp, self._clock.monotonic()
        reader.held = False
        try:
            if reader is not self._stdin and not self._ledger.is_ready(reader):
                return
            if not reader.announced:
                yield reader.announce()
            while not reader.held and not self.waits_for_clock() and (chunk := reader.next()):
                reader.moved_at = self._clock.monotonic()
                self._tell_skipped(reader, chunk)
                yield chunk
                if reader is self._stdin and not self._only_stdin and reader.moved_at - began > LOOK_AGAIN:
                    break
            reader.looked = NEVER if self._waits else stamp
        except Replaced:
            self._ledger.lose(reader)
        except Outgrown:
            self._ledger.reconsider(reader)
        except OSError as error:
            self._ledger.read_errors.failed(reader.source.path, error.strerror or str(error))
            self._ledger.tell("unreadable", reader.source.path, f"{error.strerror or error}; trying again")

    def _tell_skipped(self, reader: Reader, chunk: Chunk) -> None:
        if chunk.skipped and not chunk.data and not chunk.too_long:
            text = f"{chunk.skipped:,} NUL bytes passed over at {chunk.start:,}; logagg status counts those that follow"
            self._ledger.tell("nul_bytes", reader.source.path, text)

    def _finish_idle(self) -> Iterator[Chunk]:
        """Let go of what was rotated away, or is compressed, when nothing more is to be expected."""
        for reader in list(self._ledger.readers.values()):
            if _is_live(reader) and reader.seen:
                continue
            if (reader.content or reader.parked) and not reader.source.finished and self._is_over(reader):
                yield from self._last_line(reader, None)
                self._ledger.let_go(reader)

    def _may_have_rest(self, reader: Reader) -> bool:
        """Tell whether something may come after the last newline of a source; its file is open then."""
        if reader.content is None and (not reader.parked or reader.source.size == reader.position):
            return False
        try:
            return reader is self._stdin or self._ledger.is_ready(reader)
        except OSError:
            return False  # it was said when it was found

    def _is_over(self, reader: Reader) -> bool:
        """Tell whether nothing more is to be expected of a file that was rotated away, or is compressed."""
        if reader.looked != reader.stamp:
            return False
        if isinstance(reader.content, Packed) and self._is_packed_up(reader, reader.content):
            return True
        return not self._is_young(reader)

    def _is_packed_up(self, reader: Reader, content: Packed) -> bool:
        """Tell whether a compressed file was read to an end that is one, or to where it is broken."""
        if content.broken:
            self._ledger.tell("unreadable", reader.source.path, f"{content.broken}; what was whole of it is counted")
            reader.source = replace(reader.source, note=content.broken)
        return content.complete or bool(content.broken)

    def _last_line(self, reader: Reader, whole: Callable[[str, bytes], bool] | None) -> Iterator[Chunk]:
        """Yield what comes after the last newline; if `whole` is to be asked, only if it says so."""
        if reader.content is None and not self._may_have_rest(reader):
            return
        if reader.held or (isinstance(reader.content, Packed) and not reader.content.complete):
            return
        try:
            if whole is None or whole(reader.source.id, reader.fragment()):
                if chunk := reader.last():
                    yield chunk
        except Replaced:
            self._ledger.lose(reader)
        except OSError as error:
            self._ledger.tell(
                "unreadable", reader.source.path, f"{error.strerror or error}; its last line is not counted"
            )

    def _is_young(self, reader: Reader) -> bool:
        """Tell whether somebody may still write to a file."""
        now, moved = self._clock.monotonic(), max(reader.moved_at, reader.seen_at)
        unseen = not reader.seen and now - moved < self._idle
        return unseen or self._clock.now() - reader.source.modified < self._idle

    def _miss_now_and_then(self) -> None:
        now = self._clock.monotonic()
        if now - self._missed > MISS_AFTER:
            self._missed = now
            self._ledger.miss()
            if self._may_forget():
                self._ledger.forget(self._forget)


def _read_stdin(limits: Limits) -> Reader:
    source = new_source(STDIN)
    reader = Reader(source, source.head, limits, STDIN)
    reader.open(Pipe(sys.stdin.fileno()))
    return reader


def _is_live(reader: Reader) -> bool:
    return reader.found is not None and reader.found.live and not reader.source.compression


def _age(reader: Reader) -> tuple[bool, tuple[int, str, int]]:
    """Sort by age; what has no name any more is older than what has one."""
    assert reader.found, "only what was found is read"
    return reader.seen, reader.found.age


def _in_turn(streams: Sequence[Iterator[Chunk]], at_once: int) -> Iterator[Chunk]:
    """Take a chunk of each in turn, so that one long log does not keep the others waiting; so many at a time."""
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
