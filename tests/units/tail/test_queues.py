"""The contract of every transport, tested for the local one."""

from __future__ import annotations

import threading

import pytest

from logagg.tail.barriers import Barrier
from logagg.tail.queues import BoundedQueue, ShardQueues
from logagg.tail.sink import Closed


def barriers(number: int) -> list[Barrier]:
    return [Barrier(n, ()) for n in range(number)]


def test_messages_of_a_shard_come_in_order_and_only_to_it() -> None:
    queue = ShardQueues(2, size=10)
    for message in barriers(5):
        queue.send(message.number % 2, message)
    queue.close()
    assert received(queue, 0) == [0, 2, 4]
    assert received(queue, 1) == [1, 3]


def received(queue: ShardQueues, shard: int) -> list[int]:
    found: list[int] = []
    while True:
        try:
            message = queue.receive(shard)
        except Closed:
            return found
        assert isinstance(message, Barrier)
        found.append(message.number)


def test_a_full_queue_makes_its_sender_wait_and_loses_nothing() -> None:
    queue, sent = ShardQueues(1, size=3), []

    def send() -> None:
        for message in barriers(50):
            queue.send(0, message)
            sent.append(message.number)
        queue.close()

    sender = threading.Thread(target=send)
    sender.start()
    first = queue.receive(0)
    sender.join(0.2)
    assert sender.is_alive()
    assert len(sent) <= 4
    assert [first.number, *received(queue, 0)] == list(range(50))  # type: ignore[union-attr]
    sender.join()


def test_a_closed_queue_accepts_nothing_and_delivers_the_rest() -> None:
    queue = ShardQueues(1)
    queue.send(0, Barrier(1, ()))
    queue.close()
    with pytest.raises(Closed):
        queue.send(0, Barrier(2, ()))
    assert received(queue, 0) == [1]


def test_a_queue_that_is_cut_delivers_nothing() -> None:
    queue = ShardQueues(1)
    queue.send(0, Barrier(1, ()))
    queue.cut()
    assert received(queue, 0) == []


@pytest.mark.parametrize("end", ["close", "cut"])
def test_waiting_threads_learn_of_the_end(end: str) -> None:
    full, empty = BoundedQueue[int](1), BoundedQueue[int](1)
    full.put(1)
    ended: list[str] = []

    def wait_for(what: str) -> None:
        with pytest.raises(Closed):
            full.put(2) if what == "room" else empty.get()
        ended.append(what)

    waiting = [threading.Thread(target=wait_for, args=(what,)) for what in ("room", "an item")]
    for thread in waiting:
        thread.start()
    for queue in (full, empty):
        getattr(queue, end)()
    for thread in waiting:
        thread.join(20)
    assert sorted(ended) == ["an item", "room"]
