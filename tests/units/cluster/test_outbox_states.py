"""Which message may be sent to a shard, step by step."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import logagg.cluster
from logagg.cluster.outbox import Outbox, OutboxState, PendingJob, PositionMismatch


@pytest.fixture
def outbox() -> Outbox:
    """An outbox with two jobs, whose shard has just reported its positions."""
    outbox = Outbox(3, asking=True)
    outbox.greet(100.0)
    for start in (0, 10):
        outbox.add(PendingJob("log", 0, start, start + 10, b"job"))
    return outbox


def send(outbox: Outbox) -> PendingJob:
    """Send the next job."""
    job = outbox.next()
    assert job
    job.sent = True
    outbox.note_sent()
    return job


def test_a_new_outbox_asks_before_it_sends() -> None:
    outbox = Outbox(3, asking=True)
    assert outbox.state(0.0) is OutboxState.ASKING
    outbox.note_sent()
    assert outbox.state(0.0) is OutboxState.DRAINING, "one question at a time"
    assert not outbox.may_ask(0.0)
    outbox.note_outcome()
    outbox.greet(5.0)
    assert (outbox.state(5.0), outbox.heard, outbox.failures) == (OutboxState.SENDING, 5.0, 0)


def test_jobs_are_sent_in_order(outbox: Outbox) -> None:
    assert [send(outbox).start for _ in range(2)] == [0, 10]
    assert outbox.next() is None
    assert (outbox.on_way, outbox.state(0.0)) == (2, OutboxState.SENDING)


def test_after_a_failure_it_pauses_then_asks_once_all_replies_are_in(outbox: Outbox) -> None:
    send(outbox), send(outbox)
    outbox.note_outcome()
    outbox.fail(until=7.0)
    assert outbox.state(6.9) is OutboxState.PAUSED
    assert not outbox.may_ask(6.9)
    assert outbox.state(7.0) is OutboxState.DRAINING
    outbox.note_outcome()
    assert outbox.state(7.0) is OutboxState.ASKING
    assert outbox.may_ask(7.0)


def test_failures_are_counted_until_a_reply(outbox: Outbox) -> None:
    outbox.fail(1.0)
    outbox.fail(2.0)
    assert outbox.failures == 2
    outbox.note_success()
    assert (outbox.failures, outbox.state(9.0)) == (0, OutboxState.ASKING)


def test_a_pause_without_a_failure_continues_as_before(outbox: Outbox) -> None:
    outbox.wait_until(3.0)
    assert (outbox.state(2.9), outbox.state(3.0)) == (OutboxState.PAUSED, OutboxState.SENDING)
    assert outbox.failures == 0


def test_a_shard_that_moves_is_asked_after_a_pause(outbox: Outbox) -> None:
    outbox.move(3.0)
    assert (outbox.state(2.9), outbox.state(3.0)) == (OutboxState.PAUSED, OutboxState.ASKING)
    assert outbox.failures == 0, "this is not a failure"


def test_a_gap_is_counted_and_asked_about(outbox: Outbox) -> None:
    outbox.gap()
    assert (outbox.gaps, outbox.state(0.0)) == (1, OutboxState.ASKING)


def test_another_owner_is_asked(outbox: Outbox) -> None:
    outbox.set_owner("one")
    assert not outbox.note_owner("one")
    assert not outbox.note_owner(""), "a reply without an owner has no information"
    assert (outbox.owner, outbox.state(0.0)) == ("one", OutboxState.SENDING)
    assert outbox.note_owner("two")
    assert (outbox.owner, outbox.state(0.0)) == ("two", OutboxState.ASKING)


@pytest.mark.parametrize(("ask", "state"), [(False, OutboxState.SENDING), (True, OutboxState.ASKING)])
def test_an_outbox_resumes_at_the_position_of_the_shard(outbox: Outbox, ask: bool, state: OutboxState) -> None:
    for _ in range(2):
        send(outbox)
        outbox.note_outcome()
    outbox.gap()
    outbox.resume({"log": (0, 10)}, ask=ask)
    assert outbox.state(0.0) is state
    assert outbox.resent == 1
    assert send(outbox).start == 10


def test_a_shard_behind_all_pending_jobs_cannot_be_resumed(outbox: Outbox) -> None:
    outbox.release({"log": (10, 10)})
    with pytest.raises(PositionMismatch, match="shard 3 is at position 4, the next job starts at 10"):
        outbox.resume({"log": (4, 4)}, ask=False)


def test_jobs_of_one_source_do_not_block_those_of_another() -> None:
    outbox = Outbox(0)
    for source, start in (("a", 0), ("b", 0), ("a", 10)):
        outbox.add(PendingJob(source, 0, start, start + 10, b"job"))
    while outbox.next():
        send(outbox)
    outbox.resume({"a": (0, 20), "b": (0, 0)}, ask=False)
    assert [(one.source, one.start) for one in outbox.pending if not one.sent] == [("b", 0)]
    assert outbox.nbytes == 9, "an applied job stays until it is committed"


def test_no_other_module_assigns_its_fields() -> None:
    """Only this module makes the transitions."""
    for path in Path(logagg.cluster.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                assert ast.unparse(node.value) != "outbox", f"{path.name}: outbox.{node.attr}"
