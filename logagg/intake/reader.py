"""One source: its file, and the state of that.

The states of a source's file, and the methods that lead from one to another:

    WAITING ──open──▶ OPEN ──park, finish──▶ PARKED ──open──▶ OPEN
    OPEN ──close──▶ WAITING          PARKED ──forget_file──▶ WAITING
    any ──lose──▶ LOST ──open──▶ OPEN, or ──park──▶ PARKED, in another file that holds what was read

Fields are assigned here and in `chunks` only; other modules call methods.
"""

from __future__ import annotations

import os
from dataclasses import replace
from enum import Enum

from logagg.intake.chunks import ChunkReader, ReadLimits
from logagg.intake.content import FINGERPRINT_BYTES, Content, is_unchanged, key_of
from logagg.intake.names import Found
from logagg.records import Fingerprint, Source

Stamp = tuple[int, int]  # size of a file, and when it changed, in nanoseconds

NEVER: Stamp = (-1, -1)
RACY = 1.0  # seconds in which a file can change without a change of its stamp


def stamp_of(stat: os.stat_result) -> Stamp:
    """Return a value that differs when the content does: the mtime alone can be set back, as rsync does."""
    return stat.st_size, max(stat.st_mtime_ns, stat.st_ctime_ns)


class SourceState(Enum):
    """The state of a source's file in this run."""

    WAITING = "waiting"  # not opened: not found yet, or unchanged since an earlier run finished it
    OPEN = "open"
    PARKED = "parked"  # closed until it changes or its turn comes: finished, or to save a descriptor
    LOST = "lost"  # the file held other bytes than those that were read; another file may still hold them


class Reader(ChunkReader):
    """A source and its file, as far as there is one."""

    def __init__(
        self,
        source: Source,
        at: Fingerprint,
        limits: ReadLimits,
        stream: str,
        stops: tuple[int, ...] = (),
        resume: Fingerprint | None = None,
    ) -> None:
        super().__init__(source, at, limits, stops, resume)
        self.stream = stream
        self.state = SourceState.WAITING  # OPEN: it has a content
        self.refused = False  # its lines match no format; it is read again when it has grown
        self.found: Found | None = None  # where its file was last found
        self.former_path = ""  # where its file was before it was renamed
        self.seen = False  # the last look found its file
        self.stamp = NEVER  # of its file at the last look
        self.read_stamp = NEVER  # the stamp up to which it was read to the end
        self.seen_at = self.read_at = 0.0  # monotonic clock: its file was last seen, bytes last came from it
        self.first_look = 0  # the number of the look that found its file first; 0: an earlier run did
        self.initial_size = 0  # bytes of its file when it was taken for a log of its own
        self._judged_by = 0  # bytes of content that could be read of it then

    @property
    def last_path(self) -> str:
        """Return the absolute path at which its file was last found."""
        return os.path.abspath(self.source.path)

    # the state of its file

    def begin(self, look: int, size: int, judged_by: int, *, announced: bool) -> None:
        """Note that this run found its file first, in which look, how large, and by how many bytes of content it was judged."""
        self.first_look, self.initial_size, self._judged_by, self.announced = look, size, judged_by, announced

    def open(self, content: Content) -> bool:
        """Read on in this content if it holds what was read of the source; return whether it does."""
        if not self._attach(content):
            return False
        self.state, self.read_stamp = SourceState.OPEN, NEVER
        return True

    def close(self) -> None:
        """Close the file if it is open."""
        if self.content:
            self._detach()
            self.state = SourceState.WAITING

    def park(self) -> None:
        """Close the file until it changes."""
        self.close()
        self.state = SourceState.PARKED

    def finish(self) -> None:
        """Close the file because no more is expected of it."""
        self.park()
        self.source = replace(self.source, finished=True)

    def lose(self, now: float) -> None:
        """Close the file because it no longer holds what was read of it."""
        self.close()
        self.state, self.seen = SourceState.LOST, False
        self.source = replace(self.source, device=0, inode=0, gone=now)

    def forget_file(self) -> None:
        """Wait for the file to be found again: its inode is that of another file now."""
        self.close()
        self.state = SourceState.WAITING

    def take_file(self, stat: os.stat_result, compression: str) -> None:
        """Note the inode and the compression of the file in which the source goes on."""
        self.source = replace(self.source, device=stat.st_dev, inode=stat.st_ino, compression=compression)

    # what looks find

    def start_look(self) -> None:
        self.seen = False

    def see(self, found: Found, stat: os.stat_result, now: float) -> bool:
        """Note that a look found its file; return whether its path or its stamp is another than before."""
        self.seen, self.seen_at = True, now
        stamp, source = stamp_of(stat), self.source
        if self.stamp == stamp and self.found == found:
            return False
        before = self.found.absolute if self.found else self.last_path
        if before != found.absolute:
            self.former_path = before
        self.source = replace(
            source,
            path=found.path,
            size=stat.st_size,
            modified=stat.st_mtime,
            finished=source.finished and self.content is None,
            note="" if source.gone else source.note,
            gone=0.0,
        )
        self.stamp, self.found = stamp, found
        return True

    def stat_unseen(self) -> None:
        """Update the stamp of an open file that the last look did not find: a writer may still have it open."""
        if self.content and not self.seen:
            self.stamp = stamp_of(self.content.stat())

    def mark_gone(self, note: str, now: float) -> None:
        """Note since when the source has no file, and why."""
        self.source = replace(self.source, note=note, gone=now)

    def set_note(self, note: str) -> None:
        self.source = replace(self.source, note=note)

    def set_format(self, format: str, data: bytes | memoryview) -> bool:
        """Note the format of the last chunk, which has these data; return False if it was taken back, to be cut as the format demands."""
        if self.source.format == format:
            return True
        self.note_format(format)
        if not self._is_cut_well(data):
            self.take_back()
            return False
        return True

    def note_format(self, format: str) -> None:
        self.source = replace(self.source, format=format)

    def set_site(self, site: str) -> None:
        """Note the site of its lines, if that is known."""
        if site and self.source.site != site:
            self.source = replace(self.source, site=site)

    # one pass of reading

    def start_pass(self) -> Stamp:
        """Begin to read what lies ahead, also where it was refused before; return the stamp to end the pass with."""
        self.refused = False
        return self.stamp

    def end_pass(self, stamp: Stamp) -> None:
        """Note that all was read that the file held at this stamp."""
        self.read_stamp = stamp

    def note_read(self, now: float) -> None:
        self.read_at = now

    def refuse(self) -> None:
        """Take back the last chunk; the source is read again when its file has grown."""
        self.take_back()
        self.refused = True

    def reconsider(self) -> None:
        """Read a refused source again, although its file has not changed."""
        if self.refused:
            self.read_stamp = NEVER
            self.source = replace(self.source, finished=False)  # so that a look opens a finished one

    # what the states mean

    def is_read_to_end(self) -> bool:
        """Return whether its file was read to the end, and has not changed since."""
        return self.read_stamp == self.stamp

    def has_file(self) -> bool:
        """Return whether its file is open, or closed only for now."""
        return self.state in (SourceState.OPEN, SourceState.PARKED)

    def has_more(self) -> bool:
        """Return whether its file has changed since it was read to the end."""
        return self.has_file() and not self.is_read_to_end()

    def is_at_rest(self, stat: os.stat_result) -> bool:
        """Return whether its closed file need not be opened: all of it was read, and it has not changed since."""
        if self.state is SourceState.PARKED:
            return self.stamp == stamp_of(stat)
        source = self.source
        whole = bool(source.compression) or source.size == self.position
        return source.finished and not source.gone and whole and is_unchanged(source, stat)

    def may_have_changed(self, stat: os.stat_result, now: float) -> bool:
        """Return whether its file may have changed since the last look."""
        stamp = stamp_of(stat)
        return self.stamp != stamp or now - stamp[1] / 1e9 < RACY

    def is_in_place(self) -> bool:
        """Return whether its file is where it was last seen: then the paths of this run just do not include it."""
        try:
            return key_of(os.stat(self.source.path)) == (self.source.device, self.source.inode)
        except OSError:
            return False

    def can_be_parked(self) -> bool:
        """Return whether its file need not be open: all of it was read, and it can be opened again."""
        return self.is_read_to_end() and self.can_be_opened_again()

    def can_be_opened_again(self) -> bool:
        """Return whether its file can be closed and opened again, since it has its name."""
        return self.seen and self.announced

    def outgrew(self) -> bool:
        """Return whether its file, of which nothing was read, has more than the few bytes by which it was judged.

        Of an archive that is being made there may be kilobytes, and no byte of content: bzip2 compresses by the block.
        """
        judged_early = (
            self._untouched and self.first_look > 0 and self._judged_by < FINGERPRINT_BYTES and self.position == 0
        )
        return judged_early and self.content is not None and self.content.stat().st_size > self.initial_size
