"""A failed merge is reported, and not repeated at once; for a lake of one process, and for one that workers share."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from logagg.clock import ManualClock
from logagg.errors import CommitFailed, LakeError
from logagg.lake.compact import Replacement
from logagg.lake.maintenance import MERGE_AGAIN, Merger
from logagg.lake.progress import MergeProgress
from logagg.notice_log import Notices


class Lake:
    """A lake whose merges fail."""

    def __init__(self, shards: int) -> None:
        self.failure: Exception | None = None
        self.merging = MergeProgress(ManualClock())
        self.shards = shards
        self.attempts = 0
        self.discarded, self.committed = list[Replacement](), list[Replacement]()

    def new_doubt(self) -> str:
        return ""

    def is_awaited(self) -> bool:
        return False

    def compact_due(self) -> None:
        assert self.shards, "merges of a lake of one process are committed together"
        self.attempt()

    def plan_compaction(self) -> list[Task]:
        assert not self.shards, "workers take turns"
        return [Task(self)]

    def commit_replacement(self, done: Replacement) -> None:
        self.committed.append(done)

    def discard(self, done: Replacement) -> None:
        self.discarded.append(done)

    def attempt(self) -> None:
        self.attempts += 1
        if self.failure:
            raise self.failure


class Task:
    """One merge."""

    memory = 7

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def run(self, progress: MergeProgress) -> Replacement:
        self._lake.attempt()
        progress.read(1)
        return Replacement("compact", (), ())


class Merging:
    """The merges of a lake: started, and waited for."""

    def __init__(self, shards: int) -> None:
        self.lake, self.clock, self.stream = Lake(shards), ManualClock(), io.StringIO()
        self.merger = Merger(self.lake, self.clock, Notices(self.clock, stream=self.stream))  # type: ignore[arg-type]

    def begin(self) -> int:
        """Start the merges that are due; return their number."""
        before = self.lake.attempts
        self.merger.begin()
        if running := self.merger._running:
            running.result(60)
        return self.lake.attempts - before


@pytest.fixture(params=[0, 2], ids=["alone", "shared"])
def merging(request: pytest.FixtureRequest) -> Iterator[Merging]:
    merging = Merging(request.param)
    yield merging
    merging.merger.close()


@pytest.mark.parametrize(
    "failure", [LakeError("part 7 is missing"), CommitFailed("the disk is full"), KeyError("traffic"), MemoryError()]
)
def test_a_failure_is_reported_and_followed_by_a_pause(failure: Exception, merging: Merging) -> None:
    merging.lake.failure = failure
    assert [merging.begin() for _ in range(3)] == [1, 0, 0]
    output = merging.stream.getvalue()
    assert output.count("\n") == 1 and "retry: " in output and "merging files again in 60 s" in output
    assert (str(failure) if isinstance(failure, LakeError) else type(failure).__name__) in output
    merging.clock.sleep(MERGE_AGAIN)
    assert [merging.begin() for _ in range(2)] == [1, 0]
    assert merging.stream.getvalue().count("\n") == 2


def test_merges_continue_after_a_success(merging: Merging) -> None:
    merging.lake.failure = LakeError("a moment")
    merging.begin()
    merging.lake.failure = None
    merging.clock.sleep(MERGE_AGAIN)
    assert [merging.begin() for _ in range(3)] == [1, 1, 1]
    assert merging.stream.getvalue().count("\n") == 1


def test_no_merge_is_started_while_merges_are_stopped(merging: Merging) -> None:
    merging.lake.merging.leaving = lambda: True
    assert merging.begin() == 0


def test_a_round_that_is_stopped_leaves_no_files_and_is_not_a_failure() -> None:
    """The first merge of the round is done, the second is stopped: no merge of the round is committed."""
    merging, stops = Merging(0), iter([False, False, True])
    merging.lake.plan_compaction = lambda: [Task(merging.lake)] * 2  # type: ignore[method-assign]
    merging.lake.merging.leaving = lambda: next(stops)
    assert merging.begin() == 2
    assert (len(merging.lake.discarded), merging.lake.committed, merging.stream.getvalue()) == (1, [], "")


def test_merges_of_a_round_are_committed_together() -> None:
    merging = Merging(0)
    merging.lake.plan_compaction = lambda: [Task(merging.lake)] * 3  # type: ignore[method-assign]
    assert merging.begin() == 3
    assert merging.lake.committed == [Replacement("compact", (), ())]
    assert merging.merger.bytes == 0
