"""Digests of a lake's files: they reveal any damage, down to one bit.

A digest covers every byte of a file and is part of its name; `b2sum --length 128` computes the same. The digest of a part
is computed while it is written. Digests guard against failing disks, not against forgery, since they have no key.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from logagg.lake.ownership import give_open
from logagg.quantities import counted

if TYPE_CHECKING:
    from logagg.lake.parts import Part

MISSING = "is missing"
CHANGED = "is not as it was written (its digest is not the one in its name)"
_SIZE = 16  # bytes of a digest
_IN_NAME = re.compile(rf".*-([0-9a-f]{{{2 * _SIZE}}})\.[a-z]+")


class DigestWriter:
    """A new file of a lake, whose digest is computed while it is written."""

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
        self.path, self._file = path, os.fdopen(descriptor, "wb")
        self._digest = _new()
        try:
            give_open(descriptor, path.parent)
        except OSError:
            self._file.close()
            path.unlink()
            raise

    def write(self, data: bytes | pa.Buffer) -> int:
        self._digest.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    @property
    def closed(self) -> bool:
        return self._file.closed

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()


def _new() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=_SIZE, usedforsecurity=False)


def digest_of(path: Path) -> str:
    """Return the digest of a file. Raises OSError."""
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, _new).hexdigest()


def digest_of_bytes(data: bytes, purpose: str) -> str:
    """Return the digest of bytes, distinct by purpose, so that the digest of a secret reveals no other one."""
    return hashlib.blake2b(data, digest_size=_SIZE, person=purpose.encode()).hexdigest()


def digest_in(name: str) -> str:
    """Return the digest in a file's name; empty for names by an earlier logagg."""
    found = _IN_NAME.fullmatch(name)
    return found[1] if found else ""


def is_intact(path: Path) -> bool:
    """Tell whether a file matches the digest in its name, if it has one. Raises OSError."""
    digest = digest_in(path.name)
    return not digest or digest == digest_of(path)


# parts


def damage(root: Path, part: Part) -> str:
    """Return the damage of a part's file, or an empty text. Raises OSError if it cannot be examined."""
    path = root / part.path
    try:
        size = path.stat().st_size
        if size != part.bytes:
            return f"has {counted(size, 'byte')}, the catalog says {part.bytes:,}"
        if not digest_in(path.name):
            return _unlike(path, part)
        return "" if is_intact(path) else CHANGED
    except FileNotFoundError:
        return MISSING
    except OSError as error:
        if error.errno not in (None, errno.EIO):  # Arrow's have no number
            raise
        return f"cannot be read: {error.strerror or str(error).splitlines()[0]}"


def _unlike(path: Path, part: Part) -> str:
    """Read a part without a digest completely; return its damage, or an empty text."""
    import pyarrow.parquet as pq  # which takes a while

    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            rows = sum(batch.num_rows for batch in file.iter_batches())
    except (pa.ArrowException, ValueError, MemoryError) as error:  # Arrow's exceptions for invalid bytes
        return f"cannot be read: {str(error).splitlines()[0]}"
    return "" if rows == part.rows else f"has {counted(rows, 'row')}, the catalog says {part.rows:,}"


def cut_off(root: Path, part: Part) -> str:
    """Return the damage of a part that its directory entry reveals. Raises OSError."""
    try:
        return "" if (root / part.path).stat().st_size == part.bytes else "is not as long as it was written"
    except FileNotFoundError:
        return MISSING


class Sorted(NamedTuple):
    """Parts by the condition of their files."""

    sound: tuple[Part, ...]
    damaged: tuple[Part, ...]  # marked so


def sort_out(root: Path, parts: Iterable[Part]) -> Sorted:
    """Separate intact parts from damaged ones. Raises OSError."""
    sound, damaged = [], []
    for part in parts:
        if damage(root, part):
            damaged.append(replace(part, damaged=True))
        else:
            sound.append(part)
    return Sorted(tuple(sound), tuple(damaged))


def holds(part: Part) -> str:
    """Describe the content of a part."""
    since, until = (f"{at:%Y-%m-%d %H:%M}" for at in (part.min_ts, part.max_ts))
    return f"{counted(part.rows, 'row')} of {part.rollup}, all shards, from {since} to {until} UTC"
