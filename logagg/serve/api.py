"""The answers of the API: a function for each address, and the table of addresses, from which routes and OpenAPI are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.datastructures import QueryParams

from logagg import __version__
from logagg.alert.overview import rows as alert_rows
from logagg.errors import LogaggError, NotFound
from logagg.explore import overview, page
from logagg.explore.panels import MOST_ROWS, PanelRequest, panel_answer, panel_named
from logagg.explore.requests import events, reject_samples, rejects
from logagg.explore.scope import Scope
from logagg.explore.snapshots import AT_A_TIME, AnswerLimits, Queries, Snapshot
from logagg.lake_format import MODELS
from logagg.query import reports
from logagg.query.lines import LinesRequest, find
from logagg.query.render import as_json
from logagg.query.sandbox import QueryLimits, Sandbox
from logagg.quoting import literal
from logagg.serve.answers import Remembered
from logagg.serve.formats import Table, flat
from logagg.serve.parameters import FORMAT, SCOPE, Parameter, by_name, listed, number, scope_of, whole

SORT, ORDER = "sort.", "order."
MOST_LINES = 1_000
MOST_MEASURES = 100
MOST_SQL_ROWS = 100_000
_FURTHEST = 10**16  # bytes: the largest position that a request may name


@dataclass(frozen=True, slots=True)
class ServedLake:
    """The lake that is served, and which queries are allowed."""

    root: Path
    limits: AnswerLimits
    sql: bool = False  # whether /api/sql answers
    cluster: Callable[[], dict[str, Any]] | None = None
    remembered: Remembered = field(default_factory=lambda: Remembered(60.0))
    parts: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(AT_A_TIME * 2, "part"))
    looked: Remembered = field(default_factory=lambda: Remembered(3.0))  # at the cluster: asking it takes seconds

    def run_all(self, parts: Sequence[page.Part]) -> list[dict[str, Any]]:
        """Run the parts of a page in parallel. An error is raised only after all have ended, since they share the connection."""
        running = [self.parts.submit(part) for part in parts]
        wait(running)
        return [one.result() for one in running]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: its parameters, and the snapshot that answers it."""

    served: ServedLake
    query: QueryParams
    path: Mapping[str, str]
    snapshot: Snapshot
    ask: Queries
    now: float

    @property
    def scope(self) -> Scope:
        return scope_of(self.query, self.now)


Answered = tuple[Mapping[str, Any], Table | None]  # the whole answer; and its rows, if it is a table


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of the API."""

    path: str
    summary: str
    answer: Callable[[Asked], Answered]
    parameters: Sequence[Parameter] = ()
    follows_commits: bool = True  # the answer depends on the commit alone, so it has an ETag
    is_table: bool = True
    prefixes: tuple[str, ...] = ()  # beginnings of parameters that end with the name of a panel

    @property
    def names(self) -> frozenset[str]:
        """The names of all parameters of this address."""
        return frozenset(one.name for one in self.parameters) | {FORMAT.name}


def _page(asked: Asked) -> Answered:
    query, scope = asked.query, asked.scope
    answer = page.page_answer(
        scope,
        asked.snapshot.facts,
        asked.ask.about(scope),
        parts=listed(query, "parts") or page.PARTS,
        panels=listed(query, "panels") if "panels" in query else None,
        split=query.get("split", "kind"),
        limit=number(query, "limit", 10, 1_000),
        measures=number(query, "measures", MOST_MEASURES, MOST_MEASURES),
        sorts=by_name(query, SORT),
        orders=by_name(query, ORDER),
        run_all=asked.served.run_all,
    )
    return answer, None


def _totals(asked: Asked) -> Answered:
    answer = overview.totals(asked.scope, asked.snapshot.facts, asked.ask)
    before = answer["before"] or {}
    return answer, [
        {"measure": name, "now": value, "before": before.get(name)} for name, value in answer["now"].items()
    ]


def _series(asked: Asked) -> Answered:
    answer = overview.series(asked.query.get("split", "kind"), asked.scope, asked.snapshot.facts, asked.ask)
    groups: Mapping[str, Sequence[int]] = answer["groups"]
    rows = [
        {"ts": ts, **{name: values[place] for name, values in groups.items()}} for place, ts in enumerate(answer["ts"])
    ]
    return answer, rows


def _latency(asked: Asked) -> Answered:
    answer = overview.latency(asked.scope, asked.snapshot.facts, asked.ask)
    columns = {name: answer[name] for name in overview.PERCENTILES}
    rows = [
        {"ts": ts, **{name: values[place] if values else None for name, values in columns.items()}}
        for place, ts in enumerate(answer["ts"])
    ]
    return answer, rows


def _panel(asked: Asked) -> Answered:
    query, facts = asked.query, asked.snapshot.facts
    request = PanelRequest.of(
        panel_named(asked.path["name"], facts),
        sort=query.get("sort"),
        order=query.get("order", "desc"),
        limit=number(query, "limit", 10, MOST_ROWS),
        offset=number(query, "offset", 0, 1_000_000, least=0),
        search=query.get("search", ""),
    )
    answer = panel_answer(request, asked.scope, facts, asked.ask)
    return answer, flat(answer["rows"])


def _requests(asked: Asked) -> Answered:
    limit, offset = number(asked.query, "limit", 100, MOST_ROWS), number(asked.query, "offset", 0, 1_000_000, least=0)
    answer = events(asked.scope, asked.snapshot.facts, asked.ask, limit=limit, offset=offset)
    return answer, answer["rows"]


def _lines(asked: Asked) -> Answered:
    scope, source = asked.scope, asked.query.get("source", "")
    where, position = " AND ".join(scope.filter_conditions()), number(asked.query, "position", 0, _FURTHEST, least=0)
    if source:
        if not source.isalnum():
            raise LogaggError(f"source: {source[:40]!r} is not valid", "take it from api/requests, with its position")
        where = f"source = {literal(source)} AND position = {position}"
    limit = number(asked.query, "limit", 50, MOST_LINES)
    request = LinesRequest(where, scope.period.since, scope.period.until, limit)
    with find(asked.served.root, request, ()) as found:
        rows = [line.as_dict() for line in found]
    return {"rows": rows}, rows


def _rejects(asked: Asked) -> Answered:
    answer = rejects(asked.ask)
    return answer, answer["rows"]


def _samples(asked: Asked) -> Answered:
    answer = reject_samples(asked.query.get("reason"), asked.ask)
    return answer, answer["rows"]


def lake_of(asked: Asked) -> Answered:
    """Return the contents of the lake."""
    served = asked.served
    answer = page.lake_answer(
        served.root.name,
        asked.snapshot.facts,
        lambda sql: served.remembered.get(sql, lambda: asked.ask(sql)),
        __version__,
        sql=served.sql,
        cluster=served.cluster is not None,
        run_all=served.run_all,
    )
    return answer, None


def _report(asked: Asked) -> Answered:
    name = asked.path["name"]
    limit = number(asked.query, "limit", reports.LIMIT, MOST_ROWS)
    site = asked.query.get("site")
    bots: Any = asked.query.get("bots", "include")
    since, until = asked.query.get("since"), asked.query.get("until")
    steps, model = asked.query.getlist("path"), asked.query.get("model")
    wanted = reports.ReportRequest.of(
        name, asked.now, since=since, until=until, limit=limit, site=site, bots=bots, steps=steps, model=model
    )
    rows = asked.snapshot.report(wanted).as_dicts()
    return {"name": name, "rows": rows}, rows


def _sql(asked: Asked) -> Answered:
    if not asked.served.sql:
        raise NotFound("api/sql is off", "start logagg serve with --sql")
    limits = QueryLimits(asked.served.limits.seconds, asked.served.limits.memory, MOST_SQL_ROWS)
    text = asked.query.get("q", "")
    if not text.strip():
        raise LogaggError("q: no query", "write one as ?q=SELECT ...")
    with Sandbox(asked.served.root, limits=limits).run(text) as answer:
        rows = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows()]
        return {"columns": answer.columns, "rows": rows}, rows


def _alerts(asked: Asked) -> Answered:
    rows = [one.as_dict() for one in alert_rows(asked.served.root, asked.now)]
    return {"rows": rows}, [{**row, "labels": as_json(row["labels"])} for row in rows]


def _cluster(asked: Asked) -> Answered:
    if asked.served.cluster is None:
        raise NotFound("no job servers to ask", "start logagg serve with --gearman HOST:PORT")
    return asked.served.looked.get("cluster", asked.served.cluster), None


_SPLIT = Parameter(
    "split", "The dimension by which bars are divided.", {"type": "string", "enum": list(overview.SPLITS)}
)
_TEXT = {"type": "string"}
_ROWS = (whole("limit", "The most rows.", MOST_ROWS), whole("offset", "Rows to skip.", 1_000_000, 0))
_SORT = (
    Parameter("sort", "The measure to sort by, or `change`.", _TEXT),
    Parameter("order", "Largest or smallest first.", {"type": "string", "enum": ["desc", "asc"]}),
)
ENDPOINTS: Sequence[Endpoint] = (
    Endpoint("lake", "The contents of the lake: panels, measures, sites.", lake_of, is_table=False),
    Endpoint(
        "page",
        "Everything on the page in one answer; sort.NAME and order.NAME sort a panel that is asked for.",
        _page,
        (
            *SCOPE,
            _SPLIT,
            Parameter("parts", f"Of {', '.join(page.PARTS)}, with commas between; the default is all.", _TEXT),
            Parameter("panels", "Names, with commas between; the default is all.", _TEXT),
            whole("limit", "Rows of a panel.", 1_000),
            whole("measures", "The first measures of a panel, and the one to sort by.", MOST_MEASURES),
        ),
        is_table=False,
        prefixes=(SORT, ORDER),
    ),
    Endpoint("totals", "The measures of the window, and of the compared period.", _totals, SCOPE),
    Endpoint("series", "Hits over time.", _series, (*SCOPE, _SPLIT)),
    Endpoint("latency", "Percentiles of the seconds to serve a request, over time.", _latency, SCOPE),
    Endpoint(
        "panels/{name}",
        "The rows of a panel.",
        _panel,
        (*SCOPE, *_SORT, *_ROWS, Parameter("search", "Text that a value contains.", _TEXT)),
    ),
    Endpoint("requests", "Single requests, the newest first.", _requests, (*SCOPE, *_ROWS)),
    Endpoint(
        "lines",
        "The log lines of requests, read from their logs.",
        _lines,
        (
            *SCOPE,
            whole("limit", "The most lines.", MOST_LINES),
            Parameter("source", "Together with position: that line only.", _TEXT),
            whole("position", "Together with source: that line only.", _FURTHEST, 0),
        ),
        follows_commits=False,
    ),
    Endpoint("rejects", "Rejects, by reason.", _rejects),
    Endpoint("rejects/samples", "Samples of rejects.", _samples, (Parameter("reason", "Only of this reason.", _TEXT),)),
    Endpoint(
        "report/{name}",
        "A report of the command line.",
        _report,
        (
            *(*SCOPE[:2], SCOPE[3], Parameter("site", "Only of this site.", _TEXT), _ROWS[0]),
            Parameter("path", "With funnel: its steps, in their order.", {"type": "array", "items": _TEXT}),
            Parameter(
                "model", "With attribution: how touches share a conversion.", {"type": "string", "enum": list(MODELS)}
            ),
        ),
    ),
    Endpoint(
        "sql",
        "A query in the sandbox; only with --sql.",
        _sql,
        (Parameter("q", "The query.", _TEXT, required=True),),
        follows_commits=False,
    ),
    Endpoint("alerts", "The alerts that fire, and all that were evaluated.", _alerts, follows_commits=False),
    Endpoint(
        "cluster", "Job servers, shards, tailers; only with --gearman.", _cluster, follows_commits=False, is_table=False
    ),
)
