"""Attacks on the sandbox of `logagg sql`: statements, and system calls of a process that DuckDB no longer controls.

Each names the guards that stop it, any one of which is enough: it must fail while one of them is active, and succeed
when all of them are removed.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Attack:
    """A statement, or a deed with its arguments; `{lake}` and the like stand for paths."""

    guards: frozenset[str]
    sql: str = ""
    deed: str = ""
    arguments: tuple[str, ...] = ()
    says: str = ""  # an error text that reveals as much as a result

    @property
    def name(self) -> str:
        return self.sql or f"{self.deed} {' '.join(self.arguments)}"


def sql(guards: str, text: str, says: str = "") -> Attack:
    return Attack(frozenset(guards.split()), text, says=says)


def deed(guards: str, name: str, *arguments: str) -> Attack:
    return Attack(frozenset(guards.split()), deed=name, arguments=arguments)


COPY = "COPY (SELECT 42 AS a) TO '{spill}/x.csv' (USE_TMP_FILE false)"
RUN = "json_serialize_sql($$SELECT 42$$)"

# Statements. The kernel and DuckDB allow writes only to paths in {spill}.
STATEMENTS = (
    # More than one SELECT, or other statements.
    sql("statement", "SELECT 1; SELECT 2"),
    sql("statement", COPY),
    sql("statement", f"SELECT 1; {COPY}"),
    sql("statement", "COPY (PIVOT made ON number) TO '{spill}/p.csv'"),
    sql("statement", f"PREPARE p AS {COPY}; EXECUTE p"),
    sql("statement", f"EXPLAIN ANALYZE {COPY}"),
    sql("statement", f"EXPLAIN (ANALYZE) {COPY}"),
    sql("statement", "SET VARIABLE n = 2"),
    sql("statement", "CREATE TEMP TABLE t AS SELECT 1"),
    sql("statement", "CREATE TEMP MACRO m() AS 1"),
    sql("statement", "CREATE TABLE memory.t2 AS SELECT 1"),
    sql("statement", "CREATE VIEW memory.v AS SELECT 1"),
    sql("statement", "CREATE TEMP SEQUENCE q"),
    sql("statement", "CREATE TYPE memory.mood AS ENUM ('a')"),
    sql("statement", "CREATE SCHEMA memory.s"),
    sql("statement", "ATTACH ':memory:' AS other"),
    sql("statement", "ATTACH '{spill}/new.duckdb' AS written (READ_WRITE)"),
    sql("statement", "CALL pragma_version()"),
    sql("statement", "PRAGMA database_list"),
    sql("statement", "PRAGMA version"),
    sql("statement", "BEGIN; ROLLBACK"),
    sql("statement", "USE memory; USE lake"),
    sql("statement", "VACUUM"),
    sql("statement", "PIVOT made ON number USING count(*)"),
    sql("statement", "DEALLOCATE p"),
    # Settings: each needs a statement, and an unlocked configuration.
    sql("statement settings", "SET threads = 3"),
    sql("statement settings", "SET memory_limit = '1TB'"),
    sql("statement settings", "SET max_temp_directory_size = '1TB'"),
    sql("statement settings", "SET GLOBAL python_enable_replacements = true"),
    sql("statement settings", "SET log_query_path = '{spill}/log'"),
    sql("statement settings", "CALL enable_logging()"),
    sql("settings", "SHOW temp_directory"),
    # Statements within a SELECT.
    sql("kinds", f"WITH x AS ({COPY}) SELECT 1"),
    sql("kinds", f"((WITH x AS ({COPY}) SELECT 1))"),
    sql("kinds", f"EXPLAIN ANALYZE WITH x AS ({COPY}) SELECT 1"),
    sql("kinds", "WITH x AS (/* */ copy/**/(SELECT 1) TO '{spill}/y.csv') FROM made"),
    sql("kinds", "WITH x AS MATERIALIZED (COPY (SELECT 1) TO '{spill}/m.parquet') SELECT 1"),
    # Functions that run SQL from a text.
    sql("functions", f"FROM json_execute_serialized_sql({RUN})"),
    sql("functions", f'FROM "JSON_execute_serialized_sql" ({RUN})'),
    sql("functions", "FROM query('SELECT 42')"),
    sql("functions", "FROM query('FROM duckdb_settings()')"),
    sql("functions", "FROM query_table('made')"),
    sql("functions", "FROM query_table(['made', 'made'])"),
    sql("functions", f"FROM destroy_external_resource('json_execute_serialized_sql', {RUN})"),
    sql(
        "functions",
        "FROM destroy_external_resource('json_execute_serialized_sql',"
        " json_serialize_sql($$WITH x AS (COPY (SELECT 42) TO '{spill}/d.csv') SELECT 1$$))",
    ),
    sql("functions", "FROM destroy_external_resource('glob', '{part}')"),
    sql("functions", "SELECT json_serialize_plan('FROM made')"),
    sql("functions", "SELECT json_deserialize_sql(json_serialize_sql('SELECT 42'))"),
    sql("functions", "FROM histogram('made', 'number')"),
    sql("functions", "FROM (SELECT 1) t(a), LATERAL (FROM query('SELECT 42'))"),
    sql("functions", "SELECT 'SELECT 42'.json_serialize_sql()"),
    sql("functions", "WITH a AS (FROM query('SELECT 42')) SELECT (SELECT count(*) FROM a)"),
    sql("functions", "EXPLAIN ANALYZE FROM query('SELECT 42')"),
    sql("functions", "DESCRIBE FROM query('SELECT 42')"),
    sql("functions", "SUMMARIZE FROM query('SELECT 42')"),
    sql("functions", "PIVOT (FROM query('SELECT 42 AS a')) ON a IN (42) USING count(*)"),
    # Functions that reveal facts about the process and its files, or change state.
    sql("functions", "FROM glob('{part}')"),
    sql("functions", "SELECT current_setting('temp_directory')"),
    sql("functions", "FROM duckdb_settings()"),
    sql("functions", "FROM duckdb_secrets()"),
    sql("functions", "FROM which_secret('s3://a', 's3')"),
    sql("functions", "FROM duckdb_databases()"),
    sql("functions", "FROM duckdb_temporary_files()"),
    sql("functions", "FROM duckdb_variables()"),
    sql("functions", "FROM duckdb_logs()"),
    sql("functions", "FROM pragma_database_size()"),
    sql("functions", "FROM pragma_storage_info('made')"),
    sql("functions", "FROM duckdb_external_file_cache()"),
    sql("functions", "FROM truncate_duckdb_logs()"),
    sql("functions", "FROM checkpoint()"),
    sql("functions", "SELECT write_log('x')"),
    sql("functions", "SELECT sleep_ms(1)"),
    sql("functions", "SELECT getvariable('x')"),
    sql("functions", "SELECT setseed(0.5)"),
    sql("functions", "SELECT txid_current()"),
    sql("functions", "FROM test_all_types()"),
    # Tables of the system.
    sql("tables", "FROM duckdb_databases"),
    sql("tables", "FROM pragma_database_list"),
    sql("tables", "FROM system.main.duckdb_databases"),
    sql("tables", "FROM pg_catalog.pg_settings"),
    sql("tables", "FROM pg_settings"),
    sql("tables", "SHOW DATABASES"),
    sql("tables", "SHOW VARIABLES"),
    sql("tables", "DESCRIBE duckdb_databases"),
    # Files that a reading function or a quoted name could open.
    sql("paths files", "SELECT hex(content) FROM read_blob('{lake}/secret')"),
    sql("paths files", "SELECT content FROM read_text('{lake}/salts')"),
    sql("paths files", "SELECT content FROM read_text('{lake}/quarantine/job')"),
    sql("paths files", "FROM read_csv('{lake}/pending/0001', header := false)"),
    sql("paths files", "FROM read_csv('{lake}/s*', header := false)"),
    sql("paths files", "FROM read_blob(['{part}', '{lake}/salts'])"),
    sql("paths files", "FROM read_text('{lake}/data/../salts')"),
    sql("paths files", "FROM read_text('{lake}/./salts')"),
    sql("paths files", "FROM read_csv('{outside}/names.csv')"),
    sql("paths files", "FROM '{outside}/names.csv'"),
    sql("paths files", "FROM read_json('{outside}/names.json')"),
    sql("paths files", "FROM '{outside}/names.parquet'"),
    sql("paths files", "FROM parquet_schema('{outside}/names.parquet')"),
    sql("paths files", "FROM parquet_metadata('{outside}/names.parquet')"),
    sql("paths files", "FROM parquet_kv_metadata('{outside}/names.parquet')"),
    sql("paths files", "FROM read_parquet(['{part}', '{outside}/names.parquet'], union_by_name := true)"),
    sql("paths files", "FROM sniff_csv('{outside}/names.csv')"),
    sql("paths files", "DESCRIBE FROM '{outside}/names.csv'"),
    sql("paths files", "SUMMARIZE '{outside}/names.csv'"),
    sql("paths files", "SELECT EXISTS (FROM '{outside}/names.csv')"),
    sql("paths files", "EXPLAIN FROM '{outside}/names.csv'"),
    sql("paths files", "PIVOT '{outside}/names.csv' ON a IN (1) USING count(*)"),
    sql("paths files", "SELECT [x FOR x IN (SELECT list(a) FROM '{outside}/names.csv')]"),
    sql("paths files", "FROM read_text('{outside}/link')"),
    sql("paths files", "FROM read_blob('{outside}/../{outside_name}/names.csv')"),
    sql(
        "files", "FROM read_blob('{catalog}')"
    ),  # DuckDB allows reading the file of an open database, which is the snapshot's
    sql("paths files", "FROM read_blob('{retired}')"),
    # Whether a file exists: DuckDB gives a different error for a file that exists.
    sql("paths", "FROM read_text('{outside}/names.csv')", "Permission denied"),
    sql("paths", "FROM read_text('{outside}/nothing.csv')"),
    # Writing to files that may be read.
    sql("statement files", "COPY (SELECT 42 AS a) TO '{named}/names.csv' (USE_TMP_FILE false)"),
    sql("kinds files", "WITH x AS (COPY (SELECT 42 AS a) TO '{named}/names.csv' (USE_TMP_FILE false)) SELECT 1"),
    sql("kinds files", "WITH x AS (COPY (SELECT 42 AS a) TO '{victim}' (FORMAT parquet, USE_TMP_FILE false)) SELECT 1"),
    sql("statement paths files", "COPY (SELECT 42 AS a) TO '{lake}/new.csv'"),
    sql(
        "functions files",
        "FROM destroy_external_resource('json_execute_serialized_sql',"
        " json_serialize_sql($$WITH x AS (COPY (SELECT 42) TO '{named}/d.csv') SELECT 1$$))",
    ),
)

# Stopped by several guards at once: by DuckDB itself, by the way in which the catalog is opened, or since DuckDB lacks the feature.
OTHERS = (
    "FROM duckdb_extensions()",
    "EXPORT DATABASE '{spill}/export'",
    "RESET memory_limit",
    "PRAGMA profiling_output = '{spill}/profile'",
    "INSERT INTO made VALUES (2)",
    "WITH x AS (INSERT INTO made VALUES (2) RETURNING *) FROM x",
    "UPDATE made SET number = 2",
    "DELETE FROM made",
    "TRUNCATE made",
    "DROP VIEW pages",
    "ALTER TABLE made RENAME TO other",
    "MERGE INTO made USING made AS x ON true WHEN MATCHED THEN DELETE",
    "CREATE PERSISTENT SECRET s (TYPE http)",
    "CREATE SECRET s (TYPE s3)",
    "DROP SECRET x",
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD '{spill}/evil.duckdb_extension'",
    "UPDATE EXTENSIONS",
    "SET enable_external_access = true",
    "SET allowed_directories = ['/']",
    "SET allowed_paths = ['{lake}/secret']",
    "SET lock_configuration = false",
    "RESET enable_external_access",
    "SET secret_directory = '{spill}'",
    "SET temp_directory = '{lake}'",
    "ATTACH '{catalog}' AS again (READ_WRITE)",
    "ATTACH 'http://127.0.0.1/x.duckdb' AS w",
    "IMPORT DATABASE '{lake}/data'",
    "COPY FROM DATABASE lake TO memory",
    "ALTER DATABASE lake SET ALIAS TO x",
    "DETACH lake",
    "PRAGMA json_execute_serialized_sql('{{}}')",
    "CALL enable_logging(storage='file', storage_path='{lake}/log')",
    "CALL force_checkpoint(lake)",
    "SELECT getenv('HOME')",
    "FROM read_parquet('https://example.com/x.parquet')",
    "FROM 's3://bucket/x.parquet'",
    "FROM 'https://example.com/x.csv'",
    "FROM read_csv('/dev/tcp/127.0.0.1/80')",
    "FROM read_duckdb('{catalog}', table_name := 'made')",
    "FROM connection",
    "FROM asked",
    "FROM snapshot",
    "SELECT * FROM told",
    "FROM python_map_function(TABLE made)",
    "FROM pandas_scan(0)",
    "FROM arrow_scan(0, 0, 0)",
    "FROM python_arrow_scan(0)",
    "FROM add_grammar_extension('x')",
    "SELECT nextval('q')",
    "FROM create_external_resource('x', map {{}})",
    "FROM register_external_resource('x', 'y', map {{}}, 'u', 'd', 'json_execute_serialized_sql')",
    "FROM query('FROM read_text(''{lake}/secret'')')",
)

_libc = ctypes.CDLL(None, use_errno=True)


def _called(name: str, *arguments: Any) -> int:
    found: int = getattr(_libc, name)(*arguments)
    if found < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return found


def _read(path: str) -> str:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, 100).hex()
    finally:
        os.close(descriptor)


def _write(path: str) -> int:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        return os.write(descriptor, b"owned")
    finally:
        os.close(descriptor)


def _empty(path: str) -> None:
    os.close(os.open(path, os.O_RDONLY | os.O_TRUNC))


def _fork() -> int:
    if not (child := os.fork()):
        os._exit(0)
    return os.waitpid(child, 0)[1]


def _signal_by_descriptor(parent: str) -> None:
    """Have the kernel send a signal to another process when a pipe of this process is readable."""
    reader, writer = os.pipe()
    fcntl.fcntl(reader, fcntl.F_SETOWN, int(parent))


def _listen() -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0logagg-attack")


def _connect() -> None:
    with socket.socket() as client:
        client.connect_ex(("127.0.0.1", 9))


def _allocate() -> int:
    return len(bytearray(3 << 30))


def _outlive() -> int:
    return _called("prctl", 1, 0, 0, 0, 0)


def _uring() -> int:
    return _called("syscall", ctypes.c_long(425), ctypes.c_long(1), ctypes.create_string_buffer(128))


DEEDS: dict[str, Callable[..., object]] = {
    "read": _read,
    "list": os.listdir,
    "write": _write,
    "empty": _empty,
    "truncate": lambda path: os.truncate(path, 0),
    "remove": os.unlink,
    "rename": os.rename,
    "link": os.link,
    "symlink": os.symlink,
    "mkdir": os.mkdir,
    "rmdir": os.rmdir,
    "fifo": os.mkfifo,
    "chmod": lambda path: os.chmod(path, 0o666),
    "chown": lambda path: os.chown(path, 12345, 12345),
    "touch": lambda path: os.utime(path, (0, 0)),
    "label": lambda path: os.setxattr(path, "user.owned", b"1"),
    "enter": os.chdir,
    "fork": _fork,
    "run": lambda path: subprocess.run([path], check=True),
    "signal": lambda process: os.kill(int(process), 0),
    "signal_by_descriptor": _signal_by_descriptor,
    "listen": _listen,
    "connect": _connect,
    "udp": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close(),
    "socketpair": lambda: [one.close() for one in socket.socketpair()],
    "allocate": _allocate,
    "outlive": _outlive,
    "uring": _uring,
    "nice": lambda: os.nice(1),
    "umask": lambda: os.umask(0o77),
    "become": lambda: os.setgid(os.getgid()),
}

# Deeds of a process in which the attacker's machine code runs.
DEEDS_TRIED = (
    deed("files", "read", "{lake}/secret"),
    deed("files", "read", "{lake}/salts"),
    deed("files", "read", "{catalog}"),
    deed("files", "read", "{outside}/names.csv"),
    deed("files", "read", "/proc/self/environ"),
    deed("files", "read", "/etc/hostname"),
    deed("files", "list", "{lake}"),
    deed("files", "list", "/"),
    deed("files", "write", "{lake}/new"),
    deed("files", "write", "{victim}"),
    deed("files", "write", "{named}/names.csv"),
    deed("files", "empty", "{named}/names.csv"),
    deed("files syscalls", "truncate", "{victim}"),
    deed("files syscalls", "rename", "{outside}/names.json", "{outside}/moved.json"),
    deed("files syscalls", "link", "{lake}/secret", "{spill}/stolen"),
    deed("files syscalls", "symlink", "{lake}/secret", "{spill}/link"),
    deed("files syscalls", "mkdir", "{spill}/directory"),
    deed("files syscalls", "fifo", "{spill}/fifo"),
    deed("files", "remove", "{outside}/removed"),
    deed("files syscalls", "rmdir", "{outside}/empty"),
    deed("files syscalls", "run", "/bin/true"),
    deed("files syscalls", "signal", "{parent}"),
    deed("syscalls", "listen"),
    deed("syscalls", "chmod", "{lake}/secret"),
    deed("syscalls", "chmod", "{victim}"),
    deed("syscalls", "touch", "{victim}"),
    deed("syscalls", "enter", "/"),
    deed("syscalls", "fork"),
    deed("syscalls", "signal_by_descriptor", "{parent}"),
    deed("syscalls", "connect"),
    deed("syscalls", "udp"),
    deed("syscalls", "socketpair"),
    deed("syscalls", "outlive"),
    deed("syscalls", "uring"),
    deed("syscalls", "nice"),
    deed("syscalls", "umask"),
    deed("syscalls", "become"),
    deed("resources", "allocate"),
)

ATTACKS = (*STATEMENTS, *DEEDS_TRIED)
