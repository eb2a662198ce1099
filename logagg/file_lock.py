"""Advisory locks on files, which end with the process that holds them."""

from __future__ import annotations

import fcntl

EXCLUSIVE, SHARED = fcntl.LOCK_EX, fcntl.LOCK_SH


def try_lock(descriptor: int, how: int) -> bool:
    """Lock an open file unless a lock of another process forbids it; tell whether it is locked. Raises OSError."""
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def wait_for_lock(descriptor: int, how: int) -> None:
    """Lock an open file as soon as no lock of another process forbids it; a lock of our own is changed. Raises OSError."""
    fcntl.flock(descriptor, how)
