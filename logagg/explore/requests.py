"""Single events, and rejects."""

from __future__ import annotations

from typing import Any

from logagg.explore.facts import Facts
from logagg.explore.query import Ask
from logagg.explore.scope import Scope
from logagg.explore.tables import origin_of
from logagg.quoting import identifier, literal
from logagg.rollup.requests import NAME as REQUESTS
from logagg.rollup.requests import SCHEMA


def events(scope: Scope, facts: Facts, ask: Ask, *, limit: int, offset: int = 0) -> dict[str, Any]:
    """Return single events, the newest first; `source` and `position` identify the line in its log."""
    origin = origin_of(REQUESTS, frozenset(), scope, facts)
    columns = [name for name in SCHEMA.names if name in facts.rollups.get(REQUESTS, {})]
    answer = {"columns": columns, "rows": [], "more": False, **origin.told(), "sql": ""}
    if origin.unavailable:
        return answer
    sql = (
        f"SELECT {', '.join(map(identifier, columns))}\nFROM {REQUESTS}\nWHERE {' AND '.join(scope.conditions(scope.period))}"
        f"\nORDER BY ts DESC, source DESC, position DESC\nLIMIT {limit + 1}" + (f" OFFSET {offset}" if offset else "")
    )
    rows = ask(sql).as_dicts()
    for row in rows:
        row["visitor"] = f"{row['visitor']:016x}"  # a number in JavaScript has too few bits
    return answer | {"rows": rows[:limit], "more": len(rows) > limit, "sql": sql}


def rejects(ask: Ask) -> dict[str, Any]:
    """Return the number of rejects, by reason."""
    sql = (
        "SELECT reason, sum(lines)::BIGINT AS lines, count(DISTINCT source) AS sources\n"
        "FROM rejects GROUP BY reason ORDER BY lines DESC, reason"
    )
    return {"rows": ask(sql).as_dicts(), "sql": sql}


def reject_samples(reason: str | None, ask: Ask, *, limit: int = 200) -> dict[str, Any]:
    """Return the samples of rejects, with the log and the position of each."""
    where = f"\nWHERE reason = {literal(reason)}" if reason else ""
    sql = (
        "SELECT reason, any_value(sources.path) AS path, reject_samples.position, any_value(line) AS line\n"
        f"FROM reject_samples LEFT JOIN sources USING (source){where}\n"
        f"GROUP BY reason, source, reject_samples.position ORDER BY reason, path, reject_samples.position LIMIT {limit}"
    )
    return {"rows": ask(sql).as_dicts(), "sql": sql}
