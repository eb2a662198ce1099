"""A merge of a worker that fails is said, and is not tried again at once."""

from __future__ import annotations

import io
import threading

import pytest

from logagg.clock import ManualClock
from logagg.cluster.merges import AGAIN, Merges
from logagg.errors import CommitFailed, LakeError
from logagg.lake.progress import MergeProgress
from logagg.notice_log import Notices


class Lake:
    """A lake whose merges fail."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.merging = MergeProgress(ManualClock())
        self.attempts = 0
        self.done = threading.Event()

    def new_doubt(self) -> str:
        return ""

    def compact_due(self) -> None:
        self.attempts += 1
        self.done.set()
        if self.failure:
            raise self.failure


class Merging:
    """The merges of a worker, asked for and waited for."""

    def __init__(self) -> None:
        self.lake, self.clock, self.stream = Lake(), ManualClock(), io.StringIO()
        self.merges = Merges(self.lake, self.clock, Notices(self.clock, stream=self.stream))  # type: ignore[arg-type]

    def begin(self) -> int:
        """Let the merges that are due be made; return how many were begun."""
        before = self.lake.attempts
        self.merges.begin()
        if running := self.merges._running:  # noqa: SLF001
            running.result(60)
        return self.lake.attempts - before


@pytest.mark.parametrize(
    "failure", [LakeError("part 7 is missing"), CommitFailed("the disk is full"), KeyError("traffic"), MemoryError()]
)
def test_a_failure_is_said_and_backed_off(failure: Exception) -> None:
    merging = Merging()
    merging.lake.failure = failure
    assert [merging.begin() for _ in range(3)] == [1, 0, 0]
    said = merging.stream.getvalue()
    assert said.count("\n") == 1 and "retry: " in said and "merging files again in 60 s" in said
    assert (str(failure) if isinstance(failure, LakeError) else type(failure).__name__) in said
    merging.clock.sleep(AGAIN)
    assert [merging.begin() for _ in range(2)] == [1, 0]
    assert merging.stream.getvalue().count("\n") == 2


def test_it_goes_on_once_it_succeeds() -> None:
    merging = Merging()
    merging.lake.failure = LakeError("a moment")
    merging.begin()
    merging.lake.failure = None
    merging.clock.sleep(AGAIN)
    assert [merging.begin() for _ in range(3)] == [1, 1, 1]
    assert merging.stream.getvalue().count("\n") == 1
    merging.merges.close()
