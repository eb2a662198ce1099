"""Laws of backfills: a rollup that is defined late, and filled, says what it would say if it had been there from the start.

Whatever the cuts and the shards, and wherever a process dies; the same as a plain count over requests says.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logagg.clock import ManualClock
from logagg.config.sections import Config
from logagg.errors import CommitFailed, LakeLocked
from logagg.lake import backfill, catalog, locks
from logagg.lake.commit import GROUP_STEPS, STEPS
from logagg.lake.handover import Handover
from logagg.lake.lake import Lake
from logagg.lake.pending import PendingCommits
from logagg.lake.progress import MergeProgress
from logagg.lake.state import PendingCommit, State
from logagg.rollup.conditions import Sql
from logagg.rollup.configured import derivations_of, requests_of
from logagg.rollup.definitions import DEFAULTS, Measure, Part, Rollup
from logagg.rollup.derived import Definition
from logagg.rollup.shard import Shard, ShardSettings
from tests.laws.crashes import MINUTES, Crash, assert_clears_away, dies_at, lines
from tests.laws.feed import Feed, assert_holds, files_of
from tests.laws.pace import examples

WHERE = "path <> '/gone' OR status >= 500"
PARTS = (
    Part(
        {
            "hits": Measure("count"),
            "views": Measure("count", where=Sql("kind = 'pageview'")),
            "bytes": Measure("sum", "bytes"),
            "visitors": Measure("uniques"),
        },
        where=Sql(WHERE),
    ),
)
DIMENSIONS = ("site", "path", "status", "is_bot")
EARLY, LATE = Rollup("early", DIMENSIONS, PARTS, 300), Rollup("late", DIMENSIONS, PARTS, 300)
BEFORE, AFTER = (*DEFAULTS, EARLY), (*DEFAULTS, EARLY, LATE)


def tables(rollups: Sequence[Rollup], config: Config) -> tuple[Definition, ...]:
    return (*rollups, *derivations_of(config), requests_of(config))


class Writer(Feed):
    """A process that writes a lake alone, with these rollups."""

    def __init__(
        self,
        root: Path,
        clock: ManualClock,
        rollups: Sequence[Rollup] = AFTER,
        shards: int = 2,
        config: Config = MINUTES,
    ) -> None:
        self.rollups = rollups
        self.lake = Lake.open(root, tables(rollups, config), clock=clock, config=config)
        self._begin(clock, config, shards, dict.fromkeys(range(shards), self.lake.known_sources(shards)))

    def _begin(self, clock, config, number, owned) -> None:  # type: ignore[no-untyped-def]
        super()._begin(clock, config, number, owned)
        for shard in self.shards:
            shard.close()
        settings = ShardSettings(self.rollups)
        self.shards = [Shard(shard, settings, known, self.lake.clicks(shard, number)) for shard, known in owned.items()]


class Worker(Writer):
    """One of several processes that write a lake, with some of its shards."""

    def __init__(
        self, root: Path, clock: ManualClock, rollups: Sequence[Rollup], shards: int, owned: Sequence[int]
    ) -> None:
        self.rollups = rollups
        self.lake = Lake.join(
            root, tables(rollups, MINUTES), clock=clock, config=MINUTES, shards=shards, at_least=shards
        )
        self._begin(clock, MINUTES, shards, {shard: self.lake.sources_of(shard) for shard in owned})


def newest(root: Path) -> State:
    path = catalog.newest(root)
    assert path
    return catalog.read(path)


def counted(root: Path) -> PendingCommit:
    """Count, by the newest snapshot, what the late rollup has not counted."""
    return backfill.Backfill(root, LATE, newest(root), 20_000).run(MergeProgress(ManualClock()))


def handover(root: Path, clock: ManualClock) -> Handover:
    return Handover(root, tables(AFTER, MINUTES), clock, MINUTES)


def fill(root: Path, clock: ManualClock) -> bool:
    with locks.filling(root, "late"):
        return handover(root, clock).commit(counted(root))


def of(connection: duckdb.DuckDBPyConnection, rollup: str) -> list[tuple[object, ...]]:
    return connection.execute(
        f"SELECT ts, site, path, status, is_bot, sum(hits), sum(views), sum(bytes), uniques(visitors) FROM {rollup} "
        "GROUP BY ALL ORDER BY ALL"
    ).fetchall()


def assert_filled(root: Path, log: bytes) -> None:
    """The late rollup is as the early one, and as a plain count over requests; nothing else has changed."""
    with duckdb.connect(str(root / "logagg.duckdb"), read_only=True) as connection:
        plain = connection.execute(
            "SELECT time_bucket(INTERVAL 5 MINUTE, ts), site, path, status, is_bot, count(*), "
            "count(*) FILTER (kind = 'pageview'), sum(bytes), count(DISTINCT visitor) "
            f"FROM requests WHERE {WHERE} GROUP BY ALL ORDER BY ALL"
        ).fetchall()
        assert of(connection, "late") == of(connection, "early") == plain
        assert plain
        assert connection.execute("FROM uncounted").fetchall() == []
    assert_holds(root, log)


class Log:
    """A log that grows, and the writers that read it."""

    def __init__(self, root: Path, clock: ManualClock) -> None:
        self.root, self.clock, self.text, self._lines = root, clock, b"", 0

    def grow(self, number: int = 5) -> bytes:
        self.text += lines(number, self._lines)
        self._lines += number
        return self.text

    def read(self, rollups: Sequence[Rollup], times: int = 1, shards: int = 2) -> None:
        """Let a process read on, with as many commits."""
        with closing(Writer(self.root, self.clock, rollups, shards)) as writer:
            for _ in range(times):
                writer.flush(self.grow())


@pytest.fixture
def log(root: Path, clock: ManualClock) -> Log:
    return Log(root, clock)


SOMETIMES = st.integers(0, 3)
SHARDS = st.integers(1, 3)
KNOWN = st.sampled_from([BEFORE, AFTER])


@given(
    st.lists(st.tuples(KNOWN, SOMETIMES, SHARDS), max_size=4),
    st.lists(st.tuples(KNOWN, SOMETIMES, SHARDS), max_size=3),
    st.booleans(),
    st.booleans(),
)
@examples(5)
def test_it_is_as_if_it_had_been_there_from_the_start(
    earlier: list[tuple[Sequence[Rollup], int, int]],
    meanwhile: list[tuple[Sequence[Rollup], int, int]],
    merged_before: bool,
    merged_meanwhile: bool,
) -> None:
    """Processes that know the rollup and such that do not take turns, with any shards, before a backfill and while it counts."""
    with tempfile.TemporaryDirectory() as folder:
        root, clock = Path(folder) / "lake", ManualClock(time.time())
        log = Log(root, clock)
        log.read(BEFORE, 2)
        for rollups, times, shards in [*earlier, (AFTER, 0, 2)]:
            log.read(rollups, times, shards)
        if merged_before:
            merge(root, clock)
        found = counted(root)
        for rollups, times, shards in meanwhile:
            log.read(rollups, times, shards)
        if merged_meanwhile:
            merge(root, clock)
        assert handover(root, clock).commit(found)
        if newest(root).uncounted:  # of a process that does not know the rollup
            assert fill(root, clock)
        assert_filled(root, log.text)
        log.read(AFTER)
        merge(root, clock)
        assert_filled(root, log.text)


def merge(root: Path, clock: ManualClock) -> None:
    with closing(Writer(root, clock)) as writer:
        writer.lake.compact_all()


@pytest.mark.parametrize("step", STEPS)
def test_a_crash_at_any_step_of_its_own_commit(step: str, root: Path, clock: ManualClock, log: Log) -> None:
    log.read(BEFORE, 3)
    log.read(AFTER, 2)
    one = handover(root, clock)
    one.reached = dies_at(step)
    with pytest.raises(Crash):
        one.commit(counted(root))
    log.read(AFTER)
    if step == "link moved":
        assert newest(root).uncounted == {}
    else:
        assert fill(root, clock)
    assert_filled(root, log.text)
    assert_clears_away_of(root, clock)


def assert_clears_away_of(root: Path, clock: ManualClock) -> None:
    """As `assert_clears_away`, of a lake with these rollups."""
    clock.sleep(MINUTES.lake.grace + 61)
    Writer(root, clock).close()
    named, there = files_of(root)
    assert [path for path in there - named if path.startswith("data/")] == []
    assert_clears_away(root, clock)


@pytest.mark.parametrize("step", ["pending", *STEPS[1:], "outcomes"])
def test_a_crash_at_any_step_of_the_tail_that_commits_it(step: str, root: Path, clock: ManualClock, log: Log) -> None:
    """The tail dies, the process that waits goes on: it commits by itself, or finds that it is done."""
    log.read(BEFORE, 3)
    tail = Writer(root, clock)
    found, one, waits = counted(root), handover(root, clock), PendingCommits(root)

    def serve(reached: str) -> None:
        assert reached in ("pending", *STEPS) and waits.any_unapplied() == (reached == "pending")
        if reached != "pending":
            return
        tail.lake.crash_at(dies_at(step))
        if step != "pending":
            with pytest.raises(Crash):
                list(tail.lake.fills.apply())
        tail.close()

    one.reached = serve
    assert one.commit(found)
    log.read(AFTER)
    assert_filled(root, log.text)
    assert fill(root, clock) is False  # there is nothing left
    assert_filled(root, log.text)
    assert_clears_away_of(root, clock)


def test_a_tail_that_starts_discards_what_waits_and_it_is_put_again(root: Path, clock: ManualClock, log: Log) -> None:
    log.read(BEFORE, 2)
    tails, times = [Writer(root, clock)], []

    def restart(reached: str) -> None:
        times.append(reached)
        if len(times) == 1:
            tails.pop().close()
            tails.append(Writer(root, clock))
        else:
            assert [one.kind for one in tails[0].lake.fills.apply()] == ["backfill"]

    one = handover(root, clock)
    one.reached = restart
    assert one.commit(counted(root))
    assert times == ["pending", "pending"]
    tails[0].flush(log.grow())
    tails[0].close()
    assert_filled(root, log.text)


def test_of_two_backfills_one_is_stale(root: Path, clock: ManualClock, log: Log) -> None:
    log.read(BEFORE, 2)
    log.read(AFTER)
    one, other = counted(root), counted(root)
    assert handover(root, clock).commit(one)
    assert not handover(root, clock).commit(other)
    assert_filled(root, log.text)
    assert handover(root, clock).commit(one)  # a second time: it is done
    assert_filled(root, log.text)
    assert_clears_away_of(root, clock)


def test_what_a_killed_backfill_left_is_deleted_by_a_tail_that_runs_on(
    root: Path, clock: ManualClock, log: Log
) -> None:
    log.read(BEFORE, 2)
    with closing(Writer(root, clock)) as tail:
        left = counted(root)
        clock.sleep(MINUTES.lake.grace + 61)
        with locks.filling(root, "late"):
            tail.lake.fills.clear_abandoned()  # a process is at it
        assert all((root / part.path).exists() for part in left.parts)
        done = counted(root)
        tail.lake.fills.commit(done)
        tail.lake.fills.clear_abandoned()
        assert not any((root / part.path).exists() for part in left.parts)
        assert all((root / part.path).exists() for part in done.parts)
    assert_filled(root, log.text)


def test_parts_that_are_gone_are_not_committed(root: Path, clock: ManualClock, log: Log) -> None:
    log.read(BEFORE, 2)
    with closing(Writer(root, clock)) as tail:
        found = counted(root)
        (root / found.parts[0].path).unlink()
        waits = PendingCommits(root)
        name = waits.put(found)
        assert list(tail.lake.fills.apply()) == []
        assert waits.outcome(name) == "broken"
    with pytest.raises(CommitFailed, match="missing"):
        handover(root, clock).commit(found)
    assert fill(root, clock)
    assert_filled(root, log.text)


def test_files_that_were_replaced_while_they_were_read(root: Path, clock: ManualClock, log: Log) -> None:
    """The grace is over before the snapshot was read: it is to begin again from a newer one, and leaves nothing."""
    log.read(BEFORE, 3)
    merge(root, clock)
    old = newest(root)
    log.read(AFTER, 3)
    merge(root, clock)
    clock.sleep(MINUTES.lake.grace + 61)
    Writer(root, clock).close()
    late = backfill.Backfill(root, LATE, newest(root), 20_000)
    late.state = replace(late.state, parts=old.parts)
    with pytest.raises(backfill.PartsReplaced):
        late.run(MergeProgress(clock))
    assert not list(root.glob("data/late/backfill-*"))
    assert fill(root, clock)
    assert_filled(root, log.text)


def test_no_more_keys_than_there_may_be(root: Path, clock: ManualClock, log: Log) -> None:
    log.read(BEFORE, 6)
    log.read(AFTER)
    found = backfill.Backfill(root, LATE, newest(root), 1).run(MergeProgress(clock))
    assert handover(root, clock).commit(found)
    with duckdb.connect(str(root / "logagg.duckdb"), read_only=True) as connection:
        hits = "SELECT ts, sum(hits), uniques(visitors) FROM {} GROUP BY ts ORDER BY ts"
        late, early = (connection.execute(hits.format(name)).fetchall() for name in ("late", "early"))
        assert late == early
        assert connection.execute("SELECT count(*) > 0 FROM late WHERE path = '(other)'").fetchall() == [(True,)]


def test_a_tail_that_starts_waits_for_a_backfill_that_commits(root: Path, clock: ManualClock, log: Log) -> None:
    log.read(BEFORE)
    one = Writer(root, clock)

    class Waiting(ManualClock):
        def sleep(self, seconds: float) -> None:
            one.close()

    def open_patiently() -> Lake:
        return Lake.open(root, tables(AFTER, MINUTES), clock=Waiting(clock.now()), config=MINUTES, patient=True)

    with pytest.raises(LakeLocked):
        open_patiently()
    with locks.filling(root, "late"):
        open_patiently().close()


# a lake that workers share


@pytest.mark.parametrize("step", GROUP_STEPS)
def test_a_crash_at_any_step_among_workers(step: str, root: Path, clock: ManualClock, log: Log) -> None:
    """Shards stand apart when the rollup comes; one worker knows it, the other does not."""
    old = [Worker(root, clock, BEFORE, 3, [0]), Worker(root, clock, BEFORE, 3, [1, 2])]
    old[0].flush(log.grow())
    old[0].flush(log.grow())
    old[1].flush(log.grow())
    old[0].close()
    new = Worker(root, clock, AFTER, 3, [0])
    old[1].flush(log.grow())
    one = handover(root, clock)
    one.reached = dies_at(step)
    with pytest.raises(Crash):
        one.commit(counted(root))
    new.flush(log.text)
    old[1].flush(log.grow())
    old[1].close()
    fill(root, clock)
    other = Worker(root, clock, AFTER, 3, [1, 2])
    for worker in (new, other):
        worker.flush(log.grow(0))
        worker.close()
    assert_filled(root, log.text)
    Worker(root, clock, AFTER, 3, [0, 1, 2]).close()
