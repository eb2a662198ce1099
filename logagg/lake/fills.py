"""The backfills that a writer of a lake commits: those of other processes, and its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from logagg.errors import CommitUncertain, LakeError
from logagg.lake.commit import Committer
from logagg.lake.pending import BROKEN, PendingCommits
from logagg.lake.state import CommitInfo, PendingCommit


class Fills:
    """Commits backfills, and deletes the files of killed ones."""

    def __init__(self, root: Path, commits: Committer, begun: Callable[[], bool]) -> None:
        self._commits, self._begun, self._pending = commits, begun, PendingCommits(root)

    def commit(self, backfill: PendingCommit) -> CommitInfo:
        """Commit a backfill of this process. Raises CommitFailed, or Fenced where another backfill was first."""
        self._commits.reached("parts")
        return self._commits.commit(backfill)

    @property
    def awaited(self) -> bool:
        """Whether backfills of other processes wait for this one, the sole writer of the lake."""
        return not self._commits.shards and self._begun() and self._pending.any_unapplied()

    def apply(self) -> Iterator[CommitInfo]:
        """Apply them, each by a commit of its own, and record its outcome.

        Raises CommitFailed if the disk refuses; the process of the backfill learns this, too.
        """
        for name, pending in self._pending.unapplied():
            try:
                outcome, info = self._commits.filled(pending)
            except CommitUncertain:
                raise  # it stays, and the next look shows whether it was applied
            except LakeError:
                self._pending.record(name, BROKEN)
                raise
            self._pending.record(name, outcome)
            self._commits.reached("outcomes")
            if info:
                yield info

    def clear_abandoned(self) -> None:
        """Delete the parts of killed backfills, after their grace. Raises CommitFailed."""
        self._commits.clear_abandoned()
