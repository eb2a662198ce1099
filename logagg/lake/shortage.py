"""Explains why a write failed, and gives the remedy, which differs by the kind of shortage."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable
from pathlib import Path

from logagg.errors import CHECK
from logagg.lake.ownership import name_of
from logagg.quantities import counted

LEAST = 1 << 20  # bytes; a disk with less is full, whatever the error says
SAFE = "nothing is lost"


def advice(root: Path, error: Exception) -> str:
    """Return the reason for a failed write in a lake's directory, and the remedy."""
    code = _code(error)
    if code in _REMEDIES:
        return f"{_REMEDIES[code](root)}; {SAFE}"
    if code is None and _is_not_ours(error):
        return f"{SAFE}; {CHECK}"
    if short := _short_of(root):
        return f"{short}; {SAFE}"
    return f"{SAFE}; it can be tried again"


def _code(error: Exception) -> int | None:
    """Return the errno of a system error; errors of DuckDB and Arrow contain only its text."""
    if isinstance(error, OSError) and error.errno:
        return error.errno
    text = str(error)
    found = [code for code in _REMEDIES if os.strerror(code) in text]
    return max(found, key=lambda code: len(os.strerror(code)), default=None)  # one text may begin as another


def _is_not_ours(error: Exception) -> bool:
    """Tell whether an error means that a file of the lake is damaged."""
    import duckdb  # a slow import, so only after a failure
    import pyarrow as pa

    return isinstance(error, duckdb.InvalidInputException | pa.ArrowInvalid)


def _space(root: Path) -> str:
    if short := _short_of(root):
        return short
    found = os.statvfs(root)
    free = f"{counted(found.f_bavail * found.f_frsize, 'byte')} and {counted(found.f_favail, 'inode')}"
    return f"the file system says it is full, though {free} are free: a quota of the directory may be used up"


def _short_of(root: Path) -> str:
    """Return which resource of a directory's file system is exhausted; an empty text if none is."""
    found = os.statvfs(root)
    free = found.f_bavail * found.f_frsize
    if found.f_files and not found.f_favail:  # some file systems have no fixed number of inodes, and report 0
        return f"no inodes are free on its file system ({found.f_files:,} in use): delete files, however small they are"
    return f"the disk has {counted(free, 'byte')} free: make room" if free < LEAST else ""


def _quota(_: Path) -> str:
    return f"the disk quota of the user {name_of(os.geteuid())} is used up: raise it, or delete files of that user"


def _file_size(_: Path) -> str:
    limit, _hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    if limit == resource.RLIM_INFINITY:
        return "the file system allows no file of that length"
    return f"this process may write files of {counted(limit, 'byte')} at most: raise ulimit -f, or LimitFSIZE= under systemd"


def _descriptors(_: Path) -> str:
    limit, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return f"this process may have {counted(limit, 'file')} open: raise ulimit -n, or LimitNOFILE= under systemd"


def _permission(_: Path) -> str:
    user = name_of(os.geteuid())
    return f"the user {user} may not write there: run it as the lake's owner, or give all of the lake to one user with chown -R"


def _said(text: str) -> Callable[[Path], str]:
    return lambda _: text


_REMEDIES: dict[int, Callable[[Path], str]] = {
    errno.ENOSPC: _space,
    errno.EDQUOT: _quota,
    errno.EFBIG: _file_size,
    errno.EMFILE: _descriptors,
    errno.ENFILE: _said("the whole system has too many files open: raise the sysctl fs.file-max"),
    errno.EROFS: _said(
        "its file system is read-only: after an error of the disk (dmesg says so), or by ProtectSystem= of a systemd unit, "
        "where ReadWritePaths= lets it write"
    ),
    errno.EACCES: _permission,
    errno.EPERM: _permission,
    errno.EIO: _said("the disk fails (dmesg says how): copy the lake to another one"),
}
