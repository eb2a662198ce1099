"""The answers that the web page consists of: the whole page, the lake, and the status of its tails.

Values have Python's types (times are datetimes); `logagg.query.render.as_json` turns them into the JSON of the HTTP API.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal

from logagg.errors import LogaggError
from logagg.explore.attributed import CREDITS
from logagg.explore.facts import Facts
from logagg.explore.measures import MEASURES, Shown
from logagg.explore.overview import Buckets, latency, series, totals
from logagg.explore.panels import Panel, PanelRequest, current_name, is_present, panel_answer, panels_of, wanted
from logagg.explore.query import Ask
from logagg.explore.scope import MINUTE, Scope, timestamp
from logagg.lake_format import MODELS
from logagg.quantities import counted
from logagg.query.status import SourceHealth, Status
from logagg.query.tails import TailHealth

PARTS = ("totals", "series", "latency", "panels")
MOST_SITES = 200
MOST_SOURCES = 500
LATE = 60.0  # seconds after which the page warns that lines of a running tail are not committed
REJECTED = 0.01  # the page warns if a larger share of a log's lines is rejected

Part = Callable[[], dict[str, Any]]
RunAll = Callable[[Sequence[Part]], list[dict[str, Any]]]
State = Literal["good", "warn", "bad"]

_SITES_OF = timedelta(days=31)  # before the newest data: a list of all sites ever would take reading the whole lake
_PRESENT_OF = timedelta(days=1)


def one_by_one(parts: Sequence[Part]) -> list[dict[str, Any]]:
    """Run the parts of a page one after the other."""
    return [part() for part in parts]


def page_answer(
    scope: Scope,
    facts: Facts,
    ask: Ask,
    *,
    parts: Sequence[str] = PARTS,
    panels: Sequence[str] | None = None,
    split: str = "kind",
    limit: int = 10,
    measures: int | None = None,
    sorts: Mapping[str, str] | None = None,
    orders: Mapping[str, str] | None = None,
    run_all: RunAll = one_by_one,
) -> dict[str, Any]:
    """Return the page, or parts of it: totals, charts, and these panels (None: all) with their first `measures` measures.

    `sorts` and `orders` have the measure and "asc" or "desc" of a panel. `run_all` runs the parts, in parallel if it can.
    Raises LogaggError for an unknown name.
    """
    for part in parts:
        if part not in PARTS:
            raise LogaggError(f"parts: {part[:100]!r} is not valid", f"there are {', '.join(PARTS)}")
    requests = _panel_requests(facts, panels, sorts or {}, orders or {}, limit, measures)
    found: dict[str, Part] = {
        "totals": partial(totals, scope, facts, ask),
        "series": partial(series, split, scope, facts, ask),
        "latency": partial(latency, scope, facts, ask),
    }
    names = [name for name in found if name in parts]
    boards = [partial(panel_answer, one, scope, facts, ask) for one in requests if "panels" in parts]
    answers = run_all([*(found[name] for name in names), *boards])
    shown = {one.panel.name: board for one, board in zip(requests, answers[len(names) :], strict=bool(boards))}
    return {
        "commit": facts.commit,
        "since": scope.period.since,
        "until": scope.period.until,
        "before": {"since": scope.before.since, "until": scope.before.until} if scope.before else None,
        "grain": Buckets.of(scope.period, scope.zone).seconds,
        **dict(zip(names, answers, strict=False)),
        **({"panels": shown} if "panels" in parts else {}),
    }


def _panel_requests(
    facts: Facts,
    names: Sequence[str] | None,
    sorts: Mapping[str, str],
    orders: Mapping[str, str],
    limit: int,
    measures: int | None,
) -> list[PanelRequest]:
    """Return the request for each panel. Raises LogaggError, also if a panel is to be sorted but is not asked for."""
    sorts, orders = ({current_name(name, facts): how for name, how in of.items()} for of in (sorts, orders))
    chosen = list(panels_of(facts).values()) if names is None else wanted(names, facts)
    for name in (*sorts, *orders):
        if name not in {panel.name for panel in chosen}:
            raise LogaggError(
                f"sort, order: {name[:100]!r} is not among the panels asked for", "write sort.PANEL=MEASURE"
            )
    return [
        PanelRequest.of(
            panel, sort=sorts.get(panel.name), order=orders.get(panel.name, "desc"), limit=limit, most=measures
        )
        for panel in chosen
    ]


def lake_answer(
    name: str,
    facts: Facts,
    ask: Ask,
    version: str,
    *,
    since: datetime | None = None,
    sql: bool = False,
    cluster: bool = False,
    run_all: RunAll = one_by_one,
) -> dict[str, Any]:
    """Return the facts about a lake that the page needs: its span of time, sites, panels and measures.

    A panel is `present` if an event since `since` has its values; the default is the newest day with data.
    `sql` and `cluster` tell whether the server answers such requests; `run_all` is as in `page_answer`.
    """
    oldest, newest = span(facts, ask)
    begins = max(facts.requests_from, oldest) if oldest else facts.requests_from
    panels = panels_of(facts)
    since = since or newest_day(newest, facts)
    return {
        "name": name,
        "version": version,
        "commit": facts.commit,
        "committed_at": facts.committed_at,
        "oldest": oldest,
        "newest": newest,
        "requests_from": begins if facts.keeps_requests else None,
        "sites": _sites(newest, facts, ask),
        "sql": sql,
        "cluster": cluster,
        "panels": run_all([partial(_described, panel, facts, ask, since) for panel in panels.values()]),
        "measures": {name: _measure(name) for name in _measures(panels.values())},
    }


def span(facts: Facts, ask: Ask) -> tuple[datetime | None, datetime | None]:
    """Return the start of the first minute with data and the end of the last one; None without data."""
    if "traffic" not in facts.rollups:
        return None, None
    [(oldest, newest)] = ask("SELECT min(min_ts), max(max_ts) FROM files WHERE rollup = 'traffic'").rows
    return oldest, newest + MINUTE if newest else None


def _sites(newest: datetime | None, facts: Facts, ask: Ask) -> list[str]:
    if newest is None:
        return []
    found = ask(
        f"SELECT site FROM traffic WHERE ts >= {timestamp(newest - _SITES_OF)} AND site <> '' "
        f"GROUP BY site ORDER BY sum(hits) DESC, site LIMIT {MOST_SITES}"
    )
    return [site for (site,) in found.rows]


def newest_day(newest: datetime | None, facts: Facts) -> datetime:
    """Return the time since which events decide which panels a lake has."""
    return (newest or facts.requests_from) - _PRESENT_OF


def has_values(panel: Panel, facts: Facts, ask: Ask, since: datetime) -> bool:
    """Return whether any event since a time has the panel's values."""
    query = is_present(panel, facts, since)
    return bool(ask(query).rows[0][0]) if query else True


def _described(panel: Panel, facts: Facts, ask: Ask, since: datetime) -> dict[str, Any]:
    return {
        "name": panel.name,
        "title": panel.title,
        "dimensions": panel.dimensions,
        "measures": panel.measures,
        "sort": panel.measures[0],
        "models": MODELS if panel.rollup == CREDITS else (),
        "present": has_values(panel, facts, ask, since),
    }


def _measures(panels: Iterable[Panel]) -> list[str]:
    return list(dict.fromkeys([*MEASURES, *(name for panel in panels for name in panel.measures)]))


def _measure(name: str) -> dict[str, str]:
    shown = MEASURES.get(name, Shown(name))
    return {"title": shown.title, "unit": shown.unit}


def age_of(newest: datetime | None, committed_at: datetime | None, now: float) -> float | None:
    """Return the seconds since the newest data; while the newest minute is not over, since the commit."""
    times = [one.timestamp() for one in (newest, committed_at) if one]
    return max(0.0, now - min(times)) if times else None


def status_answer(status: Status, commit: int | None = None, newest: datetime | None = None) -> dict[str, Any]:
    """Return the state of a lake as a light, with the reasons; the sources with problems come first."""
    warnings = list(_warnings(status))
    state: State = "bad" if status.problems else "warn" if warnings else "good"
    sources = sorted(status.sources, key=lambda one: (not one.problem, one.finished, one.path))
    return {
        "state": state,
        "reasons": [*status.problems, *warnings],
        "age": status.age,
        "commit": status.commits if commit is None else commit,
        "committed_at": status.last_commit,
        "newest": newest,
        "tails": [_tail(one) for one in status.tails],
        "sources": [_source(one) for one in sources[:MOST_SOURCES]],
        "omitted": max(0, len(sources) - MOST_SOURCES),  # sources that are not listed
    }


def _warnings(status: Status) -> Iterator[str]:
    """Yield warnings about conditions that need not be faults."""
    if not status.running:
        yield status.writer
    yield from status.waiting
    for tail in status.tails:
        if tail.state == "running" and (late := _lag_seconds(tail) or 0) > LATE:
            yield f"{tail.name or 'the tail'}: lines written up to {late:,.0f} s ago are not committed"
    for source in status.sources:
        if source.rejects and source.rejects > REJECTED * source.lines:
            yield f"{source.path}: {source.rejects:,} of {counted(source.lines, 'line')} were rejected"


def _lag_seconds(tail: TailHealth) -> float | None:
    """Return how long lines may have waited for a tail to commit them; None if the tail does not run."""
    if tail.state != "running":
        return None
    return tail.heartbeat.behind + tail.age if tail.heartbeat.unread else 0.0


def _tail(tail: TailHealth) -> dict[str, Any]:
    beat = tail.heartbeat
    return {
        "name": tail.name,
        "state": tail.state,
        "age": tail.age,
        "host": beat.host,
        "pid": beat.pid,
        "following": beat.following,
        "lag_bytes": beat.unread,
        "lag_seconds": _lag_seconds(tail),
        "failure": beat.failure,
    }


def _source(source: SourceHealth) -> dict[str, Any]:
    names = ("path", "position", "size", "lag", "lines", "rejects", "finished", "note", "problem")
    return {name: getattr(source, name) for name in names}
