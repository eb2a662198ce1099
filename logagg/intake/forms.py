"""Whether a file with an inode that nobody knows is another form of a source that we know, and must not be read twice.

It may be, if it begins like the source, and is

- compressed: of a source that has no file any more, of the file it is named after, or of the live one;
- named as a rotation: the copy that is made before the live file is truncated, or a source that was truncated so; or
  any that has no file any more, if so many bytes prove it that it cannot be chance;
- named as the live file: a source that has no file any more, proved likewise (a log that rsync brings anew each time);
- in another directory, under such a name: likewise (logrotate's olddir, a directory that moved to another disk).

Two plain files that lie side by side are two, whatever they hold: equal lines are legal and common. Only if one of them
was made just now, and we had not read of the other yet, it takes a moment to tell whether it is a copy.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass

from logagg.cargo import KnownSource
from logagg.intake.content import PROOF, Content, Packed, digest, open_content, proves
from logagg.intake.reader import Reader
from logagg.intake.sources import Found


@dataclass(frozen=True, slots=True)
class Form:
    """A file as a form of a source."""

    reader: Reader
    whole: bool  # it holds all that was read of the source; else only the beginning of that


def form_of(found: Found, content: Content, readers: Iterable[Reader], *, fresh: bool = False) -> Form | None:
    """Return what a strange file is a form of: at best a source that has no other. `fresh`: it was made just now."""
    best = None
    for reader in readers:
        if not _may_be(found, content, reader, fresh=fresh) or not _begins_alike(content, reader):
            continue
        if reader.seen or _has_a_name(reader):
            best = best or Form(reader, whole=False)
        elif proves(content, reader.proof):
            return Form(reader, whole=True)
        elif not found.live and not content.read(reader.position - 1, 1):
            best = best or Form(reader, whole=False)
    return best


def held(known: Sequence[KnownSource], files: Iterable[Found]) -> list[KnownSource]:
    """Return the sources of which one of these files holds all that was read.

    Where it may have been read on another machine, device and inode tell nothing: machines that were made from one image have
    the same, in the same places, and other logs.
    """
    here: set[str] = set()
    for file in files:
        with suppress(OSError), closing(open_content(file.path)) as content:  # what cannot be read is said when it is to be
            here |= {one.source.id for one in known if one.source.id not in here and _holds(content, one)}
    return [one for one in known if one.source.id in here]


def _holds(content: Content, known: KnownSource) -> bool:
    source, proof, stat = known.source, known.furthest.mark, content.stat()
    if not proof.length or digest(content.first()[: source.head.length]) != source.head.digest:
        return False
    if content.compression and source.size == stat.st_size and abs(source.modified - stat.st_mtime) < 1e-3:
        return True  # it would have to be decompressed to its end to tell more
    return proves(content, proof)


def _may_be(found: Found, content: Content, reader: Reader, *, fresh: bool) -> bool:
    proved = reader.proof.length == PROOF
    if reader.stream != found.stream:
        return proved and not reader.seen
    if reader.seen:
        namesake = bool(content.compression) and os.path.splitext(found.path)[0] == reader.source.path
        copied = not found.live and _is_live(reader) and (reader.position > 0 or fresh)
        # It may have been compressed since we saw it, and be about to go.
        return namesake or copied or (bool(content.compression) and proved and proves(content, reader.proof))
    if content.compression and not found.live:
        return reader.position > 0 or reader.content is not None
    return proved or (not found.live and reader.position > 0 and not reader.source.inode)


def _begins_alike(content: Content, reader: Reader) -> bool:
    """Tell whether one of both begins with the other, as far as that can be told."""
    first, known = content.first(), reader.first  # what was read: by now its file may hold something else
    if reader.seen and reader.content and _length(content) > _length(reader.content) and reader.is_intact():
        return False  # a copy is not longer than what it was copied from, unless that was truncated just now
    if not reader.position:
        known = reader.content.first() if reader.content else b""
        return bool(known) and first.startswith(known[: len(first)])
    if known:
        return first.startswith(known[: len(first)])
    head = reader.source.head  # it has had no file since we started: there is only the digest
    if len(first) < head.length:
        return isinstance(content, Packed) and not content.complete  # there may be more of it soon
    return digest(first[: head.length]) == head.digest


def _has_a_name(reader: Reader) -> bool:
    """Tell whether its file was renamed at this moment, or to where nobody looks; it may come back."""
    return reader.content is not None and reader.content.stat().st_nlink > 0


def _length(content: Content) -> int:
    """Return the length of a content; of a compressed one, as much as it takes to tell a short one."""
    return len(content.first()) if content.compression else content.stat().st_size


def _is_live(reader: Reader) -> bool:
    return reader.found is not None and reader.found.live
