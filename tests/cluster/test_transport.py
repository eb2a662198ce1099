"""Properties of a real job server on which the cluster relies: order within a shard, a reply to each message, a bound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from logagg.clock import SystemClock
from logagg.cluster import protocol
from logagg.cluster.gearman import Server
from logagg.cluster.protocol import JobMessage
from logagg.cluster.transport import Receiver, Sender, SendResult
from logagg.intake.registry import new_source
from logagg.notices import ignore
from logagg.parse.schemas import EVENT_SCHEMA
from logagg.records import Fingerprint, Job, Rejects
from tests.conftest import wait_until
from tests.gearmand import JobServer

pytestmark = pytest.mark.e2e

SHARDS, JOBS = 3, 20
SOURCE = new_source("access.log")


def job(shard: int, number: int) -> Job:
    return Job(
        shard,
        SOURCE.id,
        0,
        number,
        number + 1,
        Fingerprint.blank(number + 1),
        EVENT_SCHEMA.empty_table(),
        Rejects({"format": 1}),
    )


def same(found: Job, sent: Job) -> bool:
    return found.events.equals(sent.events) and replace(found, events=None) == replace(sent, events=None)


def received(receiver: Receiver) -> Callable[[], Job]:
    """Return a function that receives and answers the next job."""

    def take() -> Job:
        while not (found := receiver.next(0.05)):
            pass
        receiver.answer(found, b"taken")
        message = protocol.unpack(found.data, EVENT_SCHEMA)
        assert isinstance(message, JobMessage)
        return message.job

    return take


def test_jobs_of_a_shard_arrive_unchanged_in_order_and_only_there(job_server: JobServer) -> None:
    servers = [Server("127.0.0.1", job_server.port)]
    sender = Sender(servers, SystemClock(), ignore)
    receivers = [Receiver(servers, SystemClock(), ignore, f"w{shard}") for shard in range(SHARDS)]
    for shard, receiver in enumerate(receivers):
        receiver.serve([f"logagg.shard.{shard}"])
    sender.connect()
    sent = [[job(shard, number) for number in range(10 * shard, 10 * shard + JOBS)] for shard in range(SHARDS)]
    for one in (one for jobs in sent for one in jobs):
        data = protocol.pack(JobMessage("web1", 1, SHARDS, SOURCE, one))
        assert sender.send(one.start, one.shard, f"logagg.shard.{one.shard}", f"{one.shard}-{one.start}", data, 30)
    outcomes = list(sender.poll(0.05))
    for shard in (2, 0, 1):
        take = received(receivers[shard])
        assert all(map(same, [take() for _ in range(JOBS)], sent[shard]))
        outcomes += sender.poll(0.05)
    while len(outcomes) < SHARDS * JOBS:
        outcomes += sender.poll(0.1)
    assert {one.data for one in outcomes} == {b"taken"}
    sender.close()
    for receiver in receivers:
        receiver.close()


def test_an_unanswered_message_is_delivered_again(job_server: JobServer) -> None:
    """The job of a worker that dies goes to another worker."""
    servers = [Server("127.0.0.1", job_server.port)]
    sender = Sender(servers, SystemClock(), lambda notice: None)
    sender.connect()
    sender.send("it", 0, "logagg.shard.0", "u", b"data", 30)
    for name in ("first", "second"):
        receiver = Receiver(servers, SystemClock(), lambda notice: None, name)
        receiver.serve(["logagg.shard.0"])
        found = None
        while found is None:
            found = receiver.next(0.1)
        if name == "second":
            receiver.answer(found, b"done")
            outcomes: list[SendResult] = []
            while not outcomes:
                outcomes = sender.poll(0.1)
            assert (outcomes[0].of, outcomes[0].data) == ("it", b"done")
        receiver.close()
    sender.close()


def test_a_full_queue_refuses_messages(job_server: JobServer) -> None:
    """`maxqueue` of an administrator is respected: the sender learns which message did not fit."""
    sender = Sender([Server("127.0.0.1", job_server.port)], SystemClock(), lambda notice: None)
    sender.connect()
    sender.send("the first makes the function known", 0, "logagg.shard.0", "first", b"data", 30)
    wait_until(lambda: any(line.startswith("logagg.shard.0\t1") for line in job_server.ask("status")))
    assert job_server.ask_line("maxqueue logagg.shard.0 3") == "OK"
    for number in range(4):
        sender.send(number, 0, "logagg.shard.0", f"u{number}", b"data", 30)
    outcomes: list[SendResult] = []
    while len(outcomes) < 2:
        outcomes += sender.poll(0.1)
    assert [(one.of, one.data, one.reason) for one in outcomes] == [(2, None, "full"), (3, None, "full")]
    sender.close()
