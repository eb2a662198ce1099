"""The measures: the title of each, its unit, and how it is computed from a rollup or from requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from logagg.quoting import identifier

Unit = Literal["count", "bytes", "ratio", "seconds"]


@dataclass(frozen=True, slots=True)
class Shown:
    """A measure as people see it; SQL expressions over the columns of a rollup, and over those of `requests`.

    Without an expression it is the sum of the column of its name. `is_sum`: the values of groups add up to the whole.
    """

    title: str
    unit: Unit = "count"
    rollup: str = ""
    requests: str = ""
    is_sum: bool = True


def _percentile(q: float) -> Shown:
    over_requests = f"quantile_disc(seconds, {q})"
    return Shown(f"p{q * 100:.0f}", "seconds", f"latency_p({q}, bucket, hits)", over_requests, is_sum=False)


MEASURES: Mapping[str, Shown] = {
    "hits": Shown("Hits"),
    "visitors": Shown("Visitors", rollup="uniques(visitors)", is_sum=False),
    "views": Shown("Views"),
    "impressions": Shown("Impressions"),
    "clicks": Shown("Clicks"),
    "ctr": Shown("CTR", "ratio", "ctr(sum(impressions), sum(clicks))", is_sum=False),
    "conversions": Shown("Conversions"),
    "errors": Shown("Errors"),
    "bytes": Shown("Bytes", "bytes"),
    "mean": Shown("Mean", "seconds", "sum(seconds) / sum(hits)", "avg(seconds)", is_sum=False),
    "p50": _percentile(0.5),
    "p90": _percentile(0.9),
    "p95": _percentile(0.95),
    "p99": _percentile(0.99),
}


def over_rollup(name: str, where: str = "") -> str:
    """Return the expression of a measure over the columns of a default rollup; of a sum, over rows of a condition."""
    shown = MEASURES.get(name)
    return shown.rollup if shown and shown.rollup else sum_of(name, where)


def sum_of(name: str, where: str = "") -> str:
    """Return the sum of a column; bytes may be any numbers, so that the sum of a few lines can exceed 64 bits."""
    total = f"coalesce(sum({identifier(name)}){filtered(where)}, 0)"
    return total if name == "bytes" else f"{total}::BIGINT"


def filtered(where: str) -> str:
    """Return the clause by which an aggregate counts only rows of a condition."""
    return f" FILTER ({where})" if where else ""


def over_column(name: str, kind: str) -> str:
    """Return the expression of a measure of a rollup that a configuration defines, by its column's type."""
    return f"uniques({identifier(name)})" if kind.startswith("list") else f"coalesce(sum({identifier(name)}), 0)"
