"""The background merges of a lake: small files become large ones, and retention is applied, beside the commits."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from logagg.clock import Clock
from logagg.errors import CommitFailed, Fenced, LogaggError, MergeStopped
from logagg.lake.compact import Replacement, joined
from logagg.lake.lake import Lake
from logagg.notice_log import Notices
from logagg.notices import backfill_failed, clock_doubted, committed, merge_failed

MERGE_AGAIN = 60.0  # seconds before files are merged again after a failure
LOOK = 0.5  # seconds between looks for what other processes wait for
TIDY = 300.0  # seconds between looks for what killed ones have left


class Merger:
    """One round of merges at a time, in a thread of its own; a failure is reported, and the next round waits.

    The files stay as they are when a merge fails, and commits go on, so no failure of a merge ends a run.
    """

    def __init__(self, lake: Lake, clock: Clock, notices: Notices) -> None:
        self._lake, self._clock, self._notices = lake, clock, notices
        self._executor = ThreadPoolExecutor(1, "merger")
        self._others = ThreadPoolExecutor(1, "backfill")  # not the merger's: a merge may take a while
        self._running: Future[None] | None = None
        self._serving: Future[None] | None = None
        self._looked = self._tidied = clock.monotonic()
        self._bytes = 0
        self._not_before = clock.monotonic()

    @property
    def bytes(self) -> int:
        """The memory that a running merge takes; of a lake that workers share it is not known."""
        return 0 if self._is_idle() else self._bytes

    def serve(self) -> None:
        """Do, in another thread, what other processes wait for, and see to what killed ones left; looks now and then."""
        now = self._clock.monotonic()
        if now - self._looked < LOOK or (self._serving and not self._serving.done()):
            return
        self._looked = now
        if self._lake.fills.awaited:
            self._serving = self._others.submit(self._apply_backfills)
        elif now - self._tidied >= TIDY:
            self._tidied = now
            self._serving = self._others.submit(self._tidy)

    def begin(self) -> None:
        """Merge what is due, unless a round is running, or failed a moment ago, or merges are to stop."""
        self.serve()
        if self._is_idle() and not self._lake.merging.stops and self._clock.monotonic() >= self._not_before:
            self._running = self._executor.submit(self._merge)

    def close(self) -> None:
        """Give up the round that is running, so that the end does not wait for a long merge."""
        self._lake.merging.stop()
        self._executor.shutdown(cancel_futures=True)
        self._others.shutdown(cancel_futures=True)
        self._lake.merging.go_on()

    def _is_idle(self) -> bool:
        return self._running is None or self._running.done()

    def _merge(self) -> None:
        if doubt := self._lake.new_doubt():
            self._notices.report(clock_doubted(doubt))
        with self._reported(), contextlib.suppress(MergeStopped):
            if self._lake.shards:
                self._lake.compact_due()  # takes turns with the other workers
            else:
                self._merge_alone()

    def _merge_alone(self) -> None:
        """Run the merges of a round, and commit them together: each commit writes a catalog. Raises MergeStopped."""
        tasks = self._lake.plan_compaction()
        self._bytes = max((task.memory for task in tasks), default=0)
        done: list[Replacement] = []
        try:
            for task in tasks:
                with self._reported():
                    done.append(task.run(self._lake.merging))
        except MergeStopped:
            for one in done:
                self._lake.discard(one)
            raise
        for one in joined(done):
            with self._reported():
                self._lake.commit_replacement(one)
        if not tasks:
            self._derive_alone()

    def _derive_alone(self) -> None:
        """Take one step of each derivation that is due. Raises MergeStopped."""
        steps = self._lake.plan_derivations()
        self._bytes = max((step.memory for step in steps), default=0)
        for step in steps:
            with self._reported(), contextlib.suppress(Fenced):  # requests were merged, or expired, meanwhile
                self._lake.commit_derivation(self._lake.run_derivation(step))

    def _apply_backfills(self) -> None:
        """Commit the backfills of other processes; a failure is theirs, and they try again."""
        try:
            for done in self._lake.fills.apply():
                self._notices.report(committed(done.id, done.rows, done.files))
        except Exception as error:
            self._notices.report(backfill_failed(_said(error)))

    def _tidy(self) -> None:
        with contextlib.suppress(CommitFailed, OSError):  # it is tried again
            self._lake.fills.clear_abandoned()

    @contextlib.contextmanager
    def _reported(self) -> Iterator[None]:
        """Report a failure, and let the next round wait."""
        try:
            yield
        except MergeStopped:
            raise
        except Exception as error:
            self._notices.report(merge_failed(_said(error, "merging failed: "), MERGE_AGAIN))
            self._not_before = self._clock.monotonic() + MERGE_AGAIN


def _said(error: Exception, what: str = "") -> str:
    return str(error) if isinstance(error, LogaggError) else f"{what}{type(error).__name__}: {error}"
