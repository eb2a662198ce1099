"""Up to when requests are derived, and up to when they may be; no I/O.

The *watermark* of a derivation is a time: requests before it are in its tables, and those since are derived by its views
at every query. Each commit notes the newest time of the log that is furthest behind. What was noted `[visits] late` ago by
the clock, and no later commit has undercut, is reached by all logs that are read; and what lies as much before it, in the
logs' own time, is *settled*: the watermark may move there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from logagg.records import Delta
from logagg.rollup.derived import LiveView

BUCKET = 300  # seconds: commits of so much time are noted together
MOST = 300  # of these that are remembered: a day, which is the most that a line may be late
_EPOCH = datetime.fromtimestamp(0, UTC)
_MICROSECOND = timedelta(microseconds=1)

Reached = tuple[
    tuple[int, int], ...
]  # (bucket by the clock, the newest time of the log furthest behind in microseconds)


@dataclass(frozen=True, slots=True)
class Derived:
    """The input of a derivation: the requests of some parts, from one time to another."""

    name: str  # of the derivation
    since: datetime  # the watermark that it continues from
    until: datetime  # the new one
    read: tuple[str, ...]  # the paths of the parts of requests that overlap this time


@dataclass(frozen=True, slots=True)
class Watermark:
    """A derivation of a lake, as far as it has come."""

    until: datetime = _EPOCH
    tables: tuple[str, ...] = ()  # the tables that it alone writes
    digest: str = ""  # of its live views; empty: it is switched off
    live: tuple[LiveView, ...] = field(default=(), compare=False)  # those of the process that writes the lake

    def with_views(self, live: tuple[LiveView, ...]) -> Watermark:
        """Return the same with other live views."""
        digest = (
            blake2b(repr([(one.name, one.sql) for one in live]).encode(), digest_size=16).hexdigest() if live else ""
        )
        return replace(self, digest=digest, live=live)


def reached(before: Reached, deltas: Iterable[Delta], now: datetime) -> Reached:
    """Return how far logs have come after a commit.

    A note above a later one is dropped. A time in the future does not count: no log has reached it.
    """
    newest: dict[str, int] = {}
    for delta in deltas:
        for source, at in delta.newest.items():
            newest[source] = max(at, newest.get(source, at))
    if not newest:
        return before
    bucket = int(now.timestamp()) // BUCKET
    least = min([*newest.values(), (now - _EPOCH) // _MICROSECOND])
    left = [(then, at) for then, at in before if then < bucket and at < least]
    return (*left, (bucket, least))[-MOST:]


def settled(notes: Reached, now: datetime, late: float) -> datetime | None:
    """Return the time before which all requests are there, as far as one can tell; None if that is not known yet."""
    before = (now.timestamp() - late) // BUCKET
    old = [at for bucket, at in notes if bucket < before]
    return _EPOCH + old[-1] * _MICROSECOND - timedelta(seconds=late) if old else None
