"""What a page's queries read, made less: of a table, only the files of the window; of requests, those of the filters, read once.

A query stays as it is shown. It runs after a WITH that lets the name of a table stand for the part that the query's own
conditions leave of it, so its answer is the same.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import duckdb

from logagg.explore.facts import Facts
from logagg.explore.overview import reads_requests
from logagg.explore.query import Ask
from logagg.explore.scope import Period, Scope
from logagg.explore.tables import DEFINITIONS, origin_of
from logagg.quoting import identifier, literal
from logagg.rollup.definitions import LATENCY
from logagg.rollup.requests import NAME as REQUESTS

MOST = 750_000  # rows of requests in memory, at most: some 80 MB
MOST_KEPT = 20  # conditions whose requests are in memory, at most
# Those of totals, charts, and the panels that are on screen first: each one more takes a twentieth of the time.
COLUMNS = frozenset({"ts", "visitor", "kind", "status", "bytes", "path", "referrer", "campaign"})

_HOLE = "\0"  # in place of a condition; no query has this character
_FILES = re.compile(r"list_value\(([^()]*)\)")


@dataclass(frozen=True, slots=True)
class Views:
    """The views of a snapshot, and the times in the files that they read."""

    queries: Mapping[str, str]
    spans: Mapping[str, tuple[datetime, datetime]]  # the first and last time in a file, by its path as SQL

    @classmethod
    def of(cls, ask: Ask) -> Views:
        """Read the views from the catalog."""
        found = ask(
            "SELECT view_name, sql FROM duckdb_views() WHERE database_name = current_database() AND NOT internal"
        )
        views = {name: sql.partition(" AS ")[2].rstrip(";\n ") for name, sql in found.rows}
        files = ask("SELECT (SELECT root FROM lake) || '/' || path, min_ts, max_ts FROM files").rows
        names = (name for name in (*DEFINITIONS, REQUESTS) if _FILES.search(views.get(name, "")))
        return cls({name: views[name] for name in names}, {literal(path): (first, last) for path, first, last in files})

    def within(self, table: str, period: Period) -> str:
        """Return the query of a view, without the files that have no time of a period."""

        def some(listed: re.Match[str]) -> str:
            files = listed[1].split(", ")
            # A list needs a file, from which the columns are known.
            return f"list_value({', '.join([one for one in files if self._meets(one, period)] or files[:1])})"

        return _FILES.sub(some, self.queries[table])

    def _meets(self, file: str, period: Period) -> bool:
        if file not in self.spans:
            return True
        first, last = self.spans[file]
        return first < period.until and last >= period.since


@dataclass(frozen=True, slots=True)
class Wanted:
    """The requests of a condition, with some columns."""

    condition: str
    columns: tuple[str, ...]
    others: frozenset[str]  # columns of requests that it does not have
    constants: tuple[tuple[str, str], ...]  # other columns with the one value that the condition allows

    @classmethod
    def of(cls, scope: Scope, facts: Facts) -> Wanted | None:
        """Return the requests that a page is about; None if most of its queries do not read requests."""
        if not scope.filters or not reads_requests(scope, facts):
            return None
        columns = COLUMNS | scope.dimensions | (frozenset() if scope.bots == "include" else {"is_bot"})
        if origin_of(LATENCY.name, frozenset(), scope, facts).is_requests:
            columns |= {"seconds"}
        every, constants = facts.rollups[REQUESTS], tuple(_constants(scope))
        kept = tuple(name for name in every if name in columns and name not in dict(constants))
        return cls(" AND ".join(scope.conditions(scope.period)), kept, frozenset(every) - columns, constants)

    def rows_of(self, table: str) -> str:
        """Return the query for the rows in a table of them."""
        added = "".join(f", {literal(value)} AS {identifier(name)}" for name, value in self.constants)
        return f"SELECT *{added} FROM {table}"


def _constants(scope: Scope) -> Iterator[tuple[str, str]]:
    """Yield the columns of text that have only one value, with it: they need not be read again, nor compared."""
    for one in scope.filters:
        if not one.excluded and len(one.values) == 1 and one.values[0] and not one.dimension.startswith("status"):
            yield one.dimension, one.values[0]


@dataclass(frozen=True, slots=True)
class Narrowing:
    """The parts of tables to which the queries about a scope can be narrowed."""

    period: str  # the condition of the window
    tables: Mapping[str, str]  # the query for the rows of each table
    wanted: Wanted | None

    @classmethod
    def of(cls, scope: Scope, facts: Facts, views: Views) -> Narrowing | None:
        """Return how to narrow; None for a scope with a condition in SQL, which may name any table."""
        if scope.where:
            return None
        tables = {name: views.within(name, scope.period) for name in views.queries}
        return cls(scope.period.condition(), tables, Wanted.of(scope, facts) if REQUESTS in tables else None)

    def tables_of(self, sql: str) -> list[str]:
        """Return the tables of which a query reads only the window."""
        return [name for name in self.tables if _reads_only(sql, name, self.period)]

    def is_wanted(self, sql: str) -> bool:
        """Return whether a query reads requests, and only those wanted."""
        wanted = self.wanted
        if wanted is None or not _reads_only(sql, REQUESTS, wanted.condition):
            return False
        return wanted.others.isdisjoint(_words(sql.replace(wanted.condition, _HOLE)))


def _reads_only(sql: str, table: str, condition: str) -> bool:
    """Return whether a query names a table, and wherever it does, has a condition for the rows."""
    rest = sql.replace(condition, _HOLE)
    read = re.findall(rf'\bFROM "?{table}"?\s+WHERE (?:[^\n{_HOLE}]* AND )?{_HOLE}', rest)
    return bool(read) and len(read) == _words(rest).count(table)


def _words(sql: str) -> list[str]:
    return re.findall(r"\w+", sql)


def _after(tables: Mapping[str, str], sql: str) -> str:
    """Return a query that runs after a WITH in which names of tables stand for these queries."""
    named = ", ".join(f"{identifier(name)} AS NOT MATERIALIZED ({query})" for name, query in tables.items())
    if not named:
        return sql
    return f"WITH {named}, {sql.removeprefix('WITH ')}" if sql.startswith("WITH ") else f"WITH {named}\n{sql}"


@dataclass(slots=True)
class _Kept:
    """The requests of a condition in a table. Once they are read, `table` is known; it is empty if they are too many."""

    name: str
    table: str | None = None
    rows: int = 0
    users: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Narrowed:
    """Makes the queries that run, and keeps requests in tables of the instance of a snapshot."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[Wanted, _Kept] = OrderedDict()
        self._count = 0

    @contextmanager
    def prepared(self, sql: str, narrowing: Narrowing, cursor: duckdb.DuckDBPyConnection) -> Iterator[str]:
        """Yield the query to run instead of a query: it has the same answer."""
        tables = {name: narrowing.tables[name] for name in narrowing.tables_of(sql)}
        if narrowing.wanted is None or not narrowing.is_wanted(sql):
            yield _after(tables, sql)
            return
        kept = self._take(narrowing.wanted)
        try:
            with (
                kept.lock
            ):  # all but the first one wait until the rows are there; if the first one fails, the next one tries
                if kept.table is None:
                    self._read(narrowing.wanted, narrowing.tables[REQUESTS], kept, cursor)
            yield _after(tables | ({REQUESTS: narrowing.wanted.rows_of(kept.table)} if kept.table else {}), sql)
        finally:
            self._give_back(kept, cursor)

    def _take(self, wanted: Wanted) -> _Kept:
        with self._lock:
            if wanted not in self._kept:
                self._count += 1
                self._kept[wanted] = _Kept(f"memory.main.narrowed_{self._count}")
            self._kept.move_to_end(wanted)
            self._kept[wanted].users += 1
            return self._kept[wanted]

    def _read(self, wanted: Wanted, source: str, kept: _Kept, cursor: duckdb.DuckDBPyConnection) -> None:
        names = ", ".join(map(identifier, wanted.columns))
        found = f"SELECT {names} FROM ({source}) WHERE {wanted.condition} LIMIT {self._most + 1}"
        [(rows,)] = cursor.execute(f"CREATE TABLE {kept.name} AS {found}").fetchall()
        if rows > self._most:
            cursor.execute(f"DROP TABLE {kept.name}")
            kept.table = ""
        else:
            kept.rows, kept.table = rows, kept.name

    def _give_back(self, kept: _Kept, cursor: duckdb.DuckDBPyConnection) -> None:
        """Drop the tables that were not used for longest, until the rest is small enough."""
        with self._lock:
            kept.users -= 1
            total = sum(one.rows for one in self._kept.values())
            for wanted, one in list(self._kept.items()):
                if total <= self._most and len(self._kept) <= MOST_KEPT:
                    break
                if not one.users:
                    if one.table:
                        cursor.execute(f"DROP TABLE {one.table}")
                    del self._kept[wanted]
                    total -= one.rows
