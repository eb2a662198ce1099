"""Many writers, one lake: each commit counts once, whichever writer makes it; pending commits of a dead writer do not arrive later."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from itertools import chain, count
from pathlib import Path

import duckdb
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from logagg.clock import ManualClock
from logagg.errors import CommitFailed, CommitUncertain, Fenced
from logagg.lake import compact, locks
from logagg.lake.commit import GROUP_STEPS
from logagg.lake.pending import PendingCommits
from logagg.lake.state import CommitInfo, State
from tests.conftest import ROOT, wait_until
from tests.laws import sums
from tests.laws.crashes import COARSER, MINUTES, Crash, assert_clears_away, dies_at, lines
from tests.laws.feed import SOURCE, Sharer, assert_holds
from tests.laws.pace import examples

WRITERS = 4


@pytest.fixture
def writers(root: Path, clock: ManualClock) -> Iterator[list[Sharer]]:
    made = [Sharer(root, clock, MINUTES, WRITERS, [shard]) for shard in range(WRITERS)]
    yield made
    for one in made:
        one.close()


def newest(root: Path) -> str:
    return str((root / "logagg.duckdb").readlink())


def pending(root: Path) -> list[str]:
    return sorted(path.suffix for path in (root / "pending").glob("*"))


@contextmanager
def all_waiting(root: Path, acts: Sequence[Callable[[], CommitInfo]]) -> Iterator[list[Future[CommitInfo]]]:
    """Submit pending commits at the same time: no writer gets the commit lock before all are submitted."""
    with ThreadPoolExecutor(len(acts)) as pool:
        with locks.commit_lock(root):
            before = len(pending(root))
            futures = [pool.submit(act) for act in acts]
            wait_until(lambda: len(pending(root)) == before + len(acts))
        yield futures


def committed(root: Path) -> list[tuple[int, str]]:
    with duckdb.connect(str(root / "logagg.duckdb"), read_only=True) as connection:
        return connection.execute("SELECT id, kind FROM commits WHERE kind <> 'open' ORDER BY id").fetchall()


def test_the_holder_of_the_commit_lock_applies_all_pending_commits_in_one_catalog(
    root: Path, writers: list[Sharer]
) -> None:
    log = lines(40)
    deltas = [one.drain(log) for one in writers]
    catalogs = set((root / "catalog").iterdir())
    commits = [partial(one.lake.commit, some, [SOURCE]) for one, some in zip(writers, deltas, strict=True)]
    with all_waiting(root, commits) as futures:
        done = [future.result() for future in futures]
    assert len(set((root / "catalog").iterdir()) - catalogs) == 1
    assert committed(root) == [(number, "flush") for number in sorted(one.id for one in done)]
    assert sum(one.lines for one in done) == 40
    assert pending(root) == []
    assert_holds(root, log)


def test_merges_and_flushes_share_a_catalog(root: Path, writers: list[Sharer]) -> None:
    log = lines(20)
    for one in writers:
        one.flush(log)
    first, *_, last = writers
    first_merge, second_merge, *_ = [task.run() for task in last.lake._planner.everything(last.lake.state)]
    log += lines(20, 20)
    deltas = first.drain(log)
    acts = [lambda: first.lake.commit(deltas, [SOURCE])]
    acts += [lambda done=done: last.lake.commit_replacement(done) for done in (first_merge, second_merge)]  # type: ignore[misc]
    before = newest(root)
    with all_waiting(root, acts) as futures:
        assert len({future.result().id for future in futures}) == 3
    assert sorted(kind for _, kind in committed(root)[-3:]) == ["compact", "compact", "flush"]
    assert sorted(path.name for path in (root / "catalog").iterdir())[-2:] == [
        Path(before).name,
        Path(newest(root)).name,
    ]
    for writer in writers:
        writer.flush(log)
    assert_holds(root, log)


def test_a_merge_of_parts_that_are_already_merged_is_dropped(root: Path, writers: list[Sharer]) -> None:
    log = lines(20)
    for one in writers:
        one.flush(log)
    first, last = (
        next(one for one in writers if one.lake.state.parts),
        writers[-1],
    )  # a shard may own none of the visitors
    first.lake.compact_all()  # its state lacks the last flush
    tasks = last.lake._planner.everything(last.lake.state)  # and the state of this one lacks the merge
    with pytest.raises(Fenced):
        last.lake.commit_replacement(tasks[0].run())
    assert_holds(root, log)


def test_two_writers_merge_different_rollups_at_once(
    root: Path, writers: list[Sharer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compact, "FLUSHES", 4)
    log = b""
    for n in range(4):
        log += lines(12, 12 * n)
        for one in writers:
            one.flush(log)
    with locks.held(root, f"{locks.MERGES}traffic") as ours:
        assert ours
        writers[-1].lake.compact_due()
    assert levels(root, "traffic") == {"flush"}, "another writer holds the lease"
    assert "flush" not in levels(root, "pages")
    writers[0].lake.compact_due()
    assert "flush" not in levels(root, "traffic")
    assert_holds(root, log)


def levels(root: Path, rollup: str) -> set[str]:
    with duckdb.connect(str(root / "logagg.duckdb"), read_only=True) as connection:
        return {
            level for (level,) in connection.execute("SELECT level FROM files WHERE rollup = ?", [rollup]).fetchall()
        }


def test_pending_commits_of_a_dead_owner_are_dropped_once_its_shard_is_taken_over(
    root: Path, clock: ManualClock
) -> None:
    first, log = Sharer(root, clock, MINUTES, 2, [0]), lines(20)
    other = Sharer(root, clock, MINUTES, 2, [1])
    first.lake.crash_at(dies_at("pending"))
    with pytest.raises(Crash):
        first.flush(log[: log.index(b"\n", 500) + 1])
    first.close()
    assert pending(root) == [".pending"]
    successor = Sharer(root, clock, MINUTES, 2, [0])
    assert pending(root) == [".stale"]
    for one in (successor, other):
        one.flush(log)
        one.close()
    assert_holds(root, log)
    assert_clears_away(root, clock)


def test_pending_commits_of_a_dead_owner_may_be_committed_before_that(root: Path, clock: ManualClock) -> None:
    first, other, log = Sharer(root, clock, MINUTES, 2, [0]), Sharer(root, clock, MINUTES, 2, [1]), lines(20)
    first.lake.crash_at(dies_at("pending"))
    with pytest.raises(Crash):
        first.flush(log)
    first.close()
    other.flush(log)
    assert_holds(root, log)
    successor = Sharer(root, clock, MINUTES, 2, [0])
    log += lines(9, 100)
    for one in (successor, other):
        one.flush(log)
        one.close()
    assert_holds(root, log)


def test_the_second_of_two_owners_of_a_shard_is_fenced(root: Path, clock: ManualClock) -> None:
    """A file system loses locks: the second of two owners to commit is fenced, and no line counts twice."""
    log = lines(30)
    former, successor = Sharer(root, clock, MINUTES), Sharer(root, clock, MINUTES)
    successor.flush(log[: log.index(b"\n", 1000) + 1])
    with pytest.raises(Fenced, match="restart to resume"):
        former.flush(log)
    successor.flush(log)
    assert_holds(root, log)
    for one in (former, successor):
        one.close()


def test_without_the_check_of_positions_both_owners_would_count(
    root: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guards are needed: the check of a pending commit's start positions, and that a merge finds the parts that it replaces."""
    monkeypatch.setattr(State, "status_of", lambda self, pending: "due")
    log = lines(30)
    former, successor = Sharer(root, clock, MINUTES), Sharer(root, clock, MINUTES)
    successor.flush(log)
    once = hits(root)
    former.flush(log)
    assert hits(root) == 2 * once
    task, *_ = [
        task for task in successor.lake._planner.everything(successor.lake.state) if task.table.name == "traffic"
    ]
    for _ in range(2):
        successor.lake.commit_replacement(task.run())
    assert hits(root) == 3 * once
    for one in (former, successor):
        one.close()


def hits(root: Path) -> int:
    with duckdb.connect(str(root / "logagg.duckdb"), read_only=True) as connection:
        return int(connection.execute("SELECT sum(hits) FROM traffic").fetchall()[0][0])


def test_a_repeated_commit_is_made_once(root: Path, clock: ManualClock) -> None:
    feed, log = Sharer(root, clock, MINUTES), lines(30)
    deltas = feed.drain(log)
    feed.lake.commit(deltas, [SOURCE])
    feed.lake.commit(deltas, [SOURCE])
    assert_holds(root, log)
    feed.close()


def test_a_writer_that_misses_the_outcome_tries_again_and_counts_once(
    root: Path, writers: list[Sharer], monkeypatch: pytest.MonkeyPatch
) -> None:
    log, (first, *others) = lines(30), writers
    deltas = first.drain(log)
    with monkeypatch.context() as patch:
        patch.setattr(PendingCommits, "record", lambda *arguments: None)  # as if the disk refused the rename
        with pytest.raises(CommitUncertain):
            first.lake.commit(deltas, [SOURCE])
    first.lake.commit(deltas, [SOURCE])
    for one in others:
        one.flush(log)
    assert_holds(root, log)
    assert ".pending" not in pending(root)


@pytest.mark.parametrize("rubbish", [b"", b"commit", b"\0" * 5000])
def test_an_unreadable_pending_commit_is_put_aside(rubbish: bytes, root: Path, writers: list[Sharer]) -> None:
    log = lines(20)
    writers[0].flush(log)
    (root / "pending" / "0000.pending").write_bytes(rubbish)
    for one in writers[1:]:
        one.flush(log)
    assert pending(root) == [".broken"]
    assert_holds(root, log)


def test_a_writer_whose_parts_were_deleted_writes_them_again(root: Path, writers: list[Sharer]) -> None:
    log = lines(20)
    drained = {id(one): one.drain(log) for one in writers}
    first = next(one for one in writers if any(delta.rollups for delta in drained[id(one)]))  # some may own no visitor
    deltas = drained[id(first)]
    there = set((root / "data").glob("*/*"))
    with ThreadPoolExecutor(1) as pool:
        with locks.commit_lock(root):
            future = pool.submit(first.lake.commit, deltas, [SOURCE])
            wait_until(lambda: pending(root) == [".pending"])
            (set((root / "data").glob("*/*")) - there).pop().unlink()
        with pytest.raises(CommitFailed, match="missing or truncated"):
            future.result()
    assert set((root / "data").glob("*/*")) == there
    first.lake.commit(deltas, [SOURCE])
    for one in writers:
        if one is not first:
            one.lake.commit(drained[id(one)], [SOURCE])
    assert_holds(root, log)


def test_a_writer_whose_commit_fails_does_not_block_the_others(root: Path, writers: list[Sharer]) -> None:
    """The first writer with the commit lock cannot write; the others' commits succeed, and afterwards its own."""
    log = lines(40)
    deltas = [one.drain(log) for one in writers]
    times = count()

    def refuse(step: str) -> None:
        if step == "catalog" and next(times) == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for one in writers:
        one.lake.crash_at(refuse)
    acts = [
        lambda one=one, some=some: one.lake.commit(some, [SOURCE]) for one, some in zip(writers, deltas, strict=True)
    ]
    with all_waiting(root, acts) as futures:
        [failed] = [number for number, future in enumerate(futures) if future.exception()]
    assert isinstance(futures[failed].exception(), CommitFailed)
    assert len(committed(root)) == WRITERS - 1
    acts[failed]()
    assert_holds(root, log)


class Sharing(RuleBasedStateMachine):
    """Writers flush, merge, die at any step, and are replaced, in any order: each line is committed once."""

    SHARDS = 3

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.root, self.clock, self.log, self.number = self.folder / "lake", ManualClock(time.time()), b"", 0
        self.writers = [self.writer(shard) for shard in range(self.SHARDS)]

    def writer(self, shard: int) -> Sharer:
        return Sharer(self.root, self.clock, COARSER, self.SHARDS, [shard])

    def teardown(self) -> None:
        if not hasattr(self, "folder"):
            return
        for one in self.writers:
            one.flush(self.log)
        assert_holds(self.root, self.log)
        for one in self.writers:
            one.close()
        try:
            assert_clears_away(self.root, self.clock)
        finally:
            shutil.rmtree(self.folder)

    @rule(number=st.integers(1, 12))
    def write(self, number: int) -> None:
        self.log += lines(number, self.number)
        self.number += number

    @rule(who=st.integers(0, SHARDS - 1), times=st.integers(1, 6))
    def flush(self, who: int, times: int) -> None:
        for _ in range(times):
            self.write(2)
            self.writers[who].flush(self.log)

    @rule(who=st.integers(0, SHARDS - 1))
    def merge(self, who: int) -> None:
        self.writers[who].merge()

    @rule(days=st.sampled_from([0.001, 2, 20]))
    def wait(self, days: float) -> None:
        self.clock.sleep(days * 86_400)

    @rule(
        who=st.integers(0, SHARDS - 1),
        step=st.sampled_from(GROUP_STEPS),
        act=st.sampled_from(["flush", "merge"]),
        late=st.booleans(),
    )
    def crash(self, who: int, step: str, act: str, late: bool) -> None:
        """Crash and start a successor; if `late`, others commit before it starts."""
        victim = self.writers[who]
        victim.lake.crash_at(dies_at(step))
        with suppress(Crash):
            self.flush(who, 1) if act == "flush" else victim.merge()
        victim.close()
        if late:
            self.flush((who + 1) % self.SHARDS, 1)
        self.writers[who] = self.writer(who)

    @invariant()
    def holds(self) -> None:
        """Every line that a shard has taken is a hit or a reject."""
        if hasattr(self, "folder"):
            with duckdb.connect(str(self.root / "logagg.duckdb"), read_only=True) as connection:
                query = "SELECT (FROM traffic SELECT coalesce(sum(hits), 0)) + (FROM rejects SELECT coalesce(sum(lines), 0)), (FROM sources SELECT coalesce(sum(lines), 0))"
                [(counted, taken)] = connection.execute(query).fetchall()
            assert counted == taken


TestSharing = Sharing.TestCase
TestSharing.settings = examples(6, stateful_step_count=14)


DRIVER = Path(__file__).with_name("dying_sharer.py")


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.thorough
def test_killed_at_each_step_among_others(root: Path, tmp_path: Path, clock: ManualClock) -> None:
    """Three processes share a lake; each is killed at a step of its commits, and its successor at a later one, until all lines are committed."""
    log, shards = tmp_path / "access.log", 6
    log.write_bytes(lines(280))
    Sharer(root, clock, MINUTES, shards).close()
    steps, killed = chain(range(1, 10), count(20, 4)), 0

    def start(number: int) -> subprocess.Popen[bytes]:
        owned = [str(shard) for shard in range(number, shards, 3)]
        argv = [sys.executable, str(DRIVER), str(next(steps)), str(root), str(log), str(shards), *owned]
        return subprocess.Popen(argv, cwd=ROOT)

    running = {number: start(number) for number in range(3)}
    try:
        while running:
            for number, process in list(running.items()):
                if process.poll() is None:
                    wait_until(lambda: any(one.poll() is not None for one in running.values()))
                    continue
                killed += process.returncode == -signal.SIGKILL
                assert process.returncode in (0, -signal.SIGKILL)
                running.pop(number)
                if process.returncode:
                    running[number] = start(number)
    finally:
        for process in running.values():
            process.kill()
            process.wait()
    assert killed >= 9
    assert_holds(root, log.read_bytes())
    sums.assert_agrees(root, log.read_text().splitlines())
