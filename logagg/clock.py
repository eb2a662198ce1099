"""The time of day and the passing of time, as arguments; and when the time of day is not to be believed.

Nothing else in the package asks for the time or sleeps, so a test can own both.

Three questions are asked of a clock, each where a wrong answer could not be taken back:

    has it been set?      `is_set`: no line is read, hence none rejected, by a clock that is behind this release
    how late is it?       `LatestTime`: a line is not from the future where a log or the lake was written as late
    has it gone on?       `Continuity`: nothing is deleted for its age by a clock that has leapt
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

RELEASED = datetime(2026, 11, 1, tzinfo=UTC).timestamp()  # of this version, or a little before
DAY = 86_400.0
UNUSED = 32 * DAY  # for which a lake may lie unused: longer, and the clock seems to have leapt
SETTLED = 2 * DAY  # for which a clock that has leapt must go on before it is believed
FAR = 3650 * DAY  # by which no clock that was set is behind: what says so is not believed itself


class Clock(Protocol):
    """What the package needs to know about time."""

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
    """Tell whether a clock has been set: a machine without a battery starts in 1970, or when its system was made."""
    return now >= RELEASED


def not_set(now: float) -> str:
    """Say of a clock that it has not been set."""
    return f"the clock says {written(now)}, which is before this logagg was made ({written(RELEASED)})"


def written(seconds: float) -> str:
    """Return a time as people and programs read it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class LatestTime:
    """The latest time of day of which there is evidence: no earlier than what a clock that was set has said."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._latest = clock, clock.now()

    def of(self, *evidence: float) -> float:
        """Return the latest of the clock's time and other times at which something was written."""
        now = self._clock.now()
        if is_set(now):  # a clock that is set right may go back, one that stops being set does not count
            self._latest = now
        return max([self._latest, *(one for one in evidence if one < self._latest + FAR)])


class Continuity:
    """Since when the time of day has gone on without a leap, over runs of the program.

    Within a run it has gone on if it agrees with the time that has passed; from one run to the next, if it is no earlier than
    what was written last, nor so much later that the lake would have been unused for long.
    """

    def __init__(self, clock: Clock, last: float | None, since: float) -> None:
        """Take when the lake was last written, if it was, and since when the time had gone on then."""
        now = clock.now()
        self._clock = clock
        self._since = since if last is None or _goes_on(last, now) else now
        self._seen = now, clock.monotonic()

    def since(self) -> float:
        """Return since when the time has gone on without a leap."""
        now, passed = self._clock.now(), self._clock.monotonic()
        if not _goes_on(self._seen[0] + passed - self._seen[1], now):
            self._since = now
        self._seen = now, passed
        return self._since


def _goes_on(expected: float, now: float) -> bool:
    return -DAY <= now - expected <= UNUSED
