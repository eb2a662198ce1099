"""The background merges of a lake: small files become large ones, and retention is applied, beside the commits."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from logagg.clock import Clock
from logagg.errors import LogaggError, MergeStopped
from logagg.lake.compact import Replacement, joined
from logagg.lake.lake import Lake
from logagg.notice_log import Notices
from logagg.notices import clock_doubted, merge_failed

MERGE_AGAIN = 60.0  # seconds before files are merged again after a failure


class Merger:
    """One round of merges at a time, in a thread of its own; a failure is reported, and the next round waits.

    The files stay as they are when a merge fails, and commits go on, so no failure of a merge ends a run.
    """

    def __init__(self, lake: Lake, clock: Clock, notices: Notices) -> None:
        self._lake, self._clock, self._notices = lake, clock, notices
        self._executor = ThreadPoolExecutor(1, "merger")
        self._running: Future[None] | None = None
        self._bytes = 0
        self._not_before = clock.monotonic()

    @property
    def bytes(self) -> int:
        """The memory that a running merge takes; of a lake that workers share it is not known."""
        return 0 if self._is_idle() else self._bytes

    def begin(self) -> None:
        """Merge what is due, unless a round is running, or failed a moment ago, or merges are to stop."""
        if self._is_idle() and not self._lake.merging.stops and self._clock.monotonic() >= self._not_before:
            self._running = self._executor.submit(self._merge)

    def close(self) -> None:
        """Give up the round that is running, so that the end does not wait for a long merge."""
        self._lake.merging.stop()
        self._executor.shutdown(cancel_futures=True)
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

    @contextlib.contextmanager
    def _reported(self) -> Iterator[None]:
        """Report a failure, and let the next round wait."""
        try:
            yield
        except MergeStopped:
            raise
        except Exception as error:
            what = str(error) if isinstance(error, LogaggError) else f"merging failed: {type(error).__name__}: {error}"
            self._notices.report(merge_failed(what, MERGE_AGAIN))
            self._not_before = self._clock.monotonic() + MERGE_AGAIN
