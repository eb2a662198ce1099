"""Queues within one process: bounded, in order, without loss. A full queue makes its sender wait."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

from logagg.tail.barriers import Message
from logagg.tail.sink import Closed

Item = TypeVar("Item")


class BoundedQueue(Generic[Item]):
    """A bounded queue between threads that can be closed (let it run dry) or cut (stop at once)."""

    def __init__(self, size: int) -> None:
        self._items: deque[Item] = deque()
        self._size = size
        self._closed = False
        self._changed = threading.Condition()

    def put(self, item: Item) -> None:
        """Append an item; waits while the queue is full. Raises Closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._items) < self._size)
            if self._closed:
                raise Closed
            self._items.append(item)
            self._changed.notify_all()

    def get(self) -> Item:
        """Take the first item; waits for one. Raises Closed if none follows."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or bool(self._items))
            if not self._items:
                raise Closed
            self._changed.notify_all()
            return self._items.popleft()

    def close(self) -> None:
        """Accept no more items; those in the queue can still be taken out."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def cut(self) -> None:
        """Close, and drop the items."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()


class ShardQueues:
    """One queue per shard."""

    def __init__(self, shards: int, size: int = 2) -> None:
        self._queues: list[BoundedQueue[Message]] = [BoundedQueue(size) for _ in range(shards)]

    def send(self, shard: int, message: Message) -> None:
        self._queues[shard].put(message)

    def receive(self, shard: int) -> Message:
        return self._queues[shard].get()

    def close(self) -> None:
        for queue in self._queues:
            queue.close()

    def cut(self) -> None:
        """Stop at once, and drop the messages. Nothing is lost: their lines are read again from the log."""
        for queue in self._queues:
            queue.cut()
