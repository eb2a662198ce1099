"""The age of the commits: up to which time everything in the logs is in the lake."""

from __future__ import annotations

from logagg.clock import Clock


class Freshness:
    """Follows times from the reader to the commit; each method is called by the thread of its stage."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # Times. Everything in the logs then: is read; will be in the next commit; is committed.
        self._read = self._cut = self._committed = clock.monotonic()
        self._moved = self._read  # the last commit
        self.committed_at = 0.0  # the last commit, in seconds since the epoch; 0: not known

    def read(self, at: float) -> None:
        """Note that everything in the logs at this time has been read."""
        self._read = at

    def cut(self) -> None:
        """Note that everything read until now will be in the next commit."""
        self._cut = self._read

    def committed(self) -> None:
        """Note that everything read before the cut is committed."""
        self._committed = max(self._committed, self._cut)
        self.moved()

    def idle(self) -> None:
        """Note that nothing waits to be committed."""
        self._committed = max(self._committed, self._read)

    def moved(self) -> None:
        """Note that something was committed."""
        self._moved = self._clock.monotonic()
        self.committed_at = self._clock.now()

    def last_commit_was(self, at: float) -> None:
        """Note when the last commit before this run was made, in seconds since the epoch."""
        self.committed_at = self.committed_at or at

    @property
    def behind(self) -> float:
        """Return the seconds since the time up to which everything in the logs is committed."""
        return max(0.0, self._clock.monotonic() - self._committed)

    @property
    def stalled(self) -> float:
        """Return the seconds for which data have waited without a commit."""
        return max(0.0, self._clock.monotonic() - max(self._committed, self._moved))
