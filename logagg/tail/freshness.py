"""How old what is committed is: since when all that was in the logs is in the lake."""

from __future__ import annotations

from logagg.clock import Clock


class Freshness:
    """Follows moments from the reader to the commit; each method is for the thread that knows of it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # Moments. What was in the logs at the first was read, at the second goes into the next commit, at the third is committed.
        self._read = self._cut = self._committed = clock.monotonic()
        self._moved = self._read  # when something was committed

    def read(self, at: float) -> None:
        """All that was in the logs at this moment has been read."""
        self._read = at

    def cut(self) -> None:
        """What was read until now is all in the next commit."""
        self._cut = self._read

    def committed(self) -> None:
        """What was read until the cut is committed."""
        self._committed = max(self._committed, self._cut)
        self.moved()

    def idle(self) -> None:
        """Nothing waits to be committed."""
        self._committed = max(self._committed, self._read)

    def moved(self) -> None:
        """Something was committed."""
        self._moved = self._clock.monotonic()

    @property
    def behind(self) -> float:
        """Return seconds: what was in the logs so long ago is all committed."""
        return max(0.0, self._clock.monotonic() - self._committed)

    @property
    def stalled(self) -> float:
        """Return the seconds that something has waited in which nothing was committed."""
        return max(0.0, self._clock.monotonic() - max(self._committed, self._moved))
