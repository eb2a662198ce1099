"""Attribution as panels read it: the macro `credits(model)` and the view `unmatched`, which no rollup is behind."""

from __future__ import annotations

from collections.abc import Mapping

from logagg.explore.scope import Scope
from logagg.quoting import identifier, literal

CREDITS, UNMATCHED = "credits", "unmatched"
# By name: the columns by which it can be grouped and filtered.
COLUMNS: Mapping[str, frozenset[str]] = {
    CREDITS: frozenset(("site", "is_bot", "via", "campaign", "ad", "placement", "channel", "referrer_source")),
    UNMATCHED: frozenset(("site", "is_bot", "kind", "reason", "campaign", "ad", "placement")),
}
# By name: the condition for the requests that it is made of.
BEHIND: Mapping[str, str] = {CREDITS: "kind = 'conversion'", UNMATCHED: "kind IN ('click', 'conversion')"}
DESCRIPTIONS: Mapping[str, str] = {
    "last_non_direct": "the last touch that is not direct",
    "last": "the last touch",
    "first": "the first touch",
    "linear": "all touches alike",
    "position": "the first and the last touch 40% each",
    "time_decay": "half as much for every 7 days before",
}


_CREDITED = "credited"  # the credits of a query, in it: no rollup has this name
_SUMMED = "ts, credit, value_micros, currency, invalid"


def relation(name: str) -> str:
    """Return what a query reads: a table, or the credits that stand `before_a_query`."""
    return _CREDITED if name == CREDITS else identifier(name)


def before_a_query(name: str, scope: Scope) -> str:
    """Return a WITH clause that computes the credits of both periods once: their join takes some 100 MB and half a second."""
    if name != CREDITS:
        return ""
    periods = [one.condition() for one in (scope.before, scope.period) if one]
    credited = f"SELECT {_SUMMED}, {', '.join(sorted(COLUMNS[CREDITS]))}\nFROM credits({literal(scope.model)})"
    return f"WITH {_CREDITED} AS MATERIALIZED (\n{credited}\nWHERE {' OR '.join(periods)}\n)\n"
