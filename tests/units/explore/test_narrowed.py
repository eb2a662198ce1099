"""Queries that read less have the same answers, and what is shown of them can be run alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from logagg.explore.narrowed import Narrowed, Narrowing, Views
from logagg.explore.page import page_answer
from logagg.explore.query import asking
from logagg.explore.scope import Period, Scope
from logagg.explore.snapshots import AnswerLimits, Snapshot, Snapshots
from logagg.query.snapshot import connect

NOW = datetime(2026, 3, 5, tzinfo=UTC).timestamp()
DAYS = {"since": "2026-03-03", "until": "2026-03-05"}
SCOPES: Mapping[str, dict[str, Any]] = {
    "plain": {},
    "path": {"is_": ["path:/cups"]},
    "paths": {"is_": ["path:/cups", "path:/kettles/steel"], "bots": "exclude"},
    "excluded": {"is_not": ["path:/cups", "referrer:"]},
    "campaign": {"is_": ["campaign:spring-tea"]},
    "browser and status": {"is_": ["browser:Firefox", "status_class:4xx"]},
    "source of a page": {"is_": ["from_path:/cups"], "bots": "exclude"},
    "compared": {"is_": ["path:/cups"], "compare": "previous", "zone": "Europe/Berlin"},
    "text of a query": {"is_": ["path:/cups", "path:/x' FROM requests WHERE ts > now() --", "path:requests"]},
    "nothing": {"is_": ["path:/nowhere", "ext:zip"]},
}


@pytest.fixture
def snapshot(demo_lake: Path) -> Snapshot:
    return Snapshots(demo_lake, AnswerLimits()).newest()


def scope_of(**given: Any) -> Scope:
    return Scope.of(NOW, **(DAYS | given))


def tables(snapshot: Snapshot) -> list[str]:
    with snapshot.queries() as ask:
        found = ask(f"SELECT table_name FROM duckdb_tables() WHERE database_name = 'memory' AND {next(COUNT)} > 0")
    return [name for (name,) in found.rows]


def _numbers() -> Iterator[int]:
    number = 0
    while True:
        yield (number := number + 1)


COUNT = _numbers()  # so that no two queries are the same: a snapshot keeps answers


def rounded(answer: Any) -> Any:
    """Return an answer without the last digits of fractions, which depend on the order in which threads add them up."""
    if isinstance(answer, Mapping):
        return {key: rounded(value) for key, value in answer.items()}
    if isinstance(answer, list | tuple):
        return [rounded(value) for value in answer]
    return float(f"{answer:.12g}") if isinstance(answer, float) else answer


@pytest.mark.parametrize("name", SCOPES)
def test_a_page_has_the_same_figures(demo_lake: Path, name: str) -> None:
    scope = scope_of(**SCOPES[name])
    plain, narrowed = (Snapshots(demo_lake, AnswerLimits()).newest() for _ in range(2))
    with plain.queries() as ask:
        expected = page_answer(scope, plain.facts, ask)
    with narrowed.queries() as ask:
        found = page_answer(scope, narrowed.facts, ask.about(scope))
    assert rounded(found) == rounded(expected)
    assert len(tables(narrowed)) == (name != "plain"), "requests were read for the page, if it needs any"


@pytest.mark.parametrize("name", ["path", "campaign", "compared", "text of a query"])
def test_the_sql_of_a_panel_gives_its_rows(demo_lake: Path, snapshot: Snapshot, name: str) -> None:
    scope = scope_of(**SCOPES[name])
    with snapshot.queries() as ask:
        panels = page_answer(scope, snapshot.facts, ask.about(scope))["panels"]
    shown = {name: panel for name, panel in panels.items() if panel["from"] == "requests"}
    assert len(shown) > 5
    with connect(demo_lake) as connection:
        for panel in shown.values():
            rows = asking(connection)(panel["sql"]).as_dicts()
            for row, told in zip(rows, panel["rows"], strict=False):
                assert [row[one] for one in panel["measures"]] == [told[one] for one in panel["measures"]]
                assert [row[one] or None for one in panel["dimensions"]] == [told[one] for one in panel["dimensions"]]
            assert len(rows) - panel["more"] == len(panel["rows"])


def test_too_many_requests_are_not_kept(demo_lake: Path) -> None:
    scope = scope_of(**SCOPES["path"])
    plain, narrowed = (Snapshots(demo_lake, AnswerLimits()).newest() for _ in range(2))
    narrowed._narrowed = Narrowed(most=3)
    with plain.queries() as ask, narrowed.queries() as other:
        expected = page_answer(scope, plain.facts, ask)
        assert expected["totals"]["now"]["hits"] > 3
        found = page_answer(scope, narrowed.facts, other.about(scope))
        assert rounded(found) == rounded(expected)
    assert not tables(narrowed)


def test_the_requests_used_last_are_kept(snapshot: Snapshot) -> None:
    with snapshot.queries() as ask:
        for path in ("/cups", "/kettles/steel"):
            scope = scope_of(is_=[f"path:{path}"])
            page_answer(scope, snapshot.facts, ask.about(scope))
    assert len(tables(snapshot)) == 2
    [first, second] = snapshot._narrowed._kept.values()
    snapshot._narrowed._most = max(first.rows, second.rows)
    with snapshot.queries() as ask:
        scope = scope_of(**SCOPES["path"])
        ask.about(scope)(
            f"SELECT {next(COUNT)}, count(*)\nFROM requests\nWHERE {' AND '.join(scope.conditions(scope.period))}"
        )
    assert tables(snapshot) == [first.name.rpartition(".")[2]]


def test_requests_that_could_not_be_read_are_read_by_the_next_query(snapshot: Snapshot) -> None:
    scope = scope_of(**SCOPES["path"])
    sql = f"SELECT 1\nFROM requests\nWHERE {' AND '.join(scope.conditions(scope.period))}"
    narrowing, narrowed, closed = narrowing_of(scope, snapshot), Narrowed(), duckdb.connect()
    closed.close()
    with pytest.raises(duckdb.Error), narrowed.prepared(sql, narrowing, closed):
        pass
    with snapshot._limited(1) as ([cursor], _), narrowed.prepared(sql, narrowing, cursor) as prepared:
        assert "memory.main.narrowed_1" in prepared
        assert cursor.execute(prepared).fetchall()


def narrowing_of(scope: Scope, snapshot: Snapshot) -> Narrowing:
    found = Narrowing.of(scope, snapshot.facts, snapshot.views)
    assert found
    return found


def test_only_queries_about_the_same_requests_are_answered_by_them(snapshot: Snapshot) -> None:
    scope = scope_of(**SCOPES["path"])
    narrowing = narrowing_of(scope, snapshot)
    same, other = (" AND ".join(one.conditions(one.period)) for one in (scope, scope_of(since="2026-03-02")))
    query = "SELECT path, count(*)\nFROM requests\nWHERE {}\nGROUP BY 1"
    assert narrowing.is_wanted(query.format(same))
    assert narrowing.is_wanted(query.format(f"kind = 'pageview' AND {same}"))
    assert narrowing.is_wanted(query.format(same) + "\nUNION ALL\n" + query.format(same))
    assert not narrowing.is_wanted(query.format(other))
    assert not narrowing.is_wanted(query.format(f"kind = 'pageview' OR {same}"))
    assert not narrowing.is_wanted(query.format(scope.period.condition()))
    assert not narrowing.is_wanted(query.format(same) + "\nUNION ALL\n" + query.format(other))
    assert not narrowing.is_wanted(query.format(same) + "\nUNION ALL\nFROM requests")
    assert not narrowing.is_wanted(query.format(same).replace("path,", "ext,")), "a column that is not read"
    assert not narrowing.is_wanted(query.format(same).replace("requests", "pages"))


def test_a_condition_in_sql_narrows_nothing(snapshot: Snapshot) -> None:
    assert Narrowing.of(scope_of(where="status = 404"), snapshot.facts, snapshot.views) is None


PARTS = ("'/lake/a'", "'/lake/b'", "'/lake/it''s, c'")


@pytest.mark.parametrize(
    ("since", "until", "left"),
    [
        (1, 31, PARTS),
        (1, 10, PARTS[:1] + PARTS[2:]),
        (10, 11, PARTS[:2] + PARTS[2:]),
        (20, 21, PARTS[1:]),
        (25, 31, PARTS[2:]),
    ],
)
def test_files_outside_the_window_are_not_read(since: int, until: int, left: tuple[str, ...]) -> None:
    spans = {PARTS[0]: (day(1), day(10)), PARTS[1]: (day(10), day(20))}  # of the third, nothing is known
    views = Views({"pages": f"SELECT path FROM read_parquet(list_value({', '.join(PARTS)}))"}, spans)
    found = views.within("pages", Period(day(since), day(until)))
    assert found == f"SELECT path FROM read_parquet(list_value({', '.join(left)}))"


def test_a_window_without_files_keeps_one_for_the_columns() -> None:
    views = Views(
        {"pages": "FROM read_parquet(list_value('/a', '/b'))"}, {"'/a'": (day(1), day(2)), "'/b'": (day(2), day(3))}
    )
    assert views.within("pages", Period(day(20), day(21))) == "FROM read_parquet(list_value('/a'))"


def test_the_files_of_a_lake_are_known(snapshot: Snapshot) -> None:
    """Else all files would be read, and no answer would differ."""
    assert {"pages", "traffic", "latency", "requests"} <= snapshot.views.queries.keys()
    files = [one for query in snapshot.views.queries.values() for one in query.split("'") if one.endswith(".parquet")]
    assert files
    assert {f"'{one}'" for one in files} <= snapshot.views.spans.keys()


def day(number: int) -> datetime:
    return datetime(2026, 3, number, tzinfo=UTC)
