"""Ask a lake, and plain DuckDB on the same rows in one sorted file for each rollup, the same questions in turn.

    python -m bench.ask LAKE FOLDER ROUNDS

Each query opens a connection, as `logagg sql` does, and its time includes that. Requests have one file too, and
are asked for a week and for a day. Prints JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import duckdb

import logagg
from logagg.rollup.definitions import DEFAULTS
from logagg.rollup.requests import NAME as REQUESTS
from logagg.sketches import MACROS

# $end is the end of the newest minute, where a person would write now().
QUESTIONS = {
    "top pages of the last hour, with visitors": """
        SELECT path, sum(views) AS views, uniques(visitors) AS visitors FROM pages
        WHERE ts >= $end::TIMESTAMPTZ - INTERVAL 1 HOUR AND NOT is_bot GROUP BY path ORDER BY views DESC, path LIMIT 10""",
    "p95 latency of the last day": """
        SELECT latency_seconds(min(bucket)) FROM (
            SELECT bucket, sum(sum(hits)) OVER (ORDER BY bucket) AS upto, sum(sum(hits)) OVER () AS total
            FROM latency WHERE ts >= $end::TIMESTAMPTZ - INTERVAL 1 DAY GROUP BY bucket)
        WHERE upto >= 0.95 * total""",
    "top referrers of a week, with visitors": """
        SELECT referrer, sum(hits) AS hits, uniques(visitors) AS visitors FROM referrers
        WHERE ts >= $end::TIMESTAMPTZ - INTERVAL 100 DAY AND ts < $end::TIMESTAMPTZ - INTERVAL 93 DAY
        GROUP BY referrer ORDER BY hits DESC, referrer LIMIT 10""",
    "traffic by day over the year": """
        SELECT time_bucket(INTERVAL 1 DAY, ts) AS day, kind, sum(hits) AS hits FROM traffic GROUP BY ALL ORDER BY ALL""",
    "CTR by campaign over the year": """
        SELECT campaign, sum(impressions) AS impressions, sum(clicks) AS clicks, ctr(sum(impressions), sum(clicks)) AS ctr
        FROM ads WHERE NOT is_bot GROUP BY campaign ORDER BY impressions DESC, campaign""",
    "visitors by month over the year": """
        SELECT date_trunc('month', ts) AS month, uniques(visitors) AS visitors FROM traffic GROUP BY month ORDER BY month""",
}

# Questions about requests, of $since on. The first path is one of the frequent, the second is asked for once in a while.
_OF_REQUESTS = {
    "one path by minute, browser, status": """
        SELECT time_bucket(INTERVAL 1 MINUTE, ts) AS minute, browser, status, count(*) AS hits FROM requests
        WHERE path = '/articles/20.html' AND ts >= $since GROUP BY ALL ORDER BY ALL""",
    "a rare path by minute, browser, status": """
        SELECT time_bucket(INTERVAL 1 MINUTE, ts) AS minute, browser, status, count(*) AS hits FROM requests
        WHERE path = '/articles/4321.html' AND ts >= $since GROUP BY ALL ORDER BY ALL""",
    "the last 100 of status 500": """
        SELECT ts, source, position, site, path, browser, os, bytes, seconds FROM requests
        WHERE status = 500 AND ts >= $since ORDER BY ts DESC LIMIT 100""",
    "hits by device and status": """
        SELECT device, status, count(*) AS hits FROM requests WHERE ts >= $since GROUP BY ALL ORDER BY ALL""",
    "hits by path and browser": """
        SELECT path, browser, count(*) AS hits FROM requests WHERE ts >= $since GROUP BY ALL
        ORDER BY hits DESC, path, browser LIMIT 100""",
}
_SPANS = {"a week": 7, "a day": 1}  # days
QUESTIONS_OF_REQUESTS = {
    f"{name}, {span}": query.replace("$since", f"$end::TIMESTAMPTZ - INTERVAL {days} DAY")
    for span, days in _SPANS.items()
    for name, query in _OF_REQUESTS.items()
}
TABLES = (*(rollup.name for rollup in DEFAULTS), REQUESTS)

Connect = Callable[[], duckdb.DuckDBPyConnection]


def copy(lake: Path, folder: Path) -> Path:
    """Write each table into one file in the order of time, by plain DuckDB; return a database with views of them."""
    database = folder / "plain.duckdb"
    with logagg.connect(lake) as connection:
        for name in TABLES:
            connection.execute(f"COPY (FROM {name} ORDER BY ts) TO '{folder / name}.parquet'")
    with duckdb.connect(str(database)) as connection:
        for name in TABLES:
            connection.execute(f"CREATE VIEW {name} AS FROM read_parquet('{folder / name}.parquet')")
        for macro in MACROS:
            connection.execute(macro)
    return database


def plain(database: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(str(database), read_only=True)
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def ask(connect: Connect, query: str, end: datetime) -> tuple[float, float, list[Any]]:
    """Return the seconds to open a connection and, with it, to have an answer; and the answer."""
    started = time.perf_counter()
    with connect() as connection:
        opened = time.perf_counter()
        answer = connection.execute(query, _parameters(query, end)).fetchall()
        return opened - started, time.perf_counter() - started, answer


def scanned(connect: Connect, query: str, end: datetime) -> dict[str, int]:
    """Return how many rows, and row groups, a query scans."""
    with connect() as connection:
        explained = connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", _parameters(query, end)).fetchall()
    found = json.loads(explained[0][1])["query"]
    return {"rows": found["total_rows_scanned"], "groups": found["total_row_groups_scanned"]}


def _parameters(query: str, end: datetime) -> dict[str, datetime]:
    return {"end": end} if "$end" in query else {}


def compare(lake: Path, folder: Path, rounds: int) -> dict[str, dict[str, Any]]:
    """Ask both; return what the questions of rollups took, and those of requests."""
    copied = copy(lake, folder)
    ways: dict[str, Connect] = {"logagg": lambda: logagg.connect(lake), "DuckDB": lambda: plain(copied)}
    with logagg.connect(lake) as connection:
        [(end,)] = connection.execute("SELECT max(ts) + INTERVAL 1 MINUTE FROM traffic").fetchall()
    asked = {"rollups": QUESTIONS, "requests": QUESTIONS_OF_REQUESTS}
    return {what: _compared(queries, ways, end, rounds) for what, queries in asked.items()}


def _compared(queries: Mapping[str, str], ways: Mapping[str, Connect], end: datetime, rounds: int) -> dict[str, Any]:
    took: dict[str, dict[str, list[tuple[float, float]]]] = {name: {way: [] for way in ways} for name in queries}
    for _ in range(rounds):
        for name, query in queries.items():
            answers = {}
            for way, connect in ways.items():
                opened, seconds, answers[way] = ask(connect, query, end)
                took[name][way].append((opened, seconds))
            if answers["logagg"] != answers["DuckDB"]:
                sys.exit(f"{name}: the answers differ")
    return {
        name: {way: _outcome(took[name][way]) | scanned(ways[way], queries[name], end) for way in ways}
        for name in queries
    }


def _outcome(took: list[tuple[float, float]]) -> dict[str, float]:
    opened, seconds = zip(*took, strict=True)
    return {"open": median(opened), "seconds": median(seconds), "worst": max(seconds)}


if __name__ == "__main__":
    print(json.dumps(compare(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))))
