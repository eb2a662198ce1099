"""Visits: the runs of page views, clicks and conversions of one visitor at one site, and the sums over them.

    requests, open visits ──▶ items ──▶ runs ──▶ visits ──▶ visits, durations, depths
                                          └────▶ steps from page to page ──▶ flows

A visit is *open* at the watermark if a later request may continue it. It is kept as one item with all its sums so far. So
the same SQL runs over a span of requests, and over all requests since the watermark. For a derivation, items, runs and
visits are temporary tables and views; since the watermark, they are views.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from logagg.lake_format import VISITS as NAME
from logagg.lake_format import VISITS_GAP
from logagg.rollup import derived
from logagg.rollup.definitions import TIMESTAMP, VISITORS, Measure, Part, Rollup, Rows
from logagg.rollup.derived import Derivation, LiveView, Span
from logagg.sketches import GAMMA, LOWEST, SHORTEST, K

if TYPE_CHECKING:
    import duckdb

OPEN, SEEN = "visits_open", "visits_seen"
ITEMS, RUNS, RECENT = "visits_items", "visits_runs", "visits_recent"
KINDS = "kind IN ('pageview', 'click', 'conversion')"  # of the events that a visit consists of
HOUR = 3600  # seconds
_DAY = 86_400_000_000  # microseconds
_ENTERED = ("channel", "referrer_source", "medium", "campaign")  # of the first event that came from elsewhere
_CLIENT = ("browser", "os", "device", "country")  # of the first event
_SUM = Measure("count")  # a sum; only the derivation computes it


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
TABLES = (NAME, FLOWS.name, DURATIONS.name, DEPTHS.name, OPEN, SEEN)

_KEY = [pa.field("visitor", pa.uint64()), pa.field("site", pa.string()), pa.field("is_bot", pa.bool_())]
_TEXT = ("entry", "exit", *_ENTERED, *_CLIENT)
OPEN_SCHEMA = pa.schema(
    [pa.field("ts", TIMESTAMP), *_KEY, pa.field("last", TIMESTAMP), pa.field("exited", TIMESTAMP)]
    + [pa.field(name, pa.int64()) for name in ("views", "clicks", "conversions")]
    + [pa.field(name, pa.string()) for name in _TEXT]
    + [pa.field("new", pa.bool_())]
)
SEEN_SCHEMA = pa.schema([pa.field("ts", TIMESTAMP), *_KEY])  # ts: the day
_PLACE = [pa.field(name, pa.uint64()) for name in ("k", "h", "p", "s")]
ITEMS_SCHEMA = pa.schema([*_PLACE, *OPEN_SCHEMA])
RUNS_SCHEMA = pa.schema(
    [*_PLACE, pa.field("is_bot", pa.bool_()), pa.field("o", pa.int64()), pa.field("starts", pa.bool_())]
    + [pa.field("before", TIMESTAMP), pa.field("last", TIMESTAMP)]
    + [pa.field(name, pa.int64()) for name in ("views", "clicks", "conversions")]
    + [pa.field("enters", pa.bool_()), pa.field("exited", TIMESTAMP)]
    + [pa.field("v", pa.int64()), pa.field("earlier", TIMESTAMP)]
)

_PARTITION = "visitor, site, is_bot"


_PAGE = "kind = 'pageview'"


def _items(requests: str) -> str:
    """Return the events of visits, and the open visits, as rows of the same columns.

    `k` is a number for the visitor at the site; `h` identifies an event by its log and position; `p` and `s` are numbers for
    path and site. Only numbers are sorted, since sorting texts takes three times as long. Two logs may have events of one
    visitor in the same microsecond; `h` puts them into an order that is always the same.
    """
    key = f"hash({_PARTITION}) AS k"
    entered = ", ".join(f"CASE WHEN channel IS NOT NULL THEN {name} END AS {name}" for name in _ENTERED)
    texts = ", ".join((*_ENTERED, *_CLIENT))
    return f"""
        SELECT {key}, (hash(source) >> 1) + position::UBIGINT AS h, hash(path) AS p, hash(site) AS s, ts, {_PARTITION},
            ts AS last, CASE WHEN {_PAGE} THEN ts END AS exited, CASE WHEN {_PAGE} THEN path END AS entry,
            CASE WHEN {_PAGE} THEN path END AS exit, ({_PAGE})::BIGINT AS views, (kind = 'click')::BIGINT AS clicks,
            (kind = 'conversion')::BIGINT AS conversions, {entered}, {", ".join(_CLIENT)}, NULL::BOOLEAN AS new
        FROM {requests} WHERE {KINDS}
        UNION ALL
        SELECT {key}, 0::UBIGINT AS h, hash(exit) AS p, hash(site) AS s, ts, {_PARTITION}, last, exited, entry, exit, views, clicks,
            conversions, {texts}, new
        FROM {OPEN}"""


def _runs(gap: int) -> str:
    """Return the query for items, in their order, each with its visit `v` and without its texts.

    A visit is identified by `k`, and by the number `o` of its first item among the visitor's items.
    """
    starts = f"coalesce(epoch_us(ts) - epoch_us(lag(last) OVER w) > {gap}, true)"
    return f"""
        WITH placed AS MATERIALIZED (
            SELECT k, h, p, s, is_bot, row_number() OVER w AS o, {starts} AS starts, lag(last) OVER w AS before, last,
                views, clicks, conversions, channel IS NOT NULL AS enters, exited
            FROM {ITEMS} WINDOW w AS (PARTITION BY k ORDER BY last, h)
        )
        SELECT one.*, began.o AS v, began.before AS earlier
        FROM placed AS one ASOF JOIN (SELECT k, o, before FROM placed WHERE starts) AS began
        ON one.k = began.k AND one.o >= began.o"""


def _visits(memory: int) -> str:
    """Return the query for visits, one row each (`OPEN_SCHEMA`).

    Texts are looked up only for the first item, the first and last page, and the first entry of a visit. A visitor is new if
    no day within `memory` before the visit has seen it; an open visit already knows whether it was.
    """
    ints = f"""
        SELECT k, v, max(last) AS last, sum(views)::BIGINT AS views, sum(clicks)::BIGINT AS clicks,
            sum(conversions)::BIGINT AS conversions, arg_min(h, o) AS h, max(earlier) AS earlier,
            arg_min(h, o) FILTER (exited IS NOT NULL) AS entry_h, arg_max(h, o) FILTER (exited IS NOT NULL) AS exit_h,
            arg_min(h, o) FILTER (enters) AS enters_h
        FROM {RUNS} GROUP BY k, v"""
    roles = "UNION ALL ".join(
        f"SELECT k, v, {of}_h AS h, {role} AS role FROM summed WHERE {of}_h <> h "
        for role, of in ((2, "entry"), (3, "exit"), (4, "enters"))
    )
    of_first = ", ".join(
        f"any_value({name}) FILTER (role = 1) AS {name}" for name in ("ts", "visitor", "site", "is_bot")
    )
    client = ", ".join(f"any_value({name}) FILTER (role = 1) AS {name}" for name in _CLIENT)
    enters = ", ".join(f"arg_min({name}, role) FILTER (role IN (1, 4)) AS {name}" for name in _ENTERED)
    since = f"(epoch_us(ts) - {memory}) // {_DAY}"
    columns = ", ".join(name for name in OPEN_SCHEMA.names if name != "new")
    return f"""
        WITH summed AS MATERIALIZED ({ints}),
        picked AS (SELECT k, v, h, 1 AS role FROM summed UNION ALL {roles}),
        looked_up AS (
            SELECT v, role, items.* FROM {ITEMS} AS items JOIN picked USING (k, h)
        ),
        texts AS (
            SELECT k, v, {of_first}, {client}, {enters}, any_value(new) FILTER (role = 1) AS known,
                arg_min(entry, role) FILTER (role IN (1, 2)) AS entry, arg_max(exit, role) FILTER (role IN (1, 3)) AS exit,
                arg_max(exited, role) FILTER (role IN (1, 3)) AS exited
            FROM looked_up GROUP BY k, v
        ),
        seen AS (SELECT {_PARTITION}, max(epoch_us(ts) // {_DAY}) AS day FROM {SEEN} GROUP BY ALL),
        whole AS (SELECT * FROM texts JOIN summed USING (k, v) LEFT JOIN seen USING ({_PARTITION}))
        SELECT {columns}, coalesce(
            known, coalesce(epoch_us(earlier) // {_DAY} < {since}, true) AND coalesce(day < {since}, true)
        ) AS new FROM whole"""


def _bucket(of: str, seconds: int) -> str:
    return f"to_timestamp((epoch_us({of}) // {seconds * 1_000_000}) * {seconds})"


_LASTED = "(epoch_us(last) - epoch_us(ts))"  # microseconds


def _logarithm(value: str) -> str:
    """Return the bucket of a number, with the boundaries of latency buckets."""
    clipped = f"least(greatest({value}, {SHORTEST!r}), 86400.0)"
    return f"greatest(ceil(ln({clipped}) / ln({GAMMA!r})), {LOWEST})::SMALLINT"


def _summed(rollup: Rollup, ts: str, found: str, **columns: str) -> str:
    """Return the query that sums up rows into rows of a rollup."""
    keys = [f"{columns.get(name, name)} AS {name}" for name in rollup.dimensions]
    sums = [f"{columns[name]} AS {name}" for name in rollup.measures]
    return f"SELECT {', '.join([f'{ts} AS ts', *keys, *sums])} FROM {found} GROUP BY ALL"


def _of_visits(found: str) -> dict[str, str]:
    """Return, by table, the query for the rows that visits add."""
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


_HOUR = f"epoch_us(exited) // {HOUR * 1_000_000}"


def _flows(exits: str) -> str:
    """Return the query for flows: from page to page, and for each row of `exits` from the last page of a visit to ''."""
    return f"""
        WITH pages AS (
            SELECT {_HOUR} AS hour, s, is_bot, h, p, CASE WHEN lag(v) OVER w = v THEN lag(p) OVER w END AS from_p,
                lead(v) OVER w IS DISTINCT FROM v AS is_last
            FROM {RUNS} WHERE exited IS NOT NULL WINDOW w AS (PARTITION BY k ORDER BY o)
        ),
        steps AS (
            SELECT hour, s, is_bot, from_p, p AS to_p, count(*) AS hits FROM pages WHERE h > 0 GROUP BY ALL
            UNION ALL
            SELECT hour, s, is_bot, p, NULL, count(*) FROM ({exits}) GROUP BY ALL
        ),
        paths AS (SELECT DISTINCT p, exit FROM {ITEMS} WHERE exit IS NOT NULL),
        sites AS (SELECT DISTINCT s, site FROM {ITEMS})
        SELECT to_timestamp(hour * {HOUR}) AS ts, site, coalesce(before.exit, '') AS from_path,
            coalesce(after.exit, '') AS to_path, is_bot, sum(hits)::BIGINT AS hits
        FROM steps JOIN sites USING (s) LEFT JOIN paths AS before ON before.p = from_p
            LEFT JOIN paths AS after ON after.p = to_p
        GROUP BY ALL"""


@dataclass(frozen=True, slots=True)
class Visits(Derivation):
    """Visits, flows, and the distributions of durations and depths."""

    gap: float = 1800.0  # seconds without an event of the visitor, after which a visit is over
    memory: float = 30 * 86_400.0  # seconds without a visit after which a visitor is new again
    max_size: int = 1 << 30  # bytes of the table of seen visitors, at most

    @property
    def name(self) -> str:
        return NAME

    @property
    def tables(self) -> tuple[Rollup | Rows, ...]:
        seen = Rows(SEEN, SEEN_SCHEMA, keep=self.memory + 2 * 86_400, max_size=self.max_size)
        return VISITS, FLOWS, DURATIONS, DEPTHS, Rows(OPEN, OPEN_SCHEMA, replaced=True), seen

    def rows(self, connection: duckdb.DuckDBPyConnection, span: Span) -> Iterator[tuple[str, pa.Table]]:
        may_go_on = f"epoch_us(last) >= {span.end - self._gap}"
        over = f"(FROM {RECENT} WHERE NOT ({may_go_on}))"
        exits = f"SELECT {_HOUR} AS hour, hash(site) AS s, is_bot, hash(exit) AS p FROM {over} WHERE exited IS NOT NULL"
        connection.execute(f"CREATE TEMP VIEW {ITEMS} AS {_items('requests')}")
        connection.execute(f"CREATE TEMP TABLE {RUNS} AS {_runs(self._gap)}")
        connection.execute(f"CREATE TEMP TABLE {RECENT} AS {_visits(self._memory)}")
        queries = {**_of_visits(over), "flows": _flows(exits)}
        queries[OPEN] = f"FROM {RECENT} WHERE {may_go_on}"
        queries[SEEN] = f"""
            SELECT to_timestamp(day * {_DAY // 1_000_000}) AS ts, {_PARTITION} FROM (
                SELECT DISTINCT epoch_us(last) // {_DAY} AS day, {_PARTITION} FROM {ITEMS} WHERE h > 0
                EXCEPT SELECT epoch_us(ts) // {_DAY}, {_PARTITION} FROM {SEEN}
            )"""
        for name, query in queries.items():
            yield name, connection.sql(f"FROM ({query}) ORDER BY ts").to_arrow_table()

    def live(self) -> tuple[LiveView, ...]:
        return (
            *(LiveView(name, query) for name, query in _of_visits(RECENT).items()),
            LiveView("flows", _flows("FROM pages WHERE is_last")),
            LiveView(RECENT, _visits(self._memory), OPEN_SCHEMA),
            LiveView(RUNS, _runs(self._gap), RUNS_SCHEMA),
            LiveView(ITEMS, _items(derived.REQUESTS), ITEMS_SCHEMA),
            LiveView(VISITS_GAP, f"SELECT {self._gap}::BIGINT AS microseconds"),
        )

    @property
    def _gap(self) -> int:
        return round(self.gap * 1_000_000)

    @property
    def _memory(self) -> int:
        return round(self.memory * 1_000_000)
