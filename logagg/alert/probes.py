"""Rules without a query: the lake's disk, the lag of its tails, the lines that were not understood.

A probe measures the present, so it is evaluated by the clock, also while the data's time stands still; it has no past
to replay.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from logagg.alert.data_time import tails_of
from logagg.alert.states import Reading
from logagg.query.snapshot import connect

OF_ANY_LAKE = ("lag", "disk")  # probes that need no commit

Counts = Mapping[str, tuple[int, int]]  # by log: its lines and its rejects so far


@dataclass(frozen=True, slots=True)
class Measured:
    """The answer of a probe, and the counts that the next ones compare with."""

    readings: Sequence[Reading]
    samples: Mapping[int, Counts]


def measure(probe: str, root: Path, now: float, window: int, samples: Mapping[int, Counts]) -> Measured:
    """Return the answer of a probe. Raises LogaggError and OSError."""
    if probe == "rejects":
        return _rejects(root, int(now), window, samples)
    return Measured(list(_PROBES[probe](root, now)), {})


def _disk(root: Path, now: float) -> Iterator[Reading]:
    found = os.statvfs(root)
    free, used = found.f_bavail * found.f_frsize, (found.f_blocks - found.f_bfree) * found.f_frsize
    if free + used:
        yield Reading({}, used / (used + free), {"free": free / 1e6})


def _lag(root: Path, now: float) -> Iterator[Reading]:
    """Yield the seconds that each tail is behind; a tail that has ended by itself is not."""
    for tail in tails_of(root, now):
        if tail.state != "ended":
            beat = tail.heartbeat
            behind = beat.behind if beat.unread or beat.stalled else 0.0
            silence = tail.age if tail.state == "lost" or tail.age > _SILENT else 0.0
            name = tail.name or "the tail"
            yield Reading({"tail": name}, max(behind, silence), {"unread": float(beat.unread)})


_SILENT = 15.0  # seconds: three heartbeats are missing
_PROBES: Mapping[str, Callable[[Path, float], Iterator[Reading]]] = {"disk": _disk, "lag": _lag}


def _rejects(root: Path, now: int, window: int, samples: Mapping[int, Counts]) -> Measured:
    """Return the share of rejects in the lines of the window, by log, from the counts at its beginning and now."""
    counts = _counts(root)
    old = [at for at in samples if at <= now - window]
    kept = {at: found for at, found in samples.items() if at >= max(old, default=0)}
    before = kept[min(kept)] if kept else counts
    readings = list(_shares(before, counts))
    return Measured(readings, {**kept, now: counts})


def _shares(before: Counts, counts: Counts) -> Iterator[Reading]:
    for log, (lines, rejects) in counts.items():
        old_lines, old_rejects = before.get(log, (0, 0))
        if (more := lines - old_lines) > 0:
            yield Reading({"log": log}, max(0, rejects - old_rejects) / more, {"n": float(more)})


def _counts(root: Path) -> Counts:
    with connect(root) as connection:
        return {path: (lines, rejects) for path, lines, rejects in connection.execute(_BY_LOG).fetchall()}


_BY_LOG = """
    SELECT path, sum(lines)::BIGINT, sum(rejects)::BIGINT FROM (
        SELECT source, any_value(path) AS path, sum(lines) AS lines, 0 AS rejects FROM sources GROUP BY source
        UNION ALL
        SELECT source, (SELECT any_value(path) FROM sources WHERE sources.source = rejects.source), 0, sum(lines)
        FROM rejects GROUP BY source
    ) WHERE path IS NOT NULL GROUP BY path ORDER BY sum(lines) DESC, path LIMIT 1000"""
