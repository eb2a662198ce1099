"""Files and directories that are on the disk when a call returns, and the errors of the disk."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from logagg.errors import CommitFailed
from logagg.lake.ownership import give, give_open
from logagg.lake.shortage import advice


def make_directory(path: Path) -> None:
    """Make a directory, and sync it to the disk.

    Raises OSError where a symbolic link is in its place: files would be written to wherever it leads.
    """
    if path.is_symlink():
        raise OSError(f"{path} is a symbolic link, which is not followed")
    if path.is_dir():
        return
    if not path.parent.is_dir():
        make_directory(path.parent)
    # Under another name until it belongs to the lake's owner: other processes give files in it to its owner.
    draft = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    draft.mkdir()
    try:
        give(draft)
        draft.rename(path)
    except OSError:
        draft.rmdir()
        if not path.is_dir():  # else another process made it just now
            raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Sync a file's content, or a directory's entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, atomically, and sync it."""
    draft = path.with_name(f".{path.name}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            give_open(descriptor, path.parent)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.replace(draft, path)
    except OSError:
        remove([draft])
        raise
    sync(path.parent)


def replace_text(path: Path, text: str) -> None:
    """Replace a small file atomically."""
    draft = path.with_name(f".{path.name}")
    draft.write_text(text)
    give(draft)
    sync(draft)
    os.replace(draft, path)
    sync(path.parent)


def remove(paths: Iterable[Path]) -> None:
    """Delete files. A file that is already gone, or cannot be deleted now, is ignored."""
    for path in paths:
        try:
            path.unlink()
        except OSError:
            continue


@contextmanager
def failing_as_commit(root: Path) -> Iterator[None]:
    """Turn an error of the disk into CommitFailed, which says where, why and what to do."""
    try:
        yield
    except _refusals() as error:
        raise CommitFailed(f"{root}: cannot write: {str(error).splitlines()[0]}", advice(root, error)) from error


def _refusals() -> tuple[type[Exception], ...]:
    """Return the exceptions that an error of the disk may raise."""
    import duckdb  # slow to import, so only after a failure

    return OSError, pa.ArrowException, duckdb.Error
