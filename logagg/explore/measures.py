"""The measures: the title and unit of each, and its SQL over a rollup and over requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from logagg.quoting import identifier

Unit = Literal["count", "bytes", "ratio", "seconds"]


@dataclass(frozen=True, slots=True)
class Shown:
    """The title and unit of a measure, and SQL expressions over the columns of a rollup and of `requests`.

    Without an expression, the measure is the sum of the column with its name. `is_sum`: the values of groups add up.
    """

    title: str
    unit: Unit = "count"
    rollup: str = ""
    requests: str = ""
    is_sum: bool = True


def _percentile(q: float) -> Shown:
    over_requests = f"quantile_disc(seconds, {q})"
    return Shown(f"p{q * 100:.0f}", "seconds", f"latency_p({q}, bucket, hits)", over_requests, is_sum=False)


def _credits(title: str, where: str = "") -> Shown:
    """Return the sum of parts of conversions; a part is a whole number of millionths."""
    return Shown(title, rollup=f"round(coalesce(sum(credit){filtered(where)}, 0) / 1e6, 6)")


def filtered(where: str) -> str:
    """Return the clause by which an aggregate counts only rows of a condition."""
    return f" FILTER ({where})" if where else ""


# Of several currencies there is no sum.
_VALUE = """CASE WHEN count(DISTINCT currency) FILTER (invalid = '' AND value_micros IS NOT NULL) < 2
    THEN round(sum(credit::HUGEINT * value_micros) FILTER (invalid = '') / 1e12, 6) END"""


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
    "credits": _credits("Conversions", "invalid = ''"),
    "credited_value": Shown("Value", rollup=_VALUE, is_sum=False),
    "credits_by_id": _credits("By id", "invalid = '' AND via = 'click_id'"),
    "credits_by_view": _credits("By view", "invalid = '' AND via = 'view'"),
    "credits_gross": _credits("Gross"),
    "credits_invalid": _credits("Invalid", "invalid <> ''"),
    "events": Shown("Events"),
}


def over_rollup(name: str, where: str = "") -> str:
    """Return the expression of a measure over the columns of a default rollup; a sum only adds rows that satisfy `where`."""
    shown = MEASURES.get(name)
    return shown.rollup if shown and shown.rollup else sum_of(name, where)


def sum_of(name: str, where: str = "") -> str:
    """Return the sum of a column. A log may claim any number of bytes, so the sum of a few lines can exceed 64 bits."""
    total = f"coalesce(sum({identifier(name)}){filtered(where)}, 0)"
    return total if name == "bytes" else f"{total}::BIGINT"


def over_column(name: str, kind: str) -> str:
    """Return the expression of a measure of a user's rollup, by the type of its column."""
    return f"uniques({identifier(name)})" if kind.startswith("list") else f"coalesce(sum({identifier(name)}), 0)"
