"""When the river is cut: a barrier goes down it, and all that came before is committed together."""

from __future__ import annotations

import threading

from logagg.clock import Clock
from logagg.records import Source
from logagg.tail.sink import Barrier, Closed


class Barriers:
    """When to let down the next barrier: at most one is on its way."""

    def __init__(self, clock: Clock, interval: float) -> None:
        self.dirty = False  # something was read since the last barrier
        self._clock, self._interval = clock, interval
        self._sent = self._committed = 0
        self._given_up = False
        self._last = clock.monotonic()
        self._changed = threading.Condition()

    def next(self, sources: tuple[Source, ...]) -> Barrier:
        self.dirty = False
        self._sent += 1
        self._last = self._clock.monotonic()
        return Barrier(self._sent, sources)

    def idle(self) -> bool:
        """Tell whether all barriers let down so far are committed."""
        return self._committed == self._sent

    def remaining(self) -> float:
        """Return the seconds until the next flush."""
        return max(0.0, self._last + self._interval - self._clock.monotonic())

    def due(self) -> bool:
        return self.idle() and self.remaining() == 0

    def committed(self, barrier: Barrier) -> None:
        with self._changed:
            self._committed = barrier.number
            self._changed.notify_all()

    def give_up(self) -> None:
        with self._changed:
            self._given_up = True
            self._changed.notify_all()

    def wait_for_commit(self, seconds: float | None = None) -> None:
        """Wait, at most so long, until no barrier is on its way. Raises Closed when there will be no commit."""
        with self._changed:
            self._changed.wait_for(lambda: self._given_up or self.idle(), seconds)
            if self._given_up:
                raise Closed
