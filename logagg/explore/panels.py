"""The panels: leaderboards of values, each from a rollup or from requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from logagg.errors import LogaggError, NotFound
from logagg.explore.attributed import BEHIND, CREDITS, UNMATCHED, before_a_query
from logagg.explore.facts import Facts
from logagg.explore.measures import MEASURES
from logagg.explore.query import Ask
from logagg.explore.scope import DIMENSIONS, Period, Scope, timestamp
from logagg.explore.tables import DEFINITIONS, Origin, aggregate, compared, is_sketch, merged, origin_of
from logagg.quoting import identifier, literal
from logagg.rollup.conversions import NAME as PATHS
from logagg.rollup.conversions import TABLES as OF_ATTRIBUTION
from logagg.rollup.requests import NAME as REQUESTS
from logagg.rollup.visits import FLOWS, VISITS
from logagg.rollup.visits import TABLES as OF_VISITS

Order = Literal["desc", "asc"]

RENAMED = {"entries": "pages_by_referrer"}  # names in addresses that were kept

MOST_ROWS = 10_000  # rows of an answer, at most
MOST_DIMENSIONS = 6
_OF_ROWS = ("before", "change", "share")  # keys of a row besides dimensions and measures
FEW = 1_000  # up to so many rows, sketches are merged in a query of their own; a row needs some 16 kB for that
ROWS = "rows"  # the name of an answer's rows within its query; no rollup may have it
CHANGE = "change"  # a name to sort by: the relative change since the compared period


@dataclass(frozen=True, slots=True)
class Panel:
    """A leaderboard. It is sorted by its first measure."""

    name: str
    title: str
    rollup: str
    dimensions: tuple[str, ...]
    measures: tuple[str, ...]
    where: tuple[str, ...] = ()  # conditions in SQL over columns that the rollup and requests both have


BY = ("hits", "visitors", "errors", "bytes", "p95")
OF_REQUESTS = (*DIMENSIONS, "is_bot", "visitor", "source")  # dimensions by which requests may be grouped


def panel_by(dimensions: Sequence[str]) -> Panel:
    """Return a panel of requests by any of their columns. Raises LogaggError."""
    for one in dimensions:
        if one not in OF_REQUESTS:
            raise LogaggError(f"by: no column {one[:100]!r}", f"there are {', '.join(OF_REQUESTS)}")
    if not 0 < len(set(dimensions)) == len(dimensions) <= MOST_DIMENSIONS:
        raise LogaggError(f"by: {','.join(dimensions)[:100]!r}", f"write 1 to {MOST_DIMENSIONS} different columns")
    title = ", ".join(dimensions).replace("_", " ")
    return Panel(f"by {','.join(dimensions)}", f"By {title}", REQUESTS, tuple(dimensions), BY)


_NOT_OF_ALL = ("ads", "latency")  # rollups that count only events of some kinds
_OF_PLACES = ("countries", "networks")  # rollups whose columns are empty for some logs

_HITS = ("hits", "visitors")
_EVENT = ("hits", "visitors", "bytes")
_VISIT = ("visits", "visitors", "bounces", "views", "conversions", "seconds", "new")
_CREDITS = ("credits", "credited_value", "credits_by_view", "credits_by_id", "credits_gross", "credits_invalid")
_AD = ("impressions", "clicks", "ctr", "conversions", "visitors")

PANELS: tuple[Panel, ...] = (
    Panel("pages", "Pages", "pages", ("path",), ("views", "visitors", "clicks", "errors", "bytes")),
    Panel("referrers", "Referrers", "referrers", ("referrer",), _HITS),
    Panel("channels", "Channels", REQUESTS, ("channel",), _HITS, ("channel IS NOT NULL",)),
    Panel("origins", "Origins", REQUESTS, ("referrer_source", "medium"), _HITS, ("channel IS NOT NULL",)),
    Panel("campaigns", "Campaigns", "ads", ("campaign",), _AD),
    Panel("ads", "Ads", "ads", ("ad",), _AD),
    Panel("placements", "Placements", "ads", ("placement",), _AD),
    Panel("errors", "Errors", "errors", ("path", "status"), ("hits",)),
    Panel("slow", "Slow pages", "latency", ("path",), ("p95", "p50", "p99", "mean", "hits")),
    Panel(
        "pages_by_referrer",
        "Pages by referrer",
        REQUESTS,
        ("referrer", "path"),
        ("views", "visitors"),
        ("kind = 'pageview'", "from_path IS NULL", "referrer <> ''"),
    ),
    Panel("statuses", "Statuses", "traffic", ("status",), _EVENT),
    Panel("browsers", "Browsers", "agents", ("browser",), _HITS, ("NOT is_bot",)),
    Panel("systems", "Systems", "agents", ("os",), _HITS, ("NOT is_bot",)),
    Panel("devices", "Devices", "agents", ("device",), _HITS),
    Panel("robots", "Robots", "robots", ("robot",), _EVENT),
    Panel("robot_classes", "Robots by class", "robots", ("robot_class",), _EVENT),
    Panel("bot_reasons", "Why robots", "robots", ("bot_reason",), _EVENT),
    Panel("sites", "Sites", "traffic", ("site",), _EVENT),
    Panel("methods", "Methods", "traffic", ("method",), _EVENT),
    Panel("kinds", "Kinds", "traffic", ("kind",), _EVENT),
    Panel("extensions", "Extensions", REQUESTS, ("ext",), _EVENT),
    Panel("countries", "Countries", "countries", ("country",), _EVENT),
    Panel("cities", "Cities", "countries", ("country", "city"), _EVENT, ("city <> ''",)),
    Panel("networks", "Networks", "networks", ("network",), _EVENT),
    Panel("organizations", "Organizations", "networks", ("asn", "organization"), _EVENT),
    Panel("users", "Users", REQUESTS, ("user",), _EVENT),
    Panel("protocols", "Protocols", REQUESTS, ("protocol",), _EVENT),
    Panel("tls", "TLS", REQUESTS, ("tls",), _EVENT),
    Panel("cache", "Cache", REQUESTS, ("cache",), _EVENT),
    Panel("entry_pages", "Entry pages", VISITS.name, ("entry",), _VISIT, ("entry <> ''",)),
    Panel("exit_pages", "Exit pages", VISITS.name, ("exit",), _VISIT, ("exit <> ''",)),
    Panel("flows", "From page to page", FLOWS.name, ("from_path", "to_path"), ("hits",)),
    Panel("attribution", "Attribution", CREDITS, ("channel", "campaign"), _CREDITS, ("credit > 0",)),
    Panel(
        "unmatched", "Unmatched conversions and clicks", UNMATCHED, ("kind", "reason"), ("events",), ("reason <> ''",)
    ),
)


@dataclass(frozen=True, slots=True)
class PanelRequest:
    """A request for rows of a panel: which ones, and in which order."""

    panel: Panel
    measures: tuple[str, ...]
    sort: str
    order: Order = "desc"
    limit: int = 10
    offset: int = 0
    search: str = ""

    @classmethod
    def of(
        cls,
        panel: Panel,
        *,
        sort: str | None = None,
        order: str = "desc",
        limit: int = 10,
        offset: int = 0,
        search: str = "",
        most: int | None = None,
    ) -> PanelRequest:
        """Return the request, checked, for the first `most` measures and the one to sort by. Raises LogaggError."""
        sorts = (*panel.measures, CHANGE)
        if sort is not None and sort not in sorts:
            raise LogaggError(f"sort: {panel.name} has no {sort[:100]!r}", f"there are {', '.join(sorts)}")
        if order not in ("desc", "asc"):
            raise LogaggError(f"order: {order!r} is not valid", "write desc or asc")
        if not 0 < limit <= MOST_ROWS or offset < 0:
            raise LogaggError(
                f"limit: {limit}, offset: {offset}: not valid", f"write 1 to {MOST_ROWS:,}, and 0 or more"
            )
        if "\0" in search or len(search) > 1000:
            raise LogaggError("search: not valid", "write up to 1,000 characters")
        sort = sort or panel.measures[0]
        measures = panel.measures[:most]
        if sort != CHANGE and sort not in measures:
            measures = (*measures[:-1], sort)
        return cls(panel, measures, sort, order, limit, offset, search)  # type: ignore[arg-type]


def panels_of(facts: Facts) -> Mapping[str, Panel]:
    """Return the panels of a lake by name: the built-in ones, and one for each user's rollup."""
    return {panel.name: panel for panel in (*PANELS, *_own(facts))}


def _own(facts: Facts) -> Iterator[Panel]:
    for name, columns in facts.rollups.items():
        if name in DEFINITIONS or name in (REQUESTS, *OF_VISITS, *OF_ATTRIBUTION):
            continue
        dimensions = tuple(one for one, kind in columns.items() if kind == "string" or one == "status")[:3]
        counted = (one for one, kind in columns.items() if kind in ("int64", "double") or kind.startswith("list"))
        measures = tuple(one for one in counted if one not in _OF_ROWS)
        if dimensions and measures and name not in {panel.name for panel in PANELS}:
            yield Panel(name, name, name, dimensions, measures)


def panel_query(request: PanelRequest, scope: Scope, facts: Facts) -> tuple[Origin, str]:
    """Return the origin of a panel's rows, and its query, for one row more than asked for: it shows whether there are more.

    Columns: dimensions; measures; with a compared period `before_MEASURE` and `change`; `share` if the values of the
    measure to sort by add up. Sketches are merged only for the rows of the answer, unless the order depends on them, or the
    answer has many rows.
    """
    panel = request.panel
    origin = origin_of(panel.rollup, _columns(panel), scope, facts)
    if origin.unavailable:
        return origin, ""
    earlier = compared(origin, scope, facts)
    measure = panel.measures[0] if request.sort == CHANGE else request.sort
    few = request.limit <= FEW
    later = [name for name in request.measures if few and name != measure and is_sketch(origin, name)]
    first = [name for name in request.measures if name not in later]
    names = ", ".join(map(identifier, panel.dimensions))
    sort = request.sort if request.sort != CHANGE or earlier else measure
    order = f"ORDER BY {identifier(sort)} {request.order.upper()} NULLS LAST, {names}"
    limits = f"LIMIT {request.limit + 1}" + (f" OFFSET {request.offset}" if request.offset else "")
    rows = before_a_query(panel.rollup, scope)
    rows += f"{_rows(request, first, measure, origin, scope, earlier)}\n{order}\n{limits}"
    if not later:
        return origin, rows
    return origin, f"{_with_sketches(rows, later, panel, scope, earlier)}\n{order}"


def _rows(
    request: PanelRequest, measures: Sequence[str], measure: str, origin: Origin, scope: Scope, earlier: Period | None
) -> str:
    """Return the SELECT of all rows that match the search, with these measures; they are to be sorted by `measure`."""
    panel = request.panel
    now = aggregate(origin, panel.rollup, panel.dimensions, measures, scope, scope.period, panel.where)
    names = [identifier(one) for one in panel.dimensions]
    columns, source = [*names, *map(identifier, measures)], f"(\n{now}\n)"
    if earlier:
        before = aggregate(origin, panel.rollup, panel.dimensions, measures, scope, earlier, panel.where)
        source = f"{source} AS now FULL JOIN (\n{before}\n) AS before USING ({', '.join(names)})"
        columns = [*names, *map(_now, measures), *map(_before, measures)]
        columns.append(f"{_value(measure, 'now')} / nullif(before.{identifier(measure)}, 0) - 1 AS {CHANGE}")
    shares = (shown := MEASURES.get(measure)) is not None and shown.is_sum
    if shares:
        of = _value(measure, "now") if earlier else identifier(measure)
        columns.append(f"{of} / nullif(sum({of}) OVER (), 0) AS share")
    where = ""
    if request.search:
        contains = (f"contains(lower({one}::VARCHAR), lower({literal(request.search)}))" for one in names)
        # A share is relative to all rows, so the search comes after its computation.
        where = f"\n{'QUALIFY' if shares else 'WHERE'} {' OR '.join(contains)}"
    return f"SELECT {', '.join(columns)}\nFROM {source}{where}"


def _with_sketches(rows: str, sketches: Sequence[str], panel: Panel, scope: Scope, earlier: Period | None) -> str:
    """Return the SELECT that adds measures from merged sketches to rows."""
    names = ", ".join(map(identifier, panel.dimensions))
    columns, source = [f"{ROWS}.*"], ROWS
    periods = {"": scope.period} | ({"before_": earlier} if earlier else {})
    for prefix, period in periods.items():
        for name in sketches:
            column = identifier(prefix + name)
            found = merged(name, panel.rollup, panel.dimensions, scope, period, panel.where, among=ROWS)
            source += f"\nLEFT JOIN (\n{found}\n) AS {column} USING ({names})"
            columns.append(f"coalesce({column}.{identifier(name)}, 0) AS {column}")
    return f"WITH {ROWS} AS MATERIALIZED (\n{rows}\n)\nSELECT {', '.join(columns)}\nFROM {source}"


def panel_answer(request: PanelRequest, scope: Scope, facts: Facts, ask: Ask) -> dict[str, Any]:
    """Return a panel's rows as the HTTP API describes them."""
    origin, sql = panel_query(request, scope, facts)
    found = ask(sql).as_dicts() if sql else []
    return {
        "name": request.panel.name,
        "dimensions": request.panel.dimensions,
        "measures": request.measures,
        "rows": [_row(request, row) for row in found[: request.limit]],
        "more": len(found) > request.limit,
        "sort": request.sort,
        "order": request.order,
        **origin.told(),
        "sql": sql,
    }


def _row(request: PanelRequest, row: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: row[name] if name == "status" else row[name] or None for name in request.panel.dimensions}
    found |= {name: row[name] for name in request.measures}
    before = {name: row[f"before_{name}"] for name in request.measures} if CHANGE in row else None
    return found | {"before": before, "change": row.get(CHANGE), "share": row.get("share")}


def _columns(panel: Panel) -> frozenset[str]:
    return frozenset("status" if one == "status_class" else one for one in panel.dimensions)


def _counts(measure: str) -> bool:
    """Return whether a measure without events is zero; a percentile or a ratio is null then."""
    shown = MEASURES.get(measure)
    return shown is None or shown.is_sum or measure == "visitors"


def _now(measure: str) -> str:
    return f"{_value(measure, 'now')} AS {identifier(measure)}"


def _before(measure: str) -> str:
    return f"{_value(measure, 'before')} AS {identifier(f'before_{measure}')}"


def _value(measure: str, table: str) -> str:
    column = f"{table}.{identifier(measure)}"
    return f"coalesce({column}, 0)" if _counts(measure) else column


def is_present(panel: Panel, facts: Facts, since: datetime) -> str:
    """Return a query that tells whether any event since a time has the panel's values; empty if every lake has the panel.

    The time bounds the search: if no event has a value, the query reads the whole column, 0.2 s for 10 M requests.
    """
    if panel.rollup in _NOT_OF_ALL:
        return f"SELECT count(*) > 0 FROM files WHERE rollup = '{panel.rollup}' AND \"rows\" > 0"
    if panel.rollup in BEHIND:
        return _has_derived(PATHS, BEHIND[panel.rollup], facts, since)
    if panel.rollup in OF_VISITS:
        return _has_derived(panel.rollup, "kind = 'pageview'", facts, since)
    if panel.rollup not in (REQUESTS, *_OF_PLACES):
        return ""
    table = panel.rollup if panel.rollup in facts.rollups else REQUESTS
    name = panel.dimensions[-1]
    if name not in facts.rollups.get(table, {}) or (table == REQUESTS and not facts.keeps_requests):
        return "SELECT false"
    column = identifier(name)
    return f"SELECT count(*) > 0 FROM (FROM {table} WHERE ts >= {timestamp(since)} AND {column} <> '' LIMIT 1)"


def _has_derived(table: str, behind: str, facts: Facts, since: datetime) -> str:
    """Return a query that tells whether a derived table may have rows, without its view, which would derive them first.

    `behind` is the condition for the requests that its rows are made of.
    """
    if table not in facts.rollups:
        return "SELECT false"
    written = f"SELECT count(*) FROM files WHERE rollup = '{table}'"
    if not facts.keeps_requests:
        return f"SELECT ({written}) > 0"
    recent = f"SELECT count(*) FROM (FROM {REQUESTS} WHERE ts >= {timestamp(since)} AND {behind} LIMIT 1)"
    return f"SELECT ({written}) + ({recent}) > 0"


def current_name(name: str, facts: Facts) -> str:
    """Return the name that a panel has now: a lake may have a rollup of its own with a former one."""
    return RENAMED[name] if name in RENAMED and name not in panels_of(facts) else name


def panel_named(name: str, facts: Facts) -> Panel:
    """Return a panel. Raises LogaggError."""
    panels, name = panels_of(facts), current_name(name, facts)
    if name not in panels:
        raise NotFound(f"no panel {name[:100]!r}", f"there are {', '.join(panels)}")
    return panels[name]


def wanted(names: Sequence[str], facts: Facts) -> list[Panel]:
    return [panel_named(name, facts) for name in names]
