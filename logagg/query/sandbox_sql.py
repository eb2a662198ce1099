"""The SQL that the sandbox permits: one SELECT, or EXPLAIN of one, made of the syntax listed here.

DuckDB parses the text and returns the tree as JSON (`json_serialize_sql`, which supports only SELECT). Each node of the
tree must be of a kind listed below; each function must be listed in `logagg.sql_functions` or be a macro of the lake.
So new features of later DuckDB versions are refused until they are added here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from logagg.errors import LogaggError, QueryRefused
from logagg.quantities import counted
from logagg.sql_functions import TABLES, VALUES, VIEWS

if TYPE_CHECKING:
    import duckdb

EXPRESSIONS = frozenset(
    """
    BETWEEN CASE CAST COLLATE COLUMN_REF COMPARISON CONJUNCTION CONSTANT DEFAULT FUNCTION LAMBDA LAMBDA_REF OPERATOR
    PARAMETER POSITIONAL_REFERENCE STAR SUBQUERY TYPE WINDOW
    """.split()
)
QUERIES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
SOURCES = frozenset(
    {"BASE_TABLE", "EMPTY", "EXPRESSION_LIST", "JOIN", "PIVOT", "SHOW_REF", "SUBQUERY", "TABLE_FUNCTION"}
)
MODIFIERS = frozenset(
    """
    DISTINCT_MODIFIER LIMIT_MODIFIER LIMIT_PERCENT_MODIFIER ORDER_MODIFIER ASCENDING DESCENDING ORDER_DEFAULT
    """.split()
)
NODES = QUERIES | SOURCES | MODIFIERS
QUALIFIERS = frozenset({"lake", "main", "information_schema"})  # permitted qualifiers of a table's name
SHOWN = frozenset({'"tables"', "__show_tables_expanded"})  # SHOW TABLES, SHOW ALL TABLES
SYSTEM = ("duckdb_", "pg_", "pragma_", "sqlite_")  # prefixes of the names of DuckDB's own views
MACROS = frozenset(
    """
    credits ctr latency_p latency_quantile latency_seconds merge_sketches share sketch_count total uniques
    """.split()
)

CONDITION = "$condition"  # in a query: the place of an untrusted condition
_NO_CONDITION = "write one condition over the columns, such as status >= 500 AND path LIKE '/shop/%'"


@dataclass(frozen=True, slots=True)
class Checked:
    """A permitted query."""

    select: str
    explain: str = ""  # "EXPLAIN ", "EXPLAIN ANALYZE ", or nothing

    @property
    def text(self) -> str:
        return self.explain + self.select


def check(connection: duckdb.DuckDBPyConnection, text: str) -> Checked:
    """Return the one SELECT in a text. Raises QueryRefused and duckdb.Error."""
    if "\0" in text:
        raise QueryRefused("a text with a NUL")
    found = _split(connection, text)
    try:
        statements = _trees(connection, found.select)
        if len(statements) != 1:
            raise QueryRefused(f"a text of {counted(len(statements), 'statement')}")
        _check_tree(statements[0])
    except RecursionError:
        raise QueryRefused("a query that is nested so deep") from None
    return found


def with_condition(connection: duckdb.DuckDBPyConnection, query: str, condition: str) -> str:
    """Return the query with a condition in its place, which cannot end the parentheses around it.

    Raises QueryRefused unless it is exactly one expression, and duckdb.Error.
    """
    import duckdb

    if "\0" in condition:
        raise QueryRefused("a text with a NUL")
    if not condition.strip() or any(kind == duckdb.token_type.comment for _, kind in duckdb.tokenize(condition)):
        raise QueryRefused("a comment" if condition.strip() else "an empty condition", _NO_CONDITION)
    connection.extract_statements(f"SELECT\n{condition}\n")  # its errors name the line
    try:
        [found, *more], [plain] = (_trees(connection, f"SELECT\n{one}\n") for one in (condition, "true"))
        expressions, _ = found["node"].pop("select_list", []), plain["node"].pop("select_list")
    except (RecursionError, ValueError, KeyError):
        raise QueryRefused("anything but one condition", _NO_CONDITION) from None
    if more or found != plain or len(expressions) != 1 or expressions[0].get("alias"):
        raise QueryRefused("anything but one condition", _NO_CONDITION)
    return query.replace(CONDITION, f"(\n{condition}\n)")


def _split(connection: duckdb.DuckDBPyConnection, text: str) -> Checked:
    """Separate EXPLAIN from its statement, and the statement from surrounding semicolons."""
    try:
        statements = connection.extract_statements(text)  # its errors name the line
        kinds = [statement.type.name for statement in statements]
    except ValueError:  # a kind of statement that DuckDB's Python package does not know
        raise QueryRefused("this kind of statement") from None
    if not statements:
        raise LogaggError("no query", "give it as an argument or on standard input")
    if len(statements) > 1:
        raise QueryRefused(f"a text of {counted(len(statements), 'statement')}")
    query = statements[0].query.strip().rstrip(";").rstrip()
    if kinds == ["EXPLAIN"]:
        return _explained(query)
    if kinds == ["MULTI"]:
        raise QueryRefused(
            "a PIVOT over values that are not listed", "write PIVOT ... ON column IN ('one', 'other') ..."
        )
    if kinds != ["SELECT"]:
        raise QueryRefused(kinds[0])
    return Checked(query)


def _explained(query: str) -> Checked:
    words = list(_words(query))
    analyze = words[1][1].lower() == "analyze" if len(words) > 1 else False
    start = words[2 if analyze else 1][0] if len(words) > (2 if analyze else 1) else len(query)
    return Checked(query[start:], "EXPLAIN ANALYZE " if analyze else "EXPLAIN ")


def _words(query: str) -> Iterator[tuple[int, str]]:
    """Yield the position and the text of each of the first tokens, without comments."""
    import duckdb

    tokens = duckdb.tokenize(query)
    ends = [offset for offset, _ in tokens[1:]] + [len(query)]
    for (start, kind), end in zip(tokens, ends, strict=True):
        if kind != duckdb.token_type.comment:
            yield start, query[start:end].strip()


def _trees(connection: duckdb.DuckDBPyConnection, select: str) -> list[Any]:
    [(serialized,)] = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [select]).fetchall()
    found = json.loads(serialized)
    if found["error"]:
        raise QueryRefused("this kind of statement")
    return found["statements"]


def _check_tree(tree: Any) -> None:
    """Raise QueryRefused unless every node of a tree is of a listed kind."""
    left = [tree]
    while left:
        node = left.pop()
        if isinstance(node, list):
            left += node
        elif isinstance(node, dict):
            _check_node(node)
            left += node.values()


def _check_node(node: dict[str, Any]) -> None:
    _check_kind(node)
    type_ = node.get("type")
    if type_ == "TABLE_FUNCTION":
        _check_function(node["function"], TABLES | MACROS)
        node["function"] = {key: value for key, value in node["function"].items() if key not in _OWN}
    elif type_ in ("BASE_TABLE", "SHOW_REF"):
        _check_table(node)
    elif "function_name" in node:
        _check_function(node, VALUES | MACROS)


def _check_kind(node: dict[str, Any]) -> None:
    kind, type_ = node.get("class"), node.get("type")
    if "info_type" in node:  # of COPY, CREATE and the like
        raise QueryRefused(_said(node["info_type"]))
    if kind is not None and kind not in EXPRESSIONS:
        raise QueryRefused(_said(kind))
    if kind is None and isinstance(type_, str) and type_ not in NODES:
        raise QueryRefused(_said(type_))


_OWN = ("class", "type", "function_name")  # attributes of a function's own; its other nodes are checked like all nodes


def _said(kind: object) -> str:
    return str(kind).replace("_QUERY_NODE", "").replace("_INFO", "").replace("_", " ")


def _check_function(node: dict[str, Any], allowed: frozenset[str]) -> None:
    path = _path(node, "function_name")
    if len(path) > 1 or path[0] not in allowed:
        raise QueryRefused(f"the function {'.'.join(path)}()", "it is not among those that a query may call")


def _check_table(node: dict[str, Any]) -> None:
    if node.get("show_type") == "SHOW_SPECIAL":
        if node["table_name"] not in SHOWN:
            raise QueryRefused(f"SHOW {node['table_name']}")
        return
    *qualifiers, name = _path(node, "table_name")
    if not QUALIFIERS.issuperset(qualifiers):
        raise QueryRefused(f"a query of {'.'.join(qualifiers)}")
    if name.startswith(SYSTEM) and name not in VIEWS and "information_schema" not in qualifiers:
        raise QueryRefused(f"a query of {name}")


def _path(node: dict[str, Any], name: str) -> list[str]:
    """Return a name and what qualifies it, in lower case."""
    return [str(one).lower() for one in node.get("qualified_name", {}).get("path") or [node[name]]]
