"""The catalog: one small immutable DuckDB file per commit, and the link that says which is the newest.

Views list their Parquet files one by one, so a reader sees the files of one commit and no others. Everything that came
from a log goes in as Arrow data, never as text of a query.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from logagg.errors import CHECK, LakeError
from logagg.lake import catalog_rows
from logagg.lake.catalog_rows import SQL_TYPES
from logagg.lake.digests import CHANGED, holds, is_intact
from logagg.lake.parts import Part, empty_value
from logagg.lake.state import FORGOTTEN, LATEST, NEVER, State
from logagg.lake.uncounted import all_read
from logagg.lake.watermarks import Watermark
from logagg.lake_format import LINK, materialized, refuse_unreadable, since_watermark
from logagg.quoting import identifier, literal
from logagg.records import KnownSource
from logagg.rollup import derived
from logagg.rollup.definitions import DEFAULTS, LATENCY
from logagg.rollup.derived import Definition, Derivation, tables_in
from logagg.rollup.requests import ENTRY, Requests, Table, selected, whole_minute
from logagg.rollup.requests import NAME as REQUESTS
from logagg.sketches import MACROS

if TYPE_CHECKING:
    import duckdb  # which takes a while: imported where a catalog is opened

FOLDER = "catalog"
SMALL = 1 << 19  # bytes
OWN = {REQUESTS, *(rollup.name for rollup in DEFAULTS)}  # tables that a newer logagg may give more columns

_OURS = re.compile(rf"{FOLDER}/[^/]+\.duckdb")


def newest(root: Path) -> Path | None:
    """Return the file of the newest catalog, None if the lake does not exist."""
    link = root / LINK
    try:
        target = os.readlink(link)
    except OSError:
        return link if link.is_file() else None  # a copy may have followed the link
    if not _OURS.fullmatch(target):  # its target may be deleted later
        raise LakeError(f"{link}: a link to {target}, which is not a catalog of this lake", CHECK)
    return root / target


def age(path: Path) -> tuple[int, str]:
    """Return the sort key of a catalog: by the number of its commit, the newest last."""
    number = path.name.partition("-")[0]
    return len(number), number


def former(root: Path, live: Path) -> list[Path]:
    """Return the catalogs older than one that still exist, the newest last."""
    found = (path for path in (root / FOLDER).glob("*.duckdb") if age(path) < age(live))
    return sorted(found, key=age)


def connect(path: Path) -> duckdb.DuckDBPyConnection:
    """Open a catalog read-only. Raises LakeError for another file, and for a newer version's catalog."""
    import duckdb

    try:
        connection = duckdb.connect(str(path), read_only=True)
        found = connection.execute("SELECT version FROM lake").fetchall()
    except duckdb.Error as error:
        raise LakeError(f"{path}: not a catalog of logagg: {str(error).splitlines()[0]}", CHECK) from error
    try:
        refuse_unreadable(found[0][0] if found else None, path)
    except LakeError:
        connection.close()
        raise
    return connection


def read(path: Path) -> State:
    """Return the state in a catalog. Raises LakeError for another file, a changed one, and a newer version's."""
    import duckdb

    try:
        return _read(path)
    except duckdb.Error as error:
        raise LakeError(f"{path}: cannot be read: {str(error).splitlines()[0]}", CHECK) from error


def _read(path: Path) -> State:
    with connect(path) as connection:  # before the digest: it names a newer version
        _refuse_changed(path)
        queries = {
            **{name: f"FROM {name}" for name in catalog_rows.ALWAYS},
            # `sources` has a row for each shard, and there may be many: the columns that they share are read once.
            "sources": "SELECT DISTINCT ON (source) * FROM sources",
            "progress": f"SELECT {', '.join(catalog_rows.PROGRESS)} FROM sources",
            **{name: f"FROM {name}" for name in catalog_rows.SOMETIMES if _has(connection, name)},
        }
        tables = {name: connection.sql(query).to_arrow_table() for name, query in queries.items()}
    return catalog_rows.state_of(path, tables)


def known_sources(connection: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> dict[str, KnownSource]:
    """Return those of some sources that the lake knows, by their ids, through a connection to a catalog."""
    found = connection.sql("FROM sources WHERE source IN (FROM unnest($ids))", params={"ids": list(ids)})
    shards: dict[str, list[dict[str, object]]] = {}
    for row in found.to_arrow_table().to_pylist():
        shards.setdefault(row["source"], []).append(row)
    return {id_: catalog_rows.known_source(rows) for id_, rows in shards.items()}


def _refuse_changed(path: Path) -> None:
    """Raise LakeError for a catalog that has changed: DuckDB notices a change only in the blocks that it reads."""
    try:
        intact = is_intact(path)
    except OSError as error:
        raise LakeError(f"{path}: cannot be read: {error.strerror}", CHECK) from error
    if not intact:
        raise LakeError(f"{path}: {CHANGED}", CHECK)


def write(path: Path, state: State) -> None:
    """Write a catalog file; it is complete when this returns, though not yet on the disk."""
    _writer().write(path, state)


@cache
def _writer() -> _Writer:
    """Return the one writer of this process. It is never closed: closing makes DuckDB trim the heap of the process."""
    return _Writer()


class _Writer:
    """Writes catalog files, one after the other, through one connection: opening one costs as much as a catalog.

    The connection holds, in memory, the macros and views of the catalog written last. Copying all of them to a new
    catalog takes as long as making three.
    """

    def __init__(self) -> None:
        self._connection, self._busy = _connected(), threading.Lock()
        self._derived: object = None  # what the held views of derivations were made from
        self._views: dict[str, str] = {}  # by name: the query of each other view that is held
        self._tables: dict[str, pa.Schema] = {}  # by name: the columns of each table that is held

    def write(self, path: Path, state: State) -> None:
        with self._busy:
            try:
                self._write(path, state)
            except BaseException:
                self._connection.close()  # a database attached to it may not detach
                self._connection, self._derived = _connected(), None
                raise

    def _write(self, path: Path, state: State) -> None:
        # A small block size keeps a catalog at some hundred kB instead of some MB; it is written at every commit.
        # The storage version is the oldest that has block sizes: clients of DuckDB 1.2 and later read it.
        # A catalog is complete or deleted, so a write-ahead log for its recovery is of no use.
        options = "BLOCK_SIZE 16384, STORAGE_VERSION 'v1.2.0', RECOVERY_MODE no_wal_writes"
        tables = catalog_rows.tables_of(state)
        self._hold_derived(state)
        self._hold_views(state)
        self._hold_tables(tables)
        self._connection.execute(f"SET force_compression = '{_compression(tables)}'")
        self._connection.execute(f"ATTACH {literal(str(path))} AS new ({options})")
        self._connection.execute("USE new")
        self._connection.execute("BEGIN")
        self._connection.execute("COPY FROM DATABASE memory TO new (SCHEMA)")
        for name, _incoming in tables.items():
            if _incoming.num_rows:
                self._connection.execute(f"INSERT INTO {name} FROM _incoming")
        self._connection.execute("COMMIT")
        self._connection.execute("CHECKPOINT new")  # DETACH would checkpoint too, but hide failures
        self._connection.execute("USE memory")
        self._connection.execute("DETACH new")

    def _hold_derived(self, state: State) -> None:
        """Hold the views with SQL of derivations: DuckDB takes longer to bind it than for all the rest of a catalog."""
        marks = {name: (mark.digest, mark.tables, _has_live_part(mark, state)) for name, mark in state.derived.items()}
        made_from = marks, state.rollups
        if made_from != self._derived:
            if self._derived is not None:
                self._connection.close()
                self._connection = _connected()
            self._derived, self._views, self._tables = None, {}, {}
            for statement in _derived_views(state):
                self._connection.execute(statement)
            self._derived = made_from

    def _hold_views(self, state: State) -> None:
        """Hold the views of parts; most commits change some of them."""
        self._connection.execute("BEGIN")
        for name, query in _views(state):
            if self._views.get(name) != query:
                self._connection.execute(_create(name, query))
                self._views[name] = query
        self._connection.execute("COMMIT")

    def _hold_tables(self, tables: Mapping[str, pa.Table]) -> None:
        """Hold all tables without rows: half of those of a catalog are empty, and making one takes as long as filling it."""
        for name, _incoming in tables.items():  # DuckDB finds it by its name among the local variables
            if self._tables.get(name) != _incoming.schema:
                self._connection.execute(f"CREATE OR REPLACE TABLE {name} AS FROM _incoming LIMIT 0")
                self._tables[name] = _incoming.schema
        for name in self._tables.keys() - tables.keys():
            self._connection.execute(f"DROP TABLE {name}")
            del self._tables[name]


def _connected() -> duckdb.DuckDBPyConnection:
    import duckdb

    # The committer syncs each catalog once, as a whole; DuckDB would sync after each step.
    connection = duckdb.connect(config={"threads": 1, "fsync_mode": "NONE"})
    connection.execute("PRAGMA disable_optimizer")  # tables are copied as they are
    connection.execute(view(LATENCY.name, LATENCY.schema, (), ""))  # which macros read
    for macro in MACROS:
        connection.execute(macro)
    return connection


def _compression(tables: Mapping[str, pa.Table]) -> str:
    """Return how to compress tables. For small ones, choosing a compression takes as long as all other steps."""
    return "uncompressed" if sum(table.nbytes for table in tables.values()) < SMALL else "auto"


def with_tables(state: State, definitions: Sequence[Definition], shards: int = 0) -> State:
    """Return the state with these tables.

    New columns of logagg's own tables are empty in older parts. A new rollup has not
    counted the lines read before. `shards` is the number of shards where they commit apart. Raises LakeError if the columns of
    another rollup have changed.
    """
    derived_tables = tables_in(one for one in definitions if isinstance(one, Derivation))
    for table in tables_in(definitions).values():
        before = state.rollups.get(table.name)
        if before is None:
            state = _with_new(state, table, shards, is_derived=table.name in derived_tables)
        elif before != table.schema:
            state = _with_columns(state, table, before, is_derived=table.name in derived_tables)
        if isinstance(table, Requests):
            state = _with_kinds(state, table)
    return replace(state, derived=_with_derivations(state, definitions))


def _with_derivations(state: State, definitions: Sequence[Definition]) -> dict[str, Watermark]:
    """Return the watermarks with those of new derivations; one that is switched off has its tables, but derives nothing."""
    found = {name: mark.with_views(()) for name, mark in state.derived.items()}
    for one in definitions:
        if isinstance(one, Derivation):
            until = found[one.name].until if one.name in found else NEVER
            found[one.name] = Watermark(until, tuple(table.name for table in one.tables)).with_views(one.live())
    return found


def _with_new(state: State, table: Table, shards: int, *, is_derived: bool) -> State:
    state = replace(state, rollups={**state.rollups, table.name: table.schema})
    read = {id_: found for id_, found in state.progress.items() if id_ != FORGOTTEN}
    left = all_read(state.sources, read, shards)
    if isinstance(table, Requests) or is_derived or not left:
        return state
    return replace(state, uncounted={**state.uncounted, table.name: left})


def _with_columns(state: State, table: Table, before: pa.Schema, *, is_derived: bool) -> State:
    more = [name for name in table.schema.names if name not in before.names]
    stay = [one for one in table.schema if one.name not in more]
    if (table.name not in OWN and not is_derived) or pa.schema(stay) != before:
        raise LakeError(
            f"rollup {table.name}: its columns were {', '.join(before.names)}, now they are "
            f"{', '.join(table.schema.names)}",
            "give it another name; the old one stays readable",
        )
    parts = tuple(
        replace(part, lacks=",".join(filter(None, [part.lacks, *more]))) if part.rollup == table.name else part
        for part in state.parts
    )
    return replace(state, parts=parts, rollups={**state.rollups, table.name: table.schema})


def _with_kinds(state: State, table: Requests) -> State:
    """Note which kinds of events are kept; requests of a new kind are missing up to the newest event of the lake."""
    if set(table.kinds) == set(state.requests_kinds):
        return state
    since = state.requests_from
    if not set(table.kinds) <= set(state.requests_kinds):
        since = max([since, *(whole_minute(part.max_ts + timedelta(seconds=part.grain)) for part in state.parts)])
    return replace(state, requests_from=since, requests_kinds=table.kinds)


def _views(state: State) -> Iterator[tuple[str, str]]:
    """Yield the views that change with the parts of a state, each with its query, after those that it reads."""
    live = {one.name for mark in state.derived.values() for one in mark.live}
    for name, schema in state.rollups.items():
        parts = [part for part in state.parts if part.rollup == name]
        yield materialized(name) if name in live else name, rows(name, schema, parts, state.root)
    for name, mark in state.derived.items():
        if mark.live and REQUESTS in state.rollups:
            yield since_watermark(name), _since(mark.until, state)


def _since(watermark: datetime, state: State) -> str:
    """Return the query for the requests since a watermark."""
    recent = state.requests_in(watermark, LATEST)
    if len(recent) < len(state.requests_in(NEVER, LATEST)):
        # Fewer files to open: a view of requests would open all of them.
        found = f"({rows(REQUESTS, state.rollups[REQUESTS], recent, state.root)})"
    else:
        found = identifier(REQUESTS)
    return f"FROM {found} WHERE ts >= TIMESTAMPTZ {literal(watermark.isoformat())}"


def _derived_views(state: State) -> Iterator[str]:
    """Yield the statements that make the views with SQL of derivations, over views that are still empty.

    A view stands before those that it reads: DuckDB binds the SQL of all views that a new one reads. Tables have no live part
    while there is nothing to read for it (`_has_live_part`), as always where no requests are kept.
    """
    marks = {name: mark for name, mark in state.derived.items() if mark.live and REQUESTS in state.rollups}
    for name, mark in marks.items():
        yield view(since_watermark(name), state.rollups[REQUESTS], (), "")
        schemas = {table: state.rollups[table] for table in mark.tables}
        for one in mark.live:
            if one.name in schemas:
                yield view(materialized(one.name), schemas[one.name], (), "")
            elif one.schema:
                schemas[one.name] = one.schema
        for table, schema in schemas.items():
            yield view(table, schema, (), "")
    for name, mark in marks.items():
        has_live_part = _has_live_part(mark, state)
        for one in mark.live:
            sql = one.sql.replace(derived.REQUESTS, identifier(since_watermark(name)))
            if one.parameters:
                yield f"CREATE OR REPLACE MACRO {identifier(one.name)}({', '.join(one.parameters)}) AS TABLE {sql}"
            elif one.name in mark.tables and not has_live_part:
                yield _create(one.name, f"FROM {identifier(materialized(one.name))}")
            elif one.name in mark.tables:
                columns = ", ".join(identifier(column) for column in state.rollups[one.name].names)
                whole = f"FROM {identifier(materialized(one.name))} UNION ALL SELECT {columns} FROM ({sql})"
                yield _create(one.name, whole)
            elif has_live_part or not one.schema:
                yield _create(one.name, sql)


def _has_live_part(mark: Watermark, state: State) -> bool:
    """Tell whether a derivation has anything to read: requests since its watermark, or what its tables keep for them.

    A new lake that keeps requests will have some at its next commit, which would make all views again (28 ms).
    """
    if not state.parts:
        return bool(state.requests_kinds)
    return bool(state.requests_in(mark.until, LATEST)) or any(part.rollup in mark.tables for part in state.parts)


def rows(name: str, schema: pa.Schema, parts: Sequence[Part], root: str) -> str:
    """Return the query for the rows of some parts of a table; a query that reads damaged ones fails."""
    return " UNION ALL ".join(list(_sides(name, schema, parts, root)) or [_constant(schema, "NULL", "false")])


def view(name: str, schema: pa.Schema, parts: Sequence[Part], root: str) -> str:
    """Return the statement that makes the view of a rollup; a query that reads its damaged parts fails."""
    return _create(name, rows(name, schema, parts, root))


def _create(view_name: str, query: str) -> str:
    return f"CREATE OR REPLACE VIEW {identifier(view_name)} AS {query}"


def _sides(table: str, schema: pa.Schema, parts: Sequence[Part], root: str) -> Iterator[str]:
    """Return the queries that a view combines: of the sound parts with equal columns, and of the damaged parts."""
    sound: dict[str, list[Part]] = {}
    for part in parts:
        if not part.damaged:
            sound.setdefault(part.lacks, []).append(part)
    for lacks, some in sound.items():
        listed = ", ".join(literal(f"{root}/{part.path}") for part in some)
        yield f"SELECT {', '.join(_columns(table, schema, lacks.split(',')))} FROM read_parquet([{listed}])"
    if damaged := [part for part in parts if part.damaged]:
        what = f"{root}/{damaged[0].path}: damaged: {holds(damaged[0])}; {CHECK}"
        # DuckDB skips columns that a query does not read: so each column fails, and without any, the condition.
        yield _constant(schema, fails := f"error({literal(what)})", f"{fails}::BOOLEAN")


def _columns(table: str, schema: pa.Schema, lacks: Sequence[str]) -> Iterator[str]:
    for one in schema:
        empty = {"": "''", False: "false", None: "NULL"}[empty_value(one.type)]
        name = identifier(one.name)
        if one.name in lacks:
            yield f"{'NULL' if one.name in ENTRY else empty}::{SQL_TYPES[one.type]} AS {name}"
        else:
            yield f"{selected(one.name)} AS {name}" if table == REQUESTS and one.name in ENTRY else name


def _constant(schema: pa.Schema, value: str, condition: str) -> str:
    columns = ", ".join(f"{value}::{SQL_TYPES[one.type]} AS {identifier(one.name)}" for one in schema)
    return f"SELECT {columns} WHERE {condition}"


def _has(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    return bool(
        connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = $table", {"table": table}).fetchall()
    )
