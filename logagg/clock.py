"""Wall-clock and monotonic time, passed as an argument; and when the wall clock is not to be trusted.

No other module reads the time or sleeps, so tests control both.

Three questions are asked of a clock, each where a wrong answer would have consequences that cannot be undone:

    has it been set?      `is_set`: while the clock is behind this release, lines are neither read nor rejected
    how late is it?       `LatestTime`: a line is not from the future if its log or the lake was written as late
    has it leapt?         `Continuity`: after a leap of the clock, data are not deleted for their age
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

RELEASED = datetime(2026, 11, 1, tzinfo=UTC).timestamp()  # of this version, or a little before
DAY = 86_400.0
UNUSED = 32 * DAY  # a lake that was not written for longer suggests that the clock has leapt
SETTLED = 2 * DAY  # how long a clock must run steadily after a leap before it is trusted
FAR = 3650 * DAY  # evidence that a clock is further behind than this is ignored as implausible


class Clock(Protocol):
    """The functions of time that the package needs."""

    def now(self) -> float:
        """Return seconds since the Unix epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The real time."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class ManualClock:
    """A clock that a test moves by hand."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now = now

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += seconds


def is_set(now: float) -> bool:
    """Tell whether a clock has been set: without a battery it starts in 1970, or at the build date of the system."""
    return now >= RELEASED


def not_set(now: float) -> str:
    """Return the message that the clock has not been set."""
    return f"the clock says {written(now)}, which is before this logagg was released ({written(RELEASED)})"


def written(seconds: float) -> str:
    """Return a time in ISO 8601."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class LatestTime:
    """The latest time that there is evidence for: at least every time that the clock showed while it was set."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._latest = clock, clock.now()

    def of(self, *evidence: float) -> float:
        """Return the latest of the clock's time and the given times of writing."""
        now = self._clock.now()
        if is_set(now):  # a corrected clock may go back; a clock that is no longer set is ignored
            self._latest = now
        return max([self._latest, *(one for one in evidence if one < self._latest + FAR)])


class Continuity:
    """Since when the wall clock has run without a leap, across runs of the program.

    Within a run, the wall clock must agree with the monotonic clock. From one run to the next, it must not be earlier than
    the last write to the lake, nor later by more than a lake is usually unused.
    """

    def __init__(self, clock: Clock, last: float | None, since: float) -> None:
        """Take the time of the last write to the lake, if any, and the result of `since` at that time."""
        now = clock.now()
        self._clock = clock
        self._since = since if last is None or _goes_on(last, now) else now
        self._seen = now, clock.monotonic()

    def since(self) -> float:
        """Return since when the wall clock has run without a leap."""
        now, passed = self._clock.now(), self._clock.monotonic()
        if not _goes_on(self._seen[0] + passed - self._seen[1], now):
            self._since = now
        self._seen = now, passed
        return self._since


def _goes_on(expected: float, now: float) -> bool:
    return -DAY <= now - expected <= UNUSED
