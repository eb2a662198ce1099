"""A small lake written by hand: the tables, views and macros of the catalog, over one Parquet file for each rollup."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

ROLLUPS = {
    "traffic": "SELECT TIMESTAMPTZ '2026-11-24 12:00Z' + to_minutes(i) AS ts, 'shop' AS site, 'pageview' AS kind, "
    "'GET' AS method, (CASE i WHEN 3 THEN 404 ELSE 200 END)::SMALLINT AS status, i = 2 AS is_bot, "
    "10 * (i + 1) AS hits, 100 AS bytes, [i::UBIGINT] AS visitors FROM range(4) t(i)",
    "pages": "SELECT TIMESTAMPTZ '2026-11-24 12:00Z' AS ts, 'shop' AS site, '/' || i AS path, i = 2 AS is_bot, i AS views, "
    "0 AS clicks, 0 AS errors, 7 AS bytes, [i::UBIGINT] AS visitors FROM range(4) t(i)",
    "ads": "SELECT TIMESTAMPTZ '2026-11-24 12:00Z' AS ts, 'shop' AS site, 'c' AS campaign, 'a' AS ad, 'top' AS placement, "
    "i = 1 AS is_bot, 100 AS impressions, 2 AS clicks, 1 AS clicks_dup, 0 AS conversions, [1::UBIGINT] AS visitors "
    "FROM range(2) t(i)",
    "referrers": "SELECT TIMESTAMPTZ '2026-11-24 12:00Z' AS ts, 'shop' AS site, 'x.org' AS referrer, false AS is_bot, "
    "5 AS hits, [1::UBIGINT] AS visitors",
    "agents": "SELECT TIMESTAMPTZ '2026-11-24 12:00Z' AS ts, 'shop' AS site, 'Firefox' AS browser, 'Linux' AS os, 'desktop' AS device, "
    "false AS is_bot, 5 AS hits, [1::UBIGINT] AS visitors",
    "robots": "SELECT TIMESTAMPTZ '2026-11-24 12:00Z' AS ts, 'shop' AS site, 'GPTBot' AS robot, 'ai crawler' AS robot_class, "
    "'name' AS bot_reason, true AS is_bot, 5 AS hits, 7 AS bytes, [1::UBIGINT] AS visitors",
    "countries": "SELECT TIMESTAMPTZ '2026-11-24 12:00Z' AS ts, 'shop' AS site, 'SE' AS country, '' AS city, "
    "false AS is_bot, 5 AS hits, 7 AS bytes, [1::UBIGINT] AS visitors",
    "networks": "SELECT TIMESTAMPTZ '2026-11-24 12:00Z' AS ts, 'shop' AS site, 'isp' AS network, 'AS64496' AS asn, "
    "'Example' AS organization, false AS is_bot, 5 AS hits, 7 AS bytes, [1::UBIGINT] AS visitors",
    "requests": "SELECT TIMESTAMPTZ '2026-11-24 12:00Z' AS ts, 'shop' AS site, 'Organic Search' AS channel, 'Google' AS referrer_source, "
    "'organic' AS medium, '' AS campaign, false AS is_bot, 1::UBIGINT AS visitor, 's1' AS source, 5 AS position, "
    "'pageview' AS kind, '/' AS path",
    "visits": "SELECT TIMESTAMPTZ '2026-11-24 12:00Z' AS ts, 'shop' AS site, '/' AS entry, '/tea' AS exit, 'Direct' AS channel, "
    "false AS is_bot, 2 AS visits, 1 AS bounces, 5 AS views, 0 AS clicks, 1 AS conversions, 90 AS seconds, 1 AS new, "
    "[1::UBIGINT] AS visitors",
    "errors": "SELECT TIMESTAMPTZ '2026-11-24 12:00Z' AS ts, 'shop' AS site, '/no' AS path, 404::SMALLINT AS status, "
    "false AS is_bot, 40 AS hits",
    "latency": "SELECT TIMESTAMPTZ '2026-11-24 12:00Z' AS ts, 'shop' AS site, '/' AS path, i::SMALLINT AS bucket, "
    "false AS is_bot, 1 AS hits, 0.5 AS seconds FROM range(1, 101) t(i)",
}
TABLES = """
    CREATE TABLE sources AS SELECT 's1' AS source, '{log}' AS path, 0 AS shard, 5 AS position, 8 AS size, 1 AS inode,
        '' AS compression, 2 AS lines, false AS finished, 'combined' AS format, '' AS note, 0 AS nul_bytes,
        '' AS tailer, NULL::TIMESTAMPTZ AS gone;
    CREATE TABLE commits AS SELECT 1 AS id, TIMESTAMPTZ '2026-11-24 12:05Z' AS committed_at, 10 AS "rows", 7 AS files;
    CREATE TABLE rejects AS SELECT 's1' AS source, 'format' AS reason, 3 AS lines;
    CREATE TABLE files (path VARCHAR, bytes BIGINT DEFAULT 8, "rows" BIGINT DEFAULT 1, rollup VARCHAR DEFAULT 'x');
    CREATE TABLE lake AS SELECT '{root}' AS root, 2 AS version;
    CREATE MACRO uniques(sketch) AS len(list_distinct(flatten(list(sketch))));
    CREATE MACRO ctr(impressions, clicks) AS clicks / nullif(impressions, 0);
    CREATE MACRO latency_seconds(bucket) AS bucket::DOUBLE;
    CREATE MACRO credits(model) AS TABLE SELECT TIMESTAMPTZ '2026-11-24 12:00Z' AS ts, 'shop' AS site, 'c' AS campaign, 'a' AS ad,
        'top' AS placement, model AS channel, 'EUR' AS currency, 1000000 AS credit, '' AS invalid, 'click' AS via,
        5000000 AS value_micros, false AS is_bot;
"""


def write_catalog(root: Path, number: int) -> None:
    """Write one more catalog and move the link onto it."""
    catalog = root / "catalog" / f"{number:06}.duckdb"
    with duckdb.connect(str(catalog)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(TABLES.format(log=root / "access.log", root=root))
        connection.execute(f"CREATE TABLE made AS SELECT {number} AS number")
        for name, query in ROLLUPS.items():
            file = root / "data" / f"{name}-{number}.parquet"
            connection.execute(f"COPY ({query}) TO '{file}'")
            connection.execute("INSERT INTO files (path, bytes) VALUES (?, ?)", [str(file), file.stat().st_size])
            connection.execute(f"CREATE VIEW {name} AS FROM read_parquet(['{file}'])")
    link = root / "next"
    link.symlink_to(Path("catalog") / catalog.name)
    link.replace(root / "logagg.duckdb")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "lake"
    (root / "data").mkdir(parents=True)
    (root / "catalog").mkdir()
    write_catalog(root, 1)
    return root
