"""The process that runs one query for `logagg.query.sandbox`, after dropping all rights that the query does not need.

`main` is called in a fresh interpreter with the request. It opens the snapshot while it has all rights, then applies the
guards below, one after the other, and only then looks at the query. The answer goes to standard output, as frames.

Modules are not imported after the guards, since Python's files cannot be read then.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from logagg.errors import LakeError, LogaggError
from logagg.query import sandbox_kernel as kernel
from logagg.query.render import plain
from logagg.query.sandbox_frames import ARROW, BATCH, DONE, FAILED, HEADER, SCHEMA
from logagg.quoting import identifier, literal

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

BATCH_ROWS = 4_096
OVERHEAD = 256 << 20  # bytes that DuckDB does not count: the interpreter, libraries, stacks of threads
LONGEST_ERROR = 2_000  # characters

# Settings of the instance before the catalog is opened. One thread only, so that every later thread is restricted too.
START: dict[str, Any] = {
    "threads": 1,
    "async_threads": 0,
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
    "allow_community_extensions": False,
    "allow_persistent_secrets": False,
    "arrow_lossless_conversion": False,
    "python_enable_replacements": False,
}
# Types that Arrow lacks; their values are sent as DuckDB's text. Within quotes, these words are names.
TEXTUAL = re.compile(r"""("(?:[^"]|"")*"|'(?:[^']|'')*')|\b(?:BIT|BIGNUM|TIME WITH TIME ZONE|VARIANT)\b""")


@dataclass(frozen=True, slots=True)
class QueryRequest:
    """A request: the query, its lake, and its limits."""

    query: str
    condition: str  # takes the place of `sandbox_sql.CONDITION` in the query
    form: str
    parent: int
    lake: str
    zone: str  # of times and days
    files: list[str]
    directories: list[str]
    spill: str  # "": nothing is spilled
    spill_size: int
    memory: int
    processor_seconds: int  # 0: without bound
    threads: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An open catalog, and the files that its views read."""

    connection: duckdb.DuckDBPyConnection
    files: list[str]


def main(asked: dict[str, Any]) -> None:
    """Answer the request on standard output, and end."""
    output, own = _take_output(), ""
    try:
        request = QueryRequest(**asked)
        own = request.condition or request.query
        guard_lifetime(request)
        _prepare(request.form)
        _answer(request, output)
    except BaseException as error:  # any error is reported in one frame
        _send(output, FAILED, json.dumps(_told(error, own)).encode())
    os._exit(0)


def _take_output() -> int:
    """Return a private descriptor of standard output; the output of libraries is discarded."""
    output, nowhere = os.dup(1), os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    return output


def _prepare(form: str) -> None:
    """Import all modules that will be needed."""
    sys.setrecursionlimit(10_000)  # the deepest expression that DuckDB accepts is several times as deep in JSON
    if form == ARROW:
        sys.modules["numpy"] = None  # type: ignore[assignment]  # optional for pyarrow; saves 50 ms
        import pyarrow.ipc  # noqa: F401
    else:
        with suppress(ImportError):  # the engine without its data frames and expressions, which take 60 ms
            sys.modules["duckdb"] = importlib.import_module("_duckdb")
    import duckdb  # noqa: F401

    from logagg.query import sandbox_sql, snapshot  # noqa: F401


def _answer(request: QueryRequest, output: int) -> None:
    snapshot = _opened(request)
    for guard in GUARDS:
        guard(request, snapshot)
    connection = snapshot.connection
    query = checked(connection, placed(connection, request))
    for kind, payload in (_columns if request.form == ARROW else _rows)(connection, query):
        _send(output, kind, payload)
    _send(output, DONE, b"")


def _opened(request: QueryRequest) -> Snapshot:
    """Open the newest snapshot, with all rights of the user. Raises LakeError."""
    from pathlib import Path

    from logagg.query.snapshot import attach, set_zone

    connection = attach(Path(request.lake), START | {"memory_limit": f"{request.memory}B"})
    files = parts_of(connection)
    set_zone(connection, request.zone)
    connection.execute(_ONE_OF_EACH).fetchall()
    return Snapshot(connection, files)


# DuckDB imports Python modules at the first value of these types, so one value of each is fetched now.
_ONE_OF_EACH = (
    "SELECT now(), uuid(), 1.5::DECIMAL(5, 2), INTERVAL 1 DAY, '12:00:00+02'::TIMETZ, map {'a': 1}, 1::BIGNUM"
)


def parts_of(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the paths of the files that the views of a catalog read. Raises LakeError."""
    [(home,)] = connection.execute("SELECT root FROM lake").fetchall()
    return [_whole(home, name) for (name,) in connection.execute("SELECT path FROM files").fetchall()]


def _whole(home: str, name: str) -> str:
    """Return the path of a part as the views write it. Raises LakeError for one outside the lake's data."""
    if name.startswith("/"):
        name = os.path.relpath(name, home)
    if not name.startswith("data/") or ".." in name.split("/"):
        raise LakeError(f"the catalog names {name}, which is not a file of this lake", "`logagg check` says what to do")
    return f"{home}/{name}"


def guard_lifetime(request: QueryRequest) -> None:
    """End with the parent."""
    kernel.die_with(request.parent)


def guard_resources(request: QueryRequest, snapshot: Snapshot) -> None:
    """Limit memory, processor time and spilled bytes in the kernel, independently of DuckDB."""
    kernel.limit_resources(
        request.memory + request.memory // 4 + OVERHEAD, request.processor_seconds, request.spill_size
    )


def guard_files(request: QueryRequest, snapshot: Snapshot) -> None:
    """Landlock: only the snapshot's files and the named ones are readable, only the spill directory is writable."""
    restricted = kernel.restrict_files([*snapshot.files, *request.files], request.directories, request.spill)
    if not restricted and request.directories:
        raise LogaggError("--read: this kernel has no Landlock, so that no directory can be read", "name its files")


def guard_syscalls(request: QueryRequest, snapshot: Snapshot) -> None:
    """seccomp: only system calls on open files; without Landlock, files cannot be opened for writing."""
    restricted = kernel.restrict_syscalls(writes=bool(request.spill))
    if not restricted and not kernel.can_spill():  # older versions of Landlock do not prevent truncation
        raise LogaggError("this system has neither Landlock nor seccomp", "ask in Python: logagg.open(DIR).sql(...)")


def guard_threads(request: QueryRequest, snapshot: Snapshot) -> None:
    """Require a single thread: one that exists before the kernel's guards would keep its rights."""
    if sys.platform == "linux" and len(os.listdir("/proc/self/task")) != 1:
        raise LogaggError("a library has started threads before the sandbox", "please report it")


def guard_paths(request: QueryRequest, snapshot: Snapshot) -> None:
    """DuckDB: the same files by name, so that even the existence of other files stays hidden."""
    connection = snapshot.connection
    connection.execute(f"SET temp_directory = {literal(request.spill)}")
    if request.spill:
        connection.execute(f"SET max_temp_directory_size = '{request.spill_size}B'")
    connection.execute(f"SET allowed_directories = {_listed(request.directories)}")
    allow_only(connection, [*snapshot.files, *request.files])


def allow_only(connection: duckdb.DuckDBPyConnection, files: list[str]) -> None:
    """Let all queries of an instance read these files, and those that its other settings name."""
    connection.execute(f"SET allowed_paths = {_listed(files)}")
    connection.execute("SET enable_external_access = false")


def guard_settings(request: QueryRequest, snapshot: Snapshot) -> None:
    """DuckDB: lock the settings, and start the other threads, which inherit the kernel's guards."""
    snapshot.connection.execute(f"SET threads = {request.threads}")
    snapshot.connection.execute("SET show_behavior = 'table'")
    snapshot.connection.execute("SET lock_configuration = true")


GUARDS = (guard_threads, guard_resources, guard_files, guard_syscalls, guard_paths, guard_settings)


def placed(connection: duckdb.DuckDBPyConnection, request: QueryRequest) -> str:
    """Return the query, with the condition in its place if there is one. Raises QueryRefused."""
    from logagg.query.sandbox_sql import with_condition

    return with_condition(connection, request.query, request.condition) if request.condition else request.query


def checked(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    """Return the one SELECT to run. Raises QueryRefused."""
    from logagg.query.sandbox_sql import check

    return check(connection, query).text


def _listed(texts: list[str]) -> str:
    return f"[{', '.join(map(literal, texts))}]"


Frames = Iterator[tuple[bytes, Any]]


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> Frames:
    """Run a query; yield its names and its rows as JSON."""
    connection.execute(query)
    yield SCHEMA, json.dumps([column[0] for column in connection.description or ()]).encode()
    while rows := connection.fetchmany(BATCH_ROWS):
        yield BATCH, json.dumps([[_sent(value) for value in row] for row in rows]).encode()


def _sent(value: Any) -> Any:
    """Return a value in the types of JSON. A JSON object stands for a time, or wraps a value that is an object."""
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, datetime):
        return {"time": value.isoformat()}
    return {"value": plain(value)} if isinstance(value, dict) else plain(value)


def _columns(connection: duckdb.DuckDBPyConnection, query: str) -> Frames:
    """Run a query; yield its schema and its record batches, as streams of Arrow."""
    with connection.sql(_in_types_of_arrow(connection, query)).to_arrow_reader(4 * BATCH_ROWS) as reader:
        yield SCHEMA, memoryview(reader.schema.serialize())
        for batch in reader:
            yield BATCH, _packed(batch)


def _in_types_of_arrow(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    """Return the query with values of types that Arrow lacks cast to text."""
    import duckdb

    try:
        columns = [row[:2] for row in connection.execute(f"DESCRIBE {query}").fetchall()]
    except duckdb.Error:  # EXPLAIN and SHOW are text already; other errors are raised when the query runs
        return query
    kinds = [TEXTUAL.sub(lambda found: found[1] or "VARCHAR", kind) for _, kind in columns]
    if kinds == [kind for _, kind in columns]:
        return query
    names = [f"c{number}" for number in range(len(columns))]
    chosen = [f"{name}::{kind} AS {identifier(of)}" for name, kind, (of, _) in zip(names, kinds, columns, strict=True)]
    return f"SELECT {', '.join(chosen)} FROM (\n{query}\n) AS answer({', '.join(names)})"


def _packed(batch: pa.RecordBatch) -> memoryview:
    """Return a batch as a complete stream, with its dictionaries."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return memoryview(sink.getvalue())


def _send(output: int, kind: bytes, payload: Any) -> None:
    for part in (HEADER.pack(kind, len(payload)), payload):
        left = memoryview(part)
        while left:
            left = left[os.write(output, left) :]


def _told(error: BaseException, own: str) -> dict[str, str]:
    """Return an error as kind, message of one line, and hint; `own` is the user's own text."""
    if isinstance(error, LogaggError):
        return {"kind": type(error).__name__, "message": error.message[:LONGEST_ERROR], "hint": error.hint}
    if isinstance(error, MemoryError) or "Out of Memory Error" in str(error):
        return {"kind": "memory", "message": "", "hint": ""}
    if type(error).__module__.endswith("duckdb"):
        return {"kind": "sql", "message": _in_one_line(error, own), "hint": ""}
    return {"kind": "internal", "message": f"{type(error).__name__}: {error}"[:LONGEST_ERROR], "hint": ""}


def _in_one_line(error: BaseException, own: str) -> str:
    """Return DuckDB's message, and the line of the user's text that it refers to."""
    first, *further = [line.strip() for line in str(error).splitlines() if line.strip(" ^\t")] or [""]
    shown = filter(None, (_in_own_text(line, own) for line in further[:2]))
    return (first + "".join(f" [{line}]" for line in shown))[:LONGEST_ERROR]


def _in_own_text(line: str, own: str) -> str:
    """Return a line of an error; of one that shows a line of the query, what the user wrote, and nothing around it."""
    if not (found := re.fullmatch(r"LINE (\d+): (.*)", line)):
        return line
    part = found[2].removeprefix("...").removesuffix("...").strip()
    numbers = [number for number, text in enumerate(own.splitlines(), 1) if part in text]
    nearest = min(numbers, key=lambda number: abs(number - int(found[1])), default=0)
    return f"LINE {nearest}: {found[2]}" if nearest else ""
