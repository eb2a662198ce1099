"""A condition of `logagg lines` stays one condition, and may do no more than a query of `logagg sql`."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from logagg.errors import LogaggError
from logagg.query.sandbox import QueryLimits, Sandbox
from logagg.query.sandbox_sql import CONDITION, check, with_condition
from tests.security.conftest import SECRET, Place, made, spill_into

QUERY = f"SELECT number FROM made WHERE number < 2 AND {CONDITION} ORDER BY number LIMIT 5"
LIMITS = QueryLimits(seconds=60, memory=256 << 20, rows=1000)

# More than a condition, each of which would show more than the condition beside it permits.
BROKEN_OUT = (
    "true) OR (true",
    "true) UNION SELECT 42 FROM made WHERE (true",
    "true)) -- ",
    "true) --",
    "true /* ",
    "true */ ) /*",
    "true UNION SELECT 42",
    "true UNION ALL SELECT number FROM made",
    "true; SELECT 42",
    "true;",
    "true); COPY made TO '{spill}/x.csv'; SELECT (true",
    "true AS x",
    "true x",
    "true, true",
    "true FROM made",
    "true FROM read_text('{outside}/names.csv')",
    "true LIMIT 1",
    "true ORDER BY 1 OFFSET 1",
    "true GROUP BY ALL",
    "true QUALIFY true",
    "true WINDOW w AS ()",
    "true USING SAMPLE 1",
    "DISTINCT true",
    "*",
    "x := true",
    "$condition",
    "",
    " \n",
    "true\0) OR (true",
    "'",
    '"',
    "$$",
    "E'\\",
    "(" * 2000,
    "true" + " AND (true" * 500 + ")" * 501,
)
# One condition, of what the sandbox runs for nobody.
FORBIDDEN = (
    "EXISTS (FROM '{outside}/names.csv')",
    "EXISTS (FROM '{lake}/secret')",
    "(SELECT content FROM read_text('{outside}/names.csv')) LIKE '%a%'",
    "number IN (SELECT a FROM read_csv('{outside}/names.csv'))",
    "getenv('HOME') <> ''",
    "current_setting('temp_directory') <> ''",
    "(SELECT count(*) FROM glob('/etc/*')) > 0",
    "nextval('s') > 0",
    "EXISTS (FROM duckdb_secrets())",
    "EXISTS (FROM query('SELECT 42'))",
    "json_execute_serialized_sql('x') IS NULL",
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return made(tmp_path_factory.mktemp("attacked"))


@pytest.fixture
def unchanged(shared: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    before = shared.tree()
    spill_into(shared, monkeypatch)
    yield shared
    assert shared.tree() == before
    assert not shared.spill.exists()


def answer(place: Place, condition: str) -> list[list[int]]:
    query = QUERY.replace("number < 2", "number < 9")
    with Sandbox(place.lake, limits=LIMITS).run(query, condition=condition) as found:
        return [list(row) for row in found.rows()]


@pytest.mark.parametrize("condition", BROKEN_OUT)
def test_more_than_a_condition_is_refused_before_it_runs(condition: str) -> None:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE made AS SELECT 1 AS number UNION SELECT 3")
        with pytest.raises((LogaggError, duckdb.Error)):
            connection.execute(check(connection, with_condition(connection, QUERY, condition)).text)


@pytest.mark.parametrize("condition", [one for one in BROKEN_OUT if one] + list(FORBIDDEN))
def test_no_condition_gets_out_of_the_sandbox(unchanged: Place, condition: str) -> None:
    if condition == "*":
        condition = "made.*"
    with pytest.raises(LogaggError) as failure:
        answer(unchanged, unchanged.filled(condition) if "{" in condition else condition)
    said = str(failure.value)
    assert SECRET.decode() not in said and "internal" not in said and "\n" not in said


@pytest.mark.parametrize(
    "condition",
    [
        "true",
        "number = 2 AND number <> 3",
        "number IN (SELECT number FROM made)",
        "'a -- b' <> 'c /* d */ ) OR ('",
        "$$;$$ <> $x$)$x$",
        "CASE WHEN number > 0 THEN true END",
        "number\n=\n2",
        f"'{CONDITION}' <> ''",
    ],
)
def test_one_condition_is_run(unchanged: Place, condition: str) -> None:
    assert answer(unchanged, condition) == [[2]]


def test_a_condition_is_beside_the_others(unchanged: Place) -> None:
    with Sandbox(unchanged.lake, limits=LIMITS).run(QUERY, condition="false OR true") as found:
        assert list(found.rows()) == []
