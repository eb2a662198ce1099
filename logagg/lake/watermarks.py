"""The watermarks of derivations, and the time up to which a watermark may move; no I/O.

The *watermark* of a derivation is a time: requests before it are in its tables; views derive later requests at every
query. Each commit notes the newest time of the log that is furthest behind. A note that is `[visits] late` old by the
clock, and that no later note is below, is a time that all logs have reached. The time before it by another
`[visits] late`, in the logs' own time, is *settled*: the watermark may move there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from logagg.records import Delta
from logagg.rollup.derived import LiveView

BUCKET = 300  # seconds: commits within one bucket share a note
MOST = 300  # notes that are kept: of 25 hours, and a line may be late by a day at most
_EPOCH = datetime.fromtimestamp(0, UTC)
_MICROSECOND = timedelta(microseconds=1)

# The notes: the bucket by the clock, and the newest time of the log that is furthest behind, in microseconds.
Reached = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Derived:
    """The input of one step of a derivation: the requests of some parts, from one time to another."""

    name: str  # of the derivation
    since: datetime  # the watermark that it continues from
    until: datetime  # the new one
    read: tuple[str, ...]  # the paths of the parts of requests that overlap this time


@dataclass(frozen=True, slots=True)
class Watermark:
    """The watermark of a derivation in a lake, with its tables and views."""

    until: datetime = _EPOCH
    tables: tuple[str, ...] = ()  # the tables that it alone writes
    digest: str = ""  # of its live views; empty: it is switched off
    live: tuple[LiveView, ...] = field(default=(), compare=False)  # those of the process that writes the lake

    def with_views(self, live: tuple[LiveView, ...]) -> Watermark:
        """Return the same watermark with other live views."""
        digest = (
            blake2b(repr([(one.name, one.sql) for one in live]).encode(), digest_size=16).hexdigest() if live else ""
        )
        return replace(self, digest=digest, live=live)


def reached(before: Reached, deltas: Iterable[Delta], now: datetime) -> Reached:
    """Return the notes after a commit.

    An earlier note above the new one is dropped. Times in the future are cut to now, since a log cannot have reached them.
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
    """Return the time before which all requests should be committed; None if that is not known yet."""
    before = (now.timestamp() - late) // BUCKET
    old = [at for bucket, at in notes if bucket < before]
    return _EPOCH + old[-1] * _MICROSECOND - timedelta(seconds=late) if old else None
