"""The catalog: one small immutable DuckDB file per commit, and the link that says which is the newest.

Views list their Parquet files one by one, so a reader sees the files of one commit and no others. Everything that came
from a log goes in as Arrow data, never as text of a query.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from logagg.errors import CHECK, LakeError
from logagg.lake.digests import CHANGED, holds, is_intact
from logagg.lake.parts import Part
from logagg.lake.state import COMMITS, NEVER, CommitInfo, LostPart, State
from logagg.lake_format import LINK, LOST, VERSION
from logagg.quoting import identifier, literal
from logagg.records import Fingerprint, Progress, Reject, Source
from logagg.rollup.definitions import LATENCY, Rollup
from logagg.sketches import MACROS

if TYPE_CHECKING:
    import duckdb  # which takes a while: imported where a catalog is opened

FOLDER = "catalog"
SMALL = 1 << 19  # bytes

_FIRST, _LAST = (datetime(year, 1, 1, tzinfo=UTC).timestamp() for year in (1900, 9000))
_OURS = re.compile(rf"{FOLDER}/[^/]+\.duckdb")
_PART = re.compile(r"data/[^/]+/[^/]+\.parquet")
_TIME = pa.timestamp("us", "UTC")
_SQL_TYPES = {pa.string(): "VARCHAR", pa.int64(): "BIGINT", pa.int16(): "SMALLINT", pa.bool_(): "BOOLEAN"} | {
    pa.float64(): "DOUBLE",
    _TIME: "TIMESTAMPTZ",
    pa.list_(pa.uint64()): "UBIGINT[]",
}


def newest(root: Path) -> Path | None:
    """Return the newest catalog's file, None where there is no lake."""
    link = root / LINK
    try:
        target = os.readlink(link)
    except OSError:
        return link if link.is_file() else None  # a copy may have followed the link
    if not _OURS.fullmatch(target):  # what it names is deleted one day
        raise LakeError(f"{link}: a link to {target}, which is no catalog of this lake", CHECK)
    return root / target


def age(path: Path) -> tuple[int, str]:
    """Return what sorts catalogs by the commit that they are of, the newest last."""
    number = path.name.partition("-")[0]
    return len(number), number


def former(root: Path, live: Path) -> list[Path]:
    """Return the catalogs before one that are still there, the newest last."""
    found = (path for path in (root / FOLDER).glob("*.duckdb") if age(path) < age(live))
    return sorted(found, key=age)


def connect(path: Path) -> duckdb.DuckDBPyConnection:
    """Open a catalog read-only. Raises LakeError when it is none, or a newer version's."""
    import duckdb

    try:
        connection = duckdb.connect(str(path), read_only=True)
        found = connection.execute("SELECT version FROM lake").fetchall()
    except duckdb.Error as error:
        raise LakeError(f"{path}: not a catalog of logagg: {str(error).splitlines()[0]}", CHECK) from error
    version = found[0][0] if found else None
    if version != VERSION:
        connection.close()
        raise LakeError(f"{path}: a lake of version {version}, this logagg reads {VERSION}", "upgrade logagg")
    return connection


def read(path: Path) -> State:
    """Return what a catalog says. Raises LakeError when it is none, not as it was written, or a newer version's."""
    import duckdb

    try:
        return _read(path)
    except duckdb.Error as error:
        raise LakeError(f"{path}: cannot be read: {str(error).splitlines()[0]}", CHECK) from error


def _read(path: Path) -> State:
    with connect(path) as connection:  # which says so where a newer version wrote it
        _refuse_changed(path)
        [lake] = connection.sql("FROM lake").to_arrow_table().to_pylist()
        rows = {
            name: connection.sql(f"FROM {name}").to_arrow_table().to_pylist()
            for name in ("commits", "rejects", "reject_samples", "files")
        }
        # There is a row for each shard, which may be many: what they have in common is read once.
        sources = connection.sql("SELECT DISTINCT ON (source) * FROM sources").to_arrow_table().to_pylist()
        progress = connection.sql(f"SELECT {', '.join(_PROGRESS)} FROM sources").to_arrow_table()
        clicks = connection.sql("FROM click_state").to_arrow_table() if _has(connection, "click_state") else None
        lost = connection.sql(f"FROM {LOST}").to_arrow_table().to_pylist() if _has(connection, LOST) else []
    return State(
        lake["id"],
        lake["root"],
        lake["created_at"],
        tuple(part(path, row) for row in rows["files"]),
        {row["source"]: _source(row) for row in sources},
        _group(_progress(*row) for row in zip(*progress.to_pydict().values(), strict=True)),
        _group((row["source"], row["reason"], row["lines"]) for row in rows["rejects"]),
        tuple((row["source"], Reject(row["position"], row["reason"], row["bytes"])) for row in rows["reject_samples"]),
        tuple(CommitInfo(**row) for row in rows["commits"]),
        clicks,
        {name: _schema(columns) for name, columns in json.loads(lake["rollups"]).items()},
        lake["gone"],
        lake.get("steady") or NEVER,
        lake.get("secret", ""),
        tuple(LostPart(**row) for row in lost),
    )


def _refuse_changed(path: Path) -> None:
    """Raise LakeError for a catalog that is not as it was written: DuckDB finds that out of the blocks it reads only."""
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
    """Return the writer of all catalogs of this process. It ends with it: DuckDB would tidy up our whole heap."""
    return _Writer()


class _Writer:
    """Writes catalog files, one after the other, through one connection: to open one takes as long as to write.

    That has, in memory, what all catalogs have in common.
    """

    def __init__(self) -> None:
        self._connection, self._busy = _connected(), threading.Lock()

    def write(self, path: Path, state: State) -> None:
        with self._busy:
            try:
                self._write(path, state)
            except BaseException:
                self._connection.close()  # what it attached may not let go of it
                self._connection = _connected()
                raise

    def _write(self, path: Path, state: State) -> None:
        # A small block size keeps a catalog at some hundred kB instead of some MB; it is written at every commit.
        # The storage version is the oldest that has block sizes: clients of DuckDB 1.2 and later read it.
        # Nobody recovers half a catalog from a log.
        options = "BLOCK_SIZE 16384, STORAGE_VERSION 'v1.2.0', RECOVERY_MODE no_wal_writes"
        tables = _tables(state)
        self._connection.execute(f"SET force_compression = '{_compression(tables)}'")
        self._connection.execute(f"ATTACH {literal(str(path))} AS new ({options})")
        self._connection.execute("USE new")
        self._connection.execute("BEGIN")
        self._fill(state, tables)
        self._connection.execute("COMMIT")
        self._connection.execute("CHECKPOINT new")  # DETACH would do it, and say nothing where it fails
        self._connection.execute("USE memory")
        self._connection.execute("DETACH new")

    def _fill(self, state: State, tables: Mapping[str, pa.Table]) -> None:
        self._connection.execute("COPY FROM DATABASE memory TO new (SCHEMA)")
        for name, _incoming in tables.items():  # which DuckDB finds by its name, among our variables
            self._connection.execute(f"CREATE TABLE {name} AS FROM _incoming")
        for name, schema in state.rollups.items():
            parts = [part for part in state.parts if part.rollup == name]
            self._connection.execute(view(name, schema, parts, state.root))


def _connected() -> duckdb.DuckDBPyConnection:
    import duckdb

    # Who writes a catalog syncs it as a whole; DuckDB would do so after each step.
    connection = duckdb.connect(config={"threads": 1, "fsync_mode": "NONE"})
    connection.execute("PRAGMA disable_optimizer")  # tables are copied as they are
    connection.execute(view(LATENCY.name, LATENCY.schema, (), ""))  # which macros read
    for macro in MACROS:
        connection.execute(macro)
    return connection


def _compression(tables: Mapping[str, pa.Table]) -> str:
    """Return how to compress tables: of small ones, to find out how takes as long as all the rest."""
    return "uncompressed" if sum(table.nbytes for table in tables.values()) < SMALL else "auto"


def with_rollups(state: State, rollups: Sequence[Rollup]) -> State:
    """Return the state with these rollups. Raises LakeError when one of them had other columns before."""
    schemas = dict(state.rollups)
    for rollup in rollups:
        before = schemas.get(rollup.name, rollup.schema)
        if before != rollup.schema:
            raise LakeError(
                f"rollup {rollup.name}: its columns were {', '.join(before.names)}, now they are "
                f"{', '.join(rollup.schema.names)}",
                "give it another name; the old one stays readable",
            )
        schemas[rollup.name] = rollup.schema
    return replace(state, rollups=schemas)


def part(where: Path, row: Mapping[str, Any]) -> Part:
    """Return a part; raises LakeError where it would lie, and one day be deleted, outside the lake."""
    found = Part(**{name: row[name] for name in _names(Part) if name in row})
    if not _PART.fullmatch(found.path) or "/../" in found.path:
        raise LakeError(f"{where}: names {found.path}, which is no file of this lake", CHECK)
    return found


def _names(kind: type) -> tuple[str, ...]:
    return tuple(one.name for one in fields(kind))


def view(name: str, schema: pa.Schema, parts: Sequence[Part], root: str) -> str:
    """Return the statement that makes the view of a rollup, which fails when it is asked for what is damaged."""
    sides = list(_sides(schema, parts, root)) or [_constant(schema, "NULL", "false")]
    return f"CREATE OR REPLACE VIEW {identifier(name)} AS {' UNION ALL '.join(sides)}"


def _sides(schema: pa.Schema, parts: Sequence[Part], root: str) -> Iterator[str]:
    """Return the queries that a view puts together: of the sound parts, and of the damaged ones."""
    if listed := ", ".join(literal(f"{root}/{part.path}") for part in parts if not part.damaged):
        yield f"SELECT {', '.join(map(identifier, schema.names))} FROM read_parquet([{listed}])"
    if damaged := [part for part in parts if part.damaged]:
        what = f"{root}/{damaged[0].path}: damaged: {holds(damaged[0])}; {CHECK}"
        # DuckDB leaves out what no question asks for: so each column fails, and, where none is asked for, the condition.
        yield _constant(schema, fails := f"error({literal(what)})", f"{fails}::BOOLEAN")


def _constant(schema: pa.Schema, value: str, condition: str) -> str:
    columns = ", ".join(f"{value}::{_SQL_TYPES[one.type]} AS {identifier(one.name)}" for one in schema)
    return f"SELECT {columns} WHERE {condition}"


def _tables(state: State) -> dict[str, pa.Table]:
    lake = {
        "version": VERSION,
        "id": state.id,
        "root": state.root,
        "created_at": state.created_at,
        "gone": state.gone,
        "secret": state.secret,
        "rollups": json.dumps(
            {name: [[one.name, str(one.type)] for one in schema] for name, schema in state.rollups.items()}
        ),
        "steady": state.steady,
    }
    tables = {
        "sources": pa.Table.from_pylist(list(_source_rows(state)), _SOURCES),
        "commits": _columns(state.commits[-COMMITS:], _COMMITS),
        "rejects": pa.Table.from_pylist(list(_reject_rows(state)), _REJECTS),
        "reject_samples": pa.Table.from_pylist([_sample_row(*one) for one in state.samples], _SAMPLES),
        "files": _columns(state.parts, _FILES),
        "lake": pa.Table.from_pylist([lake]).cast(_LAKE),
        LOST: _columns(state.lost, _LOST),
    }
    return tables | ({"click_state": state.clicks} if state.clicks is not None else {})


def _columns(values: Sequence[object], schema: pa.Schema) -> pa.Table:
    """Return objects as a table of their attributes; a dictionary for each would take four times as long."""
    return pa.table({name: [getattr(value, name) for value in values] for name in schema.names}, schema)


_LAKE = pa.schema(
    [("version", pa.int32()), ("id", pa.int64()), ("root", pa.string()), ("created_at", _TIME), ("gone", _TIME)]
    + [("secret", pa.string()), ("rollups", pa.string()), ("steady", _TIME)]
)
_COMMITS = pa.schema(
    [("id", pa.int64()), ("committed_at", _TIME), ("kind", pa.string())]
    + [(name, pa.int64()) for name in ("rows", "files", "bytes", "lines")]
)
_FILES = pa.schema(
    [("rollup", pa.string()), ("path", pa.string()), ("level", pa.string()), ("grain", pa.int64())]
    + [("rows", pa.int64()), ("bytes", pa.int64()), ("min_ts", _TIME), ("max_ts", _TIME)]
    + [("damaged", pa.bool_())]
)
_LOST = pa.schema(
    [("rollup", pa.string()), ("path", pa.string()), ("rows", pa.int64())]
    + [("min_ts", _TIME), ("max_ts", _TIME), ("given_up", _TIME)]
)
_REJECTS = pa.schema([("source", pa.string()), ("path", pa.string()), ("reason", pa.string()), ("lines", pa.int64())])
_SAMPLES = pa.schema(
    [("source", pa.string()), ("position", pa.int64()), ("reason", pa.string())]
    + [("line", pa.string()), ("bytes", pa.binary())]
)
_SOURCES = pa.schema(
    [("source", pa.string()), ("path", pa.string()), ("shard", pa.int32()), ("position", pa.int64())]
    + [("size", pa.int64()), ("lines", pa.int64()), ("finished", pa.bool_()), ("format", pa.string())]
    + [
        ("compression", pa.string()),
        ("modified", _TIME),
        ("note", pa.string()),
        ("nul_bytes", pa.int64()),
        ("gone", _TIME),
    ]
    + [(name, pa.int64()) for name in ("device", "inode", "head_length")]
    + [("head_digest", pa.string()), ("mark_length", pa.int64()), ("mark_digest", pa.string())]
    + [("tailer", pa.string()), ("origin", pa.int64())]
)


_PLAIN = ("size", "finished", "format", "compression", "note", "nul_bytes", "tailer", "origin")


def _source_rows(state: State):  # type: ignore[no-untyped-def]
    for id_, shards in state.progress.items():
        source = state.sources[id_]
        of_all = {
            **{name: getattr(source, name) for name in _PLAIN},
            "source": id_,
            "path": _name(source.path),
            "gone": _moment(source.gone) if source.gone else None,
            "modified": _moment(source.modified),
            "device": _signed(source.device),
            "inode": _signed(source.inode),
            "head_length": source.head.length,
            "head_digest": source.head.digest,
        }
        for shard, progress in shards.items():
            yield {
                **of_all,
                "shard": shard,
                "position": progress.position,
                "lines": progress.lines,
                "mark_length": progress.fingerprint.length,
                "mark_digest": progress.fingerprint.digest,
            }


def _moment(seconds: float) -> datetime:
    """Return a file's time: some file systems keep any 64 bits, whatever the year."""
    return datetime.fromtimestamp(min(max(seconds, _FIRST), _LAST), UTC)


def _name(path: str) -> str:
    """Return a path as text: a name may be any bytes."""
    return path.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _signed(number: int) -> int:
    """Keep the 64 bits of a device or inode number, which may be unsigned, in a signed column."""
    return number - (1 << 64) if number >= 1 << 63 else number


def _source(row: dict[str, object]) -> Source:
    head = Fingerprint(row["head_length"], row["head_length"], row["head_digest"])  # type: ignore[arg-type]
    modified: datetime = row["modified"]  # type: ignore[assignment]
    gone: datetime | None = row["gone"]  # type: ignore[assignment]
    plain = {name: row[name] for name in _PLAIN if name in row} | {"gone": gone.timestamp() if gone else 0.0}
    numbers = {name: row[name] % (1 << 64) for name in ("device", "inode")}  # type: ignore[operator]
    return Source(id=row["source"], path=row["path"], head=head, modified=modified.timestamp(), **numbers, **plain)  # type: ignore[arg-type]


_PROGRESS = ("source", "shard", "position", "lines", "mark_length", "mark_digest")


def _progress(
    source: str, shard: int, position: int, lines: int, length: int, digest: str
) -> tuple[str, int, Progress]:
    return source, shard, Progress(position, lines, Fingerprint(position, length, digest))


def _reject_rows(state: State):  # type: ignore[no-untyped-def]
    for id_, reasons in state.rejects.items():
        for reason, lines in reasons.items():
            yield {"source": id_, "path": _name(state.sources[id_].path), "reason": reason, "lines": lines}


def _sample_row(source: str, reject: Reject) -> dict[str, object]:
    text = reject.line.decode("utf-8", "backslashreplace")
    return {"source": source, "position": reject.position, "reason": reject.reason, "line": text, "bytes": reject.line}


def _group(rows):  # type: ignore[no-untyped-def]
    grouped: dict[str, dict[object, object]] = {}
    for outer, inner, value in rows:
        grouped.setdefault(outer, {})[inner] = value
    return grouped


def _has(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    return bool(
        connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = $table", {"table": table}).fetchall()
    )


_TYPES = {str(type_): type_ for type_ in _SQL_TYPES}


def _schema(columns: list[list[str]]) -> pa.Schema:
    return pa.schema([pa.field(name, _TYPES[type_]) for name, type_ in columns])
