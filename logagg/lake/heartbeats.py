"""The heartbeats of tails, beside the catalog of a lake.

    tail.json        of the tail that writes this lake, by itself
    tails/NAME.json  of a tail elsewhere, by the worker that received its heartbeat

A file is replaced as a whole. It is not synced: after a crash of the system the tail writes it again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from logagg.file_lock import SHARED, try_lock
from logagg.heartbeat import Heartbeat, decode, encode
from logagg.lake.durable import make_directory
from logagg.lake.locks import LOCK
from logagg.lake.ownership import give_open

FILE, FOLDER = "tail.json", "tails"
_LONGEST = 200  # characters of a file's name


@dataclass(frozen=True, slots=True)
class LockState:
    """The state of a lake's lock: whether it is held now, and which process took it last."""

    held: bool | None  # None: not accessible to this user
    pid: int = 0
    taken: int = 0  # when, in nanoseconds

    def is_of(self, heartbeat: Heartbeat) -> bool:
        """Tell whether the run of a heartbeat took the lock; its time matters too, since process ids are reused."""
        return (self.pid, self.taken) == (heartbeat.pid, heartbeat.lock)


def lock_state(root: Path) -> LockState:
    """Return the state of the lock of a lake, by trying to share it, so that concurrent calls do not interfere."""
    try:
        with (root / LOCK).open("rb") as file:
            pid, taken = file.read(20).decode(errors="replace").strip(), os.fstat(file.fileno()).st_mtime_ns
            held = not try_lock(file.fileno(), SHARED)
    except FileNotFoundError:
        return LockState(held=False)
    except OSError:
        return LockState(held=None)
    return LockState(held, int(pid) if pid.isascii() and pid.isdecimal() else 0, taken)


def write(root: Path, heartbeat: Heartbeat) -> None:
    """Replace the heartbeat of the tail that writes a lake. Raises OSError."""
    _replace(root / FILE, replace(heartbeat, heard=heartbeat.at))


def write_remote(root: Path, heartbeat: Heartbeat) -> None:
    """Replace the heartbeat of a tail elsewhere. Raises OSError."""
    make_directory(root / FOLDER)
    _replace(root / FOLDER / f"{_file_name(heartbeat.tailer)}.json", heartbeat)


def read(root: Path) -> Heartbeat | None:
    """Return the last heartbeat of a tail that wrote the lake itself; None if it is missing or unreadable."""
    return _read(root / FILE)


def read_remote(root: Path) -> Iterator[Heartbeat]:
    """Yield the last heartbeats of tails elsewhere."""
    with suppress(OSError):
        for path in sorted((root / FOLDER).glob("*.json")):
            if found := _read(path):
                yield found


def _read(path: Path) -> Heartbeat | None:
    try:
        return decode(path.read_bytes())
    except (OSError, ValueError):
        return None


def _replace(path: Path, heartbeat: Heartbeat) -> None:
    draft = path.with_name(f".{path.name}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o640), "w") as file:
        try:
            file.write(encode(heartbeat))
            give_open(file.fileno(), path.parent)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
    os.replace(draft, path)


def _file_name(tailer: str) -> str:
    """Return a safe file name for any tail's name, which may be malicious."""
    name = quote(tailer, safe="", errors="surrogatepass").replace(".", "%2E")
    if len(name) <= _LONGEST:
        return name
    return f"{name[:100]}-{hashlib.blake2b(name.encode(), digest_size=8).hexdigest()}"
