"""Which source each file is: by its inode while the file holds what was read, else by its content (`match`).

Two terms. A file is *rotated* when its name now belongs to another file. Nothing is lost: the old file is read to its end
through the open descriptor, or under its new name. A file is *truncated* when it no longer holds the bytes that were
read. Its new content is a new source; bytes that were not read before are lost unless there is a copy, and a note on the
source says so.

A source whose file is missing is not finished: reading resumes at its position when the file is back.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from logagg.clock import RELEASED, Clock
from logagg.intake.chunks import ReadLimits
from logagg.intake.content import (
    FINGERPRINT_BYTES,
    Content,
    Key,
    digest,
    fingerprint_of,
    is_unchanged,
    key_of,
    open_content,
)
from logagg.intake.names import STDIN, Age, Found, are_related, describe
from logagg.intake.open_files import OpenFiles
from logagg.intake.read_errors import ReadErrors
from logagg.intake.reader import Reader
from logagg.intake.similar import Candidate
from logagg.intake.table import SourceTable
from logagg.intake.unknown import EndPositions, UnknownFile, UnknownFiles
from logagg.notices import (
    UNREADABLE,
    Notice,
    Report,
    log_copied_and_truncated,
    log_found,
    log_gone,
    log_moved,
    log_truncated,
    log_unreadable,
    too_many_logs,
)
from logagg.quantities import counted
from logagg.records import Fingerprint, KnownSource, Source


class SourceRegistry:
    """All sources, and which file each of them has."""

    def __init__(
        self,
        known: Iterable[KnownSource],
        limits: ReadLimits,
        clock: Clock,
        notice: Report,
        open_files: OpenFiles,
        *,
        patient: bool = True,
        from_end: bool = False,
    ) -> None:
        self._table = SourceTable()
        self.readers = self._table.readers
        self.changed = False  # a source has news that no chunk carries
        self.unsettled = False  # another look may find more to read
        self._lost: list[Reader] = []  # lost since the last look: their files hold other bytes now
        self._limits, self._clock, self._notice, self._open_files = limits, clock, notice, open_files
        self._reported: set[tuple[str, str]] = set()
        self.read_errors = ReadErrors()
        self.missing: frozenset[str] = frozenset()  # ids of the sources whose files this look did not find
        self._oldest: dict[str, Age] = {}  # by stream: the age of the oldest known generation that this look has found
        self._files: Sequence[Found] = ()  # of the last look
        self._streams: set[str] = set()  # of those files that are asked for
        self._listed: object = None  # the files of the last look that examined all of them
        for one in known:
            stream = describe(one.source.path).stream
            self._table.enter(
                Reader(one.source, one.furthest.fingerprint, limits, stream, one.stops, one.resume.fingerprint)
            )
        ends = EndPositions(clock.now(), list(self.readers.values())) if from_end else None
        self._unknown = UnknownFiles(self, clock, ends, patient=patient)

    def identify(self, files: Sequence[Found]) -> None:
        """Find out which source each file is; files of new sources are opened at their start, or where `--from end` begins."""
        self._oldest = {}
        if files is not self._files:
            self._files, self._streams = files, {found.stream for found in files if found.asked}
        for reader in self.readers.values():
            reader.start_look()
        asked = self._unidentified(found for found in files if found.asked)
        unidentified = self._unidentified(self._others(files)) | asked
        self.missing = self._table.without_file()
        self._unknown.meet(unidentified)
        self._report_truncated()
        if self._open_files.crowded:
            self.tell(too_many_logs(len(self.readers), self._open_files.most))

    def lose(self, reader: Reader) -> None:
        """Give up the file of a source, since it no longer holds what was read of it."""
        self.unsettled = self.changed = True
        self._table.detach(reader)
        reader.lose(self._set_time())
        self._lost.append(reader)

    def miss(self) -> None:
        """Note which sources have lost their files."""
        for reader in self.readers.values():
            if reader.seen or reader.content or reader.source.gone or reader.is_in_place():
                continue
            note = reader.source.note
            if not reader.source.finished and reader.source.path != STDIN:
                note = f"no longer found after {counted(reader.position, 'byte was', 'bytes were')} read; anything after them is lost unless it comes back"
                self._notice(log_gone(reader.source.path, note))
            self._part(reader, note)

    def forget(self, after: float) -> None:
        """Drop the sources that have had no file for `after` seconds."""
        horizon = self._clock.now() - after
        for reader in [one for one in self.readers.values() if 0 < one.source.gone < horizon]:
            self._table.drop(reader)
            self.changed = True

    def let_go(self, reader: Reader) -> None:
        """Close a source's file, since no more is expected of it; it is opened again when it grows."""
        reader.finish()
        self.changed = True
        if not reader.seen and not reader.furthest.position:
            self._drop(reader)

    def is_ready(self, reader: Reader) -> bool:
        """Return whether a source can be read now, after opening its file if it was parked."""
        if reader.source.gone or self.readers.get(reader.source.id) is not reader:
            return False  # a look has found out meanwhile that its file is another source
        if reader.outgrew():
            self.reconsider(reader)
            return False
        if reader.content is None and not (reader.found and self._reopen(reader, reader.found.path)):
            return False
        self._open_files.opened(reader)
        return True

    def rest(self, reader: Reader) -> None:
        """Note that the turn of a source to be read is over; its file stays open if the limit allows that."""
        self._open_files.rest(reader)

    def reconsider(self, reader: Reader) -> None:
        """Forget a source of which nothing was read: its file may become a copy or an archive; the next look judges it again."""
        self._drop(reader)
        reader.close()
        self.unsettled = True

    def _drop(self, reader: Reader) -> None:
        """Forget a source of which nothing was read; one that the lake may know already has no file from now on."""
        if reader.was_announced:
            self._table.detach(reader)
            reader.forget_file()
            reader.start_look()
            self._part(reader, "")
        else:
            self._table.drop(reader)

    def tell(self, notice: Notice) -> None:
        """Report a notice unless there was one of its kind about the same path."""
        key = notice.kind, str(notice.fields.get("path", ""))
        if key not in self._reported:
            self._reported.add(key)
            self._notice(notice)

    # files that are known by their inode

    def _unidentified(self, files: Iterable[Found]) -> dict[Key, UnknownFile]:
        """Return the files that are not identified by their inode."""
        unidentified: dict[Key, UnknownFile] = {}
        for found in files:
            stat = self._stat_if_unidentified(found)
            if stat:
                unidentified.setdefault(key_of(stat), UnknownFile(found, stat))
        return unidentified

    def _others(self, files: Sequence[Found]) -> Iterator[Found]:
        """Yield files that were not asked for but may continue a source; all of them when a source has newly lost its file."""
        others = [found for found in files if not found.asked]
        if not others:
            return
        last = {reader.found.path for reader in self.readers.values() if not reader.seen and reader.found}
        yield from (found for found in others if found.path in last or self.follows(found))
        missing = self._table.without_file()
        if missing and (files is not self._listed or missing - self.missing):
            self._listed = files
            yield from others
        else:
            waiting = self._unknown.waiting()
            yield from (found for found in others if found.path in waiting)

    def _stat_if_unidentified(self, found: Found) -> os.stat_result | None:
        """Return the stat of a file, or None if its inode tells which source it is."""
        try:
            stat = os.stat(found.path)
            reader = self._table.of_file(key_of(stat))
            if reader is None:
                return stat
            if reader.seen or not self._is_wanted(reader, found):
                return None  # the same file under another name, or one that an earlier run followed
            return None if self._recognise(reader, found, stat) else stat
        except FileNotFoundError:
            return None  # renamed or deleted since the directory was listed
        except OSError as error:
            self.refuse(found, error)
            self.hide(found.path)
            return None

    def _is_wanted(self, reader: Reader, found: Found) -> bool:
        """Return whether the file of a source is asked for, or was under another name."""
        if found.asked or reader.first_look or found.absolute != reader.last_path or found.stream in self._streams:
            return True
        return any(are_related(found.path, stream) for stream in self._streams)

    def _recognise(self, reader: Reader, found: Found, stat: os.stat_result) -> bool:
        """Return whether a file is still that of the source with its inode; then note that it was found."""
        if reader.outgrew():
            self.reconsider(reader)
            return False
        if reader.content is None and not reader.is_at_rest(stat):
            if not reader.position and reader.first_look:
                self._drop(reader)  # nothing was read that could identify it
                return False
            if not self._reopen(reader, found.path, stat):
                return reader.source.inode != 0 and self._table.of_file(key_of(stat)) is reader
        elif reader.content is not None and reader.may_have_changed(stat, self._clock.now()) and not reader.is_intact():
            self.lose(reader)
            return False
        self._see(reader, found, stat)
        return True

    def _reopen(self, reader: Reader, path: str, stat: os.stat_result | None = None) -> bool:
        """Open the file of a source again; return whether it holds what was read."""
        content = open_content(path)
        if stat and key_of(content.stat()) != key_of(stat):  # renamed meanwhile: the next look finds it
            content.close()
            return False
        if content.compression == reader.source.compression and reader.open(content):
            self._keep_open(reader, now=stat is None)
            return True
        content.close()
        if os.path.abspath(path) == reader.last_path:
            self.lose(reader)
        else:
            self._table.detach(reader)  # another file has the inode, or the device number, now
            reader.forget_file()
        return False

    def _see(self, reader: Reader, found: Found, stat: os.stat_result) -> None:
        """Note that a look found a source's file."""
        self._oldest[found.stream] = min(found.age, self._oldest.get(found.stream, found.age))
        was_gone = bool(reader.source.gone)
        if reader.see(found, stat, self._clock.monotonic()):
            self.changed |= was_gone
            self._reported.discard((UNREADABLE.name, found.path))

    def follows(self, found: Found) -> bool:
        """Return whether a file is younger than a known generation of its stream."""
        oldest = self._oldest.get(found.stream)
        return oldest is not None and oldest < found.age

    def move(self, reader: Reader, candidate: Candidate) -> bool:
        """Let a source continue in another file; return whether the content was taken, and is to stay open."""
        before, content, stat = reader.source, candidate.content, candidate.stat
        at_rest = before.finished and before.compression == content.compression != "" and is_unchanged(before, stat)
        if not at_rest and not reader.open(content):  # changed meanwhile
            return False
        self._table.detach(reader)
        reader.take_file(stat, content.compression)
        self._table.attach(reader)
        self._see(reader, candidate.found, stat)
        if at_rest:  # opening it would decompress it to its end
            reader.park()
        else:
            self._keep_open(reader)
        if not before.inode:
            note = _note_on_copy(before, content, stat)
            reader.set_note(note)
            self._notice(log_copied_and_truncated(before.path, note))
        self.changed = self.unsettled = True
        self._notice(log_moved(candidate.found.path, before.path))
        return not at_rest

    def begin(self, candidate: Candidate, origin: int, *, announce: bool) -> Reader:
        """Begin to read a file at a position; `announce`: tell the lake before there is a line."""
        found, content, stat = candidate.found, candidate.content, candidate.stat
        source = replace(new_source(found.path), device=stat.st_dev, inode=stat.st_ino, compression=content.compression)
        start, first = max(0, origin - FINGERPRINT_BYTES), content.first()[:origin]
        source = replace(source, head=fingerprint_of(len(first), first), origin=origin)
        reader = Reader(source, fingerprint_of(origin, content.read(start, origin - start)), self._limits, found.stream)
        reader.begin(candidate.first_look, stat.st_size, len(candidate.first), announced=not announce)
        reader.open(content)
        self._table.enter(reader)
        self._see(reader, found, stat)
        self._keep_open(reader)
        self.unsettled = True
        self._notice(log_found(found.path, origin))
        return reader

    def _keep_open(self, reader: Reader, *, now: bool = False) -> None:
        """Keep a file open if the limit allows that or it is read `now`; otherwise park it until it is read."""
        if self._open_files.close_idle() or now:
            self._open_files.opened(reader)
        else:
            reader.park()

    def trim(self, reader: Reader) -> None:
        """Note that a log was cut at its front, and that the rest is read as another source."""
        self._lost = [one for one in self._lost if one is not reader]
        self._part(
            reader,
            f"cut at its front after {counted(reader.position, 'byte was', 'bytes were')} read; the rest is not counted again",
        )

    def look_again(self) -> None:
        """Note that another look may decide what this one could not."""
        self.unsettled = True

    def is_known(self, key: Key) -> bool:
        """Return whether a file with this device and inode is that of a source."""
        return self._table.of_file(key) is not None

    def _report_truncated(self) -> None:
        """Report which lost sources were truncated: those that no other file continues."""
        lost, self._lost = self._lost, []
        for reader in lost:
            if reader.seen or reader.content or reader.source.finished or reader.source.id not in self.readers:
                continue
            unread = 0 if reader.source.compression else max(0, reader.source.size - reader.position)
            note = f"truncated or replaced after {counted(reader.position, 'byte was', 'bytes were')} read; anything after them is lost"
            note += f", {counted(unread, 'byte')} at least" if unread else ""
            self._notice(log_truncated(reader.source.path, note))
            self._part(reader, note)

    def _part(self, reader: Reader, note: str) -> None:
        """Note that a source has no file from now on."""
        reader.mark_gone(note, self._set_time())
        self.changed = True

    def _set_time(self) -> float:
        """Return the time, or the earliest possible one if the clock has not been set."""
        return max(self._clock.now(), RELEASED)

    def hide(self, path: str) -> None:
        """Note a file or a directory that cannot be examined yet."""
        self._unknown.hide(path)

    def refuse(self, found: Found, error: OSError) -> None:
        self.read_errors.failed(found.path, error.strerror or str(error))
        self.tell(log_unreadable(found.path, error.strerror or str(error)))


def new_source(path: str) -> Source:
    return Source(secrets.token_hex(8), path, 0, 0, Fingerprint(0, 0, digest(b"")))


def _note_on_copy(before: Source, content: Content, stat: os.stat_result) -> str:
    """Return the note on what a truncation lost, given the copy that was made before it."""
    missing = 0 if content.compression else before.size - stat.st_size
    known = f", {counted(missing, 'byte')} at least" if missing > 0 else ""
    return f"copied and truncated; anything written between the two is lost{known}"
