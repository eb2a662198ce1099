"""Up to when requests are derived, and up to when they may be; no I/O.

The *watermark* of a derivation is a time: requests before it are in its tables, and those since are derived by its views
at every query. It may move to a time that no log is expected to write about any more: a commit notes the newest time of
the log that is furthest behind, and what lies `[visits] late` before the least of these, in as much time by the clock, is
settled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from logagg.records import Delta

BUCKET = 300  # seconds: commits of so much time are noted together
MOST = 300  # of these that are remembered: a day, which is the most that a line may be late
_EPOCH = datetime.fromtimestamp(0, UTC)
_MICROSECOND = timedelta(microseconds=1)

Reached = tuple[tuple[int, int], ...]  # (bucket by the clock, the newest time of the log furthest behind in microseconds)


@dataclass(frozen=True, slots=True)
class Derived:
    """What a commit has derived: the requests of some parts, from one time to another."""

    name: str  # of the derivation
    since: datetime  # the watermark that it continues from
    until: datetime  # the new one
    read: tuple[str, ...]  # the paths of the parts of requests that overlap this time


@dataclass(frozen=True, slots=True)
class Watermark:
    """A derivation of a lake, as far as it has come."""

    until: datetime = _EPOCH
    tables: tuple[str, ...] = ()  # the tables that it alone writes
    live: Mapping[str, str] = field(default_factory=dict)  # by view: the SQL of what is not materialized


def reached(before: Reached, deltas: Iterable[Delta], now: datetime) -> Reached:
    """Return how far logs have come after a commit.

    A note that a later one undercuts says nothing any more. A time that is still to come is none that a log has reached.
    """
    newest: dict[str, int] = {}
    for delta in deltas:
        for source, at in delta.newest.items():
            newest[source] = max(at, newest.get(source, at))
    if not newest:
        return before
    bucket = int(now.timestamp()) // BUCKET
    same = (at for then, at in before if then == bucket)
    least = min([*newest.values(), *same, (now - _EPOCH) // _MICROSECOND])
    return (*((then, at) for then, at in before if then < bucket and at < least), (bucket, least))[-MOST:]


def settled(notes: Reached, now: datetime, late: float) -> datetime | None:
    """Return the time before which all requests are there, as far as one can tell; None if nothing was read yet."""
    if not notes:
        return None
    since = (now.timestamp() - late) // BUCKET
    recent = [at for bucket, at in notes if bucket >= since]
    at = min(recent) if recent else notes[-1][1]
    return _EPOCH + at * _MICROSECOND - timedelta(seconds=late)
