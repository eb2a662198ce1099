"""Laws of visits: every column of every view is what one count over `requests` says.

Whatever the logs, cuts, shards and late lines, and whenever it is derived, merged, or the process dies.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from random import Random

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logagg.clock import ManualClock
from logagg.errors import Fenced
from logagg.lake.commit import GROUP_STEPS, STEPS
from logagg.lake.state import NEVER
from logagg.notices import Notice
from tests.laws.crashes import Crash, dies_at
from tests.laws.feed import files_of
from tests.laws.pace import examples
from tests.laws.visiting import KEEP_ALL, LATE, START, Sharer, Traffic, Writer, assert_visits, of_views, rows_of


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@given(st.integers(0, 1 << 32))
@examples(3)
def test_views_say_what_requests_say(seed: int) -> None:
    """Logs in any order, lines that come late, derivations, merges and restarts with any shards at any time."""
    random = Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        root, clock = Path(folder) / "lake", ManualClock(START)
        traffic, late = Traffic(random), set[tuple[str, int]]()
        writer = Writer(root, clock, random.randint(1, 7))
        for _ in range(random.randint(5, 14)):
            act = random.choice(("commit", "commit", "commit", "derive", "merge", "restart"))
            if act == "commit":
                traffic.write(random.choice("abc"), random.randint(1, 12), random.choice((10, LATE, 4 * LATE)))
                clock.sleep(max(0.0, traffic.now - clock.now()) + random.choice((0, 300, 4000)))
                mark, before = writer.lake.state.watermark.timestamp(), writer.lake.state.late
                known = {(row["source"], row["position"]) for row in rows_of(root)}
                writer.commit(traffic.logs)
                brought = [row for row in rows_of(root) if (row["source"], row["position"]) not in known]
                fresh = {(row["source"], row["position"]) for row in brought if row["at"] < mark}
                assert writer.lake.state.late - before == len(fresh)
                late |= fresh
            elif act == "restart":
                writer.close()
                writer = Writer(root, clock, random.randint(1, 7))
            else:
                getattr(writer, act)()
            if random.random() < 0.3:
                assert_visits(root, late)
        clock.sleep(10 * LATE)
        writer.derive()
        assert_visits(root, late)
        writer.lake.compact_all()
        writer.close()
        assert_visits(root, late)


def grown(root: Path, clock: ManualClock, commits: int = 4, kind: type[Writer] = Writer) -> Traffic:
    """Make a lake with so many commits, an hour or more apart: a derivation is due."""
    traffic, writer = Traffic(Random(7)), kind(root, clock)
    for number in range(commits):
        traffic.write("ab"[number % 2], 12, 600)
        traffic.write("ab"[number % 2 - 1], 3, 600)
        clock.sleep(max(0.0, traffic.now - clock.now()) + 2 * LATE)
        writer.commit(traffic.logs)
    writer.close()
    return traffic


@pytest.mark.parametrize(
    ("kind", "step"), [(Writer, step) for step in STEPS] + [(Sharer, step) for step in GROUP_STEPS]
)
def test_a_crash_at_any_step_of_a_derivation(kind: type[Writer], step: str, root: Path, clock: ManualClock) -> None:
    traffic = grown(root, clock, kind=kind)
    writer = kind(root, clock)
    writer.lake.crash_at(dies_at(step))
    with pytest.raises(Crash):
        writer.derive()
    writer.close()
    assert_visits(root)
    writer = kind(root, clock)
    steps = writer.derive()
    pends = kind is Sharer and step not in ("parts", "link moved", "outcomes")  # the committer may have committed it
    assert pends or (steps == 0) is (step in ("link moved", "outcomes"))
    assert writer.lake.state.watermark > NEVER
    assert_visits(root)
    traffic.write("a", 20, 600)
    writer.commit(traffic.logs)
    clock.sleep(10 * LATE)
    assert writer.derive()
    writer.lake.compact_all()
    writer.close()
    assert_visits(root)
    clock.sleep(KEEP_ALL.lake.grace + 61)
    kind(root, clock).close()
    named, there = files_of(root)
    assert [path for path in there - named if path.startswith("data/")] == []


def test_of_two_processes_that_derive_the_same_one_is_fenced(root: Path, clock: ManualClock) -> None:
    grown(root, clock, kind=Sharer)
    one, other = Sharer(root, clock), Sharer(root, clock)
    [mine], [theirs] = one.lake.plan_derivations(), other.lake.plan_derivations()
    done, too = mine.run(), theirs.run()
    one.lake.commit_derivation(done)
    with pytest.raises(Fenced):
        other.lake.commit_derivation(too)
    assert_visits(root)
    assert not any((root / part.path).exists() for part in too.parts)
    one.close()
    other.close()


def test_requests_that_were_merged_while_they_were_derived(root: Path, clock: ManualClock) -> None:
    """A merged part may hold requests that came meanwhile: what was derived is thrown away, and derived again."""
    grown(root, clock)
    writer = Writer(root, clock)
    [task] = writer.lake.plan_derivations()
    done = task.run()
    writer.lake._carry_out(writer.lake._planner.everything(writer.lake.state))
    with pytest.raises(Fenced):
        writer.lake.commit_derivation(done)
    assert writer.derive()
    writer.close()
    assert_visits(root)


def test_requests_that_come_while_they_are_derived_are_late(root: Path, clock: ManualClock) -> None:
    traffic = grown(root, clock)
    writer = Writer(root, clock)
    [task] = writer.lake.plan_derivations()
    done, known = task.run(), {(row["source"], row["position"]) for row in rows_of(root)}
    traffic.now = task.span.until.timestamp() - 2 * LATE
    traffic.write("a", 5, 10)
    writer.commit(traffic.logs)
    assert writer.lake.state.late == 0
    writer.lake.commit_derivation(done)
    late = [row for row in rows_of(root) if (row["source"], row["position"]) not in known]
    late = [row for row in late if row["at"] < task.span.until.timestamp()]
    assert writer.lake.state.late == len(late) > 0
    writer.close()
    assert_visits(root, {(row["source"], row["position"]) for row in late})


def test_logs_that_are_read_one_after_the_other_have_no_late_lines(root: Path, clock: ManualClock) -> None:
    """Three logs of one week, each read within the time that lines may be late; derived whenever that is due."""
    clock.sleep(7 * 86_400)  # the logs are of the past
    random, writer = Random(3), Writer(root, clock)
    for name in "abc":
        traffic = Traffic(random, dict[str, bytes]())
        for _ in range(5):
            traffic.write(name, 30, LATE)
            clock.sleep(250)
            writer.commit(traffic.logs)
            writer.derive()
    clock.sleep(2 * LATE)
    assert writer.derive() and writer.lake.state.late == 0
    writer.close()
    assert_visits(root)


def test_retention_derives_before_it_drops(root: Path, clock: ManualClock) -> None:
    grown(root, clock, 3)
    expected = of_views(root)
    config = replace(KEEP_ALL, requests=replace(KEEP_ALL.requests, keep=0.0))
    writer = Writer(root, clock, config=config)
    dropped = writer.lake.plan_expiry()
    assert not any(task.table.name == "requests" for task in dropped), "nothing is derived yet"
    assert writer.lake.expire()
    assert not any(part.rollup == "requests" for part in writer.lake.state.parts)
    writer.close()
    assert of_views(root) == expected


def test_a_damaged_part_stops_derivations_not_commits(root: Path, clock: ManualClock) -> None:
    traffic = grown(root, clock)
    writer, said = Writer(root, clock), list[Notice]()
    writer.lake.tell(said.append)
    part = next(part for part in writer.lake.state.parts if part.rollup == "requests")
    whole = (root / part.path).read_bytes()
    (root / part.path).write_bytes(whole[:-50] + bytes(50))
    assert writer.derive() == 0
    assert [one.kind for one in said] == ["damaged"]
    traffic.write("a", 5, 600)
    writer.commit(traffic.logs)
    assert writer.lake.plan_derivations() == []
    assert writer.lake.state.watermark == NEVER
    writer.close()
    (root / part.path).write_bytes(whole)
    writer = Writer(root, clock)
    clock.sleep(10 * LATE)
    assert writer.derive()
    writer.close()
    assert_visits(root)


def test_remembered_visitors_are_bounded(root: Path, clock: ManualClock) -> None:
    """The oldest go first, and are counted; those visitors are new again."""
    small = replace(KEEP_ALL, visits=replace(KEEP_ALL.visits, max_size=1))
    traffic, writer = Traffic(Random(2)), Writer(root, clock, config=small)
    for _ in range(4):
        traffic.write("a", 20, 10)
        clock.sleep(max(0.0, traffic.now - clock.now()) + 3 * LATE)
        writer.commit(traffic.logs)
        writer.derive()
        writer.lake.expire()
    seen = writer.lake.state.evicted["visits_seen"]
    assert seen > 0 and not any(part.rollup == "visits_seen" for part in writer.lake.state.parts)
    writer.close()


def test_an_old_lake_has_visits_at_once(root: Path, clock: ManualClock) -> None:
    """A lake with requests that was written before there were visits: it has neither their tables nor a watermark."""
    none = replace(KEEP_ALL.visits, enabled=False), replace(KEEP_ALL.attribution, enabled=False)
    traffic, old = Traffic(Random(7)), replace(KEEP_ALL, visits=none[0], attribution=none[1])
    writer = Writer(root, clock, config=old)
    for _ in range(3):
        traffic.write("a", 20, 600)
        clock.sleep(max(0.0, traffic.now - clock.now()) + 2 * LATE)
        writer.commit(traffic.logs)
    writer.close()
    link = root / "logagg.duckdb"
    file = link.resolve().rename(root / "catalog/000009.duckdb")  # by its name no digest is to be compared
    link.unlink()
    link.symlink_to("catalog/000009.duckdb")
    with duckdb.connect(str(file)) as catalog:
        catalog.execute("DROP TABLE derivations; DROP TABLE evicted")
        catalog.execute("ALTER TABLE lake DROP COLUMN late; ALTER TABLE lake DROP COLUMN reached")
        views = {name for (name,) in catalog.execute("SELECT view_name FROM duckdb_views()").fetchall()}
    assert "requests" in views and not views & {"visits", "flows"}
    Writer(root, clock).close()
    assert_visits(root)
    writer = Writer(root, clock)
    assert writer.lake.state.watermark == NEVER
    traffic.write("a", 5, 10)
    clock.sleep(max(0.0, traffic.now - clock.now()) + 2 * LATE)
    writer.commit(traffic.logs)
    clock.sleep(10 * LATE)
    assert writer.derive()
    writer.close()
    assert_visits(root)


def test_visits_that_are_switched_off_stay_and_go_on(root: Path, clock: ManualClock) -> None:
    traffic = grown(root, clock)
    off = replace(KEEP_ALL, visits=replace(KEEP_ALL.visits, enabled=False))
    writer = Writer(root, clock)
    assert writer.derive()
    writer.close()
    writer = Writer(root, clock, config=off)
    traffic.write("a", 9, 600)
    writer.commit(traffic.logs)
    clock.sleep(9 * LATE)
    assert writer.derive() == 0
    writer.close()
    Writer(root, clock).close()
    assert_visits(root)
