"""The locks of a lake, each released when the process that holds it ends.

lock          of the lake: held by a sole writer (exclusive), or by several workers (shared)
lock.commit   the commit lock, for group commits of several workers
leases/7      of shard 7: held by its owner
leases/merges.traffic   of a rollup: held while its parts are merged or expired
leases/backfill.traffic   of a rollup: held while it is filled; its unfinished parts belong to the holder
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from logagg.clock import Clock
from logagg.errors import LakeError, LakeLocked
from logagg.file_lock import EXCLUSIVE, SHARED, try_lock, wait_for_lock
from logagg.lake.ownership import LOCK as LOCK
from logagg.lake.ownership import give, give_open
from logagg.lake.shortage import advice

COMMIT_LOCK, LEASES = "lock.commit", "leases"
PATIENCE = 50  # tenths of a second
MERGES, BACKFILL = "merges.", "backfill."  # the prefixes of the names of such leases, before the rollup


def take(root: Path, *, alone: bool) -> int:
    """Take the lock of a lake, alone or beside others. Raises LakeLocked or LakeError."""
    lock = _opened(root, LOCK)
    if try_lock(lock, EXCLUSIVE if alone else SHARED):
        return lock
    pid = os.read(lock, 20).decode(errors="replace").strip() or "?"
    os.close(lock)
    if alone and is_shared(root):
        raise LakeLocked(f"{root}: workers write this lake", "stop them, or use --lake") from None
    raise LakeLocked(
        f"{root}: process {pid} writes this lake", "one lake has one tail: stop that, or use --lake"
    ) from None


def take_patiently(root: Path, clock: Clock) -> int:
    """Take the lock of a lake alone; a backfill that has it for its one commit is waited for. Raises as `take` does."""
    for _ in range(PATIENCE):
        try:
            return take(root, alone=True)
        except LakeLocked:
            if not any(name.startswith(BACKFILL) for name in holders(root)):
                raise
            clock.sleep(0.1)
    return take(root, alone=True)


def is_alone(lock: int) -> bool:
    """Return whether no other process shares a lock; it stays shared."""
    alone = try_lock(lock, EXCLUSIVE)
    wait_for_lock(lock, SHARED)
    return alone


def sign(lock: int) -> None:
    """Write the id of this process into the lock."""
    os.truncate(lock, 0)
    os.write(lock, f"{os.getpid()}\n".encode())


@contextmanager
def commit_lock(root: Path) -> Iterator[None]:
    """Wait for the commit lock, and hold it."""
    lock = _opened(root, COMMIT_LOCK)
    try:
        wait_for_lock(lock, EXCLUSIVE)
        yield
    finally:
        os.close(lock)


def lease(root: Path, name: object) -> int | None:
    """Take a lease, held while the descriptor is open; None if another process holds it."""
    if not (root / LEASES).is_dir():
        (root / LEASES).mkdir(exist_ok=True)
        give(root / LEASES)
    held = _opened(root, f"{LEASES}/{name}")
    if try_lock(held, EXCLUSIVE):
        sign(held)
        return held
    os.close(held)
    return None


@contextmanager
def held(root: Path, name: str) -> Iterator[bool]:
    """Hold a lease in the `with` block, unless another process holds it; yield whether it is held."""
    found = lease(root, name)
    try:
        yield found is not None
    finally:
        if found is not None:
            os.close(found)


@contextmanager
def filling(root: Path, rollup: str) -> Iterator[None]:
    """Be the one process that fills a rollup, in the `with` block. Raises LakeLocked."""
    name = f"{BACKFILL}{rollup}"
    with held(root, name) as ours:
        if not ours:
            pid = holders(root).get(name, "?")
            raise LakeLocked(f"{root}: process {pid} is filling {rollup}", "wait for it; nothing is counted twice")
        yield


def holders(root: Path) -> dict[str, str]:
    """Return the leases that are held now, with the ids of their processes."""
    return {path.name: path.read_text().strip() for path in sorted((root / LEASES).glob("*")) if _is_held(path)}


def is_leased(root: Path, name: object) -> bool:
    """Tell whether a process holds a lease."""
    return _is_held(root / LEASES / str(name))


def _is_held(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return not try_lock(file.fileno(), SHARED)
    except OSError:
        return False


def is_shared(root: Path) -> bool:
    """Tell whether the lock of a lake can be shared: workers hold it, or no process does."""
    with (root / LOCK).open("rb") as file:
        return try_lock(file.fileno(), SHARED)


def _opened(root: Path, name: str) -> int:
    path = root / name
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
        give_open(descriptor, path.parent)
    except OSError as error:
        raise LakeError(f"{path}: cannot write: {error.strerror or error}", advice(root, error)) from error
    return descriptor
