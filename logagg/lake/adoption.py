"""Adds digests to the names of parts that an earlier logagg wrote without them, a few parts at a time."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from logagg.errors import CommitFailed
from logagg.lake import durable
from logagg.lake.compact import Replacement
from logagg.lake.digests import digest_in, digest_of, sort_out
from logagg.lake.durable import failing_as_commit
from logagg.lake.ownership import give
from logagg.lake.parts import Part, named
from logagg.lake.progress import MergeProgress

BATCH = 64 << 20  # bytes that are read between two commits


@dataclass(frozen=True, slots=True)
class Adoption:
    """Reads parts completely, and renames them with the digest of their content."""

    root: Path
    parts: tuple[Part, ...]

    memory = 0  # bytes in memory, beside those of a reader

    def run(self, progress: MergeProgress | None = None) -> Replacement:
        """Return the parts under their new names; those that cannot be read are damaged. Raises CommitFailed."""
        with failing_as_commit(self.root):
            found = sort_out(self.root, self.parts)
        new: list[Part] = []
        try:
            with failing_as_commit(self.root):
                new.extend(map(self._adopted, found.sound))
        except CommitFailed:
            durable.remove(self.root / part.path for part in new)
            raise
        return Replacement("check", found.sound, tuple(new), found.damaged)

    def _adopted(self, part: Part) -> Part:
        old = self.root / part.path
        path = named(Path(part.path), digest_of(old))
        _link(old, self.root / path)
        return replace(part, path=str(path))


def _link(old: Path, new: Path) -> None:
    """Give a file a second name; copy it if the file system does not support hard links."""
    durable.remove([new])  # which a crash may have left
    try:
        os.link(old, new, follow_symlinks=False)
    except OSError:
        shutil.copyfile(old, new, follow_symlinks=False)
        give(new)
        durable.sync(new)
    durable.sync(new.parent)


def adoptions(root: Path, parts: Iterable[Part]) -> list[Adoption]:
    """Return the tasks that give parts their digests, each for the parts that are read between two commits."""
    groups: list[list[Part]] = []
    size = BATCH
    for part in parts:
        if part.damaged or digest_in(part.path):
            continue
        if size + part.bytes > BATCH:
            groups.append([])
            size = 0
        groups[-1].append(part)
        size += part.bytes
    return [Adoption(root, tuple(group)) for group in groups]
