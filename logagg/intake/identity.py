"""Which source each file is: by its inode while it holds what was read of it, else by what it holds.

Two words. A file is *rotated* when its name now means another file: nothing is lost, the old one is read to its end
through the descriptor we hold, or under its new name. It is *truncated* when it no longer holds the bytes we have read:
what it holds now is a new source; bytes we had not read yet are gone unless somebody made a copy, and a note says so.
"""

from __future__ import annotations

import os
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from logagg.cargo import KnownSource, Mark, Source
from logagg.clock import Clock
from logagg.intake.content import PROOF, Content, Key, digest, mark, open_content
from logagg.intake.forms import form_of
from logagg.intake.reader import Limits, Reader, stamp_of
from logagg.intake.sources import STDIN, Found, describe

SETTLED = 2.0  # seconds after which a file that begins like an unread one is no copy that was made to truncate that
RACY = 1.0  # seconds in which a file can change, and not its stamp

Notice = Callable[[str, str], None]


class Ledger:
    """All sources, and which file each of them has."""

    def __init__(
        self, known: Iterable[KnownSource], limits: Limits, clock: Clock, notice: Notice, *, patient: bool = True
    ) -> None:
        self.readers: dict[str, Reader] = {}
        self.changed = False  # there is something to say of a source that comes with no chunk
        self.unsettled = False  # there may be files to read that were not there to read before
        self._by_key: dict[Key, Reader] = {}
        self._by_name: defaultdict[str, list[Reader]] = defaultdict(list)  # of the live log, in whatever directory
        self._left: dict[Key, _Left] = {}
        self._limits, self._clock, self._notice = limits, clock, notice
        self._told: set[tuple[str, str]] = set()
        self._patient = patient  # there will be another look
        for one in known:
            stream = describe(one.source.path).stream
            self._enter(Reader(one.source, one.furthest.mark, limits, stream, one.stops, one.resume.mark))

    def look(self, files: Sequence[Found], *, from_end: bool = False) -> None:
        """Find out which sources the files are; those of new ones are read from their start, or from their end."""
        for reader in self.readers.values():
            reader.seen = False
        strange = {(stat.st_dev, stat.st_ino): found for found in files if (stat := self._stat_if_strange(found))}
        self._left = {key: left for key, left in self._left.items() if key in strange}
        opened = [(found, content) for key, found in strange.items() if (content := self._open(key, found))]
        # What goes on with a known source first: what is younger than that is to be read, too. Then what others may be
        # copies of: the live files, then plain ones.
        rest = [one for one in opened if not self._goes_on(*one)]
        for found, content in sorted(rest, key=lambda one: (bool(one[1].compression), not one[0].live)):
            with self._telling(found, content):
                self._meet(found, content, from_end=from_end)

    def lose(self, reader: Reader) -> None:
        """Note that a source's file no longer holds what was read of it."""
        reader.close()
        self.unsettled = True
        self._detach(reader)
        note = reader.source.note
        if not reader.source.finished:
            unread = 0 if reader.source.compression else max(0, reader.source.size - reader.position)
            note = f"truncated or replaced after {reader.position:,} bytes were read; anything after them is lost"
            note += f", {unread:,} bytes at least" if unread else ""
            self._notice("truncated", f"{reader.source.path}: {note}, unless there is a copy")
        self._part(reader, replace(reader.source, device=0, inode=0, note=note))

    def miss(self) -> None:
        """Note which sources have no file any more."""
        for reader in self.readers.values():
            if reader.seen or reader.content or reader.source.gone or _is_in_place(reader.source):
                continue
            note = reader.source.note
            if not reader.source.finished and reader.source.path != STDIN:
                note = f"not found any more after {reader.position:,} bytes were read; anything after them is lost"
                self._notice("gone", f"{reader.source.path}: {note}")
            self._part(reader, replace(reader.source, note=note))

    def forget(self, after: float) -> None:
        """Drop the sources that have had no file for so many seconds."""
        horizon = self._clock.now() - after
        for reader in [one for one in self.readers.values() if 0 < one.source.gone < horizon]:
            self._drop(reader)
            self.changed = True

    def let_go(self, reader: Reader) -> None:
        """Close a source's file, since nothing more is to be expected of it; it opens again when it grows."""
        reader.close()
        reader.source = replace(reader.source, finished=True)
        self.changed = True
        if not reader.seen and not reader.position:
            self._drop(reader)

    def tell(self, kind: str, path: str, text: str) -> None:
        """Say a thing about a path, but once."""
        if (kind, path) not in self._told:
            self._told.add((kind, path))
            self._notice(kind, f"{path}: {text}")

    # files that are known by their inode

    def _stat_if_strange(self, found: Found) -> os.stat_result | None:
        """Return what the system says of a file, unless its inode tells which source it is."""
        try:
            stat = os.stat(found.path)
            reader = self._by_key.get((stat.st_dev, stat.st_ino))
            if reader is None:
                return stat
            if reader.seen:
                return None  # the same file under another name
            return None if self._recognise(reader, found, stat) else stat
        except FileNotFoundError:
            return None  # it was renamed or deleted since the directory was read
        except OSError as error:
            self._refuse(found, error)
            return None

    def _recognise(self, reader: Reader, found: Found, stat: os.stat_result) -> bool:
        """Take a file as that of the source with its inode, if it still can be."""
        if reader.content is None and not (reader.source.finished and _is_unchanged(reader.source, stat)):
            if not reader.position:  # nothing was read by which it could be known again
                self._drop(reader)
                return False
            content = open_content(found.path)
            if _key(content.stat()) != _key(stat):  # renamed at this moment: the next look will find it
                content.close()
                return True
            if content.compression != reader.source.compression or not reader.open(content):
                content.close()
                self.lose(reader)
                return False
        elif self._may_have_changed(reader, stat) and not reader.is_intact():
            self.lose(reader)
            return False
        self._see(reader, found, stat)
        return True

    def _may_have_changed(self, reader: Reader, stat: os.stat_result) -> bool:
        stamp = stamp_of(stat)
        return reader.stamp != stamp or self._clock.now() - stamp[1] / 1e9 < RACY

    def _see(self, reader: Reader, found: Found, stat: os.stat_result) -> None:
        """Remember that a source's file was found, and how it looked."""
        reader.seen = True
        reader.seen_at = self._clock.monotonic()
        stamp = stamp_of(stat)
        if reader.stamp != stamp or reader.found != found:
            source = reader.source
            note = "" if source.gone else source.note
            finished = source.finished and reader.content is None
            reader.source = replace(
                source, path=found.path, size=stat.st_size, modified=stat.st_mtime, finished=finished, note=note, gone=0.0
            )
            reader.stamp, reader.found = stamp, found
            self._told.discard(("unreadable", found.path))

    # files that are not

    def _open(self, key: Key, found: Found) -> Content | None:
        """Open a strange file, unless it was left alone before and nothing has changed since."""
        left = self._left.get(key)
        try:
            if left and left.holds(os.stat(found.path), self._clock.now()) and (found.asked or not self._follows(found)):
                return None
            content = open_content(found.path)
        except FileNotFoundError:
            return None  # renamed or deleted at this moment
        except OSError as error:
            self._refuse(found, error)
            return None
        if _key(content.stat()) == key:
            return content
        content.close()  # another file got the name at this moment: the next look will find both
        return None

    def _goes_on(self, found: Found, content: Content) -> bool:
        """Let a source that has no file go on in a strange one, if that holds all that was read of it."""
        try:
            form = form_of(found, content, self._relatives(found))
        except OSError as error:
            content.close()
            self._refuse(found, error)
            return True  # as far as this look can tell
        if form and form.whole and _key(content.stat()) not in self._by_key:
            self._move(form.reader, found, content, content.stat())
            return True
        return False

    def _meet(self, found: Found, content: Content, *, from_end: bool) -> None:
        """Leave a strange file alone, or begin to read it."""
        stat = content.stat()
        fresh = self._patient and self._clock.now() - stamp_of(stat)[1] / 1e9 < SETTLED
        form = form_of(found, content, self._relatives(found), fresh=fresh)
        left = self._left.get(_key(stat))
        if form and left and left.is_over(form.reader, fresh=fresh):
            form = None
        if _key(stat) in self._by_key:  # renamed at this moment: the next look will find it
            content.close()
        elif form or not (found.asked or self._follows(found)) or (from_end and content.compression):
            content.close()
            self._left[_key(stat)] = _Left(stat, form.reader if form else None, left, packed=bool(content.compression))
        else:
            self._begin(found, content, stat, from_end=from_end)

    def _follows(self, found: Found) -> bool:
        """Tell whether a file is younger than one of its stream that we know."""
        known = [reader.found for reader in self._relatives(found) if reader.seen and reader.found]
        return any(one.stream == found.stream and one.age < found.age for one in known)

    def _relatives(self, found: Found) -> list[Reader]:
        return self._by_name[os.path.basename(found.stream)]

    def _move(self, reader: Reader, found: Found, content: Content, stat: os.stat_result) -> None:
        """Let a source go on in another file."""
        before = reader.source
        reader.close()
        self._detach(reader)
        if not reader.open(content):  # changed at this moment
            content.close()
            return
        reader.source = replace(before, device=stat.st_dev, inode=stat.st_ino, compression=content.compression)
        self._by_key[_key(stat)] = reader
        self._see(reader, found, stat)
        if not before.inode:
            reader.source = replace(reader.source, note=_note_on_copy(before, content, stat))
        self.changed = self.unsettled = True
        self._notice("source", f"{found.path} goes on with what was {before.path}")

    def _begin(self, found: Found, content: Content, stat: os.stat_result, *, from_end: bool) -> None:
        source = replace(new_source(found.path), device=stat.st_dev, inode=stat.st_ino, compression=content.compression)
        origin = _after_last_newline(content, stat.st_size) if from_end else 0
        start, first = max(0, origin - PROOF), content.first()[:origin]
        source = replace(source, head=mark(len(first), first), origin=origin)
        reader = Reader(source, mark(origin, content.read(start, origin - start)), self._limits, found.stream)
        reader.open(content)
        self._enter(reader)
        self._see(reader, found, stat)
        self.unsettled = True
        self._notice("source", f"{found.path}: reading from {origin}")

    def _enter(self, reader: Reader) -> None:
        self.readers[reader.source.id] = reader
        self._by_name[os.path.basename(reader.stream)].append(reader)
        if reader.source.inode:
            self._by_key[_key_of(reader.source)] = reader

    def _drop(self, reader: Reader) -> None:
        del self.readers[reader.source.id]
        self._detach(reader)
        self._by_name[os.path.basename(reader.stream)].remove(reader)

    def _detach(self, reader: Reader) -> None:
        if self._by_key.get(_key_of(reader.source)) is reader:
            del self._by_key[_key_of(reader.source)]

    def _part(self, reader: Reader, source: Source) -> None:
        """Let a source be without a file from now on."""
        reader.source = replace(source, finished=True, gone=self._clock.now())
        self.changed = True

    @contextmanager
    def _telling(self, found: Found, content: Content) -> Iterator[None]:
        """Say what the system refuses, and go on with the other files."""
        try:
            yield
        except OSError as error:
            content.close()
            self._refuse(found, error)

    def _refuse(self, found: Found, error: OSError) -> None:
        self.tell("unreadable", found.path, f"{error.strerror or error}; trying again")


class _Left:
    """Why a file is left alone; to be thought over when it changes, or the source does that it is a form of."""

    def __init__(self, stat: os.stat_result, reader: Reader | None, before: _Left | None, *, packed: bool) -> None:
        self._stamp, self._reader = stamp_of(stat), reader
        self._had_file = bool(reader and reader.seen)
        unread = bool(reader and reader.seen and not reader.position and not packed)
        self._unread: bool = before._unread if before and before._reader is reader else unread

    def holds(self, stat: os.stat_result, now: float) -> bool:
        """Tell whether there is nothing to think over."""
        if self._stamp != stamp_of(stat) or (self._unread and now - self._stamp[1] / 1e9 >= SETTLED):
            return False
        return self._reader is None or self._reader.seen == self._had_file

    def is_over(self, reader: Reader, *, fresh: bool) -> bool:
        """Tell whether a file that lay beside another from the start has turned out to be one of its own."""
        return self._unread and self._reader is reader and reader.seen and not fresh


def new_source(path: str) -> Source:
    return Source(secrets.token_hex(8), path, 0, 0, Mark(0, 0, digest(b"")))


def _note_on_copy(before: Source, content: Content, stat: os.stat_result) -> str:
    """Say what a truncation took, once the copy is found that was made before it."""
    missing = 0 if content.compression else before.size - stat.st_size
    known = f", {missing:,} bytes at least" if missing > 0 else ""
    return f"copied and truncated; anything written between the two is lost{known}"


def _key(stat: os.stat_result) -> Key:
    return stat.st_dev, stat.st_ino


def _key_of(source: Source) -> Key:
    return source.device, source.inode


def _is_in_place(source: Source) -> bool:
    """Tell whether a source's file is where it was last seen; then it was only not asked for."""
    try:
        return _key(os.stat(source.path)) == _key_of(source)
    except OSError:
        return False


def _is_unchanged(source: Source, stat: os.stat_result) -> bool:
    return source.size == stat.st_size and abs(source.modified - stat.st_mtime) < 1e-3


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
