"""Which sources begin like a file: by the digest of the first bytes, and by the bytes themselves where there are few."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property

from logagg.intake.content import (
    FINGERPRINT_BYTES,
    Compressed,
    Content,
    Key,
    digest,
    fingerprint_of,
    key_of,
    open_content,
)
from logagg.intake.names import Found
from logagg.intake.reader import Reader
from logagg.records import Fingerprint


@dataclass(frozen=True)
class Candidate:
    """A file that may be a known source."""

    found: Found
    content: Content
    stat: os.stat_result
    unchanged: float  # seconds since it last changed
    first_look: int  # the number of the look that found it first
    original_size: int | None = None  # bytes of the file that it is a copy of, when it was found

    @cached_property
    def first(self) -> bytes:
        """The first bytes, the same for all that is decided: the file may be growing."""
        return self.content.first()

    @property
    def key(self) -> Key:
        return key_of(self.stat)

    @property
    def is_half_made(self) -> bool:
        """Whether it is an archive that is still being written, and too short to be identified."""
        return len(self.first) < FINGERPRINT_BYTES and is_incomplete(self.content)


class SourceIndex:
    """Finds sources by their first bytes."""

    def __init__(self, readers: Iterable[Reader]) -> None:
        self._readers: list[Reader] = []
        self._by_digest: defaultdict[tuple[int, str], list[Reader]] = defaultdict(list)
        self._by_name: defaultdict[str, list[Reader]] = defaultdict(list)  # the basename of the stream
        self._lengths: set[int] = set()
        for reader in readers:
            self.add(reader)

    def add(self, reader: Reader) -> None:
        self._readers.append(reader)
        for head in {reader.source.head, head_of(reader)}:
            if head.length:
                self._by_digest[head.length, head.digest].append(reader)
                self._lengths.add(head.length)
        self._by_name[os.path.basename(reader.stream)].append(reader)

    def similar_to(self, candidate: Candidate) -> list[Reader]:
        """Return the sources that begin like a file, the likeliest first."""
        first = candidate.first
        found = {
            reader: None
            for length in self._lengths
            if length <= len(first)
            for reader in self._by_digest.get((length, digest(first[:length])), ())
        }
        if len(first) < FINGERPRINT_BYTES:
            found |= {reader: None for reader in self._likely(candidate) if _may_grow_into(candidate, reader)}
        return sorted(found, key=lambda reader: _likelihood(candidate, reader), reverse=True)

    def _likely(self, candidate: Candidate) -> Sequence[Reader]:
        """Return the sources that a short file may grow into: those of its stream, or any if it is an archive in the making."""
        if candidate.first and candidate.is_half_made:
            return self._readers
        return self._by_name.get(os.path.basename(candidate.found.stream), ())


def head_of(reader: Reader) -> Fingerprint:
    """Return the fingerprint of the first bytes of a source, of more of them than were read if its open file has more."""
    head = reader.source.head
    if not reader.content or head.length in (FINGERPRINT_BYTES, reader.source.size):
        return head
    first = first_of(reader)
    return fingerprint_of(len(first), first)


def first_of(reader: Reader) -> bytes:
    """Return the first bytes of a source: those of its file while that holds what was read, else those that were read.

    There are none if they are not in memory and the source has no file.
    """
    first = reader.content.first() if reader.content else _first_of_file(reader)
    return first if first.startswith(reader.first) else reader.first


def _first_of_file(reader: Reader) -> bytes:
    head = reader.source.head
    if reader.seen and len(reader.first) < FINGERPRINT_BYTES:
        with suppress(OSError), file_of(reader) as content:
            first = content.first()
            return first if digest(first[: head.length]) == head.digest else b""
    return b""


@contextmanager
def file_of(reader: Reader) -> Iterator[Content]:
    """Yield the content of a source's file, readable from its start. Raises OSError."""
    if reader.content and not reader.content.compression:
        yield reader.content
        return
    with closing(open_content(reader.found.path if reader.found else reader.source.path)) as content:
        yield content


def is_incomplete(content: Content | None) -> bool:
    """Return whether this is an archive that does not end with a whole member: more may come."""
    return isinstance(content, Compressed) and not content.complete and not content.broken


def _may_grow_into(candidate: Candidate, reader: Reader) -> bool:
    """Return whether a short file may be the beginning of a source, or an archive of which nothing can be read yet."""
    first = candidate.first
    return first_of(reader).startswith(first) if first else is_incomplete(candidate.content)


def _likelihood(candidate: Candidate, reader: Reader) -> tuple[bool, bool, bool, int]:
    """Return a sort key for sources that begin alike: the likeliest is the greatest."""
    found, source = candidate.found, reader.source
    same_inode = candidate.stat.st_ino == source.inode
    return found.absolute == reader.last_path, same_inode, reader.stream == found.stream, reader.furthest.position
