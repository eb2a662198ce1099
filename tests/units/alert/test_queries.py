"""Queries of alerts: their places, and the answers to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

import duckdb
import pytest

from logagg.alert.queries import placed, placed_at_many, reading_of
from logagg.alert.rules import Alert, alert_named
from logagg.alert.states import Reading
from logagg.config.sections import Config

T = 1_772_409_600  # 2026-03-02, Monday
VIEWS = ("traffic", "latency", "pages")


@pytest.fixture
def lake() -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection as that of the sandbox: the views in the database `lake`."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("ATTACH ':memory:' AS lake")
        connection.execute("USE lake")
        connection.execute(
            "CREATE TABLE traffic (ts TIMESTAMPTZ, site VARCHAR, status SMALLINT, hits BIGINT, is_bot BOOLEAN)"
        )
        yield connection


def fill(lake: duckdb.DuckDBPyConnection, rows: str) -> None:
    lake.execute(
        f"INSERT INTO traffic SELECT to_timestamp(seconds), site, status, hits, false FROM (VALUES {rows}) AS r(seconds, site, status, hits)"
    )


def asked(lake: duckdb.DuckDBPyConnection, alert: Alert, moments: Sequence[int]) -> dict[int, list[Reading]]:
    """Return the answers about some moments, which are the same whether they are asked one by one or together."""
    alone = {moment: _rows(lake, placed(alert, moment, VIEWS)).get(moment, []) for moment in moments}
    together = _rows(lake, placed_at_many(alert, moments, VIEWS))
    assert {moment: together.get(moment, []) for moment in moments} == alone
    return alone


def _rows(lake: duckdb.DuckDBPyConnection, query: str) -> dict[int, list[Reading]]:
    answer = lake.execute(query)
    names = [column[0] for column in answer.description or ()]
    found: dict[int, list[Reading]] = {}
    for row in sorted(answer.fetchall(), key=repr):
        found.setdefault(round(row[0].timestamp()), []).append(reading_of(names[1:], row[1:]))
    return found


def test_a_window_ends_at_its_moment(lake: duckdb.DuckDBPyConnection) -> None:
    fill(lake, ", ".join(f"({T + 60 * n}, 'a', {500 if n in (3, 9) else 200}, 100)" for n in range(20)))
    alert = alert_named("errors", Config())
    assert alert
    found = asked(lake, alert, [T, T + 240, T + 300, T + 600, T + 5_000])
    assert [(row.value, row.numbers["n"]) for rows in found.values() for row in rows] == [
        (0.25, 400),
        (0.2, 500),
        (0.2, 500),
    ]
    assert found[T] == found[T + 5_000] == []


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("SELECT count(*) AS value FROM traffic WHERE ts >= $since", [0, 2]),
        ("SELECT sum(hits) AS value FROM traffic WHERE ts >= $window AND ts < $until;", [None, 20]),
        ("SELECT sum(hits) AS value FROM traffic -- all of it: $since", [None, 40]),
        ("SELECT site, hits AS value FROM traffic ORDER BY ts DESC LIMIT 1", [[], 10]),
        ("WITH t AS (SELECT * FROM traffic WHERE ts >= $since) SELECT max(hits) AS value FROM t", [None, 10]),
        ("SELECT (SELECT count(*) FROM traffic) AS value, '$since' AS label, count(*) AS traffic FROM traffic", [0, 4]),
        ("SELECT 1.5 AS value", [1.5, 1.5]),
        (
            "SELECT sum(hits) OVER (ORDER BY ts) AS value FROM traffic QUALIFY row_number() OVER (ORDER BY ts DESC) = 1",
            [[], 40],
        ),
    ],
)
def test_any_query_sees_nothing_later(lake: duckdb.DuckDBPyConnection, query: str, values: list[object]) -> None:
    fill(lake, ", ".join(f"({T + 60 * n}, 'a', 200, 10)" for n in range(10)))
    found = asked(lake, Alert("x", query, window=120), [T, T + 240])
    assert [rows[0].value if rows else [] for rows in found.values()] == values


def test_rows_become_labels_and_numbers() -> None:
    names = ("site", "is_bot", "value", "n", "d", "nothing", "odd name")
    row = ("a", True, 0.5, 7, Decimal("1.5"), None, "x")
    assert reading_of(names, row) == Reading(
        {"site": "a", "is_bot": "true", "odd_name": "x"}, 0.5, {"value": 0.5, "n": 7.0, "d": 1.5}
    )
    assert reading_of(("a", "b"), (3, 4)).value == 3
    assert reading_of(("value",), (float("nan"),)).value is None
    assert reading_of(("value", "n"), (None, 4)) == Reading({}, None, {"n": 4.0})
    assert reading_of(("no_data",), ("yes",)).labels == {}  # no row can be taken for none
    assert len(reading_of(("path",), ("x" * 5_000,)).labels["path"]) == 1_000


WEEK, Q = 7 * 86_400, 15 * 60


def usual_weeks(weeks: int, hits: int = 1_000, site: str = "a") -> str:
    """Return rows of the quarter of an hour before T in each of the weeks before; a little more or less each."""
    return ", ".join(f"({T - Q - WEEK * n}, '{site}', 200, {hits + n % 3 * 10})" for n in range(1, weeks + 1))


def one(lake: duckdb.DuckDBPyConnection, rule: str) -> dict[str, Reading]:
    alert = alert_named(rule, Config())
    assert alert
    return {row.labels["site"]: row for row in asked(lake, alert, [T])[T]}


def test_a_surge_is_many_spreads_above_the_usual(lake: duckdb.DuckDBPyConnection) -> None:
    fill(
        lake,
        usual_weeks(9) + f", ({T - 60}, 'a', 200, 3000), " + usual_weeks(9, site="b") + f", ({T - 60}, 'b', 200, 1040)",
    )
    found = one(lake, "surge")
    assert found["a"].numbers["usual"] == 1_010
    assert found["a"].value == pytest.approx((3_000 - 1_010) / 101)
    assert found["b"].value is not None
    assert found["b"].value < 1


def test_little_is_no_surge(lake: duckdb.DuckDBPyConnection) -> None:
    fill(lake, usual_weeks(9, hits=1) + f", ({T - 60}, 'a', 200, 40)")
    alert = alert_named("surge", Config())
    assert alert and alert.least and tuple(alert.least) == ("n", 100)
    assert one(lake, "surge")["a"].numbers["n"] == 40


def test_no_traffic_where_some_is_usual(lake: duckdb.DuckDBPyConnection) -> None:
    fill(lake, usual_weeks(9) + ", " + usual_weeks(9, site="b") + f", ({T - 60}, 'b', 200, 900)")
    found = one(lake, "no_traffic")
    assert found["a"].value == 0
    assert found["a"].numbers["n"] == pytest.approx(1_010 - 303)
    assert found["b"].value == pytest.approx(900 / 1_010)


def test_a_few_bad_weeks_change_little(lake: duckdb.DuckDBPyConnection) -> None:
    rows = usual_weeks(5) + ", " + ", ".join(f"({T - Q - WEEK * n}, 'a', 200, 50000)" for n in (6, 7, 8))
    fill(lake, rows + f", ({T - 60}, 'a', 200, 3000)")
    assert one(lake, "surge")["a"].numbers["usual"] < 1_100


@pytest.mark.parametrize("weeks", [0, 1, 3])
def test_a_young_site_has_nothing_usual(lake: duckdb.DuckDBPyConnection, weeks: int) -> None:
    fill(lake, f"({T - 60}, 'a', 200, 3000)" + (", " + usual_weeks(weeks) if weeks else ""))
    assert one(lake, "surge") == one(lake, "no_traffic") == {}


def test_the_same_time_of_the_week_is_that_of_the_clock_on_the_wall(lake: duckdb.DuckDBPyConnection) -> None:
    """In the weeks before and after the end of daylight saving time, nine in the morning is nine in the morning."""
    lake.execute("SET TimeZone = 'Europe/Berlin'")
    [(now,)] = lake.execute("SELECT epoch(TIMESTAMPTZ '2026-10-26 09:15:00')::BIGINT").fetchall()  # the day after
    times = ", ".join(
        f"(epoch(TIMESTAMPTZ '2026-10-26 09:05:00' - INTERVAL {n} WEEK)::BIGINT, 'a', 200, 500)" for n in range(10)
    )
    fill(lake, times)
    alert = alert_named("no_traffic", Config())
    assert alert
    [row] = asked(lake, alert, [now])[now]
    assert (row.value, row.numbers["usual"]) == (1, 500)
