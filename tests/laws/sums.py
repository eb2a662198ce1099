"""The sums of a lake by key, compared with a plain count of the same lines."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb

from logagg.config.sections import Config
from logagg.tail import local
from logagg.tail.options import TailOptions
from tests import oracle
from tests.laws.logs import is_robot

# These dimensions are not affected by folding the long tail.
KEPT = {
    "traffic": ("ts", "kind", "status", "is_bot"),
    "pages": ("ts", "is_bot"),
    "ads": ("ts", "is_bot"),
    "referrers": ("ts", "is_bot"),
    "agents": ("ts", "is_bot"),
    "robots": ("ts", "is_bot"),
    "errors": ("ts", "status", "is_bot"),
    "latency": ("ts", "is_bot"),
}

# Each row holds whole nanoseconds, so that their sum is exact.
OF = {"nanoseconds": "round(seconds * 1e9)::HUGEINT"}


def read(lake: Path, paths: Iterable[Path], config: Config, **options: object) -> None:
    """Read logs once, as `logagg tail --once` does, in this process."""
    tail_options = TailOptions([str(path) for path in paths], lake, config, once=True, verbosity=-1, **options)  # type: ignore[arg-type]
    with ThreadPoolExecutor(1) as thread:  # in a thread other than the main one, whose signal handlers are pytest's
        thread.submit(local.tail, tail_options).result()


def expected(lines: Iterable[str], window: float = 30) -> tuple[oracle.Count, int]:
    """Count the hits among lines, and how many are rejects."""
    found = [oracle.read(line) for text in lines if (line := text.rstrip("\r"))]
    hits = [hit for hit in found if hit]
    return oracle.count(hits, is_robot, window=window), len(found) - len(hits)


def of_lake(connection: duckdb.DuckDBPyConnection, rollup: str, names: Iterable[str]) -> oracle.Table:
    """Sum the rows of a view by some of its dimensions; visitors are counted."""
    keys = ["epoch(ts)::BIGINT" if name == "ts" else name for name in names]
    measures = oracle.MEASURES[rollup]
    values = [f"sum({OF.get(name, name)})::HUGEINT" for name in measures]
    if rollup in oracle.WITH_VISITORS:
        measures, values = (*measures, "visitors"), [*values, "uniques(visitors)::BIGINT"]
    rows = connection.execute(f"SELECT {', '.join([*keys, *values])} FROM {rollup} GROUP BY ALL").fetchall()
    return {row[: len(keys)]: dict(zip(measures, row[len(keys) :], strict=True)) for row in rows}


def wrong_requests(
    connection: duckdb.DuckDBPyConnection, count: oracle.Count, *, placed: bool = True
) -> dict[object, object]:
    """Return the requests that differ from a plain count, from the time on from which the lake has all of them.

    Each is the line at its position: no two have the same position, unless they are not `placed`.
    """
    [since] = connection.execute("SELECT epoch(requests_from) FROM lake").fetchone() or [0]
    names = ["epoch(ts)::BIGINT", *oracle.REQUEST[1:]]
    rows = connection.execute(
        f"SELECT {', '.join(names)}, count(*), sum(bytes)::HUGEINT FROM requests WHERE epoch(ts) >= {since} GROUP BY ALL"
    ).fetchall()
    found: oracle.Table = {row[:-2]: {"hits": row[-2], "bytes": row[-1]} for row in rows}
    [places] = connection.execute("SELECT count(*) - count(DISTINCT (source, position)) FROM requests").fetchall()
    assert places == (0,) or not placed
    return differences(found, {key: row for key, row in count.requests.items() if key[0] >= since})  # type: ignore[operator]


def assert_agrees(lake: Path, lines: Iterable[str], *, folded: bool = False, placed: bool = True) -> None:
    """The sums of every rollup are those of a plain count of the lines; every line is a request or a reject."""
    count, rejects = expected(lines)
    with duckdb.connect(str(lake / "logagg.duckdb"), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for rollup, keys in (KEPT if folded else oracle.KEYS).items():
            assert differences(of_lake(connection, rollup, keys), count.by(rollup, *keys)) == {}, rollup
        assert wrong_requests(connection, count, placed=placed) == {}
        [refused] = connection.execute("SELECT coalesce(sum(lines), 0)::BIGINT FROM rejects").fetchall()
        [taken] = connection.execute("SELECT coalesce(sum(lines), 0)::BIGINT FROM sources").fetchall()
    hits = sum(row["hits"] for row in count.rows["traffic"].values())
    assert (refused[0], taken[0]) == (rejects, hits + rejects)


def differences(found: oracle.Table, counted: oracle.Table) -> dict[object, object]:
    """Return the keys whose sums differ from the count, with both values."""
    keys = found.keys() | counted.keys()
    return {key: (found.get(key), counted.get(key)) for key in keys if found.get(key) != counted.get(key)}
