"""Barriers: each is the same cut through all sources for every shard, and what came before it is committed together."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from logagg.records import Job, Source
from logagg.tail.sink import Closed


@dataclass(frozen=True, slots=True)
class Barrier:
    """The same cut through all sources, for every shard: what comes before it is committed together."""

    number: int
    sources: tuple[Source, ...]  # as they stand


Message = Job | Barrier


class Barriers:
    """Numbers the barriers: at most one is on its way."""

    def __init__(self) -> None:
        self._sent = self._committed = 0
        self._given_up = False
        self._changed = threading.Condition()

    def next(self, sources: tuple[Source, ...]) -> Barrier:
        with self._changed:
            self._sent += 1
            return Barrier(self._sent, sources)

    def idle(self) -> bool:
        """Tell whether all barriers so far are committed."""
        return self._committed == self._sent

    def committed(self, barrier: Barrier) -> None:
        with self._changed:
            self._committed = barrier.number
            self._changed.notify_all()

    def give_up(self) -> None:
        with self._changed:
            self._given_up = True
            self._changed.notify_all()

    def wait_for_commit(self, seconds: float | None = None) -> bool:
        """Wait, at most so long, until no barrier is on its way; tell so. Raises Closed when there will be no commit."""
        with self._changed:
            self._changed.wait_for(lambda: self._given_up or self.idle(), seconds)
            if self._given_up:
                raise Closed
            return self.idle()
