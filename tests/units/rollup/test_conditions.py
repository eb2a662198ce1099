"""Built-in conditions agree with the same conditions in SQL, on any events."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logagg.rollup.columns import Columns
from logagg.rollup.conditions import AtLeast, Both, Condition, Either, NotNull, OneOf, Sql, decide

KINDS = st.none() | st.sampled_from(["pageview", "click", "other", ""])
EVENTS = st.lists(st.tuples(KINDS, st.integers(100, 999), st.none() | st.floats(0, 10)))
PAGEVIEW, ERROR = OneOf("kind", ("pageview",)), AtLeast("status", 400)


@pytest.fixture(scope="module")
def db() -> Iterator[duckdb.DuckDBPyConnection]:
    """One database for all examples: opening it takes longer than a query."""
    with duckdb.connect(config={"threads": 1}) as db:
        yield db


@pytest.mark.parametrize(
    ("condition", "sql"),
    [
        (PAGEVIEW, "kind = 'pageview'"),
        (OneOf("kind", ("click", "pageview")), "kind IN ('click', 'pageview')"),
        (ERROR, "status >= 400"),
        (NotNull("seconds"), "seconds IS NOT NULL"),
        (NotNull("kind"), "kind IS NOT NULL"),
        (Both(PAGEVIEW, ERROR), "kind = 'pageview' AND status >= 400"),
        (
            Either(Both(OneOf("kind", ("other",)), ERROR), PAGEVIEW),
            "kind = 'other' AND status >= 400 OR kind = 'pageview'",
        ),
    ],
)
@given(rows=EVENTS)
@pytest.mark.slow
def test_a_condition_is_its_sql(
    condition: Condition, sql: str, rows: list[tuple[str | None, int, float | None]], db: duckdb.DuckDBPyConnection
) -> None:
    kinds, statuses, seconds = zip(*rows, strict=True) if rows else ((), (), ())
    events = pa.table(
        {
            "kind": pa.array(kinds, pa.string()).dictionary_encode(),
            "status": pa.array(statuses, pa.int16()),
            "seconds": pa.array(seconds, pa.float64()),
        }
    )
    decided = decide([condition, Sql(sql)], Columns([events]), lambda: db)
    assert decided[condition].tolist() == decided[Sql(sql)].tolist()


def test_no_database_is_opened_without_sql() -> None:
    events = pa.table({"status": pa.array([200, 404], pa.int16())})
    assert decide([ERROR, ERROR], Columns([events]), lambda: pytest.fail("asked"))[ERROR].tolist() == [False, True]
