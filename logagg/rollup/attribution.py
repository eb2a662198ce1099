"""Attribution as SQL over relations: which touches led to a conversion, and which impression to a click.

    requests ──▶ touches(requests)  ─┐
    requests ──▶ conversions        ─┴▶ paths(conversions, touches, orders): a row a conversion
    requests ──▶ clicks, touches    ───▶ matches(clicks, touches): a row a click

Each function takes relations as SQL, and settings as numbers; nothing from a log becomes part of a query. No join compares all pairs
of events of a visitor or an id: a window function numbers the touches, ASOF finds the last touch before a conversion, and the twenty
numbers up to it are joined by equality. So a visitor or an id with many events costs no more than many visitors with few.

Events with the same time are ordered by their values, and only if those are equal, by their places in logs: sources have random
ids, and the order in which logs were read must not matter.
"""

from __future__ import annotations

from dataclasses import dataclass

from logagg.config.sections import Config
from logagg.lake_format import MODELS

MOST = 20  # touches of a path
CREDIT = 1_000_000  # of a conversion: credits are millionths
LAST_NON_DIRECT = f"'{MODELS[0]}'"
HALF_LIFE = 7 * 86_400  # seconds, of a touch's weight in `time_decay`
SAME_VISIT = 1800  # seconds within which a landing from the same place is the same touch
HOUR = 3600
DIRECT, INTERNAL = "Direct", "Internal"  # channels that get no credit for a conversion

TOUCH = (
    *("ts", "source", "position", "visitor", "site", "is_bot", "kind", "id", "click_id"),
    *("campaign", "ad", "placement", "channel", "referrer_source"),
)
_TOUCH = ", ".join(TOUCH)
_ORDER = (
    "ts, rank, site, campaign, ad, placement, channel, referrer_source, click_id, id, is_bot, visitor, source, position"
)
# Upper bounds of the time between a touch and its conversion, in seconds, and their names.
LAGS = (
    *((60, "1m"), (600, "10m"), (3600, "1h"), (6 * 3600, "6h"), (86_400, "1d"), (3 * 86_400, "3d"), (7 * 86_400, "7d")),
    *((14 * 86_400, "14d"), (30 * 86_400, "30d")),
)


@dataclass(frozen=True, slots=True)
class Windows:
    """Settings of the join, in seconds."""

    click: float = 30 * 86_400.0  # a click, landing or direct entry may be so long before its conversion
    view: float = 86_400.0  # an impression may be so long before its conversion or click
    double: float = 30.0  # another click on an ad within this time is a double click

    @classmethod
    def of(cls, config: Config) -> Windows:
        """Return those of a configuration."""
        return cls(config.attribution.click, config.attribution.view, config.clicks.window)

    @property
    def kept(self) -> dict[str, float]:
        """Return, by kind, how long before the watermark touches may still matter.

        That is twice their window, since a touch outside its window is reported differently from a missing one; and an hour more
        for chains of touches that count as one.
        """
        click, view = 2 * self.click + HOUR + self.double, 2 * self.view + HOUR
        return {"impression": view, "click": max(click, view), "landing": click, "direct": click}


def touches(requests: str) -> str:
    """Return the touches among requests: impressions, clicks, page views that came from elsewhere, and direct ones.

    Of page views without a referrer (`direct`), only the visitor's first one in each hour is a touch: many sites send no referrers.
    """
    outside = f"channel NOT IN ('', '{DIRECT}', '{INTERNAL}') OR click_id <> ''"
    columns = ", ".join(f"{_filled(name)} AS {name}" for name in TOUCH if name != "kind")
    direct = "{'ts': ts, 'site': site, 'source': source, 'position': position}"
    return f"""(
    SELECT {_TOUCH} FROM (
        SELECT {columns}, CASE kind WHEN 'pageview' THEN 'landing' ELSE kind END AS kind FROM {requests}
        WHERE kind IN ('impression', 'click') OR kind = 'pageview' AND ({outside}))
    UNION ALL
    SELECT first.ts, first.source, first.position, visitor, first.site, false, 'direct', '', '', '', '', '', '{DIRECT}', ''
    FROM (SELECT visitor, min({direct}) AS first FROM {requests}
        WHERE kind = 'pageview' AND channel = '{DIRECT}' AND coalesce(click_id, '') = '' AND NOT is_bot
        GROUP BY visitor, epoch_us(ts) // {HOUR * 1_000_000}))"""


def joined(*relations: str) -> str:
    """Return the touches of several relations; of direct ones, again only the visitor's first one in each hour."""
    merged = " UNION ALL ".join(f"SELECT {_TOUCH} FROM {one}" for one in relations)
    hour = f"PARTITION BY visitor, epoch_us(ts) // {HOUR * 1_000_000} ORDER BY ts, site, source, position"
    return f"""(
    WITH merged AS ({merged})
    SELECT * FROM merged WHERE kind <> 'direct'
    UNION ALL SELECT * FROM merged WHERE kind = 'direct' QUALIFY row_number() OVER ({hour}) = 1)"""


def _filled(name: str) -> str:
    return name if name in ("ts", "source", "position", "visitor", "is_bot") else f"coalesce({name}, '')"


CONVERSION = (
    *("ts", "source", "position", "visitor", "id", "click_id", "site", "is_bot", "campaign", "ad", "placement"),
    *("order_id", "value_micros", "currency"),
)


_BY_CONTENT = ", ".join(CONVERSION[3:])


def conversions(requests: str) -> str:
    """Return the conversions among requests."""
    columns = ", ".join(name if name == "value_micros" else f"{_filled(name)} AS {name}" for name in CONVERSION)
    return f"(SELECT {columns} FROM {requests} WHERE kind = 'conversion')"


_SAME = """PARTITION BY visitor, kind, site, campaign, CASE kind WHEN 'click' THEN ad ELSE '' END,
            CASE kind WHEN 'landing' THEN (channel, referrer_source, click_id) ELSE ('', '', '') END ORDER BY o"""
_SINCE = "epoch_us(ts) - epoch_us"
# Numbers the touches of `person_touches` in their order, as `o`, and joins those that count as one: `rep` is the number of the touch that
# stands for them. A double click joins the first click; a landing joins the click that it follows, or an earlier landing from the same
# place. A direct entry soon after another touch does not count. All this depends on earlier touches only.
_CHAINED = f"""
    numbered AS (SELECT *, row_number() OVER (ORDER BY {_ORDER}) AS o FROM person_touches),
    begun AS (
        SELECT *, coalesce({_SINCE}(lag(ts) OVER same) >= CASE kind
            WHEN 'click' THEN $double WHEN 'landing' THEN {SAME_VISIT}000000 ELSE 0 END, true) AS begins
        FROM numbered WINDOW same AS ({_SAME})),
    headed AS (SELECT *, max(CASE WHEN begins THEN o END) OVER ({_SAME}) AS head FROM begun),
    followed AS (
        SELECT *, max(CASE WHEN kind = 'click' THEN {{'o': o, 'ts': ts, 'head': head}} END) OVER before AS last_click,
            max(CASE WHEN kind <> 'impression' THEN ts END) OVER before AS last_ts
        FROM headed
        WINDOW before AS (PARTITION BY visitor ORDER BY o ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)),
    rooted AS (
        SELECT *, kind = 'landing' AND coalesce({_SINCE}(last_click.ts) < $double, false) AS absorbed,
            CASE WHEN absorbed THEN last_click.head ELSE o END AS root
        FROM followed),
    chained AS MATERIALIZED (
        SELECT * EXCLUDE (begins, head, last_click, last_ts, root), CASE
            WHEN absorbed THEN root
            WHEN kind = 'landing' THEN struct_extract(max(CASE WHEN begins THEN {{'o': o, 'root': root}} END) OVER ({_SAME}), 'root')
            WHEN kind = 'direct' AND {_SINCE}(last_ts) < {HOUR}000000 THEN NULL
            ELSE head END AS rep
        FROM rooted)"""


# The touch `t` as one value, which compares in the order of touches.
_ROW = "{" + ", ".join(f"'{name.strip()}': t.{name.strip()}" for name in _ORDER.split(",")) + "}"


def _matched(conversion: str, touch: str, windows: Windows) -> str:
    """Return the conversions `c`, and `anchors`: for each, the last touch with one of its ids; a click is preferred to an impression."""
    click, view = _us(windows.click), _us(windows.view)
    lag = "epoch_us(c.ts) - epoch_us(t.ts)"
    return f"""
    c AS MATERIALIZED (
        SELECT *, row_number() OVER (ORDER BY ts, {_BY_CONTENT}, source, position) AS no FROM {conversion}),
    asked AS MATERIALIZED (SELECT DISTINCT no, ts, key FROM (SELECT no, ts, unnest([id, click_id]) AS key FROM c) WHERE key <> ''),
    keys AS (SELECT DISTINCT key FROM asked),
    with_id AS MATERIALIZED (
        SELECT DISTINCT unnest([id, click_id]) AS key, kind = 'impression' AS is_view, ts, source, position, visitor, is_bot, {_RANK},
            site, campaign, ad, placement, channel, referrer_source, click_id, id
        FROM {touch} WHERE id IN (FROM keys) OR click_id IN (FROM keys)),
    last_of_time AS (
        SELECT * FROM with_id SEMI JOIN keys USING (key)
        QUALIFY row_number() OVER (PARTITION BY key, is_view, ts ORDER BY {_descending(_ORDER)}) = 1),
    found AS (
        SELECT asked.no, t.is_view, {_ROW} AS found FROM asked ASOF JOIN (FROM last_of_time WHERE NOT is_view) t
        ON asked.key = t.key AND asked.ts >= t.ts
        UNION ALL SELECT asked.no, t.is_view, {_ROW} AS found FROM asked ASOF JOIN (FROM last_of_time WHERE is_view) t
        ON asked.key = t.key AND asked.ts >= t.ts),
    matched AS MATERIALIZED (
        SELECT no, is_view, t.source, t.position, t.visitor, t.is_bot,
            {lag} <= CASE WHEN is_view THEN {view} ELSE {click} END AS inside,
            {lag} <= 2 * CASE WHEN is_view THEN {view} ELSE {click} END AS near
        FROM (SELECT no, is_view, max(found) AS t FROM found GROUP BY no, is_view) JOIN c USING (no)),
    anchors AS (
        SELECT * FROM matched WHERE inside QUALIFY row_number() OVER (PARTITION BY no ORDER BY is_view) = 1)"""


def _counted(touch: str, windows: Windows) -> str:
    """Return the chained touches of the visitors of conversions, and for each conversion the number of touches before it (`counted`)."""
    chained = _CHAINED.replace("$double", str(_us(windows.double)))
    return f"""
    persons AS MATERIALIZED (SELECT no, visitor FROM c UNION SELECT no, visitor FROM anchors),
    person_touches AS MATERIALIZED (
        SELECT *, {_RANK} FROM {touch} WHERE visitor IN (SELECT visitor FROM persons)),
    {chained},
    kept AS MATERIALIZED (
        SELECT *, kind = 'impression' AS is_view,
            row_number() OVER (PARTITION BY visitor, kind = 'impression' ORDER BY o) AS n
        FROM chained WHERE rep = o),
    landed AS (SELECT rep AS o, min_by({{'ts': ts, 'channel': channel, 'source': referrer_source}}, o) AS landing
        FROM chained WHERE absorbed GROUP BY rep),
    times AS (SELECT ts, max(o) AS upto FROM chained GROUP BY ts),
    bounded AS (
        SELECT c.no, c.ts, a.rep AS anchor, coalesce(a.rep, times.upto) AS upto FROM c
        ASOF LEFT JOIN times ON c.ts >= times.ts
        LEFT JOIN (SELECT anchors.no, chained.rep FROM anchors JOIN chained USING (source, position)
            WHERE NOT anchors.is_view AND chained.kind <> 'direct') a ON a.no = c.no),
    counted AS (
        SELECT b.*, k.visitor, k.is_view, k.n
        FROM (SELECT bounded.*, visitor, is_view FROM bounded JOIN persons USING (no), (VALUES (true), (false)) v(is_view)) b
        ASOF JOIN kept k ON b.visitor = k.visitor AND b.is_view = k.is_view AND b.upto >= k.o)"""


def _steps(windows: Windows) -> str:
    """Return the last touches before each conversion, whether they are `within` the windows, and the `kinds` of those within."""
    click, view = _us(windows.click), _us(windows.view)
    return f"""
    steps AS (
        SELECT q.no, q.is_view, k.o, k.ts, k.kind, k.campaign, k.ad, k.placement, q.ts AS until,
            epoch_us(q.ts) - epoch_us(k.ts) AS us, q.anchor IS NOT DISTINCT FROM k.o AS is_anchor, k.channel, k.referrer_source
        FROM (SELECT *, n - unnest(range({MOST})) AS m FROM counted) q
        JOIN kept k ON k.visitor = q.visitor AND k.is_view = q.is_view AND k.n = q.m),
    within AS (
        SELECT *, is_anchor OR us <= CASE WHEN is_view THEN {view} ELSE {click} END AS inside,
            us <= 2 * CASE WHEN is_view THEN {view} ELSE {click} END AS near
        FROM steps),
    kinds AS (
        SELECT no, coalesce(bool_or(kind IN ('click', 'landing')) FILTER (inside), false) AS has_click,
            coalesce(bool_or(is_view) FILTER (inside), false) AS has_view,
            coalesce(bool_or(NOT inside AND kind <> 'direct') FILTER (near), false) AS is_outside
        FROM within GROUP BY no)"""


# The path of each conversion: its clicks and landings; if it has none, its impressions; else its direct entries.
_LISTS = f"""
    chosen AS (
        SELECT w.*, CASE WHEN kind = 'click' AND landing.ts <= until THEN landing.channel ELSE channel END AS by_channel,
            CASE WHEN kind = 'click' AND landing.ts <= until THEN landing.source ELSE referrer_source END AS by_source
        FROM within w JOIN kinds USING (no) LEFT JOIN landed USING (o)
        WHERE inside AND CASE WHEN has_click THEN NOT is_view WHEN has_view THEN is_view ELSE true END
        QUALIFY row_number() OVER (PARTITION BY no ORDER BY o DESC) <= {MOST}),
    lists AS (
        SELECT no, list({{'ts': ts, 'kind': kind, 'campaign': campaign, 'ad': ad, 'placement': placement, 'channel': by_channel,
                'source': by_source}} ORDER BY o) AS path,
            min(us) FILTER (kind <> 'direct') AS us
        FROM chosen GROUP BY no)"""


def _facts(orders: str) -> str:
    """Return all facts about each conversion, and whether it repeats an order."""
    return f"""
    facts AS (
        SELECT c.*, coalesce(a.is_bot, c.is_bot) AS is_robots, coalesce(NOT a.is_view, false) AS by_id,
            coalesce(k.has_click, false) AS has_click, coalesce(k.has_view, false) AS has_view,
            coalesce(k.is_outside, false) OR coalesce(m.is_outside, false) AS is_outside, lists.path, lists.us
        FROM c LEFT JOIN anchors a USING (no) LEFT JOIN kinds k USING (no) LEFT JOIN lists USING (no)
        LEFT JOIN (SELECT no, bool_or(near AND NOT inside) AS is_outside FROM matched GROUP BY no) m USING (no)),
    marked AS (
        SELECT *, order_id <> '' AND NOT is_robots AND (
            (site, order_id) IN (SELECT (site, order_id) FROM {orders})
            OR row_number() OVER (PARTITION BY site, order_id, is_robots ORDER BY no) > 1) AS is_again
        FROM facts)"""


_PATHS = """
    SELECT ts, source, position, site, order_id, value_micros, currency, campaign, ad, placement, is_robots AS is_bot,
        CASE WHEN is_robots THEN 'robot' WHEN is_again THEN 'duplicate' ELSE '' END AS invalid,
        CASE WHEN by_id THEN 'click_id' WHEN has_click THEN 'click' WHEN has_view THEN 'view' ELSE 'none' END AS via,
        CASE WHEN by_id OR has_click OR has_view THEN '' WHEN is_outside THEN 'outside_window' WHEN path IS NOT NULL THEN 'direct'
            WHEN id <> '' OR click_id <> '' THEN 'unknown_id' WHEN is_robots THEN 'robot' ELSE 'no_touch' END AS reason,
        us // 1000000 AS seconds, coalesce(path, []) AS path
    FROM marked"""


def paths(conversion: str, touch: str, orders: str, windows: Windows) -> str:
    """Return a row for each conversion: its path, or the reason why it has none; `orders` are the (site, order_id) counted before.

    `touch` must have all touches within twice the windows before each conversion; later touches do not matter.
    """
    tables = (_matched(conversion, touch, windows), _counted(touch, windows), _steps(windows), _LISTS, _facts(orders))
    return f"(WITH {', '.join(tables)} {_PATHS})"


_RANK = "CASE kind WHEN 'impression' THEN 0 WHEN 'click' THEN 1 WHEN 'landing' THEN 2 ELSE 3 END AS rank"


def _descending(order: str) -> str:
    return ", ".join(f"{name.strip()} DESC" for name in order.split(","))


def _us(seconds: float) -> int:
    return round(seconds * 1_000_000)


def matches(touch: str, since: str, windows: Windows) -> str:
    """Return a row for each click since a time, without double clicks: its reason is empty if the click had an impression.

    `touch` must have all touches within twice `windows.view` before that time, and within `windows.double`.
    """
    view, double = _us(windows.view), _us(windows.double)
    lag = "epoch_us(k.ts) - epoch_us(v.ts)"
    same = "k.visitor = v.visitor AND k.campaign = v.campaign AND k.ad = v.ad"
    return f"""(
    WITH all_clicks AS (
        SELECT *, {_RANK} FROM {touch} WHERE kind = 'click' AND ts >= {since} - to_microseconds({double})),
    counted AS (
        SELECT *, coalesce({_SINCE}(lag(ts) OVER (PARTITION BY visitor, site, campaign, ad ORDER BY {_ORDER})) >= {double}, true) AS counts
        FROM all_clicks),
    k AS MATERIALIZED (SELECT *, row_number() OVER () AS no FROM counted WHERE counts AND ts >= {since}),
    shown AS MATERIALIZED (
        SELECT ts, visitor, campaign, ad, id, click_id FROM {touch}
        WHERE kind = 'impression' AND ts >= {since} - to_microseconds({2 * view})
        AND (visitor IN (SELECT visitor FROM k) OR id IN (SELECT id FROM k WHERE id <> '') OR id IN (SELECT click_id FROM k WHERE click_id <> '')
            OR click_id IN (SELECT id FROM k WHERE id <> '') OR click_id IN (SELECT click_id FROM k WHERE click_id <> ''))),
    asked AS (SELECT no, ts, unnest([id, click_id]) AS key FROM k),
    keyed AS (SELECT DISTINCT ts, unnest([id, click_id]) AS key FROM shown),
    nearest AS (
        SELECT no, {lag} AS us FROM (FROM asked WHERE key <> '') k
        ASOF JOIN (FROM keyed WHERE key <> '') v ON k.key = v.key AND k.ts >= v.ts
        UNION ALL
        SELECT no, {lag} AS us FROM k ASOF JOIN (SELECT DISTINCT ts, visitor, campaign, ad FROM shown) v ON {same} AND k.ts >= v.ts),
    best AS (SELECT no, min(us) AS us FROM nearest GROUP BY no)
    SELECT ts, source, position, site, campaign, ad, placement, is_bot, CASE
        WHEN us <= {view} THEN '' WHEN us <= {2 * view} THEN 'impression_expired' WHEN is_bot THEN 'robot'
        WHEN id <> '' OR click_id <> '' THEN 'unknown_id' ELSE 'no_id' END AS reason
    FROM k LEFT JOIN best USING (no))"""


_UPTO = " ".join(f"WHEN seconds <= {most} THEN '{name}'" for most, name in LAGS)
_LAG = f"CASE WHEN seconds IS NULL THEN '' {_UPTO} ELSE 'more' END"
_MODELS = ", ".join(MODELS)
_WEIGHTS = f"""CASE model
    WHEN 'last_non_direct' THEN (n = coalesce(max(n) FILTER (touch.kind <> 'direct') OVER one, steps))::BIGINT
    WHEN 'last' THEN (n = steps)::BIGINT
    WHEN 'first' THEN (n = 1)::BIGINT
    WHEN 'linear' THEN 1
    WHEN 'position' THEN CASE WHEN steps > 2 AND n IN (1, steps) THEN 2 * (steps - 2) ELSE 1 END
    WHEN 'time_decay' THEN greatest(1, round(1e9 * pow(0.5, (epoch_us(ts) - epoch_us(touch.ts)) / 1e6 / {HALF_LIFE})))::BIGINT
    ELSE error('model: one of {_MODELS}') END"""
_CONVERSION = "ts, source, position, site, order_id, value_micros, currency, is_bot, invalid, via, reason, seconds"


def credits(path: str, model: str) -> str:
    """Return a row for each touch of each path, with its share of the credit in millionths, a million for each conversion.

    A conversion without touches has one row with all the credit. Millionths lost by rounding go to the touches with the largest
    remainders; of equal ones, to the later. `model` is SQL.
    """
    return f"""(
    WITH walked AS (
        SELECT {_CONVERSION}, unnest(path) AS touch, unnest(range(1, len(path) + 1)) AS n, len(path) AS steps, {model} AS model
        FROM {path} WHERE len(path) > 0),
    weighed AS (SELECT *, {_WEIGHTS} AS weight FROM walked WINDOW one AS (PARTITION BY source, position)),
    shared AS (
        SELECT *, weight * {CREDIT} // sum(weight) OVER one AS part, weight * {CREDIT} % sum(weight) OVER one AS rest
        FROM weighed WINDOW one AS (PARTITION BY source, position)),
    rounded AS (
        SELECT *, {CREDIT} - sum(part) OVER (PARTITION BY source, position) AS missing,
            row_number() OVER (PARTITION BY source, position ORDER BY rest DESC, n DESC) AS turn
        FROM shared)
    SELECT {_CONVERSION}, n AS step, steps, touch.ts AS touched, touch.kind AS kind, touch.campaign AS campaign, touch.ad AS ad,
        touch.placement AS placement, touch.channel AS channel, touch.source AS referrer_source,
        (part + CASE WHEN turn <= missing THEN 1 ELSE 0 END)::BIGINT AS credit
    FROM rounded
    UNION ALL
    SELECT {_CONVERSION}, 0, 0, NULL, '', '', '', '', '', '', {CREDIT} FROM {path} WHERE len(path) = 0)"""


def attribution(credited: str) -> str:
    """Return the rows of the view `attribution`: each conversion, with the touch that is credited, the last non-direct one.

    `credited` is the name of the macro of `credits`; the model is its parameter.
    """
    return f"""(
    SELECT ts, site, campaign, ad, placement, channel, referrer_source, via, {_LAG} AS lag, currency, is_bot,
        1::BIGINT AS gross, (invalid <> '')::BIGINT AS invalid, (invalid = '')::BIGINT AS conversions,
        CASE WHEN invalid = '' THEN value_micros END AS value_micros, value_micros AS gross_micros
    FROM {credited}({LAST_NON_DIRECT}) WHERE credit > 0)"""


def unmatched(path: str, match: str) -> str:
    """Return the rows of the view `unmatched`: conversions without a touch and clicks without an impression, with the reason."""
    return f"""(
    SELECT ts, 'conversion' AS kind, site, campaign, ad, placement, is_bot, reason, 1::BIGINT AS events FROM {path} WHERE via = 'none'
    UNION ALL SELECT ts, 'click', site, campaign, ad, placement, is_bot, reason, clicks FROM {match} WHERE reason <> '')"""
