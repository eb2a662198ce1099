"""Messages that are refused unread: counted by reason, and reported at most once a minute, since any client may send many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from logagg.clock import Clock
from logagg.errors import AuthError, OtherVersion, TooLarge, WireError
from logagg.metrics import Metric, Sample
from logagg.notices import Report, message_refused

FORGED, VERSION, REPLAYED, TOO_LARGE, UNREADABLE = "forged", "version", "replayed", "too_large", "unreadable"
EVERY = 60.0  # seconds between notices


class Refusals:
    """The messages that one receiver has refused."""

    def __init__(self, clock: Clock, notice: Report) -> None:
        self.counts: Counter[str] = Counter()
        self._clock, self._notice = clock, notice
        self._last: float | None = None
        self._said: float | None = None
        self._unsaid = 0

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def age(self) -> int | None:
        """Return the seconds since the last one; None if there was none."""
        return None if self._last is None else int(self._clock.monotonic() - self._last)

    def add(self, reason: str, text: str) -> None:
        """Count a message, and report it unless one was reported within a minute."""
        now = self._clock.monotonic()
        self.counts[reason] += 1
        self._unsaid += 1
        self._last = now
        if self._said is None or now - self._said >= EVERY:
            others = self._unsaid - 1
            self._said, self._unsaid = now, 0
            self._notice(message_refused(text, others, reason))

    def numbers(self, metric: Metric) -> Iterator[Sample]:
        """Return what a scrape shows."""
        return metric.each(self.counts, (FORGED, VERSION, REPLAYED, TOO_LARGE, UNREADABLE))


def reason_of(error: WireError) -> str:
    """Return the reason by which an error is counted."""
    if isinstance(error, AuthError):
        return FORGED
    if isinstance(error, OtherVersion):
        return VERSION
    return TOO_LARGE if isinstance(error, TooLarge) else UNREADABLE
