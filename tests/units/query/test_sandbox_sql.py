"""The sandbox runs only those functions, tables and statements of DuckDB that were reviewed."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from logagg.config.sections import Config
from logagg.errors import QueryRefused
from logagg.query.sandbox_sql import MACROS, SYSTEM, check
from logagg.rollup.configured import derivations_of
from logagg.sketches import MACROS as WRITTEN
from logagg.sql_functions import TABLES, VALUES, VIEWS

# Table functions that open files; DuckDB and the kernel decide which files.
READING = {name for name in TABLES if name.startswith(("read_", "parquet_", "sniff_"))}


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def functions(connection: duckdb.DuckDBPyConnection, *kinds: str) -> set[str]:
    query = "SELECT DISTINCT lower(function_name) FROM duckdb_functions() WHERE function_type IN (SELECT unnest(?))"
    return {name for (name,) in connection.execute(query, [list(kinds)]).fetchall()}


def test_every_listed_function_exists(connection: duckdb.DuckDBPyConnection) -> None:
    syntax = {"unnest", "ifnull"}  # functions that only the parser knows
    assert VALUES - syntax <= functions(connection, "scalar", "aggregate", "window", "macro")
    assert TABLES <= functions(connection, "table", "table_macro") | syntax


def test_unlisted_table_functions_are_refused(connection: duckdb.DuckDBPyConnection) -> None:
    left = functions(connection, "table", "table_macro", "pragma") - TABLES
    assert len(left) > 80
    for name in left:
        with pytest.raises(QueryRefused, match="the function"):
            check(connection, f'FROM "{name}"()')
        with pytest.raises(QueryRefused, match="the function"):
            check(connection, f'SELECT (FROM (FROM "{name.upper()}"(1, x := 2)) LIMIT 1)')


@pytest.mark.slow
def test_unlisted_functions_are_refused(connection: duckdb.DuckDBPyConnection) -> None:
    left = functions(connection, "scalar", "aggregate", "window", "macro") - VALUES
    assert {"current_setting", "json_serialize_plan", "getvariable", "write_log", "nextval", "sleep_ms"} <= left
    for name in left - {"is distinct from", "is not distinct from"}:
        for call in (
            'SELECT "{}"(1)',
            'SELECT sum(1) FILTER (WHERE "{}"(1))',
            'SELECT 1 ORDER BY "{}"(1) OVER ()',
            'SELECT 1 LIMIT "{}"(1)',
        ):
            with pytest.raises(QueryRefused, match="the function"):
                check(connection, call.format(name))


def test_no_listed_function_opens_a_file_or_runs_text(connection: duckdb.DuckDBPyConnection) -> None:
    """Each is called with a path and with SQL in every text argument; it must fail, or return no more than its arguments."""
    query = """SELECT DISTINCT function_name, len(parameter_types) FROM duckdb_functions()
        WHERE function_type = 'scalar' AND list_contains(parameter_types, 'VARCHAR') AND len(parameter_types) < 4"""
    with duckdb.connect(config={"enable_external_access": False}) as plain:
        plain.execute("CREATE TABLE made AS SELECT 41 + 1 AS answer_to_all")
        for name, count in plain.execute(query).fetchall():
            if name.lower() not in VALUES:
                continue
            for text in ("FROM made", "SELECT answer_to_all FROM made", "/etc/passwd"):
                try:
                    [(found,)] = plain.execute(
                        f'SELECT "{name}"({", ".join(["?::VARCHAR"] * count)})', [text] * count
                    ).fetchall()
                except duckdb.Error as error:
                    found = str(error)
                assert "disabled by configuration" not in str(found), (name, text)
                assert found != 42 and "root:" not in str(found), (name, text)


def test_macros_are_those_of_the_lake() -> None:
    written = {macro.split("MACRO ")[1].split("(")[0].strip() for macro in WRITTEN}
    derived = {view.name for one in derivations_of(Config()) for view in one.live() if view.parameters}
    assert written | derived == MACROS


def test_views_of_duckdb_are_recognised_by_their_prefix(connection: duckdb.DuckDBPyConnection) -> None:
    query = "SELECT view_name FROM duckdb_views() WHERE internal AND schema_name <> 'information_schema'"
    names = {name for (name,) in connection.execute(query).fetchall()}
    assert VIEWS < names and all(name.startswith(SYSTEM) for name in names)


STATEMENTS = (
    "ALTER TABLE t ADD COLUMN a INT; ANALYZE; ATTACH 'x'; BEGIN; CALL f(); CHECKPOINT; COMMENT ON TABLE t IS 'x'; COMMIT;"
    " COPY t TO 'x'; COPY FROM DATABASE a TO b; CREATE TABLE t (a INT); CREATE VIEW v AS SELECT 1; CREATE INDEX i ON t (a);"
    " CREATE SCHEMA s; CREATE SEQUENCE q; CREATE TYPE y AS ENUM ('a'); CREATE MACRO m() AS 1; CREATE SECRET (TYPE s3);"
    " DEALLOCATE p; DELETE FROM t; DETACH x; DROP TABLE t; EXECUTE p; EXPORT DATABASE 'x'; IMPORT DATABASE 'x';"
    " INSERT INTO t VALUES (1); INSTALL x; LOAD x; MERGE INTO t USING t AS u ON true WHEN MATCHED THEN DELETE; PRAGMA version;"
    " PREPARE p AS SELECT 1; RESET threads; ROLLBACK; SET threads = 1; SET VARIABLE a = 1; TRUNCATE t; UPDATE t SET a = 1;"
    " UPDATE EXTENSIONS; USE x; VACUUM; PIVOT t ON a; EXPLAIN COPY t TO 'x'; EXPLAIN ANALYZE DELETE FROM t;"
    " EXPLAIN (FORMAT json) SELECT 1"
).split("; ")


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_statement_other_than_select_is_refused(connection: duckdb.DuckDBPyConnection, statement: str) -> None:
    for text in (statement, f"/* SELECT */ {statement};", f"SELECT 1; {statement}", f"{statement}; SELECT 1"):
        with pytest.raises((QueryRefused, duckdb.ParserException)):
            check(connection, text)


@pytest.mark.parametrize("name", ["system.main.t", "temp.t", "memory.t", "pg_catalog.pg_class", "a.b.c.d", '"x".y'])
def test_other_databases_are_refused(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    with pytest.raises(QueryRefused, match="a query of"):
        check(connection, f"FROM {name}")


def test_the_checked_query_is_the_one_that_runs(connection: duckdb.DuckDBPyConnection) -> None:
    assert check(connection, "  SELECT 1 ; ").text == "SELECT 1"
    assert check(connection, "explain\n SELECT 1").text == "EXPLAIN SELECT 1"
    assert check(connection, 'EXPLAIN ANALYZE SELECT "analyze"').text == 'EXPLAIN ANALYZE SELECT "analyze"'
    assert check(connection, "SELECT ';' -- ; SELECT 2\n").text.startswith("SELECT ';'")
