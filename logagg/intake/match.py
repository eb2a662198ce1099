"""Decide by content whether a file with an unknown inode is a known source, a copy of one, or a log of its own.

A *full fingerprint* (the first KiB, and the KiB before the position read) identifies a source under any name, in any
directory, compressed or not. A source of which less was read is known by all of that, together with its path.

- A source whose own file is gone goes on in the file that holds its fingerprint.
- A file that holds the same as the file of a source is a *copy* (`gunzip -k`, `cp`, the first half of copytruncate):
  nothing of it counts, as long as it holds the same.
- A file that holds all of a source's file and more takes its place.
- An archive that is being written is judged once a KiB of its content can be read, or it is whole, or it has not changed
  for a while.

Two logs that one look finds under unrelated names, both plain or both compressed alike, are two even while they are equal:
two idle sites behind one health check write the same lines. Logs named after two sites are two whenever they are found. So are two plain logs too short
for a full fingerprint: equal lines are legal and common.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Literal

from logagg.intake.compare import compare
from logagg.intake.content import (
    FINGERPRINT_BYTES,
    Content,
    digest,
    has_fingerprint,
    is_unchanged,
    key_of,
    open_content,
)
from logagg.intake.names import Found, are_of_two_sites, are_related, is_called_a_copy
from logagg.intake.reader import Reader
from logagg.intake.similar import Candidate, file_of, first_of, head_of, is_incomplete
from logagg.records import KnownSource

SETTLE_SECONDS = 2.0  # without a change, after which a file is assumed to be complete


MatchKind = Literal["same", "copy", "wait"]


@dataclass(frozen=True, slots=True)
class Match:
    """How a file relates to a source: `same`, its continuation; `copy`; or `wait`, too early to decide."""

    reader: Reader
    kind: MatchKind


def continued(candidate: Candidate, readers: Sequence[Reader]) -> Reader | None:
    """Return the source without a file that continues in this one, if any."""
    for reader in readers:
        if _is_missing(reader) and _may_continue(candidate, reader) and _holds_all(candidate, reader):
            return reader
    return None


def match(candidate: Candidate, readers: Sequence[Reader], *, settled: bool) -> Match | None:
    """Return which source a file belongs to, and how; None if it is a log of its own.

    `settled`: it has not changed for a while, or this is the last look.
    """
    for reader in readers:
        kind = _kind_of(candidate, reader, settled=settled)
        if kind != "wait" and not _is_missing(reader) and not _is_intact(reader):
            kind = "wait"  # it was compared with a file that was truncated or replaced meanwhile
        if kind:
            return Match(reader, kind)
    return None


def sources_in(known: Sequence[KnownSource], files: Iterable[Found]) -> list[KnownSource]:
    """Return the sources whose read bytes are all in one of these files.

    Device and inode are not compared, because the source may have been read on another machine: machines cloned from one
    image have equal inodes at equal paths, and different logs.
    """
    here: set[str] = set()
    for file in files:
        with suppress(OSError), closing(open_content(file.path)) as content:  # the tail reports what cannot be read
            here |= {one.source.id for one in known if one.source.id not in here and _holds_source(content, one)}
    return [one for one in known if one.source.id in here]


# sources without a file


def _may_continue(candidate: Candidate, reader: Reader) -> bool:
    """Return whether a file's name permits it to continue a source: any name does if the fingerprint is full."""
    if reader.furthest.length == FINGERPRINT_BYTES:
        return True
    if reader.content and len(reader.content.first()) == FINGERPRINT_BYTES and _holds_open_file(candidate, reader):
        return True
    path = candidate.found.path
    if candidate.found.absolute in (reader.last_path, reader.former_path):
        return True
    beside = os.path.dirname(os.path.abspath(path)) == os.path.dirname(os.path.abspath(reader.source.path))
    if candidate.content.compression and beside:
        return True
    return not candidate.found.live and are_related(path, reader.source.path)


def _holds_open_file(candidate: Candidate, reader: Reader) -> bool:
    """Return whether a file holds all of a source's file that is deleted and still open.

    So a log of which little or nothing was read before it was archived elsewhere, under any name, is not counted again.
    """
    first = reader.content.first() if reader.content else b""
    if reader.content is None or not first or not candidate.first.startswith(first):
        return False
    return compare(candidate.content, reader.content)[2]


def _holds_all(candidate: Candidate, reader: Reader) -> bool:
    source, stat = reader.source, candidate.stat
    if not reader.furthest.position:
        return _holds_open_file(candidate, reader)
    if candidate.content.compression and candidate.content.compression == source.compression:
        if is_unchanged(source, stat):
            return (
                True  # the same archive on another device; to check the fingerprint it would be decompressed to its end
            )
    return has_fingerprint(candidate.content, reader.furthest)


def _holds_source(content: Content, known: KnownSource) -> bool:
    source, fingerprint, stat = known.source, known.furthest.fingerprint, content.stat()
    if not fingerprint.length or digest(content.first()[: source.head.length]) != source.head.digest:
        return False
    if content.compression and is_unchanged(source, stat):
        return True
    return has_fingerprint(content, fingerprint)


# files beside that of a source


def _kind_of(candidate: Candidate, reader: Reader, *, settled: bool) -> MatchKind | None:
    if _is_missing(reader):
        return _beginning(candidate, reader, settled=settled)
    if candidate.is_half_made:  # under any name: it is probably the archive of this source
        return "wait" if _begins_alike(candidate, reader) else None
    if len(candidate.first) < FINGERPRINT_BYTES or head_of(reader).length < FINGERPRINT_BYTES:
        return _short_copy(candidate, reader, settled=settled)
    is_packed_alike = candidate.content.compression == reader.source.compression  # else one is the other, compressed
    in_one_look = candidate.first_look == reader.first_look
    if is_packed_alike and in_one_look and not are_related(candidate.found.path, reader.source.path):
        return None
    if candidate.content.compression and not settled:
        return "wait"  # it may be growing; to decompress it at each look would take a core
    return _compared(candidate, reader)


def _beginning(candidate: Candidate, reader: Reader, *, settled: bool) -> MatchKind | None:
    """Judge a file that begins like a source without a file, but did not hold all that was read of it."""
    if not reader.furthest.position:
        return "wait" if reader.content and is_incomplete(candidate.content) else None
    if candidate.content.read(
        reader.furthest.position - 1, 1
    ):  # it is longer, and its bytes differ, unless it grew meanwhile
        return "same" if _may_continue(candidate, reader) and _holds_all(candidate, reader) else None
    if is_incomplete(candidate.content) or (not settled and not candidate.found.live):
        return "wait"
    if candidate.found.live or len(candidate.first) < FINGERPRINT_BYTES:
        return None
    return (
        "copy"  # of an earlier state of the log, or the rest of a file that is truncated in steps before it is deleted
    )


def _compared(candidate: Candidate, reader: Reader) -> MatchKind | None:
    try:
        with file_of(reader) as original:
            shared, ended, original_ended = compare(candidate.content, original)
            precedes = _precedes(candidate, reader, original)
    except OSError:
        return "wait"  # renamed or deleted meanwhile
    if ended and is_incomplete(candidate.content):
        return "wait"
    if ended and precedes:
        return None  # a rotated log whose lines the next one repeats: a load test writes the same in each round
    if ended and are_of_two_sites(candidate.found.path, reader.source.path):
        return None
    if ended and candidate.found.live and candidate.found.stream == reader.stream:
        if not original_ended:
            return None  # the next generation of a rotated log may begin with equal lines
        return "same" if candidate.found.absolute == reader.former_path else "copy"
    if ended:
        # A copy does not get the lines that its original got later, unless it is copied again under the same name.
        grew = candidate.original_size is not None and shared > candidate.original_size
        is_log = candidate.found.live and grew and not are_related(candidate.found.path, reader.source.path)
        return None if is_log else "copy"
    replaces = candidate.found.absolute == reader.former_path or candidate.found.stream == reader.stream
    if not (original_ended and replaces and candidate.found.asked):
        return None
    return "wait" if is_incomplete(reader.content) else "same"


def _precedes(candidate: Candidate, reader: Reader, original: Content) -> bool:
    """Return whether a rotated file cannot be a copy of a log, since it was last written before the log's file was made.

    A backup may be older than its log: an editor renames the log, and writes a new file. A log whose last change is
    older than its file was copied from another machine with the times of that one, which prove nothing.
    """
    found = candidate.found
    if candidate.content.compression or original.compression or found.live:
        return False
    if is_called_a_copy(found.absolute, reader.last_path):
        return False
    born = original.born()
    return born is not None and candidate.stat.st_mtime < born <= original.stat().st_mtime


def _short_copy(candidate: Candidate, reader: Reader, *, settled: bool) -> MatchKind | None:
    """Judge a file beside that of a source where one of them is too short for a full fingerprint."""
    found, content = candidate.found, candidate.content
    # An editor has renamed the log to a backup, which it may be about to delete, and written it again.
    rewritten = found.absolute == reader.former_path and reader.position > 0
    if rewritten and is_called_a_copy(reader.last_path, found.absolute):
        return "same" if has_fingerprint(content, reader.furthest) else None
    related = are_related(found.path, reader.source.path)
    if not (related or content.compression) or not _begins_alike(candidate, reader):
        return None
    if content.compression:
        return _short_archive(content, reader, related=related, settled=settled)
    if is_called_a_copy(found.absolute, reader.last_path) and _is_prefix(content, reader):
        return "copy"
    if settled:
        return None
    copied = not found.live and _is_live(reader) and reader.stream == found.stream
    return "wait" if rewritten or copied else None


def _short_archive(content: Content, reader: Reader, *, related: bool, settled: bool) -> MatchKind | None:
    """Judge an archive; under an unrelated name it is another log with equal lines, unless the source is about to be deleted."""
    if is_incomplete(content):
        return "wait"
    if not _is_prefix(content, reader):
        return None
    if related:
        return "copy"
    return None if settled else "wait"


def _is_prefix(content: Content, reader: Reader) -> bool:
    try:
        with file_of(reader) as original:
            return compare(content, original)[1]
    except OSError:
        return True  # renamed or deleted meanwhile; the next look decides


def _begins_alike(candidate: Candidate, reader: Reader) -> bool:
    """Return whether one may begin with the other."""
    first, known, head = candidate.first, first_of(reader), reader.source.head
    if reader.content and _length(candidate.content) > _length(reader.content) and reader.is_intact():
        return False  # a copy is not longer than its original, unless that was just truncated
    if known:
        return first.startswith(known[: len(first)])
    return 0 < head.length <= len(first) and digest(first[: head.length]) == head.digest


# a known source


def _is_missing(reader: Reader) -> bool:
    """Return whether a source has no file: the look found none, and the open one is deleted."""
    return not reader.seen and not (reader.content and reader.content.stat().st_nlink > 0)


def _is_intact(reader: Reader) -> bool:
    """Return whether a source's file, open or not, still holds what was read of it."""
    if reader.content:
        return reader.is_intact()
    try:
        with file_of(reader) as file:
            return key_of(file.stat()) == (reader.source.device, reader.source.inode) and file.holds(reader.furthest)
    except FileNotFoundError:
        return False
    except OSError:
        return True  # it cannot be told, now or later


def _length(content: Content) -> int:
    """Return the length of a content; of a compressed one at most `FINGERPRINT_BYTES`, which takes little decompression."""
    return len(content.first()) if content.compression else content.stat().st_size


def _is_live(reader: Reader) -> bool:
    return reader.found is not None and reader.found.live
