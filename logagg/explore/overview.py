"""The totals of a window, and the charts over time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from logagg.errors import LogaggError
from logagg.explore.facts import Facts
from logagg.explore.query import Ask
from logagg.explore.scope import MINUTE, Period, Scope
from logagg.explore.tables import REPEATED, Column, Origin, aggregate, compared, origin_of
from logagg.quoting import literal

TOTALS = ("hits", "visitors", "views", "impressions", "clicks", "ctr", "conversions", "errors", "p95", "bytes")
SPLITS = ("kind", "status_class")
PERCENTILES = ("p50", "p95", "p99")
MOST_POINTS = 200  # points of a chart, at most

_DAY = 86_400
_GRAINS = (60, 120, 300, 600, 900, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, _DAY, 7 * _DAY, 28 * _DAY, 364 * _DAY)
_MICROSECOND = timedelta(microseconds=1)
_MONDAY = datetime(2000, 1, 3)  # noqa: DTZ001 - local time, from which DuckDB counts buckets of days


@dataclass(frozen=True, slots=True)
class Buckets:
    """The points of a time chart: the starts of buckets, and the SQL for the bucket of a row.

    `places` has the buckets as the SQL names them. Buckets of days are named by local time, so changes of offset do not matter.
    """

    seconds: int
    zone: str
    starts: tuple[datetime, ...]
    places: Mapping[datetime, int]

    @classmethod
    def of(cls, period: Period, zone: str, most: int = MOST_POINTS) -> Buckets:
        """Return about `most` buckets for a window, or fewer; days and weeks are those of the zone."""
        seconds = next((one for one in _GRAINS if period.length.total_seconds() / one <= most), _GRAINS[-1])
        if seconds < _DAY:
            starts = names = tuple(_starts(period, seconds))
        else:
            names = tuple(_days(period, seconds // _DAY, ZoneInfo(zone)))
            starts = tuple(_utc(name, ZoneInfo(zone)) for name in names)
        return cls(seconds, zone, starts, {name: place for place, name in enumerate(names)})

    def column(self, later: timedelta = timedelta()) -> str:
        """Return the expression of a row's bucket, as if the row were later by `later`."""
        if self.seconds >= _DAY:
            shift = f" + INTERVAL '{later // MINUTE} minutes'" if later else ""
            local = f"timezone({literal(self.zone)}, ts){shift}"
            return f"time_bucket(INTERVAL '{self.seconds // _DAY} days', {local}) AS bucket_ts"
        # Faster than time_bucket of a time with a zone, which takes as long as the rest of the query.
        at = f"(epoch_us(ts) + {later // _MICROSECOND})" if later else "epoch_us(ts)"
        length = self.seconds * 1_000_000
        return f"make_timestamptz({at} // {length} * {length}) AS bucket_ts"

    def distance(self, first: datetime, last: datetime) -> timedelta:
        """Return the time between two instants; for buckets of days by the local clock, so that changes of offset do not matter."""
        clock = ZoneInfo(self.zone) if self.seconds >= _DAY else UTC
        return last.astimezone(clock).replace(tzinfo=None) - first.astimezone(clock).replace(tzinfo=None)

    def nearest(self, name: datetime) -> int:
        """Return the place of a bucket; of one that a change of offset has moved out of the window, the first or last place."""
        return self.places.get(name, 0 if name < next(iter(self.places)) else len(self.places) - 1)


def _starts(period: Period, seconds: int) -> Iterator[datetime]:
    start, end = int(period.since.timestamp()) // seconds * seconds, math.ceil(period.until.timestamp())
    yield from (datetime.fromtimestamp(at, UTC) for at in range(start, end, seconds))


def _days(period: Period, days: int, here: ZoneInfo) -> Iterator[datetime]:
    """Yield the local starts of buckets of days."""
    number = (period.since.astimezone(here).replace(tzinfo=None) - _MONDAY).days // days
    while _utc(first := _MONDAY + timedelta(days=number * days), here) < period.until:
        yield first
        number += 1


def _utc(local: datetime, here: ZoneInfo) -> datetime:
    return local.replace(tzinfo=here).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class _Choice:
    """A rollup that has a measure: the column, and the condition of the rows that count."""

    rollup: str
    measure: str
    where: str = ""
    note: str = ""


_PAGEVIEW, _FAILED = "kind = 'pageview'", "status >= 400"
# By measure: rollups, the preferred one first. If none has the dimensions, the requests behind `traffic` answer for all its
# measures, so that they are read once.
_CHOICES: Mapping[str, Sequence[_Choice]] = {
    "hits": [_Choice(name, "hits") for name in ("traffic", "referrers", "agents")],
    "visitors": [_Choice(name, "visitors") for name in ("traffic", "referrers", "agents")],
    "views": [_Choice("traffic", "hits", _PAGEVIEW), _Choice("pages", "views")],
    "errors": [_Choice("traffic", "hits", _FAILED), _Choice("errors", "hits")],
    "bytes": [_Choice("traffic", "bytes")],
    "impressions": [_Choice("ads", "impressions"), _Choice("traffic", "hits", "kind = 'impression'")],
    "clicks": [_Choice("ads", "clicks"), _Choice("traffic", "hits", "kind = 'click'", REPEATED)],
    "conversions": [_Choice("ads", "conversions"), _Choice("traffic", "hits", "kind = 'conversion'")],
    "p95": [_Choice("latency", "p95")],
}
_PARTS_OF_CTR = ("impressions", "clicks")
_SAME = ("views", "errors")  # measures that are the same of rollups and of requests


def reads_requests(scope: Scope, facts: Facts) -> bool:
    """Return whether requests, complete in both periods, are read for hits: then they tell other measures at once."""
    _, origin = _chosen("hits", scope, facts)
    return origin.is_requests and not origin.complete_from and compared(origin, scope, facts) == scope.before


def _chosen(measure: str, scope: Scope, facts: Facts, *, asks_requests: bool = False) -> tuple[_Choice, Origin]:
    """Return the first rollup that has all dimensions, else the rollup whose requests are to answer."""
    choices = [(one, origin_of(one.rollup, frozenset(), scope, facts)) for one in _CHOICES[measure]]
    direct = (pair for pair in choices if pair[1].table and not pair[1].is_requests)
    shared = (pair for pair in choices if pair[0].rollup == "traffic")
    first = next(shared, None) if asks_requests and measure in _SAME else None
    return first or next(direct, None) or next(shared, choices[0])


def totals(scope: Scope, facts: Facts, ask: Ask) -> dict[str, Any]:
    """Return the measures of the window, and of the compared period.

    A measure that neither a rollup nor requests can answer is null, with the reason in `notes`; if that is true of all
    measures, the reason is in `unavailable`.
    """
    groups: dict[tuple[str, Origin], list[Column]] = {}
    notes: dict[str, str] = {}
    asks_requests = reads_requests(scope, facts)
    for measure in _CHOICES:
        choice, origin = _chosen(measure, scope, facts, asks_requests=asks_requests)
        groups.setdefault((choice.rollup, origin), []).append(Column(choice.measure, measure, choice.where))
        notes[measure] = origin.unavailable or "; ".join(note for note in (origin.note, choice.note) if note)
    now: dict[str, Any] = dict.fromkeys(TOTALS)
    before: dict[str, Any] | None = dict.fromkeys(TOTALS) if scope.before else None
    sql: dict[str, str] = {}
    for (rollup, origin), columns in groups.items():
        if origin.unavailable:
            continue
        names = [column.name for column in columns]
        for period, values in ((compared(origin, scope, facts), before), (scope.period, now)):
            if period and values is not None:
                query = aggregate(origin, rollup, (), columns, scope, period)
                values |= dict(zip(names, ask(query).rows[0], strict=True))
                sql |= dict.fromkeys(names, query)
    for values in (now, before) if before else (now,):
        values["ctr"] = _ctr(*(values.get(name) for name in _PARTS_OF_CTR))
    notes["ctr"] = notes["clicks"]
    sql |= {"ctr": sql["clicks"]} if "clicks" in sql else {}
    told_notes = {measure: notes[measure] for measure in TOTALS if notes[measure]}
    origins = [origin for _, origin in groups]
    return {"now": now, "before": before, "notes": told_notes, **_told_of_all(origins), "sql": sql}


def _ctr(impressions: int | None, clicks: int | None) -> float | None:
    return clicks / impressions if impressions and clicks is not None else None


def _told_of_all(origins: Sequence[Origin]) -> dict[str, Any]:
    """Return the origin of an answer that several queries make."""
    found = [one for one in origins if not one.unavailable]
    begins = [one.complete_from for one in found if one.complete_from]
    table = "requests" if any(one.is_requests for one in found) else "rollups"
    return {
        "from": table if found else None,
        "complete_from": max(begins) if begins else None,
        "unavailable": "" if found else origins[0].unavailable,
    }


def series(split: str, scope: Scope, facts: Facts, ask: Ask, most: int = MOST_POINTS) -> dict[str, Any]:
    """Return hits over time by kind or status class, and hits of the compared period; about `most` points."""
    if split not in SPLITS:
        raise LogaggError(f"split: {split!r} is not valid", f"write {' or '.join(SPLITS)}")
    needed = frozenset({"status" if split == "status_class" else split})
    origin, buckets = origin_of("traffic", needed, scope, facts), Buckets.of(scope.period, scope.zone, most)
    answer = {"ts": buckets.starts, "grain": buckets.seconds, "groups": {}, "before": None, **origin.told(), "sql": ""}
    if origin.unavailable:
        return answer
    query = aggregate(origin, "traffic", (buckets.column(), split), ("hits",), scope, scope.period)
    groups: dict[str, list[int]] = {}
    for bucket, group, hits in ask(query).rows:
        groups.setdefault(group, [0] * len(buckets.starts))[buckets.places[bucket]] += hits
    answer |= {"groups": dict(sorted(groups.items())), "sql": query}
    if earlier := compared(origin, scope, facts):
        answer["before"] = _before(origin, scope, earlier, buckets, ask)
    return answer


def _before(origin: Origin, scope: Scope, earlier: Period, buckets: Buckets, ask: Ask) -> list[int]:
    """Return the hits of the compared period by the buckets of the window."""
    column = buckets.column(buckets.distance(earlier.since, scope.period.since))
    query = aggregate(origin, "traffic", (column,), ("hits",), scope, earlier)
    hits = [0] * len(buckets.starts)
    for bucket, count in ask(query).rows:
        hits[buckets.nearest(bucket)] += count
    return hits


def latency(scope: Scope, facts: Facts, ask: Ask, most: int = MOST_POINTS) -> dict[str, Any]:
    """Return percentiles of the seconds to serve a request, over time; null for a bucket without any."""
    origin, buckets = origin_of("latency", frozenset(), scope, facts), Buckets.of(scope.period, scope.zone, most)
    answer: dict[str, Any] = {
        "ts": buckets.starts,
        "grain": buckets.seconds,
        **dict.fromkeys(PERCENTILES, ()),
        **origin.told(),
        "sql": "",
    }
    if origin.unavailable:
        return answer
    query = aggregate(origin, "latency", (buckets.column(),), PERCENTILES, scope, scope.period)
    found = {row[0]: row[1:] for row in ask(query).rows}
    columns = zip(*(found.get(name, (None,) * len(PERCENTILES)) for name in buckets.places), strict=True)
    return answer | dict(zip(PERCENTILES, map(list, columns), strict=True)) | {"sql": query}
