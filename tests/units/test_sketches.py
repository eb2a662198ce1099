"""The macros of a catalog, compared with plain counts in Python."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logagg.sketches import GAMMA, LOWEST, MACROS

Row = tuple[str, int | None, int | None]  # path, bucket, hits
HIGHEST = 569  # the bucket of a day, the longest duration
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["/", "/a", "/b"]),
        st.none() | st.integers(LOWEST, HIGHEST) | st.integers(0, 3),
        st.none()
        | st.integers(-2, 9)
        | st.integers(0, 2**34),  # small enough that no quotient is rounded to a quantile
    ),
    max_size=30,
)
QUANTILES = st.sampled_from(["0", "0.07", "0.29", "0.5", "0.95", "0.999", "1"])


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE latency (site VARCHAR, path VARCHAR, bucket SMALLINT, hits BIGINT)")
        for macro in MACROS:
            connection.execute(macro)
        yield connection


def fill(connection: duckdb.DuckDBPyConnection, rows: Sequence[Row]) -> None:
    connection.execute("DELETE FROM latency")
    if rows:
        connection.executemany("INSERT INTO latency VALUES ('shop', ?, ?, ?)", rows)


def one(connection: duckdb.DuckDBPyConnection, query: str) -> object:
    [(found,)] = connection.execute(query).fetchall()
    return found


def quantile(q: str, counted: list[tuple[int | None, int | None]]) -> float | None:
    """Return the seconds of the first bucket up to which there is at least a fraction q of the hits."""
    rows = sorted((bucket, hits) for bucket, hits in counted if bucket is not None and hits is not None and hits > 0)
    upto, total = 0, sum(hits for _, hits in rows)
    for bucket, hits in rows:
        upto += hits
        if upto >= Fraction(q) * total:
            return 0.0 if bucket <= LOWEST else 2 * GAMMA**bucket / (GAMMA + 1)
    return None


@given(rows=ROWS, q=QUANTILES)
@pytest.mark.slow
def test_latency_p_is_a_plain_count(connection: duckdb.DuckDBPyConnection, rows: Sequence[Row], q: str) -> None:
    fill(connection, rows)
    for value in (q, f"{q}::DOUBLE"):
        found = dict(
            connection.execute(f"SELECT path, latency_p({value}, bucket, hits) FROM latency GROUP BY path").fetchall()
        )
        expected = {path: quantile(q, [row[1:] for row in rows if row[0] == path]) for path, _, _ in rows}
        assert found == pytest.approx(expected)
        whole = one(connection, f"SELECT latency_p({value}, bucket, hits) FROM latency")
        assert whole == pytest.approx(quantile(q, [row[1:] for row in rows]))
        assert one(connection, f"SELECT latency_quantile({value})") == whole


SOME: list[Row] = [("/", 1, 10), ("/", 5, 6), ("/", 1, 3), ("/a", 9, 1), ("/a", 7, 99), ("/a", None, 5), ("/b", 4, 0)]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT path FROM latency GROUP BY path HAVING latency_p(0.5, bucket, hits) > latency_seconds(6)",
        "SELECT path FROM latency GROUP BY path ORDER BY latency_p(0.5, bucket, hits) DESC NULLS LAST LIMIT 1",
        "SELECT path FROM latency GROUP BY ALL HAVING latency_p($q, bucket, hits) = latency_seconds(7)",
        "SELECT any_value(path) FROM latency GROUP BY ROLLUP (path) "
        "HAVING path = '/a' AND latency_p(0.99, bucket, hits) = latency_seconds(7)",
    ],
)
def test_latency_p_works_wherever_an_aggregate_does(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    fill(connection, SOME)
    assert connection.execute(query, {"q": 0.5} if "$q" in query else None).fetchall() == [("/a",)]


def test_latency_p_of_some_rows_and_of_columns_of_any_name(connection: duckdb.DuckDBPyConnection) -> None:
    fill(connection, SOME)
    assert one(connection, "SELECT latency_p(1, CASE WHEN path = '/' THEN bucket END, hits) FROM latency") == one(
        connection, "SELECT latency_seconds(5)"
    )
    for names in ("x, s", "q, bucket", "hits, q", "below, step", '"row", found'):
        query = f"SELECT latency_p(1, {names}) = latency_seconds(9) FROM (SELECT bucket, hits FROM latency) t({names})"
        assert one(connection, query) is True, names


def test_latency_p_counts_hits_beyond_64_bits(connection: duckdb.DuckDBPyConnection) -> None:
    fill(connection, [("/", bucket, 2**62) for bucket in range(1, 101)])
    assert one(connection, "SELECT latency_p(0.95, bucket, hits) = latency_seconds(95) FROM latency") is True


def test_latency_p_refuses_an_invalid_quantile(connection: duckdb.DuckDBPyConnection) -> None:
    fill(connection, SOME)
    for q in ("95", "-0.01", "1.01", "'nan'::DOUBLE"):
        with pytest.raises(duckdb.InvalidInputException, match="q is between 0 and 1, such as 0.95"):
            one(connection, f"SELECT latency_p({q}, bucket, hits) FROM latency")
    assert one(connection, "SELECT latency_p(NULL, bucket, hits) FROM latency") is None
    assert one(connection, "SELECT latency_p(0.5, bucket, hits) FROM latency WHERE false") is None


def test_latency_quantile_is_of_all_rows_or_fails(connection: duckdb.DuckDBPyConnection) -> None:
    fill(connection, SOME)
    whole = one(connection, "SELECT latency_seconds(7)")
    for query in (
        "SELECT latency_quantile(0.5)",
        "SELECT latency_quantile(0.5) FROM latency",
        "SELECT DISTINCT (SELECT latency_quantile(0.5)) FROM latency",
    ):
        assert one(connection, query) == whole, query
    for query in (
        "SELECT path, latency_quantile(0.5) FROM latency GROUP BY path",
        "SELECT path, latency_quantile(0.5) FROM latency WHERE path <> '/' GROUP BY path",
        "SELECT latency_quantile(0.5) FROM latency WHERE path = '/'",
    ):
        with pytest.raises(duckdb.InvalidInputException, match=r"of these rows or groups it is latency_p\(q, "):
            connection.execute(query)
    with pytest.raises(duckdb.BinderException):
        connection.execute("SELECT path, latency_quantile(0.5) FROM latency")


def test_latency_quantile_is_a_table_by_path(connection: duckdb.DuckDBPyConnection) -> None:
    fill(connection, SOME)
    query = "SELECT path, hits, seconds = latency_seconds(7) FROM latency_quantile(0.5) ORDER BY path"
    assert connection.execute(query).fetchall() == [("/", 19, False), ("/a", 105, True), ("/b", 0, None)]


@given(values=st.lists(st.none() | st.integers(-(2**59), 2**59), max_size=9))
def test_total_is_a_sum_of_64_bits(connection: duckdb.DuckDBPyConnection, values: list[int | None]) -> None:
    found = connection.execute("SELECT total(x), typeof(total(x)) FROM (SELECT unnest($1::BIGINT[]) AS x)", [values])
    known = [value for value in values if value is not None]
    assert found.fetchall() == [(sum(known) if known else None, "BIGINT")]


def test_a_total_beyond_64_bits_fails(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(duckdb.ConversionException, match="9223372036854775808 can't be cast .* out of range .* INT64"):
        one(connection, "SELECT total(x) FROM (VALUES (9223372036854775807), (1)) t(x)")


@given(rows=ROWS)
@pytest.mark.slow
def test_shares_add_up_to_one(connection: duckdb.DuckDBPyConnection, rows: Sequence[Row]) -> None:
    fill(connection, [(path, bucket, hits and abs(hits)) for path, bucket, hits in rows])
    found = connection.execute(
        "SELECT share(hits), sum(hits) FROM latency GROUP BY path ORDER BY share(hits) DESC NULLS LAST, path"
    ).fetchall()
    whole = sum(hits for _, hits in found if hits is not None)
    for share, hits in found:
        assert share == (pytest.approx(hits / whole) if whole and hits is not None else None)
    assert sum(share for share, _ in found if share is not None) == pytest.approx(1 if whole else 0)
