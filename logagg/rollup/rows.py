"""The SQL that makes rollup rows: from events, and from other rows of the same rollup.

Expressions come from rollup definitions alone: our own, or a user's that `rollup.custom` has checked. Nothing of a log
is ever part of a query's text.
"""

from __future__ import annotations

from collections.abc import Iterable

from logagg.rollup.definitions import Measure, Part, Rollup
from logagg.rollup.sketches import build_sql, merge_sql

OTHER = "(other)"
# Dimensions with few values by nature: the fold of a long tail leaves them as they are.
_KEPT = frozenset({"kind", "status", "is_bot", "bucket"})


def quote(name: str) -> str:
    """Quote an identifier."""
    return '"' + name.replace('"', '""') + '"'


def roll_up(rollup: Rollup, part: Part) -> str:
    """Return the query that rolls up the relation `events` (or `clicks`) by one part of a rollup."""
    columns = part.columns or {}
    selected = [f"time_bucket(INTERVAL {rollup.grain} SECONDS, time) AS ts"]
    selected += [f"{quote(columns.get(name, name))} AS {quote(name)}" for name in rollup.dimensions]
    for name, measure in rollup.measures.items():
        value = _aggregate(part.measures[name]) if name in part.measures else _zero(measure)
        selected.append(f"{value} AS {quote(name)}")
    where = f"WHERE ({part.where})" if part.where else ""
    return f"SELECT {', '.join(selected)} FROM {part.of} {where} GROUP BY {_keys(rollup)}"


def merge(rollup: Rollup, relation: str, grain: int | None = None) -> str:
    """Return the query that adds up rows of a rollup, one row a key; a coarser `grain` (seconds) merges buckets."""
    ts = "ts" if grain is None else f"time_bucket(INTERVAL {int(grain)} SECONDS, ts) AS ts"
    return _select(rollup, [ts, *map(quote, rollup.dimensions)], relation)


def fold(rollup: Rollup, relation: str, keys: int) -> str:
    """Return the query that keeps the `keys` largest keys of each bucket and folds the others into `(other)`.

    Totals stay what they were; how many keys a bucket may have is bounded, whatever strangers ask for.
    """
    largest = quote(next(iter(rollup.measures)))
    place = f"row_number() OVER (PARTITION BY ts ORDER BY {largest} DESC, {', '.join(map(quote, rollup.dimensions))})"
    names = [
        quote(name) if name in _KEPT else f"CASE WHEN place > {int(keys)} THEN '{OTHER}' ELSE {quote(name)} END AS {quote(name)}"
        for name in rollup.dimensions
    ]
    return _select(rollup, ["ts", *names], f"(SELECT *, {place} AS place FROM {relation})")


def _select(rollup: Rollup, keys: Iterable[str], relation: str) -> str:
    measures = [f"{_sum(name, measure)} AS {quote(name)}" for name, measure in rollup.measures.items()]
    return f"SELECT {', '.join([*keys, *measures])} FROM {relation} GROUP BY {_keys(rollup)}"


def _keys(rollup: Rollup) -> str:
    """Return the grouping: bucket and dimensions are the first columns of every query."""
    return ", ".join(str(place) for place in range(1, len(rollup.dimensions) + 2))


def _aggregate(measure: Measure) -> str:
    condition = f" FILTER (WHERE {measure.where})" if measure.where else ""
    if measure.kind == "uniques":
        return build_sql("visitor", measure.where)
    if measure.kind == "count":
        return f"count(*){condition}"
    return f"coalesce(sum({quote(measure.of)}){condition}, 0)::{_type(measure)}"


def _zero(measure: Measure) -> str:
    return "[]::UBIGINT[]" if measure.kind == "uniques" else f"0::{_type(measure)}"


def _sum(name: str, measure: Measure) -> str:
    if measure.kind == "uniques":
        return merge_sql(quote(name))
    return f"sum({quote(name)})::{_type(measure)}"


def _type(measure: Measure) -> str:
    return "DOUBLE" if str(measure.type) == "double" else "BIGINT"
