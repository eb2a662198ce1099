"""User-defined rollups: `[[rollup]]` of the configuration -> a definition like the built-in ones.

Conditions are untrusted SQL: each must be one expression over the columns of an event, made of comparisons, logic, casts
and plain functions. It is checked in a database without access to files or the network.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import duckdb
import pyarrow as pa

from logagg.closing import Closing
from logagg.config.rules import RollupConfig
from logagg.lake_format import TABLES, materialized, since_watermark
from logagg.rollup.conditions import Sql
from logagg.rollup.definitions import DEFAULTS, DIMENSION_TYPES, Measure, Part, Rollup
from logagg.rollup.requests import NAME as REQUESTS
from logagg.sql_functions import VALUES

RESERVED = frozenset({*TABLES, REQUESTS, "events", "clicks", "rows", *(rollup.name for rollup in DEFAULTS)})
DAY = 86_400
SINGULAR = ("id", "query")  # text that nearly each event has of its own
SUMMABLE = ("bytes", "seconds", "upstream_seconds")

_OF_DERIVATIONS = re.compile(f"{materialized('.*')}|{since_watermark('.*')}")
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_MEASURE = re.compile(r"\s*(count|sum|uniques)\s*(?:\((.*)\))?\s*", re.DOTALL)
_EXPRESSIONS = frozenset(
    {"CONJUNCTION", "COMPARISON", "CONSTANT", "COLUMN_REF", "FUNCTION", "OPERATOR", "BETWEEN", "CASE", "CAST", "TYPE"}
)
# Functions of their arguments alone; some, such as hour(), also depend on the time zone, which is always UTC here.
_PLAIN_FUNCTIONS = {("scalar", "CONSISTENT"), ("scalar", "CONSISTENT_WITHIN_QUERY")}
_NOT_PLAIN = "compare columns with values, such as status = 200 AND path LIKE '/shop/%'"


def build(config: RollupConfig, events: pa.Schema) -> Rollup:
    """Return the rollup over events of this schema. Raises ConfigError, which names the wrong line."""
    _check_name(config)
    dimensions = _dimensions(config, events)
    with _Checker(events) as checker:
        part = Part(_measures(config, checker), _condition(config, checker, "where", config.where))
    if config.grain < 60 or DAY % config.grain or config.grain % 60:
        raise config.place.error("grain", "does not divide a day", 'write "1m", "5m", "15m", "1h" or "1d"')
    return Rollup(config.name, dimensions, (part,), config.grain)


def _check_name(config: RollupConfig) -> None:
    if config.name in RESERVED or config.name in _derived() or _OF_DERIVATIONS.fullmatch(config.name):
        raise config.place.error("name", f'"{config.name}" is a table of logagg\'s own', "choose another name")
    _check_identifier(config, "name", config.name)


@cache
def _derived() -> frozenset[str]:
    """Return the names of the tables and views of derivations."""
    from logagg.rollup.conversions import Attribution
    from logagg.rollup.visits import Visits

    return frozenset(some.name for one in (Visits(), Attribution()) for some in (*one.tables, *one.live()))


def _check_identifier(config: RollupConfig, key: str, name: str) -> None:
    if not _NAME.fullmatch(name) or name in _reserved_words():
        shown = json.dumps(name if len(name) <= 40 else name[:37] + "...", ensure_ascii=False)
        raise config.place.error(
            key, f"{shown} is not a name in SQL", "use small letters, digits and _, and no SQL keyword"
        )


def _reserved_words() -> frozenset[str]:
    with duckdb.connect() as db:
        query = "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category = 'reserved'"
        return frozenset(name for (name,) in db.execute(query).fetchall())


def _dimensions(config: RollupConfig, events: pa.Schema) -> tuple[str, ...]:
    texts = [field.name for field in events if pa.types.is_dictionary(field.type) and field.name not in SINGULAR]
    known = [field.name for field in events if field.name in texts or field.name in DIMENSION_TYPES]
    for name in config.dimensions:
        if name not in known:
            raise config.place.error("dimensions", f'"{name}" is not a dimension', f"choose from {', '.join(known)}")
    if len(set(config.dimensions)) < len(config.dimensions):
        raise config.place.error("dimensions", "one is listed twice", "remove the duplicate")
    return config.dimensions


def _measures(config: RollupConfig, checker: _Checker) -> dict[str, Measure]:
    taken = {"ts", *config.dimensions}
    for name in config.measures:
        _check_identifier(config, f"measures.{name}", name)
        if name in taken:
            raise config.place.error(f"measures.{name}", "is a column already", "give the measure another name")
    return {name: _measure(config, checker, f"measures.{name}", text) for name, text in config.measures.items()}


def _measure(config: RollupConfig, checker: _Checker, key: str, written: str) -> Measure:
    """Return the measure that is written as `count`, `count(condition)`, `sum(column)` or `uniques(visitor)`."""
    found = _MEASURE.fullmatch(written)
    kind, inner = (found[1], found[2]) if found else ("", None)
    of = (inner or "").strip()
    if kind == "count" and (inner is None or of):
        return Measure("count", where=_condition(config, checker, key, "" if of == "*" else of))
    if kind == "sum" and of in SUMMABLE:
        return Measure("sum", of)
    if kind == "uniques" and of == "visitor":
        return Measure("uniques")
    sums = ", ".join(f"sum({name})" for name in SUMMABLE)
    raise config.place.error(key, "no such measure", f"write count, count(status >= 500), {sums} or uniques(visitor)")


def _condition(config: RollupConfig, checker: _Checker, key: str, condition: str) -> Sql | None:
    """Return a condition that never fails: where evaluation would fail, it does not hold."""
    if not condition.strip():
        return None
    try:
        checker.check(condition)
    except ValueError as error:
        raise config.place.error(key, str(error), _NOT_PLAIN) from None
    return Sql(f"TRY(({condition})::BOOLEAN)")


class _Checker(Closing):
    """A database with an empty table of events, without access to files and settings."""

    def __init__(self, events: pa.Schema) -> None:
        self._db = duckdb.connect(config={"enable_external_access": False, "threads": 1})
        self._db.from_arrow(events.empty_table()).create("events")
        self._db.execute("SET lock_configuration = true")

    def close(self) -> None:
        self._db.close()

    def check(self, condition: str) -> None:
        """Raise ValueError, with the reason in one line, unless the condition is a plain expression over events."""
        if "\x00" in condition or any(kind == duckdb.token_type.comment for _, kind in duckdb.tokenize(condition)):
            raise ValueError("comments are not allowed")
        for expression in _expressions(self._parsed(condition)):
            self._check_plain(expression)
        try:
            self._db.sql(f"SELECT ({condition})::BOOLEAN FROM events")
        except duckdb.Error as error:
            raise ValueError(_first_line(error)) from None

    def _parsed(self, condition: str) -> Any:
        """Return the tree of the one expression that a condition must be."""
        (found, *more), (plain,) = self._selects(f"SELECT {condition}"), self._selects("SELECT true")
        expressions = found.pop("select_list", [])
        plain.pop("select_list")
        if more or found != plain or len(expressions) != 1 or expressions[0]["alias"]:
            raise ValueError("is not a single condition")
        return expressions[0]

    def _selects(self, query: str) -> list[dict[str, Any]]:
        """Return the trees of the SELECT statements of a query."""
        (serialized,) = self._db.execute("SELECT json_serialize_sql(?)", [query]).fetchall()
        tree = json.loads(serialized[0])
        if tree["error"]:
            raise ValueError(_first_line(tree["error_message"]))
        return [statement["node"] for statement in tree["statements"]]

    def _check_plain(self, expression: dict[str, Any]) -> None:
        kind = expression["class"]
        if kind not in _EXPRESSIONS:
            raise ValueError(f"{kind.lower().replace('_', ' ')} is not allowed")
        if kind == "FUNCTION":
            self._check_function(expression["function_name"])

    def _check_function(self, name: str) -> None:
        query = "SELECT DISTINCT function_type, stability FROM duckdb_functions() WHERE function_name = ?"
        found = set(self._db.execute(query, [name.lower()]).fetchall())
        # Some functions depend on their arguments alone, and yet plan SQL from a text: VALUES does not contain those.
        if name.lower() not in VALUES or ("scalar", "CONSISTENT") not in found or not found <= _PLAIN_FUNCTIONS:
            raise ValueError(f"the function {name}() is not allowed")


def _expressions(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield every expression of a tree."""
    if isinstance(tree, dict):
        if "class" in tree:
            yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for child in tree:
            yield from _expressions(child)


def _first_line(error: object) -> str:
    return str(error).strip().splitlines()[0]
