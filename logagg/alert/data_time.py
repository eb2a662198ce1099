"""The data's own time: up to when everything in the logs is in the lake, as the heartbeats of its tails say.

An alert is evaluated at moments of that time. A tail that stands still stops it, so that no alert is resolved, and none
fires, for lines that are not counted yet; the rule `lag` is there for that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from logagg.heartbeat import Heartbeat
from logagg.lake import heartbeats
from logagg.query.tails import TailHealth, of_remote, of_writer

MOST_MISSED = 86_400  # seconds of the past that are caught up with
MOVED = 0.01  # seconds: at its start a tail says that nothing waits, before it has looked


def tails_of(root: Path, now: float) -> list[TailHealth]:
    """Return the tails that count: those that run, or else the last one."""
    lock, own = heartbeats.lock_state(root), heartbeats.read(root)
    found = [of_remote(one, now) for one in heartbeats.read_remote(root)]
    if own is not None:
        found.append(of_writer(own, now, holds_lock=lock.held and lock.is_of(own)))
    running = [one for one in found if one.state == "running"]
    return running or sorted(found, key=lambda one: one.age)[:1]


def complete_until(tails: Iterable[TailHealth]) -> float | None:
    """Return the time up to which all their lines are committed; None while one of them has not read its logs yet."""
    times = [_complete_until(one.heartbeat) for one in tails]
    known = [time for time in times if time is not None]
    return min(known) if known and len(known) == len(times) else None


def _complete_until(beat: Heartbeat) -> float | None:
    time = beat.at - beat.behind
    return time if time > beat.started + MOVED else None


def due(last: int, every: int, until: float) -> Sequence[int]:
    """Return the moments to evaluate an alert at: those since its last one (0: never), up to a time."""
    newest = int(until) // every * every
    if not last:
        return [newest]
    first = max(last // every * every + every, newest - MOST_MISSED // every * every)
    return range(first, newest + 1, every)
