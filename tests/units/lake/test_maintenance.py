"""A failed merge is reported, and not repeated at once; for a lake of one process, and for one that workers share."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from logagg.clock import ManualClock
from logagg.errors import CommitFailed, LakeError
from logagg.lake.compact import Replacement
from logagg.lake.maintenance import LOOK, MERGE_AGAIN, TIDY, Merger
from logagg.lake.progress import MergeProgress
from logagg.lake.state import NEVER, CommitInfo
from logagg.notice_log import Notices


class Lake:
    """A lake whose merges fail."""

    def __init__(self, shards: int) -> None:
        self.failure: Exception | None = None
        self.merging = MergeProgress(ManualClock())
        self.shards = shards
        self.attempts = self.tidied = 0
        self.waiting: list[object] = []  # backfills of other processes, the last first; a failure to commit one
        self.discarded, self.committed = list[Replacement](), list[Replacement]()

    def new_doubt(self) -> str:
        return ""

    @property
    def fills(self) -> Lake:
        return self

    @property
    def awaited(self) -> bool:
        return bool(self.waiting)

    def apply(self) -> Iterator[CommitInfo]:
        for failure in iter(self.waiting.pop, None):
            if isinstance(failure, Exception):
                raise failure
            yield CommitInfo(7, NEVER, "backfill", 12, 3, 0, 0)

    def clear_abandoned(self) -> None:
        self.tidied += 1

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
        notices = Notices(self.clock, verbosity=1, stream=self.stream)
        self.merger = Merger(self.lake, self.clock, notices)  # type: ignore[arg-type]

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


def serve(merging: Merging) -> str:
    """Look for what others wait for; return what is said."""
    before = len(merging.stream.getvalue())
    merging.merger.serve()
    if serving := merging.merger._serving:
        serving.result(60)
    return merging.stream.getvalue()[before:]


def test_backfills_of_others_are_committed_soon_but_not_looked_for_all_the_time(merging: Merging) -> None:
    merging.lake.waiting = [None, True, True]
    assert serve(merging) == ""
    merging.clock.sleep(LOOK)
    assert serve(merging).count("commit: 7: 12 rows in 3 files") == 2
    merging.clock.sleep(LOOK)
    assert (serve(merging), merging.lake.waiting) == ("", [])


@pytest.mark.parametrize("failure", [CommitFailed("the disk is full"), KeyError("late")])
def test_a_backfill_that_cannot_be_committed_is_said_and_harms_nothing(failure: Exception, merging: Merging) -> None:
    merging.lake.waiting = [None, failure]
    merging.clock.sleep(LOOK)
    said = serve(merging)
    assert said.count("\n") == 1 and "a backfill is not committed, its process tries again" in said
    assert merging.begin() == 1


def test_what_killed_backfills_left_is_looked_for_now_and_then(merging: Merging) -> None:
    for seconds, times in ((TIDY - 1, 0), (1, 1), (TIDY - 1, 1), (1, 2)):
        merging.clock.sleep(seconds)
        serve(merging)
        assert merging.lake.tidied == times
