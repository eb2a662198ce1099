"""Which source each file is: by its inode while it holds what was read of it, else by what it holds (`match`).

Two words. A file is *rotated* when its name now means another file: nothing is lost, the old one is read to its end
through the descriptor we hold, or under its new name. It is *truncated* when it no longer holds the bytes we have read:
what it holds now is a new source; bytes we had not read yet are gone unless there is a copy, and a note says so.

A source whose file is not there is not finished: it goes on at its position when the file comes back.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from logagg.cargo import KnownSource, Mark, Source
from logagg.clock import RELEASED, Clock
from logagg.intake.content import PROOF, Content, Key, digest, is_unchanged, key_of, mark, open_content
from logagg.intake.match import Candidate
from logagg.intake.names import STDIN, Age, Found, are_related, describe
from logagg.intake.open_files import OpenFiles
from logagg.intake.read_errors import ReadErrors
from logagg.intake.reader import Limits, Reader, stamp_of
from logagg.intake.unknown import Ends, Unknown, UnknownFiles

RACY = 1.0  # seconds in which a file can change, and not its stamp

Notice = Callable[[str, str], None]


class Ledger:
    """All sources, and which file each of them has."""

    def __init__(
        self,
        known: Iterable[KnownSource],
        limits: Limits,
        clock: Clock,
        notice: Notice,
        open_files: OpenFiles,
        *,
        patient: bool = True,
        from_end: bool = False,
    ) -> None:
        self.readers: dict[str, Reader] = {}
        self.changed = False  # there is something to say of a source that comes with no chunk
        self.unsettled = False  # there may be files to read that were not there to read before
        self._by_key: dict[Key, Reader] = {}
        self._lost: list[Reader] = []  # since the last look: their files hold other bytes now
        self._limits, self._clock, self._notice, self._open_files = limits, clock, notice, open_files
        self._told: set[tuple[str, str]] = set()
        self.read_errors = ReadErrors()
        self.missing: frozenset[str] = frozenset()  # sources without a file at this look
        self._oldest: dict[str, Age] = {}  # of the known generations of a stream that this look has found
        self._files: Sequence[Found] = ()  # of the last look
        self._streams: set[str] = set()  # of those files that are asked for
        self._listed: object = None  # the files of the last look that went through all of them
        for one in known:
            stream = describe(one.source.path).stream
            self._enter(Reader(one.source, one.furthest.mark, limits, stream, one.stops, one.resume.mark))
        ends = Ends(clock.now(), list(self.readers.values())) if from_end else None
        self._unknown = UnknownFiles(self, clock, ends, patient=patient)

    def look(self, files: Sequence[Found]) -> None:
        """Find out which sources the files are; those of new ones are read from their start, or from their end."""
        self._oldest = {}
        if files is not self._files:
            self._files, self._streams = files, {found.stream for found in files if found.asked}
        for reader in self.readers.values():
            reader.seen = False
        asked = self._strange(found for found in files if found.asked)
        strange = self._strange(self._others(files)) | asked
        self.missing = self._without_file()
        self._unknown.meet(strange)
        self._settle_lost()
        if self._open_files.crowded:
            text = f"of {len(self.readers):,} logs {self._open_files.most:,} stay open: lines written to another just before it is"
            self.tell(
                "descriptors", "limit of open files", f"{text} rotated and deleted may be missed; raise the limit"
            )

    def lose(self, reader: Reader) -> None:
        """Note that a source's file no longer holds what was read of it."""
        reader.close()
        self.unsettled = self.changed = True
        self._detach(reader)
        reader.seen, reader.parked = False, False
        reader.source = replace(reader.source, device=0, inode=0, gone=self._set_time())
        self._lost.append(reader)

    def miss(self) -> None:
        """Note which sources have no file any more."""
        for reader in self.readers.values():
            if reader.seen or reader.content or reader.source.gone or _is_in_place(reader.source):
                continue
            note = reader.source.note
            if not reader.source.finished and reader.source.path != STDIN:
                note = f"not found any more after {reader.position:,} bytes were read; anything after them is lost unless it comes back"
                self._notice("gone", f"{reader.source.path}: {note}")
            self._part(reader, note)

    def forget(self, after: float) -> None:
        """Drop the sources that have had no file for so many seconds."""
        horizon = self._clock.now() - after
        for reader in [one for one in self.readers.values() if 0 < one.source.gone < horizon]:
            self._detach(reader)
            del self.readers[reader.source.id]
            self.changed = True

    def let_go(self, reader: Reader) -> None:
        """Close a source's file, since nothing more is to be expected of it; it opens again when it grows."""
        reader.park()
        reader.source = replace(reader.source, finished=True)
        self.changed = True
        if not reader.seen and not reader.position:
            self._drop(reader)

    def is_ready(self, reader: Reader) -> bool:
        """Tell whether a source may be read now; opens it where it was closed to save a descriptor."""
        if reader.source.gone or self.readers.get(reader.source.id) is not reader:
            return False  # a look has found out meanwhile that its file is another source
        if reader.outgrew():
            self.reconsider(reader)
            return False
        if reader.content is None and not (reader.found and self._reopen(reader, reader.found.path)):
            return False
        self._open_files.opened(reader)
        return True

    def reconsider(self, reader: Reader) -> None:
        """Forget a source of which nothing was read: its file is about to be a copy, or an archive; the next look will tell."""
        self._drop(reader)
        reader.close()
        self.unsettled = True

    def tell(self, kind: str, path: str, text: str) -> None:
        """Say a thing about a path, but once."""
        if (kind, path) not in self._told:
            self._told.add((kind, path))
            self._notice(kind, f"{path}: {text}")

    # files that are known by their inode

    def _strange(self, files: Iterable[Found]) -> dict[Key, Unknown]:
        """Return the files whose inode does not tell which source they are."""
        strange: dict[Key, Unknown] = {}
        for found in files:
            stat = self._stat_if_strange(found)
            if stat:
                strange.setdefault(key_of(stat), Unknown(found, stat))
        return strange

    def _others(self, files: Sequence[Found]) -> Iterator[Found]:
        """Yield the files beside those that are asked for: where they were before, and all of them while a source misses its file."""
        others = [found for found in files if not found.asked]
        if not others:
            return
        last = {reader.found.path for reader in self.readers.values() if not reader.seen and reader.found}
        yield from (found for found in others if found.path in last or self.follows(found))
        missing = self._without_file()
        if missing and (files is not self._listed or missing - self.missing):
            self._listed = files
            yield from others
        else:
            waiting = self._unknown.waiting()
            yield from (found for found in others if found.path in waiting)

    def _without_file(self) -> frozenset[str]:
        return frozenset(id_ for id_, reader in self.readers.items() if not reader.seen and reader.position)

    def _stat_if_strange(self, found: Found) -> os.stat_result | None:
        """Return what the system says of a file, unless its inode tells which source it is."""
        try:
            stat = os.stat(found.path)
            reader = self._by_key.get(key_of(stat))
            if reader is None:
                return stat
            if reader.seen or not self._is_wanted(reader, found):
                return None  # the same file under another name, or one that an earlier run was asked for
            return None if self._recognise(reader, found, stat) else stat
        except FileNotFoundError:
            return None  # it was renamed or deleted since the directory was read
        except OSError as error:
            self.refuse(found, error)
            self.hide(found.path)
            return None

    def _is_wanted(self, reader: Reader, found: Found) -> bool:
        """Tell whether the file of a source is asked for, or was when it had another name."""
        if found.asked or reader.met or found.absolute != reader.last_path or found.stream in self._streams:
            return True
        return any(are_related(found.path, stream) for stream in self._streams)

    def _recognise(self, reader: Reader, found: Found, stat: os.stat_result) -> bool:
        """Take a file as that of the source with its inode, if it still can be."""
        if reader.outgrew():
            self._drop(reader)
            reader.close()
            return False
        if reader.content is None and not self._is_at_rest(reader, stat):
            if not reader.position and reader.met:
                self._drop(reader)  # nothing was read by which it could be known again
                return False
            if not self._reopen(reader, found.path, stat):
                return reader.source.inode != 0 and self._by_key.get(key_of(stat)) is reader
        elif reader.content is not None and self._may_have_changed(reader, stat) and not reader.is_intact():
            self.lose(reader)
            return False
        self._see(reader, found, stat)
        return True

    def _is_at_rest(self, reader: Reader, stat: os.stat_result) -> bool:
        """Tell whether a closed file need not be opened: all of it was read, and it is as it was."""
        if reader.parked:
            return reader.stamp == stamp_of(stat)
        source = reader.source
        whole = bool(source.compression) or source.size == reader.position
        return source.finished and not source.gone and whole and is_unchanged(source, stat)

    def _reopen(self, reader: Reader, path: str, stat: os.stat_result | None = None) -> bool:
        """Open the file of a source again, and see whether it holds what was read."""
        content = open_content(path)
        if stat and key_of(content.stat()) != key_of(stat):  # renamed at this moment: the next look will find it
            content.close()
            return False
        if content.compression == reader.source.compression and reader.open(content):
            self._keep_open(reader, now=stat is None)
            return True
        content.close()
        if os.path.abspath(path) == reader.last_path:
            self.lose(reader)
        else:
            self._detach(reader)  # the inode, or the number of the device, is used by another file now
            reader.parked = False
        return False

    def _may_have_changed(self, reader: Reader, stat: os.stat_result) -> bool:
        stamp = stamp_of(stat)
        return reader.stamp != stamp or self._clock.now() - stamp[1] / 1e9 < RACY

    def _see(self, reader: Reader, found: Found, stat: os.stat_result) -> None:
        """Remember that a source's file was found, and how it looked."""
        reader.seen = True
        self._oldest[found.stream] = min(found.age, self._oldest.get(found.stream, found.age))
        reader.seen_at = self._clock.monotonic()
        stamp = stamp_of(stat)
        if reader.stamp != stamp or reader.found != found:
            source = reader.source
            before = reader.found.absolute if reader.found else reader.last_path
            if before != found.absolute:
                reader.former_path = before
            note = "" if source.gone else source.note
            finished = source.finished and reader.content is None
            reader.source = replace(
                source,
                path=found.path,
                size=stat.st_size,
                modified=stat.st_mtime,
                finished=finished,
                note=note,
                gone=0.0,
            )
            reader.stamp, reader.found = stamp, found
            self.changed |= bool(source.gone)
            self._told.discard(("unreadable", found.path))

    def follows(self, found: Found) -> bool:
        """Tell whether a file is younger than one of its stream that we know."""
        oldest = self._oldest.get(found.stream)
        return oldest is not None and oldest < found.age

    def move(self, reader: Reader, candidate: Candidate) -> bool:
        """Let a source go on in another file; tell whether that is to stay open."""
        before, content, stat = reader.source, candidate.content, candidate.stat
        at_rest = before.finished and before.compression == content.compression != "" and is_unchanged(before, stat)
        if not at_rest and not reader.open(content):  # changed at this moment
            return False
        self._detach(reader)
        reader.source = replace(before, device=stat.st_dev, inode=stat.st_ino, compression=content.compression)
        self._by_key[candidate.key] = reader
        self._see(reader, candidate.found, stat)
        if at_rest:  # to open it would decompress it to its end
            reader.park()
        else:
            self._keep_open(reader)
        if not before.inode:
            note = _note_on_copy(before, content, stat)
            reader.source = replace(reader.source, note=note)
            self._notice("truncated", f"{before.path}: {note}")
        self.changed = self.unsettled = True
        self._notice("source", f"{candidate.found.path} goes on with what was {before.path}")
        return not at_rest

    def begin(self, candidate: Candidate, origin: int, *, announce: bool) -> Reader:
        """Begin to read a file at a position; `announce`: the lake is to know it before there is a line."""
        found, content, stat = candidate.found, candidate.content, candidate.stat
        source = replace(new_source(found.path), device=stat.st_dev, inode=stat.st_ino, compression=content.compression)
        start, first = max(0, origin - PROOF), content.first()[:origin]
        source = replace(source, head=mark(len(first), first), origin=origin)
        reader = Reader(source, mark(origin, content.read(start, origin - start)), self._limits, found.stream)
        reader.met, reader.judged, reader.announced = candidate.met, stat.st_size, not announce
        reader.open(content)
        self._enter(reader)
        self._see(reader, found, stat)
        self._keep_open(reader)
        self.unsettled = True
        self._notice("source", f"{found.path}: reading from {origin}")
        return reader

    def _keep_open(self, reader: Reader, *, now: bool = False) -> None:
        """Let a file stay open if there is room, or it is read now; else it is opened when its turn to be read comes."""
        if self._open_files.make_room() or now:
            self._open_files.opened(reader)
        else:
            reader.park()

    def trim(self, reader: Reader) -> None:
        """Note that a log was cut at its front, and that what stays of it is read as another source."""
        self._lost = [one for one in self._lost if one is not reader]
        self._part(
            reader, f"cut at its front after {reader.position:,} bytes were read; what stays is not counted again"
        )

    def is_known(self, key: Key) -> bool:
        """Tell whether a file with this device and inode is that of a source."""
        return key in self._by_key

    def _settle_lost(self) -> None:
        """Say which sources were truncated: those that no other file goes on with."""
        lost, self._lost = self._lost, []
        for reader in lost:
            if reader.seen or reader.content or reader.source.finished or reader.source.id not in self.readers:
                continue
            unread = 0 if reader.source.compression else max(0, reader.source.size - reader.position)
            note = f"truncated or replaced after {reader.position:,} bytes were read; anything after them is lost"
            note += f", {unread:,} bytes at least" if unread else ""
            self._notice("truncated", f"{reader.source.path}: {note}, unless there is a copy")
            self._part(reader, note)

    def _enter(self, reader: Reader) -> None:
        self.readers[reader.source.id] = reader
        if reader.source.inode:
            self._by_key[_key_of(reader.source)] = reader

    def _drop(self, reader: Reader) -> None:
        """Forget a source of which nothing was read; one that the lake may know already is without a file from now on."""
        self._detach(reader)
        if reader.was_announced:
            reader.seen = reader.parked = False
            self._part(reader, "")
        else:
            del self.readers[reader.source.id]

    def _detach(self, reader: Reader) -> None:
        if self._by_key.get(_key_of(reader.source)) is reader:
            del self._by_key[_key_of(reader.source)]

    def _part(self, reader: Reader, note: str) -> None:
        """Let a source be without a file from now on."""
        reader.source = replace(reader.source, note=note, gone=self._set_time())
        self.changed = True

    def _set_time(self) -> float:
        """Return the time of day; of a clock that has not been set, the earliest that it can be."""
        return max(self._clock.now(), RELEASED)

    def hide(self, path: str) -> None:
        """Note a file, or a directory, of which nothing can be told yet."""
        self._unknown.hide(path)

    def refuse(self, found: Found, error: OSError) -> None:
        self.read_errors.failed(found.path, error.strerror or str(error))
        self.tell("unreadable", found.path, f"{error.strerror or error}; trying again")


def new_source(path: str) -> Source:
    return Source(secrets.token_hex(8), path, 0, 0, Mark(0, 0, digest(b"")))


def _note_on_copy(before: Source, content: Content, stat: os.stat_result) -> str:
    """Say what a truncation took, once the copy is found that was made before it."""
    missing = 0 if content.compression else before.size - stat.st_size
    known = f", {missing:,} bytes at least" if missing > 0 else ""
    return f"copied and truncated; anything written between the two is lost{known}"


def _key_of(source: Source) -> Key:
    return source.device, source.inode


def _is_in_place(source: Source) -> bool:
    """Tell whether a source's file is where it was last seen; then it was only not asked for."""
    try:
        return key_of(os.stat(source.path)) == _key_of(source)
    except OSError:
        return False
