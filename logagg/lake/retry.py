"""Retries a commit until it succeeds, since the deltas in memory are the only copy of their rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from logagg.clock import Clock
from logagg.errors import CommitFailed
from logagg.lake.lake import Lake
from logagg.notice_log import Notices
from logagg.notices import commit_failed, committed
from logagg.records import Delta, Source

RETRY_AFTER = 2.0  # seconds between attempts


def commit_until_done(
    lake: Lake,
    deltas: Sequence[Delta],
    sources: Sequence[Source],
    leaving: Callable[[], bool],
    clock: Clock,
    notices: Notices,
) -> None:
    """Commit the deltas, with retries. Raises CommitFailed if an attempt fails while the process is ending."""
    while True:
        try:
            done = lake.commit(deltas, sources)
        except CommitFailed as failure:
            if leaving():
                raise
            notices.report(commit_failed(str(failure)))
            clock.sleep(RETRY_AFTER)
        else:
            notices.report(committed(done.id, done.rows, done.files))
            return
