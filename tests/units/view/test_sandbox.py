"""`logagg sql` cannot write to the lake, whatever is asked."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from logagg.errors import LogaggError
from logagg.view.sealed import connect_sealed, run, statements

COPY = "COPY (SELECT 1 a) TO '{root}/data/new.parquet'"
ATTACKS = (
    COPY,
    f"WITH x AS ({COPY}) SELECT 1",
    f"((WITH x AS ({COPY}) SELECT 1))",
    "WITH x AS (/* */ copy/**/(SELECT 1) TO '{root}/data/new.csv') PIVOT made ON number",
    f"EXPLAIN ANALYZE {COPY}",
    f"EXPLAIN ANALYZE WITH x AS ({COPY}) SELECT 1",
    f"EXPLAIN (ANALYZE) {COPY}",
    f"PREPARE p AS {COPY}; EXECUTE p",
    "COPY (PIVOT made ON number) TO '{root}/data/new.parquet'",
    f"FROM json_execute_serialized_sql(json_serialize_sql($$WITH x AS ({COPY}) SELECT 1$$))",
    f'FROM "JSON_execute_serialized_sql" (json_serialize_sql($$WITH x AS ({COPY}) SELECT 1$$))',
    f"FROM query('from json_execute_' || 'serialized_sql(json_serialize_sql($$WITH x AS ({COPY}) SELECT 1$$))')",
    "PRAGMA json_execute_serialized_sql('{{}}')",
    "ATTACH '{root}/catalog/000001.duckdb' AS w",
    "ATTACH '{root}/data/new.duckdb' AS w (READ_WRITE)",
    "EXPORT DATABASE '{root}/data'",
    "IMPORT DATABASE '{root}/data'",
    "COPY FROM DATABASE lake TO memory",
    "INSERT INTO made VALUES (2)",
    "WITH x AS (INSERT INTO made VALUES (2) RETURNING *) FROM x",
    "CREATE TABLE memory.t AS SELECT 1",
    "DROP VIEW pages",
    "INSTALL httpfs",
    "LOAD httpfs",
    "UPDATE EXTENSIONS",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "SET log_query_path = '{root}/data/log'",
    "PRAGMA enable_profiling",
    "PRAGMA profiling_output = '{root}/data/profile'",
    "CHECKPOINT",
    "VACUUM",
    "CALL force_checkpoint()",
    "CREATE PERSISTENT SECRET s (TYPE http)",
    "FROM read_csv('/etc/passwd')",
    "FROM glob('/etc/*')",
    "DETACH lake",
    "SELECT getenv('HOME')",
    "SELECT content FROM read_text('/etc/passwd')",
    "FROM read_blob('/etc/pass*')",
    "FROM read_parquet('https://example.com/x.parquet')",
    "FROM 's3://bucket/x.parquet'",
    "FROM '/etc/passwd'",
    "FROM read_csv('{root}/../../../../../../../../etc/passwd')",
    "FROM sniff_csv('/etc/passwd')",
    "FROM parquet_metadata('/etc/passwd')",
    "FROM query_table('/etc/passwd')",
    "ATTACH 'http://example.com/x.duckdb' AS w",
    "CREATE MACRO m() AS TABLE FROM read_csv('/etc/passwd')",
    "CREATE TEMP MACRO m() AS 1; SELECT m()",
    "CREATE VIEW w AS SELECT 1",
    "CREATE TEMP TABLE t AS SELECT 1",
    "PRAGMA enable_checkpoint_on_shutdown",
    "SET GLOBAL allowed_directories = ['/']",
    "RESET enable_external_access",
    "SET secret_directory = '{root}/data'",
    "CALL enable_logging(storage='file', storage_path='{root}/data/log')",
    "DROP SECRET x",
    "ALTER DATABASE lake SET ALIAS TO x",
    "MERGE INTO made USING made AS x ON true WHEN MATCHED THEN DELETE",
    "TRUNCATE made",
)


def tree(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def answers(root: Path, text: str, *readable: Path) -> list[list[tuple[object, ...]]]:
    connection = connect_sealed(root, readable)
    return [run(connection, statement).fetchall() for statement in statements(connection, text)]


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_fails_and_leaves_the_lake_as_it_was(root: Path, attack: str) -> None:
    before = tree(root)
    with pytest.raises((LogaggError, duckdb.Error)):
        answers(root, attack.format(root=root))
    assert tree(root) == before


@pytest.mark.parametrize(
    "query",
    [
        "SELECT sum(hits) FROM traffic",
        "FROM traffic ORDER BY hits DESC LIMIT 1 -- as a comment",
        "WITH x AS (FROM pages) FROM x;",
        "DESCRIBE pages",
        "SUMMARIZE pages",
        "SHOW TABLES",
        "EXPLAIN FROM pages",
        "EXPLAIN ANALYZE FROM pages",
        "PIVOT pages ON path USING sum(views)",
        "PRAGMA table_info('made')",
        "VALUES (1), (2)",
        "SELECT 'copy' AS \"copy\"",
    ],
)
def test_what_reads_is_run(root: Path, query: str) -> None:
    assert answers(root, query)[-1]


def test_variables_last_for_the_text(root: Path) -> None:
    assert answers(root, "SET VARIABLE n = 2; SELECT getvariable('n')")[-1] == [(2,)]


def test_a_file_that_was_named_can_be_joined(root: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.csv"
    names.write_text("campaign,name\nc,Copper\n")
    assert answers(root, f"SELECT DISTINCT name FROM ads JOIN '{names}' USING (campaign)", names)[-1] == [("Copper",)]
