"""One arrival: from which source, by which medium, through which channel."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

DIRECT, REFERRAL = "Direct", "Referral"
REMEMBERED = 1 << 14  # distinct combinations of site, referring host and tags kept between batches


class Arrival(NamedTuple):
    """What is known of an entry."""

    channel: str
    referrer_source: str
    medium: str


class Channels:
    """Tells the channel of arrivals, and remembers the most recent ones. Thread-safe."""

    def __init__(self) -> None:
        self.arrival = lru_cache(REMEMBERED)(self._arrival)

    def _arrival(self, site: str, host: str) -> Arrival:
        return Arrival(REFERRAL, host, "referral") if host else Arrival(DIRECT, "", "")
