"""The last epoch of each tailer that a shard knows. A new process of a tailer takes the next one, and supersedes the last.

    epochs/shard.7    {"web1": [12, "9f0c..."], ...}: the epoch, and the run, a random id of the process

Epochs do not depend on a clock. The file outlives the shard's owner; it is written when an epoch begins, before the reply.
It is not synced, since a thousand tails may begin at once; after a power cut the other shards still know the epochs.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from logagg.lake import durable
from logagg.notices import Report, epochs_unwritten

FOLDER = "epochs"
REMEMBERED = 10_000  # tailers of a shard: those that began last
_READ = 1 << 22  # bytes


class Epochs:
    """The epochs of one shard; only its owner uses them."""

    def __init__(self, root: Path, shard: int, notice: Report) -> None:
        self._path, self._notice = root / FOLDER / f"shard.{shard}", notice
        self._last = _read(self._path)

    def last(self, tailer: str) -> int:
        """Return the last epoch of a tailer; 0 if there was none."""
        return self._last.get(tailer, (0, ""))[0]

    def admits(self, tailer: str, epoch: int, run: str) -> bool:
        """Return whether a process of a tailer is the newest; record it if its epoch is higher."""
        last = self._last.get(tailer, (0, ""))
        if (epoch, run) == last:
            return True
        if epoch <= last[0]:
            return False
        self._last.pop(tailer, None)
        self._last = dict([*self._last.items(), (tailer, (epoch, run))][-REMEMBERED:])
        self._write()
        return True

    def _write(self) -> None:
        """Store the epochs for the next owner."""
        draft = self._path.with_name(f".{self._path.name}")
        try:
            durable.make_directory(self._path.parent)
            draft.write_text(json.dumps(self._last))
            os.replace(draft, self._path)
        except OSError as error:
            self._notice(epochs_unwritten(str(self._path), error.strerror or str(error)))


def _read(path: Path) -> dict[str, tuple[int, str]]:
    """Return the epochs in a file; none if it is missing or incomplete."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
            found = json.loads(file.read(_READ))
        return {str(tailer): (int(epoch), str(run)) for tailer, (epoch, run) in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
