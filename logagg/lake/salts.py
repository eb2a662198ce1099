"""Salts of the visitor hash, one for each period of event time, so that visitors cannot be followed across periods.

A salt is drawn at the first event of its period, is on the disk before it is used, and is deleted after its period and
its first use plus a grace; afterwards addresses can no longer be guessed from the hashes of that period.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from threading import Lock

from logagg.clock import DAY, Clock
from logagg.errors import LakeError
from logagg.lake.digests import digest_of_bytes
from logagg.lake.durable import failing_as_commit, write_secret

FILE = "salts"
GRACE = 2 * DAY  # a log rotated yesterday is read with yesterday's


class Salts:
    """The salts of a lake; thread-safe."""

    def __init__(self, root: Path, secret: bytes, clock: Clock, is_settled: Callable[[], bool] = lambda: True) -> None:
        self._root, self._secret, self._clock, self._is_settled = root, secret, clock, is_settled
        self._lock = Lock()
        self._drawn = _read(root / FILE)  # by the end of the period (seconds): the time of drawing, and the salt

    def key(self, end: int) -> bytes:
        """Return the key for the period that ends at a second, drawing its salt if need be. Raises CommitFailed."""
        with self._lock:
            if end not in self._drawn:
                self._drawn[end] = self._clock.now(), secrets.token_hex(16)
                self._forget()
                with failing_as_commit(self._root):
                    self._write()
            salt = self._drawn[end][1]
        return hashlib.blake2b(bytes.fromhex(salt), key=self._secret, digest_size=16).digest()

    def forget_past(self) -> None:
        """Delete the salts whose time has passed. Raises CommitFailed."""
        with self._lock:
            if self._forget():
                with failing_as_commit(self._root):
                    self._write()

    def _forget(self) -> bool:
        if not self._is_settled():  # a salt that went too early cannot be drawn again
            return False
        now = self._clock.now()
        # A salt drawn in the future, by a clock that was ahead, counts as drawn now.
        drawn = {end: (at if at < now + DAY else now, salt) for end, (at, salt) in self._drawn.items()}
        kept = {end: (at, salt) for end, (at, salt) in drawn.items() if max(end, at) + GRACE > now}
        changed = kept != self._drawn
        self._drawn = kept
        return changed

    def _write(self) -> None:
        data = json.dumps(self._drawn).encode()
        write_secret(self._root / FILE, f"{_check(data)}\n".encode() + data)


def _check(data: bytes) -> str:
    return digest_of_bytes(data, "logagg salts")


def _read(path: Path) -> dict[int, tuple[float, str]]:
    try:
        return _unpacked(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise LakeError(
            f"{path}: cannot be read: {error}", "delete it; the visitors of today then count as new ones"
        ) from error


def _unpacked(data: bytes) -> dict[int, tuple[float, str]]:
    """Parse the salts in a file, which begins with a digest of the rest (without it in files by an earlier logagg)."""
    if not data.startswith(b"{"):
        digest, _, data = data.partition(b"\n")
        if digest != _check(data).encode():
            raise ValueError("it is not as it was written")
    return {int(end): (float(at), str(salt)) for end, (at, salt) in json.loads(data).items()}


def problem(root: Path) -> LakeError | None:
    """Return the problem of a lake's salts; None if they are intact."""
    try:
        _read(root / FILE)
    except LakeError as error:
        return error
    return None
