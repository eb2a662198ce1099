"""The scope of a question: the window, the compared period, robots, filters, and the time zone of days."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from logagg.errors import LogaggError
from logagg.lake_format import MODELS
from logagg.quantities import counted
from logagg.query.names import check_choice
from logagg.query.reports import BOTS, Bots
from logagg.query.times import moment, zone_of
from logagg.quoting import identifier, literal

COMPARE = ("none", "previous", "week", "year")

DIMENSIONS = (
    *("site", "kind", "method", "status", "status_class", "path", "ext", "referrer", "from_path"),
    *(
        "channel",
        "referrer_source",
        "medium",
        "campaign",
        "ad",
        "placement",
        "browser",
        "os",
        "device",
        "robot",
        "robot_class",
        "bot_reason",
    ),
    *("country", "city", "network", "asn", "organization", "cache", "scheme", "protocol", "tls", "user"),
)
CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
SINCE = "24h"
WEEK = timedelta(days=7)
YEAR = 52 * WEEK  # so that the days of the week are the same
MINUTE, _DAY = timedelta(minutes=1), timedelta(days=1)
MOST_VALUES = 100  # values in all filters together
LONGEST_VALUE = 8192  # characters of a filter's value

_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Period:
    """A half-open window of whole minutes: [since, until)."""

    since: datetime
    until: datetime

    @property
    def length(self) -> timedelta:
        return self.until - self.since

    def condition(self) -> str:
        """Return the SQL condition for events and buckets of this period."""
        return f"ts >= {timestamp(self.since)} AND ts < {timestamp(self.until)}"

    def earlier(self, by: timedelta, here: tzinfo = UTC) -> Period:
        """Return the period moved back by `by`; whole days by the local clock, so the hours of the day stay the same."""
        clock = UTC if by % _DAY else here
        since, until = ((one.astimezone(clock) - by).astimezone(UTC) for one in (self.since, self.until))
        return Period(max(_EARLIEST, since), max(_EARLIEST, until))


@dataclass(frozen=True, slots=True)
class Filter:
    """Events whose dimension has one of these values; with `excluded`, none of them. An empty value matches a missing one."""

    dimension: str
    values: tuple[str, ...]
    excluded: bool = False

    def condition(self, column: str | None = None) -> str:
        """Return the filter as SQL over the column of its dimension, or over another column."""
        column = identifier(column or self.dimension)
        if self.dimension == "status_class":
            column, values = f"{identifier('status')} // 100", [value[0] for value in self.values]
        elif self.dimension == "status":
            values = list(self.values)
        else:
            values = [literal(value) for value in self.values]
            if "" in self.values or self.excluded:
                column = f"coalesce({column}, '')"
        among = "NOT IN" if self.excluded else "IN"
        return f"{column} {among} ({', '.join(values)})"


@dataclass(frozen=True, slots=True)
class Scope:
    """The subject of a question; `of` makes and checks it."""

    period: Period
    before: Period | None = None
    bots: Bots = "include"
    filters: tuple[Filter, ...] = ()
    zone: str = "UTC"
    where: str = ""  # an SQL condition over `requests`, checked by `query.lines.checked`
    model: str = MODELS[0]  # by which touches share a conversion

    @classmethod
    def of(
        cls,
        now: float,
        *,
        since: str | None = None,
        until: str | None = None,
        compare: str = "none",
        bots: str = "include",
        is_: Sequence[str] = (),
        is_not: Sequence[str] = (),
        zone: str = "UTC",
        where: str = "",
        model: str = MODELS[0],
    ) -> Scope:
        """Return the scope that parameters describe; `now` is seconds since the epoch. Raises LogaggError.

        `where` becomes a part of each query, unchanged: it must come from `query.lines.checked`.
        """
        here = zone_of(zone or "UTC")
        period = _period(now, since or SINCE, until or "now", here)
        check_choice("bots", bots, BOTS)
        check_choice("model", model, MODELS)
        filters = (*_filters(is_, excluded=False), *_filters(is_not, excluded=True))
        before = _before(period, compare, here)
        return cls(period, before, bots, filters, here.key, where, model)  # type: ignore[arg-type]

    @property
    def dimensions(self) -> frozenset[str]:
        """The columns that a table must have for the filters, apart from robots."""
        return frozenset("status" if one.dimension == "status_class" else one.dimension for one in self.filters)

    def conditions(self, period: Period, columns: Mapping[str, str] | None = None) -> list[str]:
        """Return all conditions, with those of a period; `columns` maps dimensions to columns with other names."""
        return [period.condition(), *self.filter_conditions(columns)]

    def filter_conditions(self, columns: Mapping[str, str] | None = None) -> list[str]:
        """Return all conditions but those of time."""
        bots = {"include": [], "exclude": ["NOT is_bot"], "only": ["is_bot"]}[self.bots]
        where = [f"(\n{self.where}\n)"] if self.where else []
        return bots + [one.condition((columns or {}).get(one.dimension)) for one in self.filters] + where


def timestamp(moment: datetime) -> str:
    """Return a time as SQL."""
    return f"TIMESTAMPTZ '{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}+00'"


def _period(now: float, since: str, until: str, here: ZoneInfo) -> Period:
    first, last = moment(since, now, "since", here), moment(until, now, "until", here)
    assert first and last
    if not (_EARLIEST <= first < _LATEST and _EARLIEST <= last < _LATEST):
        raise LogaggError("since, until: not between 1970 and 2200", "write times as on the command line")
    start, end = _floor(first), _floor(last + MINUTE - timedelta(microseconds=1))
    if start >= end:
        raise LogaggError("since: not before until", "write the earlier time first")
    return Period(start, end)


def _floor(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(second=0, microsecond=0)


def _before(period: Period, compare: str, here: ZoneInfo) -> Period | None:
    """Return the compared period: the one before, or the same weekdays some weeks or a year ago."""
    check_choice("compare", compare, COMPARE)
    if compare == "none":
        return None
    length = _length(period, here)
    step = {"previous": length, "week": WEEK, "year": YEAR}[compare]
    return period.earlier(step * -(-length // step), here)


def _length(period: Period, here: ZoneInfo) -> timedelta:
    """Return the length of a period: in whole days by the local clock if possible (a day may have 23 or 25 hours), else in time."""
    since, until = (one.astimezone(here).replace(tzinfo=None) for one in (period.since, period.until))
    days = until - since
    return days if days >= _DAY and not days % _DAY else period.length


def _filters(texts: Sequence[str], *, excluded: bool) -> Iterator[Filter]:
    """Yield the filters that `DIMENSION:VALUE` texts describe, one for each dimension, in the order of DIMENSIONS."""
    if len(texts) > MOST_VALUES:
        raise LogaggError(f"filters: {counted(len(texts), 'value')} are too many", f"{MOST_VALUES} at most")
    found: dict[str, dict[str, None]] = {}
    for text in texts:
        dimension, colon, value = text.partition(":")
        if dimension not in DIMENSIONS or not colon:
            raise LogaggError(
                f"filter {text[:100]!r} is not valid", f"write DIMENSION:VALUE; there are {', '.join(DIMENSIONS)}"
            )
        found.setdefault(dimension, {})[_checked(dimension, value)] = None
    for dimension in DIMENSIONS:
        if dimension in found:
            yield Filter(dimension, tuple(found[dimension]), excluded)


def _checked(dimension: str, value: str) -> str:
    if dimension == "status" and not (value.isascii() and value.isdecimal() and len(value) <= 4):
        raise LogaggError(f"status: {value[:20]!r} is not valid", "write a number such as 404")
    if dimension == "status_class" and value not in CLASSES:
        raise LogaggError(f"status_class: {value[:20]!r} is not valid", f"write one of {', '.join(CLASSES)}")
    if "\0" in value or len(value) > LONGEST_VALUE:
        raise LogaggError(
            f"{dimension}: no event has such a value", f"write up to {counted(LONGEST_VALUE, 'character')}"
        )
    return value
