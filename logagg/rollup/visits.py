"""Visits: the runs of page views, clicks and conversions of one visitor of one site, and what is counted of them.

    requests, open visits ──▶ items ──▶ numbered ──▶ visits ──▶ visits, durations, depths
                                            └──────▶ steps from page to page ──▶ flows

An open visit is one item with all that it has had so far: a visit that a later request may continue when the watermark
moves. So the same SQL runs over a span of requests, and over all requests since the watermark.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from logagg.rollup import derived
from logagg.rollup.definitions import TIMESTAMP, VISITORS, Measure, Part, Rollup, Rows
from logagg.rollup.derived import Derivation, Span
from logagg.sketches import GAMMA, LOWEST, SHORTEST, K

if TYPE_CHECKING:
    import duckdb

NAME = "visits"
OPEN, SEEN = "visits_open", "visits_seen"
KINDS = "kind IN ('pageview', 'click', 'conversion')"  # of the events that a visit consists of
HOUR = 3600  # seconds
_DAY = 86_400_000_000  # microseconds
_ENTERED = ("channel", "referrer_source", "medium", "campaign")  # of the first event that came from elsewhere
_CLIENT = ("browser", "os", "device", "country")  # of the first event
_SUM = Measure("count")  # it adds up; nothing counts it when lines are read


def _of(name: str, dimensions: tuple[str, ...], *sums: str, sketch: bool = False, grain: int = 60) -> Rollup:
    measures = dict.fromkeys(sums, _SUM) | ({"visitors": VISITORS} if sketch else {})
    return Rollup(name, dimensions, (Part(measures),), grain)


VISITS = _of(
    NAME,
    ("site", "entry", "exit", *_ENTERED, *_CLIENT, "is_bot"),
    *("visits", "bounces", "views", "clicks", "conversions", "seconds", "new"),
    sketch=True,
)
FLOWS = _of("flows", ("site", "from_path", "to_path", "is_bot"), "hits", grain=HOUR)
DURATIONS = _of("durations", ("site", "bucket", "is_bot"), "hits", "seconds")
DEPTHS = _of("depths", ("site", "bucket", "is_bot"), "hits", "views")

_KEY = [pa.field("visitor", pa.uint64()), pa.field("site", pa.string()), pa.field("is_bot", pa.bool_())]
_TEXT = ("entry", "exit", *_ENTERED, *_CLIENT)
OPEN_SCHEMA = pa.schema(
    [pa.field("ts", TIMESTAMP), *_KEY, pa.field("last", TIMESTAMP), pa.field("exited", TIMESTAMP)]
    + [pa.field(name, pa.int64()) for name in ("views", "clicks", "conversions")]
    + [pa.field(name, pa.string()) for name in _TEXT]
    + [pa.field("new", pa.bool_())]
)
SEEN_SCHEMA = pa.schema([pa.field("ts", TIMESTAMP), *_KEY])  # ts: the day

_PARTITION = "visitor, site, is_bot"


def _items(requests: str) -> str:
    """Return the events of visits, and the open visits, as rows of the same columns; an event is at a position."""
    entered = ", ".join(f"CASE WHEN channel IS NOT NULL THEN {name} END AS {name}" for name in _ENTERED)
    of_page = ", ".join(f"CASE WHEN kind = 'pageview' THEN {of} END AS {name}" for of, name in _OF_PAGE)
    return f"""
        SELECT ts, {_PARTITION}, ts AS last, source, position, {of_page},
            (kind = 'pageview')::BIGINT AS views, (kind = 'click')::BIGINT AS clicks,
            (kind = 'conversion')::BIGINT AS conversions, {entered}, {", ".join(_CLIENT)}, NULL::BOOLEAN AS new
        FROM {requests} WHERE {KINDS}
        UNION ALL
        SELECT ts, {_PARTITION}, last, '' AS source, -1 AS position, exited, entry, exit, views, clicks, conversions,
            {", ".join((*_ENTERED, *_CLIENT))}, new
        FROM {OPEN}"""


_OF_PAGE = (("ts", "exited"), ("path", "entry"), ("path", "exit"))


def _numbered(requests: str, gap: int) -> str:
    """Return the common table expressions that end with `grouped`: items, each with its place `o` and its visit `n`.

    Only numbers are sorted, which takes a third of the time that it takes with all columns.
    """
    return f"""
        items AS MATERIALIZED (SELECT *, row_number() OVER () AS r FROM ({_items(requests)})),
        placed AS (
            SELECT r, {_PARTITION}, row_number() OVER w AS o, lag(last) OVER w AS before,
                coalesce(epoch_us(ts) - epoch_us(lag(last) OVER w) > {gap}, true) AS starts
            FROM items WINDOW w AS (PARTITION BY {_PARTITION} ORDER BY last, source, position)
        ),
        counted AS (
            SELECT r, o, before, starts,
                sum(starts::BIGINT) OVER (PARTITION BY {_PARTITION} ORDER BY o ROWS UNBOUNDED PRECEDING) AS n
            FROM placed
        ),
        grouped AS (SELECT items.*, o, n, starts, before FROM items JOIN counted USING (r))"""


def _visits(memory: int) -> str:
    """Return the query for visits, one row each (`OPEN_SCHEMA`), of `grouped`.

    A visitor is new where no day has seen it from `memory` before the visit up to then. Of an open visit that is known.
    """
    first = ", ".join(f"arg_min({name}, o) AS {name}" for name in (*_ENTERED, *_CLIENT))
    since = f"(epoch_us(ts) - {memory}) // {_DAY}"
    fresh = f"coalesce(new, NOT starts OR coalesce(epoch_us(before) // {_DAY} < {since}, true))"
    found = f"""
        SELECT min(ts) AS ts, {_PARTITION}, max(last) AS last, max(exited) AS exited, sum(views)::BIGINT AS views,
            sum(clicks)::BIGINT AS clicks, sum(conversions)::BIGINT AS conversions, arg_min(entry, o) AS entry,
            arg_max(exit, o) AS exit, {first}, arg_min({fresh}, o) AS fresh, bool_or(position < 0) AS was_open
        FROM grouped GROUP BY {_PARTITION}, n"""
    seen = f"""
        SELECT {_PARTITION}, max(epoch_us(ts) // {_DAY}) AS day FROM {SEEN} GROUP BY ALL"""
    known = f"coalesce(seen.day >= (epoch_us(ts) - {memory}) // {_DAY}, false)"
    return f"""
        SELECT {", ".join(name for name in OPEN_SCHEMA.names if name != "new")},
            fresh AND (was_open OR NOT {known}) AS new
        FROM ({found}) LEFT JOIN ({seen}) AS seen USING ({_PARTITION})"""


def _bucket(of: str, seconds: int) -> str:
    return f"to_timestamp((epoch_us({of}) // {seconds * 1_000_000}) * {seconds})"


_LASTED = "(epoch_us(last) - epoch_us(ts))"  # microseconds


def _logarithm(value: str) -> str:
    """Return the bucket of a number, as of a latency."""
    clipped = f"least(greatest({value}, {SHORTEST!r}), 86400.0)"
    return f"greatest(ceil(ln({clipped}) / ln({GAMMA!r})), {LOWEST})::SMALLINT"


def _summed(rollup: Rollup, ts: str, found: str, **columns: str) -> str:
    """Return the query that adds rows up as those of a rollup."""
    keys = [f"{columns.get(name, name)} AS {name}" for name in rollup.dimensions]
    sums = [f"{columns[name]} AS {name}" for name in rollup.measures]
    return f"SELECT {', '.join([f'{ts} AS ts', *keys, *sums])} FROM {found} GROUP BY ALL"


def _of_visits(found: str) -> dict[str, str]:
    """Return by table the query for what visits add."""
    texts = {name: f"coalesce({name}, '')" for name in (*_TEXT,)}
    minute, seconds = _bucket("ts", 60), f"(({_LASTED} + 500000) // 1000000)"
    total = {name: f"sum({name})::BIGINT" for name in ("views", "clicks", "conversions")}
    return {
        NAME: _summed(
            VISITS,
            minute,
            found,
            **texts,
            **total,
            visits="count(*)",
            bounces="count(*) FILTER (views = 1 AND clicks = 0 AND conversions = 0)",
            seconds=f"sum({seconds})::BIGINT",
            new="count(*) FILTER (new)",
            visitors=f"list_slice(list_sort(list_distinct(list(visitor))), 1, {K})::UBIGINT[]",
        ),
        "durations": _summed(
            DURATIONS,
            minute,
            found,
            bucket=_logarithm(f"{_LASTED} / 1e6"),
            hits="count(*)",
            seconds=f"sum({seconds})::BIGINT",
        ),
        "depths": _summed(
            DEPTHS, minute, found, bucket=_logarithm("views"), hits="count(*)", views="sum(views)::BIGINT"
        ),
    }


def _steps(requests_of: str) -> str:
    """Return the query for the steps to pages, of `grouped`; the first page of a visit is reached from ''."""
    before = f"lag(exit) OVER (PARTITION BY {_PARTITION}, n ORDER BY o)"
    return f"""
        SELECT exited AS moment, site, is_bot, coalesce({before}, '') AS from_path, exit AS to_path, position
        FROM {requests_of} WHERE exited IS NOT NULL"""


def _flows(grouped: str, left: str) -> str:
    """Return the query for flows: from page to page, and from the last page of the visits that are over to ''."""
    steps = f"SELECT moment, site, from_path, to_path, is_bot FROM ({_steps(grouped)}) WHERE position >= 0"
    exits = f"SELECT exited, site, exit, '', is_bot FROM {left} WHERE exited IS NOT NULL"
    return _summed(FLOWS, _bucket("moment", HOUR), f"({steps} UNION ALL {exits})", hits="count(*)")


@dataclass(frozen=True, slots=True)
class Visits(Derivation):
    """Visits and flows, by two settings."""

    gap: float = 1800.0  # seconds without an event of the visitor, after which a visit is over
    memory: float = 30 * 86_400.0  # seconds for which a visitor is not new again
    max_size: int = 1 << 30  # bytes that what is remembered of visitors may take

    @property
    def name(self) -> str:
        return NAME

    @property
    def tables(self) -> tuple[Rollup | Rows, ...]:
        seen = Rows(SEEN, SEEN_SCHEMA, keep=self.memory + 2 * 86_400, max_size=self.max_size)
        return VISITS, FLOWS, DURATIONS, DEPTHS, Rows(OPEN, OPEN_SCHEMA, replaced=True), seen

    def rows(self, connection: duckdb.DuckDBPyConnection, span: Span) -> Iterator[tuple[str, pa.Table]]:
        chain = _numbered("requests", self._gap)
        connection.execute(f"CREATE TEMP TABLE grouped AS WITH {chain} SELECT * FROM grouped")
        connection.execute(f"CREATE TEMP TABLE visit AS {_visits(self._memory)}")
        may_go_on = f"epoch_us(last) >= {span.end - self._gap}"
        over = f"(FROM visit WHERE NOT ({may_go_on}))"
        queries = {**_of_visits(over), "flows": _flows("grouped", over)}
        queries[OPEN] = f"FROM visit WHERE {may_go_on}"
        queries[SEEN] = f"""
            SELECT to_timestamp(day * {_DAY // 1_000_000}) AS ts, {_PARTITION} FROM (
                SELECT DISTINCT epoch_us(last) // {_DAY} AS day, {_PARTITION} FROM grouped WHERE position >= 0
                EXCEPT SELECT epoch_us(ts) // {_DAY}, {_PARTITION} FROM {SEEN}
            )"""
        for name, query in queries.items():
            yield name, connection.sql(f"FROM ({query}) ORDER BY ts").to_arrow_table()

    def live(self) -> Mapping[str, str]:
        chain = f"WITH {_numbered(derived.REQUESTS, self._gap)}"
        found = f"{chain}, visit AS ({_visits(self._memory)})"
        queries = {**_of_visits("visit"), "flows": _flows("grouped", "visit")}
        return {name: f"SELECT * FROM ({found} {query})" for name, query in queries.items()}

    @property
    def _gap(self) -> int:
        return round(self.gap * 1_000_000)

    @property
    def _memory(self) -> int:
        return round(self.memory * 1_000_000)
