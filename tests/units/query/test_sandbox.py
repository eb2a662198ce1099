"""The results of queries in the sandbox. (Attacks: `tests/security`.)"""

from __future__ import annotations

import math
import threading
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from logagg.errors import LakeError, LimitReached, LogaggError, QueryFailed, QueryRefused
from logagg.query.render import plain
from logagg.query.sandbox import QueryLimits, Sandbox
from tests.units.query.conftest import write_catalog


def answers(root: Path, query: str, *readable: Path, limits: QueryLimits | None = None) -> list[list[object]]:
    with Sandbox(root, readable=readable, limits=limits).run(query) as answer:
        return [list(row) for row in answer.rows()]


@pytest.mark.slow
@pytest.mark.parametrize(
    "query",
    [
        "FROM traffic ORDER BY hits DESC LIMIT 1 -- as a comment",
        "WITH x AS (FROM pages) FROM x;",
        "DESCRIBE pages",
        "SUMMARIZE pages",
        "SHOW TABLES",
        "EXPLAIN FROM pages",
        "EXPLAIN ANALYZE FROM pages",
        "explain /* why */ analyze -- it\n FROM pages",
        "PIVOT pages ON path IN ('/1', '/2') USING sum(views)",
        "UNPIVOT (SELECT 1 AS a, 2 AS b) ON a, b",
        "FROM pragma_table_info('made')",
        "FROM information_schema.tables",
        "FROM duckdb_views() WHERE NOT internal",
        "VALUES (1), (2)",
        "SELECT 'copy' AS \"copy\"",
        "SELECT ts, ctr(1, 2), uniques(visitors) OVER () FROM pages",
        "WITH RECURSIVE n AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM n WHERE a < 5) FROM n",
    ],
)
def test_queries_that_read_are_answered(root: Path, query: str) -> None:
    if "OVER ()" in query:
        query = query.replace("uniques(visitors) OVER ()", "sum(views) OVER ()")
    assert answers(root, query)


VALUES = (
    "170141183460469231731687303715884105727::HUGEINT",
    "sum(1)",
    "'12:00:00+02'::TIMETZ",
    "'1010'::BIT",
    "INTERVAL '3 months 90 seconds'",
    "'infinity'::TIMESTAMP",
    "'-infinity'::DATE",
    "'290000-01-01'::DATE",
    "TIMESTAMP_NS '2020-01-01 00:00:00.123456789'",
    "TIMESTAMPTZ '2020-01-01 00:00:00.5+01'",
    "'a'::ENUM('a', 'b')",
    "map {'a': [INTERVAL 1 DAY]}",
    "{'time': 'no time', 'b': [{'value': 1}]}",
    "union_value(a := 1)",
    "[1, NULL]::INT[2]",
    "NULL",
    "'{\"a\": 1}'::JSON",
    "1.50::DECIMAL(10, 2)",
    "'\\xFF'::BLOB",
    "123456789012345678901234567890123456789012::BIGNUM",
    "42::VARIANT",
    "'nan'::DOUBLE",
    "'f2a3b27a-d05d-41bd-b897-617fed5a04dd'::UUID",
    "'a ''quoted'' \u202e text'",
    "18446744073709551615::UBIGINT",
)


@pytest.fixture(scope="module")
def plainly() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def test_values_are_those_of_duckdb(root: Path, plainly: duckdb.DuckDBPyConnection) -> None:
    query = f"SELECT {', '.join(VALUES)}"
    [expected], [found] = plainly.execute(query).fetchall(), answers(root, query)
    for text, one, other in zip(VALUES, expected, found, strict=True):
        assert plain(one) == plain(other), text
        assert isinstance(one, datetime) == isinstance(other, datetime), text


@pytest.mark.slow
@pytest.mark.parametrize("value", VALUES)
def test_values_in_columns_are_those_of_duckdb(root: Path, plainly: duckdb.DuckDBPyConnection, value: str) -> None:
    with Sandbox(root).run(f"SELECT 1 AS v, {value} AS v", arrow=True) as answer:
        [batch] = answer.batches()
    assert answer.columns == ("v", "v") and batch.num_rows == 1
    text = plainly.execute(f"SELECT {value}::VARCHAR").fetchall()[0][0]
    if batch.schema[1].type == "string":
        assert batch[1].to_pylist() == [text]


def test_times_are_in_utc(root: Path) -> None:
    assert answers(root, "SELECT min(ts) FROM pages") == [[datetime(2026, 11, 24, 12, tzinfo=UTC)]]


@pytest.mark.slow
def test_the_newest_snapshot_is_queried(root: Path) -> None:
    sandbox = Sandbox(root)
    for number in (1, 2):
        with sandbox.run("FROM made") as answer:
            assert list(answer.rows()) == [[number]]
        write_catalog(root, number + 1)


@pytest.mark.slow
def test_files_that_were_named_can_be_joined(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names, folder = tmp_path / "na'mes.csv", tmp_path / "folder"
    names.write_text("campaign,name\nc,Copper\n")
    folder.mkdir()
    (folder / "more.csv").write_text("campaign,name\nc,Tin\n")
    (tmp_path / "link.csv").symlink_to(names)
    monkeypatch.chdir(tmp_path)
    query = "SELECT DISTINCT name FROM ads JOIN {} USING (campaign)"
    assert answers(root, query.format(f"'{str(names).replace(chr(39), chr(39) * 2)}'"), names) == [["Copper"]]
    assert answers(root, query.format("'na''mes.csv'"), Path("na'mes.csv")) == [["Copper"]]
    assert answers(root, query.format("'link.csv'"), Path("link.csv")) == [["Copper"]]
    assert answers(root, query.format("read_csv('folder/*.csv')"), folder) == [["Tin"]]
    assert answers(root, query.format(f"'{folder}/more.csv'"), Path("folder")) == [["Tin"]]


@pytest.mark.slow
def test_errors_are_reported_in_one_line(root: Path, tmp_path: Path) -> None:
    for query, message in (
        ("SELEC 1", "Parser Error: syntax error .*LINE 1: SELEC 1"),
        ("FROM nothing", "Table with name nothing does not exist"),
        ("SELECT 'a'::INT", "Could not convert string 'a'"),
        ("FROM read_csv('nothing.csv')", "Cannot access file"),
    ):
        with pytest.raises(QueryFailed, match=message) as failure:
            answers(root, query)
        assert "\n" not in str(failure.value)
    with pytest.raises(LogaggError, match="no query"):
        answers(root, " -- nothing\n")
    with pytest.raises(LakeError, match="no lake there"):
        answers(tmp_path / "nowhere", "SELECT 1")
    with pytest.raises(QueryRefused, match="COPY is not run; a query is one SELECT"):
        answers(root, "COPY (SELECT 1) TO 'x'")
    with pytest.raises(QueryFailed, match="expression depth"):
        answers(root, f"SELECT 1{' + 1' * 3000}")
    assert answers(root, f"SELECT 1{' + 1' * 900}") == [[901]]


@pytest.mark.slow
def test_limits(root: Path) -> None:
    endless = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range % 7 = 3"
    with pytest.raises(LimitReached, match="longer than 0.3 s; .* --timeout"):
        answers(root, endless, limits=QueryLimits(seconds=0.3))
    with pytest.raises(LimitReached, match="more than 64 MB; .* --memory"):
        answers(root, "SELECT length(repeat('x', 3000000000))", limits=QueryLimits(memory=64 << 20))
    with pytest.raises(LimitReached, match="more than 5 rows; .* --rows"):
        answers(root, "FROM range(10)", limits=QueryLimits(rows=5))
    assert len(answers(root, "FROM range(10)", limits=QueryLimits(rows=10))) == 10
    assert len(answers(root, "FROM range(10)", limits=QueryLimits(seconds=0, rows=0))) == 10
    with pytest.raises(LogaggError, match="64MB or more"):
        Sandbox(root, limits=QueryLimits(memory=1))


@pytest.mark.slow
def test_data_beyond_memory_is_spilled_and_removed(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "spill"
    place.mkdir()
    monkeypatch.setattr("logagg.spill.tempfile.tempdir", str(place))
    query = "SELECT range AS a, repeat('x', 300) AS b FROM range(500000) ORDER BY hash(range)"
    seen = set()
    with Sandbox(root, limits=QueryLimits(memory=128 << 20)).run(query) as answer:
        assert next(iter(answer.rows()))
        for path in place.iterdir():
            seen |= {(path.stat().st_mode & 0o777, any(path.iterdir()))}
    assert seen == {(0o700, True)} and not any(place.iterdir())


def test_a_query_is_cancelled_from_another_thread(root: Path) -> None:
    with Sandbox(root).run("FROM range(100000000)") as answer:
        threading.Timer(0.1, answer.cancel).start()
        with pytest.raises((QueryFailed, LimitReached)):
            for _ in answer.rows():
                pass


def test_the_time_of_a_slow_reader_does_not_count_against_the_query(root: Path) -> None:
    with Sandbox(root, limits=QueryLimits(seconds=30)).run("FROM range(100000)") as answer:
        answer._left = math.inf  # if no process waits, the time left does not decrease
        assert sum(1 for _ in answer.rows()) == 100_000
