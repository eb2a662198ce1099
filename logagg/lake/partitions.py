"""Partitioning of rows into parts: by hour for today, by day for this month, by month before that.

A finished day or month stays unmerged for a while, for late lines; not for long, since each part adds a tenth of a
millisecond to every query and a little to every commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import numpy as np
import pyarrow as pa

from logagg.lake.parts import DAY, HOUR, MONTH, Part, PartWriter
from logagg.rollup.requests import Table

_SECONDS = {HOUR: 3600, DAY: 86_400}
_LATE_DAY, _LATE_MONTH = (
    timedelta(hours=6),
    timedelta(days=7),
)  # for which a day, or a month, stays unmerged after its end


@dataclass(frozen=True, slots=True)
class Partition:
    """The rows that belong in one part: those with `start <= ts < end` (seconds)."""

    start: int
    end: int
    level: str


@dataclass(frozen=True, slots=True)
class Calendar:
    """The times that are kept by the hour, by the day, and by the month."""

    days_from: datetime  # older rows are kept by the month
    hours_from: datetime  # older rows are kept by the day

    @classmethod
    def of(cls, newest: datetime) -> Calendar:
        """Return the calendar of a rollup with this newest bucket."""
        newest = newest.astimezone(UTC)
        return cls(_month(newest - _LATE_MONTH), _day(newest - _LATE_DAY))

    @classmethod
    def by_day(cls, newest: datetime) -> Calendar:
        """Return the calendar that keeps nothing by the hour."""
        return cls(cls.of(newest).days_from, newest + timedelta(days=1))

    def partition(self, second: int) -> Partition:
        """Return the partition of a second."""
        at = datetime.fromtimestamp(second, UTC)
        if at < self.days_from:
            return Partition(
                int(_month(at).timestamp()), int(_month(_month(at) + timedelta(days=31)).timestamp()), MONTH
            )
        level = DAY if at < self.hours_from else HOUR
        start = second - second % _SECONDS[level]
        return Partition(start, start + _SECONDS[level], level)

    def cut(self, rows: pa.Table) -> Iterator[tuple[Partition, pa.Table]]:
        """Cut rows, which are in the order of `ts`, into those of each partition."""
        seconds = rows["ts"].cast(pa.int64()).to_numpy() // 1_000_000
        start = 0
        while start < len(seconds):
            partition = self.partition(int(seconds[start]))
            end = int(np.searchsorted(seconds, partition.end))
            yield partition, rows.slice(start, end - start)
            start = end


def write_partitions(
    root: Path,
    table: Table,
    tables: Iterable[pa.Table],
    calendar: Calendar,
    grain: int,
    new: list[Part],
    name: str = "",
) -> None:
    """Write rows, in the order of `ts`, as a part for each partition, whose file's name begins with `name` or its level.

    The parts are added to `new`, even those written before a failure.
    """
    cut = (one for rows in tables for one in calendar.cut(rows))
    for partition, cuts in groupby(cut, key=itemgetter(0)):
        with PartWriter(root, table, partition.level, grain, name) as writer:
            for _, rows in cuts:
                writer.write(rows)
        if writer.part:
            new.append(writer.part)


def period(at: datetime, level: str) -> int:
    """Number the hour, the day or the month of an instant."""
    at = at.astimezone(UTC)
    return at.year * 12 + at.month if level == MONTH else int(at.timestamp()) // _SECONDS[level]


def _month(at: datetime) -> datetime:
    return _day(at).replace(day=1)


def _day(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)
