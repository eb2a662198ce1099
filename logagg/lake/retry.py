"""A commit that is tried again as long as the disk refuses: the deltas are all there is of what was read."""

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
    """Return when the deltas are committed. Raises CommitFailed when the disk refuses and we are leaving."""
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
