"""The state of a lake, and what a backfill is to it: due, applied, or stale."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from logagg.lake.parts import FLUSH, HOUR, Part
from logagg.lake.state import BACKFILL, NEVER, PendingCommit, State
from logagg.lake.uncounted import Range
from logagg.records import Fingerprint, Progress, Source

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
PART = Part("late", "data/late/backfill-1.parquet", HOUR, 60, 3, 1000, AT, AT)
OLD = Part("early", "data/early/flush-1.parquet", FLUSH, 60, 3, 1000, AT, AT)
STATE = State(5, parts=(OLD,), uncounted={"late": {"a": (Range(0, 9),)}, "other": {"a": (Range(0, 9),)}})
FILL = PendingCommit(BACKFILL, (PART,), rollup="late", filled={"a": (Range(0, 9),)})


def test_a_backfill_is_due_once() -> None:
    assert STATE.status_of(FILL) == "due"
    after = STATE.after(FILL, AT, 10)
    assert after.parts == (OLD, PART)
    assert after.uncounted == {"other": {"a": (Range(0, 9),)}}
    assert (after.commits[-1].kind, after.commits[-1].rows, after.commits[-1].id) == ("backfill", 3, 6)
    assert after.status_of(FILL) == "applied"


def test_another_backfill_of_the_same_lines_is_stale() -> None:
    after = STATE.after(FILL, AT, 10)
    other = replace(FILL, parts=(replace(PART, path="data/late/backfill-2.parquet"),))
    assert after.status_of(other) == "stale"
    assert after.status_of(replace(FILL, parts=())) == "stale", "of one without rows it is not known"


def test_lines_that_came_meanwhile_stay_uncounted() -> None:
    grown = replace(STATE, uncounted={"late": {"a": (Range(0, 20),), "b": (Range(0, 3),)}})
    assert grown.status_of(FILL) == "due"
    assert grown.after(FILL, AT, 10).uncounted == {"late": {"a": (Range(9, 20),), "b": (Range(0, 3),)}}


def test_one_that_counts_nothing_is_never_due() -> None:
    assert STATE.status_of(replace(FILL, filled={})) == "stale"


@pytest.mark.parametrize("wrong", [replace(FILL, parts=(OLD,)), replace(FILL, old=(OLD,))])
def test_one_that_changes_more_than_its_rollup_is_refused(wrong: PendingCommit) -> None:
    with pytest.raises(ValueError, match="changes other rollups"):
        STATE.after(wrong, AT, 10)


@pytest.mark.parametrize(("days", "left"), [(0, {"a": (Range(0, 9),)}), (40, {})])
def test_a_forgotten_source_stays_uncounted_as_long_as_it_has_requests(days: int, left: object) -> None:
    nothing = Fingerprint(0, 0, "")
    source = Source("a", "/a.log", 1, 1, nothing, gone=AT.timestamp())
    state = replace(
        STATE,
        sources={"a": source},
        progress={"a": {0: Progress(9, 3, nothing)}},
        requests_kinds=("pageview",),
        requests_from=AT + timedelta(days=days) if days else NEVER,
    )
    after = state.without_gone(AT.timestamp() + 1)
    assert "a" not in after.sources
    assert after.uncounted.get("late", {}) == left
