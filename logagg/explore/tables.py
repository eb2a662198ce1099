"""The origin of an answer: a rollup that has all dimensions of the filters, else the requests that the rollup counts.

The SQL over requests follows from the rollup's definition: each of its parts selects events, and adds to measures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from logagg.explore.attributed import COLUMNS, CREDITS, DESCRIPTIONS, relation
from logagg.explore.facts import Facts
from logagg.explore.measures import MEASURES, filtered, over_column, over_rollup, sum_of
from logagg.explore.scope import Period, Scope
from logagg.lake_format import MODELS
from logagg.quoting import identifier, literal
from logagg.rollup.conditions import AtLeast, Both, Condition, Either, IsTrue, NotNull, OneOf
from logagg.rollup.conversions import NAME as PATHS
from logagg.rollup.definitions import DEFAULTS, LATENCY, Measure, Part, Rollup
from logagg.rollup.requests import NAME as REQUESTS
from logagg.sketches import K

DEFINITIONS: Mapping[str, Rollup] = {rollup.name: rollup for rollup in DEFAULTS}
REPEATED = "clicks include repeated ones, which only the rollup ads tells apart"


@dataclass(frozen=True, slots=True)
class Origin:
    """The table that answers a question, or the reason why none does."""

    table: str = ""  # a rollup, or requests
    complete_from: datetime | None = None  # since when the answer is complete, if requests begin within the window
    note: str = ""
    unavailable: str = ""
    columns: tuple[tuple[str, str], ...] = ()  # names and types of the columns of a user's rollup

    @property
    def is_requests(self) -> bool:
        return self.table == REQUESTS

    def told(self) -> dict[str, Any]:
        """Return the origin in the words of the HTTP API."""
        return {
            "from": self.table or None,
            "complete_from": self.complete_from,
            "unavailable": self.unavailable,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class Column:
    """A measure in an answer: its name there, and for a sum the condition of the rows that count."""

    measure: str
    name: str
    where: str = ""


def origin_of(rollup: str, needed: frozenset[str], scope: Scope, facts: Facts) -> Origin:
    """Return the origin of an answer about a rollup; `needed` are dimensions that it needs besides those of the filters."""
    needed |= scope.dimensions if scope.bots == "include" else scope.dimensions | {"is_bot"}
    if rollup in COLUMNS:
        return _of_attribution(rollup, needed, scope, facts)
    own = rollup not in DEFINITIONS and rollup != REQUESTS
    has_all = rollup in facts.rollups and needed <= facts.rollups[rollup].keys()
    if has_all and rollup != REQUESTS and not scope.where:  # an SQL condition names columns of requests
        return Origin(rollup, columns=tuple(facts.rollups[rollup].items()) if own else ())
    lacking = ", ".join(sorted(needed - facts.rollups.get(rollup, {}).keys()))
    missing = lacking or "all that a condition in SQL may name"
    if own:
        return Origin(unavailable=f"the rollup {rollup} does not have {missing}")
    if not facts.keeps_requests:
        what = f"{rollup} does not have {missing}" if rollup != REQUESTS else "this is read from requests"
        return Origin(unavailable=f"{what}, and this lake keeps no requests")
    if needed - facts.rollups.get(REQUESTS, dict.fromkeys(needed)).keys():
        return Origin(unavailable="an earlier logagg wrote the lake, and logagg compact upgrades it")
    begins = facts.requests_from if facts.requests_from > scope.period.since else None
    if begins and begins >= scope.period.until:
        return Origin(unavailable=f"{lacking or 'this'} is known from requests only, which begin later")
    notes = [f"requests of kind {', '.join(facts.missing_kinds)} are not kept"] if facts.missing_kinds else []
    if rollup == "ads":
        notes.append(REPEATED)
    return Origin(REQUESTS, begins, "; ".join(notes))


def _of_attribution(name: str, needed: frozenset[str], scope: Scope, facts: Facts) -> Origin:
    """Return the credits, or what is unmatched: no other table has them."""
    if PATHS not in facts.rollups:
        return Origin(unavailable="this lake has no attribution")
    if missing := ", ".join(sorted(needed - COLUMNS[name])) or (
        "all that a condition in SQL may name" if scope.where else ""
    ):
        return Origin(unavailable=f"attribution does not have {missing}")
    is_default = name != CREDITS or scope.model == MODELS[0]
    return Origin(name, note="" if is_default else f"credit goes to: {DESCRIPTIONS[scope.model]}")


def compared(origin: Origin, scope: Scope, facts: Facts) -> Period | None:
    """Return the compared period; None if requests begin later than it does, since the change would be wrong."""
    if scope.before and origin.is_requests and facts.requests_from > scope.before.since:
        return None
    return scope.before


def aggregate(
    origin: Origin,
    rollup: str,
    dimensions: Sequence[str],
    measures: Sequence[str | Column],
    scope: Scope,
    period: Period,
    where: Sequence[str] = (),
) -> str:
    """Return the SELECT that sums up measures by dimensions.

    A dimension is given by its name, or as `expression AS name`.
    """
    columns = [Column(one, one) if isinstance(one, str) else one for one in measures]
    if origin.is_requests:
        return _from_requests(rollup, dimensions, columns, scope, period, where)
    conditions = [*where, *scope.conditions(period)]
    values = [_named(_over_rollup(origin, rollup, one, dimensions, conditions), one) for one in columns]
    if rollup == LATENCY.name:
        return _select([*map(_name, dimensions), *values], _added_up(dimensions, conditions), [], dimensions)
    return _select([*map(_dimension, dimensions), *values], relation(rollup), conditions, dimensions)


def _named(value: str, column: Column) -> str:
    return f"{value} AS {identifier(column.name)}"


def is_sketch(origin: Origin, name: str) -> bool:
    """Return whether a measure is computed by merging sketches."""
    if origin.columns:
        return dict(origin.columns)[name].startswith("list")
    return name == "visitors" and not origin.is_requests


def merged(
    sketch: str,
    rollup: str,
    dimensions: Sequence[str],
    scope: Scope,
    period: Period,
    where: Sequence[str],
    among: str,
) -> str:
    """Return the SELECT of a measure of sketches by dimensions, only for the values in the table `among`."""
    names = [_name(one) for one in dimensions]
    values = [_dimension(one).removesuffix(f" AS {name}") for one, name in zip(dimensions, names, strict=True)]
    chosen = f"({', '.join(values)}) IN (SELECT {', '.join(names)} FROM {among})"
    return _merged(sketch, rollup, dimensions, [*where, *scope.conditions(period), chosen])


def _merged(sketch: str, rollup: str, dimensions: Sequence[str], conditions: Sequence[str]) -> str:
    """Return a SELECT with the same result as the macro `uniques`, which first collects all sketches of a group.

    This one reads each hash once and keeps the smallest ones: a third of the time for a day, and little memory for a year.
    """
    columns = [*map(_dimension, dimensions), f"unnest({identifier(sketch)}) AS hash"]
    hashes = _select(columns, identifier(rollup), conditions, (), verb="SELECT DISTINCT")
    count = f"coalesce(sketch_count(min(hash, {K})), 0) AS {identifier(sketch)}"
    return _select([*map(_name, dimensions), count], f"(\n{hashes}\n)", [], dimensions)


def _added_up(dimensions: Sequence[str], conditions: Sequence[str]) -> str:
    """Return a table with one row for each bucket of latency: percentiles of it take a tenth of the time."""
    columns = [*map(_dimension, dimensions), "bucket", "sum(hits) AS hits", "sum(seconds) AS seconds"]
    return f"(\n{_select(columns, LATENCY.name, conditions, [*dimensions, 'bucket'])}\n)"


def _over_rollup(
    origin: Origin, rollup: str, column: Column, dimensions: Sequence[str], conditions: Sequence[str]
) -> str:
    """Return the expression of a measure over the columns of a rollup."""
    if is_sketch(origin, column.measure) and not dimensions:
        return f"(\n{_merged(column.measure, rollup, (), conditions)}\n)"
    if origin.columns:
        return over_column(column.measure, dict(origin.columns)[column.measure])
    return over_rollup(column.measure, column.where)


_EVENTS = {  # measures over requests of panels without a rollup, besides those in `MEASURES`
    "hits": "count(*)",
    "visitors": "count(DISTINCT visitor)",
    "views": "count(*) FILTER (kind = 'pageview')",
    "errors": "count(*) FILTER (status >= 400)",
    "bytes": "coalesce(sum(bytes), 0)",
}


def _from_requests(
    rollup: str,
    dimensions: Sequence[str],
    columns: Sequence[Column],
    scope: Scope,
    period: Period,
    where: Sequence[str],
) -> str:
    """Return the SELECT over requests; for a rollup, over the requests that it counts."""
    conditions = [*where, *scope.conditions(period)]
    if rollup == REQUESTS:
        values = [_EVENTS.get(one.measure) or MEASURES[one.measure].requests for one in columns]
    elif len(DEFINITIONS[rollup].parts) > 1:
        return _from_parts(DEFINITIONS[rollup], dimensions, columns, scope, period, where)
    else:
        [part] = DEFINITIONS[rollup].parts
        conditions = [*_conditions(part), *conditions]
        values = [_over(part, one) for one in columns]
    named = [*map(_dimension, dimensions), *map(_named, values, columns)]
    return _select(named, REQUESTS, conditions, dimensions)


def _from_parts(
    rollup: Rollup,
    dimensions: Sequence[str],
    columns: Sequence[Column],
    scope: Scope,
    period: Period,
    where: Sequence[str],
) -> str:
    """Return the SELECT over the requests that a rollup with several parts counts."""
    parts = [part for part in rollup.parts if part.of == "events"]
    needed = list(dict.fromkeys(one for column in columns for one in _ADDENDS.get(column.measure, (column.measure,))))
    united = "\n  UNION ALL\n".join(_addends(part, dimensions, needed, scope, period, where) for part in parts)
    values = [_named(_OVER_ADDENDS.get(one.measure, sum_of(one.measure)), one) for one in columns]
    return _select([*map(_name, dimensions), *values], f"(\n{united}\n)", [], dimensions)


_ADDENDS = {"ctr": ("impressions", "clicks")}
_OVER_ADDENDS = {"visitors": "count(DISTINCT visitors)", "ctr": "ctr(sum(impressions), sum(clicks))"}


def _addends(
    part: Part, dimensions: Sequence[str], names: Sequence[str], scope: Scope, period: Period, where: Sequence[str]
) -> str:
    """Return the SELECT of each event's addends to the measures."""
    renamed = part.columns or {}
    columns = [_dimension(renamed[one], one) if one in renamed else _dimension(one) for one in dimensions]
    columns += [f"{_addend(part, name)} AS {name}" for name in names]
    conditions = [*_conditions(part), *where, *scope.conditions(period, renamed)]
    return f"  SELECT {', '.join(columns)}\n  FROM {REQUESTS}\n  WHERE {' AND '.join(conditions)}"


def _addend(part: Part, name: str) -> str:
    measure = part.measures.get(name)
    if name == "clicks" and measure and measure.kind == "from_other_part" and "impressions" in part.measures:
        return "CASE WHEN kind = 'click' THEN 1 ELSE 0 END"  # each click is counted by the part of clicks
    if measure is None or measure.kind == "from_other_part":
        return "NULL" if name == "visitors" else "0"
    value = {"count": "1", "sum": measure.of, "uniques": "visitor"}[measure.kind]
    if measure.where is None:
        return value
    return f"CASE WHEN {condition(measure.where)} THEN {value} END"


def _over(part: Part, column: Column) -> str:
    """Return the expression of a measure over the events of a rollup's only part."""
    name = column.measure
    if name in MEASURES and MEASURES[name].requests:
        return MEASURES[name].requests
    measure: Measure = part.measures[name]
    wheres = [one for one in (measure.where and condition(measure.where), column.where) if one]
    value = {"count": "count(*)", "sum": f"sum({measure.of})", "uniques": "count(DISTINCT visitor)"}[measure.kind]
    value += filtered(" AND ".join(wheres))
    return f"coalesce({value}, 0)" if measure.kind == "sum" else value


def _conditions(part: Part) -> list[str]:
    return [] if part.where is None else [condition(part.where)]


def condition(where: Condition) -> str:
    """Return a condition of a definition as SQL over `requests`."""
    match where:
        case OneOf(column, (value,)):
            return f"{identifier(column)} = {literal(value)}"
        case OneOf(column, values):
            return f"{identifier(column)} IN ({', '.join(map(literal, values))})"
        case AtLeast(column, least):
            return f"{identifier(column)} >= {least}"
        case IsTrue(column):
            return identifier(column)
        case NotNull(column):
            return f"{identifier(column)} IS NOT NULL"
        case Both(one, other):
            return f"({condition(one)} AND {condition(other)})"
        case Either(one, other):
            return f"({condition(one)} OR {condition(other)})"
        case _:
            raise AssertionError("own rollups are not read from requests")


_AS_TEXT = {
    "is_bot": "is_bot::VARCHAR",
    "visitor": "format('{:016x}', visitor)",
}  # columns of requests that are not dimensions


def _dimension(name: str, alias: str = "") -> str:
    """Return the column of a dimension; a missing value becomes an empty text, except for numbers."""
    if " AS " in name:
        return name
    if name == "status_class":
        return "(status // 100) || 'xx' AS status_class"
    if name == "status":
        return name
    if name in _AS_TEXT:
        return f"{_AS_TEXT[name]} AS {name}"
    return f"coalesce({identifier(name)}, '') AS {identifier(alias or name)}"


def _name(dimension: str) -> str:
    return dimension.rpartition(" AS ")[2] if " AS " in dimension else identifier(dimension)


def _select(
    columns: Sequence[str],
    table: str,
    conditions: Sequence[str],
    dimensions: Sequence[str],
    verb: str = "SELECT",
) -> str:
    where = f"\nWHERE {' AND '.join(conditions)}" if conditions else ""
    group = f"\nGROUP BY {', '.join(map(str, range(1, len(dimensions) + 1)))}" if dimensions else ""
    return f"{verb} {', '.join(columns)}\nFROM {table}{where}{group}"
