"""Let the process that writes a lake commit a backfill; this process does so where the lake has no writer.

    no writer          this process takes the lake's lock for the one commit
    a tail             it finds the pending commit, applies it beside its own, and records the outcome
    several workers    this process joins their group commit

Whichever process ends meanwhile, the commit is applied once: it continues from ranges that are gone once it was applied.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from logagg.clock import Clock
from logagg.config.sections import Config
from logagg.errors import CommitFailed, Fenced, LakeLocked, MergeStopped
from logagg.lake import heartbeats, layout, locks
from logagg.lake.durable import failing_as_commit
from logagg.lake.lake import Lake
from logagg.lake.pending import BROKEN, STALE, PendingCommits
from logagg.lake.state import PendingCommit
from logagg.rollup.derived import Definition

LOOK = 0.1  # seconds between looks at what became of a pending commit
PATIENCE = 10.0  # seconds after which the user reads which process is to commit


class Handover:
    """Lets the process that writes the lake apply pending commits."""

    def __init__(
        self,
        root: Path,
        tables: Sequence[Definition],
        clock: Clock,
        config: Config,
        *,
        stops: Callable[[], bool] = lambda: False,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._root, self._tables, self._clock, self._config = root, tables, clock, config
        self._stops, self._say = stops, say
        self.reached: Callable[[str], None] = lambda step: None  # tests die here

    def opened(self) -> Lake:
        """Open the lake to write, alone or beside workers. Raises LakeLocked where one process has it, or LakeError."""
        try:
            return Lake.open(self._root, self._tables, clock=self._clock, config=self._config)
        except LakeLocked:
            shards = layout.shards_of(self._root)
            if shards is None or not locks.is_shared(self._root):
                raise
        return Lake.join(self._root, self._tables, clock=self._clock, config=self._config, shards=0, at_least=shards)

    def commit(self, backfill: PendingCommit) -> bool:
        """Have a backfill committed; return False where another one has counted the same. Raises LakeError."""
        while True:
            try:
                lake = self.opened()
            except LakeLocked:
                outcome = self._await(backfill)
            else:
                outcome = self._own(lake, backfill)
            if outcome is not None:
                return outcome != STALE

    def _own(self, lake: Lake, backfill: PendingCommit) -> str:
        try:
            lake.crash_at(self.reached)
            return str(lake.fills.commit(backfill).id)
        except Fenced:
            return STALE
        finally:
            lake.close()

    def _await(self, backfill: PendingCommit) -> str | None:
        """Put it down for the process that writes the lake; return the outcome, or None where that process has ended."""
        pending = PendingCommits(self._root)
        with failing_as_commit(self._root):
            name = pending.put(backfill)
        self.reached("pending")
        try:
            outcome = self._outcome(pending, name)
        finally:
            pending.withdraw(name)
        if outcome == BROKEN:
            raise CommitFailed(
                f"{self._root}: the process that writes it could not commit this",
                "look at its notices, and run it again",
            )
        return outcome

    def _outcome(self, pending: PendingCommits, name: str) -> str | None:
        began, told = self._clock.monotonic(), False
        while (outcome := pending.outcome(name)) is None:
            writer = heartbeats.lock_state(self._root)
            if not writer.held or not pending.is_unapplied(name):
                return pending.outcome(name)  # it may have been recorded just before
            if self._stops():
                raise MergeStopped("filling was stopped before its commit", "nothing is lost, it can be done again")
            if not told and self._clock.monotonic() - began > PATIENCE:
                told = True
                self._say(f"waiting for process {writer.pid}, which writes {self._root}, to commit it")
            self._clock.sleep(LOOK)
        return outcome
