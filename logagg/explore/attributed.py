"""Attribution as panels read it: the macro `credits(model)` and the view `unmatched`, which no rollup is behind."""

from __future__ import annotations

from collections.abc import Mapping

from logagg.explore.facts import Facts
from logagg.explore.scope import Scope
from logagg.quoting import identifier, literal
from logagg.rollup.conversions import NAME
from logagg.rollup.requests import NAME as REQUESTS

CREDITS, UNMATCHED = "credits", "unmatched"
# By name: the columns by which it can be grouped and filtered.
COLUMNS: Mapping[str, frozenset[str]] = {
    CREDITS: frozenset(("site", "is_bot", "via", "campaign", "ad", "placement", "channel", "referrer_source")),
    UNMATCHED: frozenset(("site", "is_bot", "kind", "reason", "campaign", "ad", "placement")),
}
_BEHIND = {CREDITS: "kind = 'conversion'", UNMATCHED: "kind IN ('click', 'conversion')"}
WORDS: Mapping[str, str] = {
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
    """Return the credits of both periods by the model of the scope, once: they are a join, which takes some 100 MB and half a second."""
    if name != CREDITS:
        return ""
    periods = [one.condition() for one in (scope.before, scope.period) if one]
    credited = f"SELECT {_SUMMED}, {', '.join(sorted(COLUMNS[CREDITS]))}\nFROM credits({literal(scope.model)})"
    return f"WITH {_CREDITED} AS MATERIALIZED (\n{credited}\nWHERE {' OR '.join(periods)}\n)\n"


def has_any(name: str, facts: Facts, since: str) -> str:
    """Return a query for whether there may be rows, without the join that gives them; recent requests are of `since` on."""
    if NAME not in facts.rollups:
        return "SELECT false"
    written = f"SELECT count(*) FROM files WHERE rollup = '{NAME}'"
    if not facts.keeps_requests:
        return f"SELECT ({written}) > 0"
    recent = f"SELECT count(*) FROM (FROM {REQUESTS} WHERE ts >= {since} AND {_BEHIND[name]} LIMIT 1)"
    return f"SELECT ({written}) + ({recent}) > 0"
