"""Which jobs are sent again, and which are dropped."""

from __future__ import annotations

import pytest

from logagg.cluster.outbox import Outbox, PendingJob, PositionMismatch


def outbox(*bounds: tuple[int, int], origin: int = 0) -> Outbox:
    found = Outbox(0)
    for start, end in bounds:
        found.add(PendingJob("log", origin, start, end, b"job"))
    for job in found.pending:
        job.sent = True
    return found


def unsent(found: Outbox) -> list[tuple[int, int]]:
    return [(one.start, one.end) for one in found.pending if not one.sent]


def test_committed_jobs_are_dropped_and_those_not_applied_are_sent_again() -> None:
    found = outbox((0, 5), (5, 9), (9, 12))
    found.release({"log": (5, 9)})
    found.rewind({"log": (5, 9)})
    assert unsent(found) == [(9, 12)] and found.nbytes == 6 and found.resent == 1


def test_a_job_without_a_line_is_sent_again_until_the_shard_knows_its_log() -> None:
    """It carries the position where reading begins: with `--from end`, also of a log without new lines."""
    found = outbox((70, 70), origin=70)
    found.rewind({})
    assert unsent(found) == [(70, 70)]
    found.pending[0].sent = True
    found.rewind({"log": (0, 70)})
    assert unsent(found) == [] and found.pending, "applied, not committed"
    found.release({"log": (70, 70)})
    assert not found.pending


def test_a_shard_that_is_behind_the_pending_jobs() -> None:
    with pytest.raises(PositionMismatch, match="is at position 3"):
        outbox((5, 9)).rewind({"log": (3, 3)})


def outbox_of(*jobs: tuple[str, int, int]) -> Outbox:
    outbox = Outbox(0)
    for source, start, end in jobs:
        outbox.add(PendingJob(source, 0, start, end, b"data"))
    return outbox


def test_all_jobs_before_the_first_uncommitted_one_are_done() -> None:
    outbox = outbox_of(("a", 0, 10), ("b", 0, 10), ("a", 10, 20))
    assert (outbox.added, outbox.done) == (3, 0)
    assert outbox.release({"b": (10, 10)})
    assert outbox.done == 0, "a chunk of another source is kept"
    assert outbox.release({"a": (10, 20)})
    assert outbox.done == 2
    assert not outbox.release({"a": (10, 20)})
    assert outbox.release({"a": (20, 20)})
    assert (outbox.done, outbox.nbytes) == (3, 0)
    outbox.add(PendingJob("b", 0, 10, 20, b"data"))
    assert (outbox.added, outbox.done) == (4, 3)
