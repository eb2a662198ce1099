"""Barriers: each is one cut through all sources, the same for every shard; everything before it is committed together."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from logagg.records import Job, Source
from logagg.tail.sink import Closed


@dataclass(frozen=True, slots=True)
class Barrier:
    """One cut through all sources, the same for every shard; everything before it is committed together."""

    number: int
    sources: tuple[Source, ...]  # in their state at the cut


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
        """Return whether all barriers so far are committed."""
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
        """Wait until no barrier is on its way, at most `seconds`; return whether none is. Raises Closed if no commit follows."""
        with self._changed:
            self._changed.wait_for(lambda: self._given_up or self.idle(), seconds)
            if self._given_up:
                raise Closed
            return self.idle()
