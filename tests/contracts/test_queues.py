"""What every transport promises (`logagg.tail.sink`), asked of each of them; that through gearmand is a real one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Protocol

import pytest

from logagg.clock import SystemClock
from logagg.cluster import protocol
from logagg.cluster.gearman import Server
from logagg.cluster.protocol import JobMessage
from logagg.cluster.transport import Receiver, Sender
from logagg.intake.registry import new_source
from logagg.parse.schemas import EVENT_SCHEMA
from logagg.records import Fingerprint, Job, Rejects
from logagg.tail.channels import LocalQueue
from logagg.tail.sink import Closed
from tests.conftest import wait_until
from tests.gearmand import JobServer

SHARDS, BOUND = 3, 2
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


class Transport(Protocol):
    def send(self, shard: int, job: Job) -> None: ...

    def receive(self, shard: int) -> Job: ...

    def close(self) -> None: ...


class Local:
    """The queue within one process."""

    def __init__(self) -> None:
        self._queue = LocalQueue(SHARDS, BOUND)

    def send(self, shard: int, job: Job) -> None:
        self._queue.send(shard, job)

    def receive(self, shard: int) -> Job:
        found = self._queue.receive(shard)
        assert isinstance(found, Job)
        return found

    def close(self) -> None:
        self._queue.close()


class Gearman:
    """The post through a job server, with as many messages on their way to a shard as the bound allows."""

    def __init__(self, server: JobServer) -> None:
        servers = [Server("127.0.0.1", server.port)]
        self._sender = Sender(servers, SystemClock(), lambda notice: None)
        self._receivers = [Receiver(servers, SystemClock(), lambda notice: None, f"w{n}") for n in range(SHARDS)]
        for shard, receiver in enumerate(self._receivers):
            receiver.serve([f"logagg.shard.{shard}"])
        self._on_way = [0] * SHARDS
        self._closed = self._given_up = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._poll)
        self._thread.start()

    def send(self, shard: int, job: Job) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._on_way[shard] < BOUND)
            if self._closed:
                raise Closed
            self._on_way[shard] += 1
            self._sender.connect()
            data = protocol.pack(JobMessage("web1", 1, SHARDS, SOURCE, job))
            assert self._sender.send(shard, shard, f"logagg.shard.{shard}", f"{job.source}-{job.start}", data, 30)
        self._sender.wake()

    def receive(self, shard: int) -> Job:
        while True:
            if found := self._receivers[shard].next(0.05):
                parcel = protocol.unpack(found.data, EVENT_SCHEMA)
                self._receivers[shard].answer(found, b"taken")
                assert isinstance(parcel, JobMessage)
                return parcel.job
            if self._closed and not self._on_way[shard]:
                raise Closed

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def end(self) -> None:
        self.close()
        self._given_up = True
        self._thread.join()
        self._sender.close()
        for receiver in self._receivers:
            receiver.close()

    def _poll(self) -> None:
        while not self._given_up and (not self._closed or any(self._on_way)):
            for outcome in self._sender.poll(0.02):
                assert outcome.data == b"taken", outcome
                with self._changed:
                    self._on_way[outcome.of] -= 1
                    self._changed.notify_all()


@pytest.fixture(params=["local", "gearman"])
def transport(request: pytest.FixtureRequest) -> Iterator[Transport]:
    if request.param == "local":
        yield Local()
        return
    way = Gearman(request.getfixturevalue("job_server"))
    yield way
    way.end()


def beside(action: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=action)
    thread.start()
    return thread


def same(found: Job, sent: Job) -> bool:
    return found.events.equals(sent.events) and replace(found, events=None) == replace(sent, events=None)


def test_jobs_come_as_they_were_sent_and_in_order(transport: Transport) -> None:
    sent = [job(1, number) for number in range(20)]
    sender = beside(lambda: [transport.send(1, one) for one in sent])
    found = [transport.receive(1) for _ in sent]
    sender.join()
    assert all(map(same, found, sent))


def test_each_shard_has_its_own(transport: Transport) -> None:
    for shard in range(SHARDS):
        transport.send(shard, job(shard, 10 * shard))
    assert [transport.receive(shard).start for shard in (2, 0, 1)] == [20, 0, 10]


def test_a_full_queue_makes_its_sender_wait(transport: Transport) -> None:
    sent: list[int] = []

    def send() -> None:
        for number in range(BOUND + 1):
            transport.send(0, job(0, number))
            sent.append(number)

    sender = beside(send)
    end = time.monotonic() + 10
    while len(sent) < BOUND and time.monotonic() < end:
        time.sleep(0.01)
    sender.join(0.2)
    assert sent == list(range(BOUND)), "one more must wait"
    assert transport.receive(0).start == 0
    sender.join(10)
    assert sent == list(range(BOUND + 1))


def test_what_was_sent_is_received_after_the_end_and_nothing_can_be_sent(transport: Transport) -> None:
    transport.send(0, job(0, 0))
    transport.close()
    with pytest.raises(Closed):
        transport.send(0, job(0, 1))
    assert transport.receive(0).start == 0
    with pytest.raises(Closed):
        transport.receive(0)


def test_a_message_that_was_not_answered_comes_again(job_server: JobServer) -> None:
    """A worker that dies leaves its job to another."""
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
            outcomes = []
            while not outcomes:
                outcomes = sender.poll(0.1)
            assert (outcomes[0].of, outcomes[0].data) == ("it", b"done")
        receiver.close()
    sender.close()


def test_a_queue_with_a_bound_says_that_it_is_full(job_server: JobServer) -> None:
    """`maxqueue` of an administrator is respected: what did not go in is told, and of the right message."""
    sender = Sender([Server("127.0.0.1", job_server.port)], SystemClock(), lambda notice: None)
    sender.connect()
    sender.send("the first makes the function known", 0, "logagg.shard.0", "first", b"data", 30)
    wait_until(lambda: any(line.startswith("logagg.shard.0\t1") for line in job_server.ask("status")))
    assert job_server.ask_line("maxqueue logagg.shard.0 3") == "OK"
    for number in range(4):
        sender.send(number, 0, "logagg.shard.0", f"u{number}", b"data", 30)
    outcomes = []
    while len(outcomes) < 2:
        outcomes += sender.poll(0.1)
    assert [(one.of, one.data, one.reason) for one in outcomes] == [(2, None, "full"), (3, None, "full")]
    sender.close()
