"""Somebody's SQL, run so that it can only read: behind `logagg sql`.

Three walls, each enough for what it is for. The catalog is attached read-only to an instance of its own that reaches no
other files than the lake's and those named, loads no extension, and whose settings are locked. But DuckDB's
`allowed_directories` permit writing too, so only statements that read are run. And since a statement that reads may
hold one that writes (`WITH x AS (COPY ... TO ...) SELECT ...`), each must also be possible as a sub-query, where DuckDB
allows no such thing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
from duckdb import StatementType, token_type

from logagg.errors import LogaggError
from logagg.view.snapshot import connect, quoted, spill_directory, target_of

READING_PRAGMAS = frozenset({"table_info", "show_tables", "show_tables_expanded", "database_list", "version"})

# They run SQL from a text that nobody has looked at.
RUNNING_FUNCTIONS = frozenset({"json_execute_serialized_sql", "query"})


class Refused(LogaggError):
    """A statement that does more than read."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is not run: logagg sql only reads", "export with --format csv or json")


def connect_sealed(root: Path, readable: Sequence[Path] = ()) -> duckdb.DuckDBPyConnection:
    """Return a connection to the newest snapshot that reads the lake and `readable` only. Raises LakeError."""
    connect(root).close()  # says what is wrong with the lake, if anything
    connection = duckdb.connect(":memory:", config=_CLOSED)
    connection.execute(f"ATTACH {quoted(str(target_of(root)))} AS lake (READ_ONLY)")
    connection.execute("USE lake")
    for statement in _locks(root, readable):
        connection.execute(statement)
    return connection


_CLOSED: dict[str, str | bool | int | float | list[str]] = {
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
    "allow_community_extensions": False,
}


def _locks(root: Path, readable: Sequence[Path]) -> Iterator[str]:
    given = [path.resolve() for path in readable]
    directories = {str(path) for path in (root.absolute(), root.resolve(), *given) if path.is_dir()}
    files = [str(path) for path in given if not path.is_dir()]
    yield f"SET allowed_directories = [{', '.join(map(quoted, sorted(directories)))}]"
    yield f"SET allowed_paths = [{', '.join(map(quoted, files))}]"
    yield f"SET temp_directory = {quoted(spill_directory())}"
    yield "SET python_enable_replacements = false"
    yield "SET TimeZone = 'UTC'"
    yield "SET enable_external_access = false"
    yield "SET lock_configuration = true"


def statements(connection: duckdb.DuckDBPyConnection, text: str) -> list[duckdb.Statement]:
    """Return the statements of a text, all of which only read. Raises Refused and duckdb.Error."""
    try:
        found = connection.extract_statements(text)
        for statement in found:
            _refuse_writing(connection, statement)
    except ValueError:  # a type of statement that DuckDB's own Python package has no name for
        raise Refused("this kind of statement") from None
    return found


def run(connection: duckdb.DuckDBPyConnection, statement: duckdb.Statement) -> duckdb.DuckDBPyConnection:
    """Run a statement, unless it does more than read. Raises Refused and duckdb.Error."""
    query = statement.query.strip().rstrip(";")
    if statement.type == StatementType.EXPLAIN:
        _refuse_writing_within(connection, _explained(connection, query))
    elif statement.type in _ANSWERING:
        _refuse_writing_within(connection, query)
    return connection.execute(statement.query)


_ANSWERING = (StatementType.SELECT, StatementType.MULTI)


def _refuse_writing(connection: duckdb.DuckDBPyConnection, statement: duckdb.Statement) -> None:
    words = [word.strip('"') for word in _words(statement.query)]
    first = words[0] if words else ""
    _refuse_words(statement.query)
    if statement.type == StatementType.EXPLAIN:
        _explained(connection, statement.query)
    elif statement.type == StatementType.PRAGMA:
        if first != "pragma" or words[1] not in READING_PRAGMAS:
            raise Refused(" ".join(words[:2]).upper())
    elif statement.type not in (*_ANSWERING, StatementType.SET) or first == "copy":
        raise Refused(first.upper())


def _refuse_words(query: str) -> None:
    words = list(_words(query))
    if "copy" in words:  # a PIVOT writes what its WITH says even when it is only explained
        raise Refused('COPY (as a name it is written "copy")')
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word.strip('"') in RUNNING_FUNCTIONS and following == "(":
            raise Refused(f"{word}()")


def _explained(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    """Return the query that an EXPLAIN is about: EXPLAIN ANALYZE runs it."""
    offsets = [offset for offset, kind in duckdb.tokenize(query) if kind != token_type.comment]
    words = list(_words(query))
    start = 2 if words[1:2] == ["analyze"] else 1
    rest = query[offsets[start] :] if len(offsets) > start else ""
    try:
        found = connection.extract_statements(rest)
    except duckdb.Error:
        raise Refused("EXPLAIN of this") from None
    if len(found) != 1 or found[0].type not in _ANSWERING:
        raise Refused(f"EXPLAIN {words[start].upper()}")
    return rest.strip().rstrip(";")


def _words(query: str) -> Iterator[str]:
    """Yield the tokens of a statement as DuckDB compares them: without comments, in lower case."""
    tokens = duckdb.tokenize(query)
    ends = [offset for offset, _ in tokens[1:]] + [len(query)]
    for (start, kind), end in zip(tokens, ends, strict=True):
        if kind != token_type.comment:
            yield query[start:end].strip().lower()


def _refuse_writing_within(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    connection.execute(f"EXPLAIN {query}").fetchall()  # a mistake is reported as it was written
    try:
        connection.execute(f"EXPLAIN FROM (\n{query}\n)").fetchall()
    except duckdb.BinderException as error:
        if "must be at the top level" in str(error):
            raise Refused("a query that writes") from None
        raise
