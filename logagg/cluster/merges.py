"""The merges of a worker: small files become large ones, and retention is applied, beside the commits."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

from logagg.clock import Clock
from logagg.errors import LogaggError, MergeStopped
from logagg.lake.lake import Lake
from logagg.notice_log import Notices
from logagg.notices import clock_doubted, merge_failed

AGAIN = 60.0  # seconds before files are merged again after a failure


class Merges:
    """One merge at a time, in a thread of its own; a failure is said, and the next attempt waits."""

    def __init__(self, lake: Lake, clock: Clock, notices: Notices) -> None:
        self._lake, self._clock, self._notices = lake, clock, notices
        lake.merging.notice = notices.report
        self._merger = ThreadPoolExecutor(1, "merger")
        self._running: Future[None] | None = None
        self._not_before = clock.monotonic()

    def begin(self) -> None:
        """Merge what is due, unless that is going on already, or failed a moment ago."""
        is_idle = self._running is None or self._running.done()
        if is_idle and self._clock.monotonic() >= self._not_before:
            self._running = self._merger.submit(self._merge)

    def close(self) -> None:
        self._lake.merging.stop()
        self._merger.shutdown(cancel_futures=True)

    def _merge(self) -> None:
        if doubt := self._lake.new_doubt():
            self._notices.report(clock_doubted(doubt))
        try:
            self._lake.compact_due()
        except MergeStopped:
            return
        except Exception as error:  # whatever it is: the files stay as they are, and commits go on
            what = str(error) if isinstance(error, LogaggError) else f"merging failed: {type(error).__name__}: {error}"
            self._notices.report(merge_failed(what, AGAIN))
            self._not_before = self._clock.monotonic() + AGAIN
