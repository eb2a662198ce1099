"""Ownership of a lake: its files keep one owner, one group and one mode, whichever user runs a command on it.

The owner of a lake is the owner of `secret`, which only its owner can read. Files created by root are given to that user.
Other users are refused before anything is created, since the owner could not write, or even read, their files.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import stat
from pathlib import Path

from logagg.errors import LakeError

SECRET, LOCK, CATALOGS = "secret", "lock", "catalog"  # files of a lake whose owner and mode are those of the lake
OTHERS = 0o027  # others may read nothing of a lake, and its group write nothing, whatever the umask allows
_GROUP_READS = 0o040


def keep_modes(root: Path) -> None:
    """Make files with the modes that a lake has: its group reads all of it, or nothing. A new one is made as the umask says."""
    for name in (LOCK, CATALOGS):
        with contextlib.suppress(OSError):
            os.umask(OTHERS if (root / name).lstat().st_mode & _GROUP_READS else 0o077)
            return
    os.umask(os.umask(0o077) | OTHERS)


def refuse_others(root: Path) -> None:
    """Raise LakeError if the lake belongs to another user, and this one is not root."""
    owner, we = owner_of(root), os.geteuid()
    if owner is not None and we not in (0, owner):
        hint = (
            f"run it as {name_of(owner)}, as with sudo -u {name_of(owner)}, or as root, which leaves the lake its owner"
        )
        raise LakeError(f"{root}: belongs to the user {name_of(owner)}, and this is run by {name_of(we)}", hint)


def owner_of(root: Path) -> int | None:
    """Return the user who owns a lake; None if that is unknown, or the lake does not exist yet."""
    for name in (SECRET, LOCK):
        with contextlib.suppress(OSError):
            return (root / name).lstat().st_uid
    return None


def give(path: Path) -> None:
    """Give a file or directory of a lake, just made, to its owner and group. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        give_open(descriptor, path.parent)
    finally:
        os.close(descriptor)


def give_open(descriptor: int, folder: Path) -> None:
    """Give an open file, made in a folder of a lake, to the lake's owner and group. Raises OSError."""
    made, (owner, group) = os.fstat(descriptor), _wanted(folder)
    if os.geteuid() == 0 and made.st_uid != owner:
        if stat.S_ISREG(made.st_mode) and made.st_nlink != 1:  # the owner would change under the other name, too
            raise OSError(f"a file in {folder} has another name as well, so it is not given to its owner")
        os.fchown(descriptor, owner, group)
    elif made.st_gid != group:
        with contextlib.suppress(PermissionError):  # this user is not in the group
            os.fchown(descriptor, -1, group)


def give_link(path: Path) -> None:
    """Give a symbolic link to the lake's owner and group. Raises OSError."""
    made, (owner, group) = path.lstat(), _wanted(path.parent)
    if os.geteuid() == 0 and made.st_uid != owner:
        os.chown(path, owner, group, follow_symlinks=False)
    elif made.st_gid != group:
        with contextlib.suppress(PermissionError):
            os.chown(path, -1, group, follow_symlinks=False)


def _wanted(folder: Path) -> tuple[int, int]:
    """Return the owner and group of new files in a folder; a lake may be a mount whose directory is root's."""
    found = folder.stat()
    with contextlib.suppress(OSError):
        return (folder / SECRET).lstat().st_uid, found.st_gid
    return found.st_uid, found.st_gid


def name_of(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)
