"""Frames keep integers and zones, limits mean the same everywhere, and what notebooks show is escaped."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

import logagg
from logagg.clock import ManualClock
from logagg.query.answers import Answer
from tests.units.query.conftest import ROLLUPS, write_catalog

LakeOf = Callable[[str, int], logagg.OpenLake]

NOON = 1_795_521_600.0
ODD = 9_007_199_254_740_993  # no floating-point number
SCRIPT = "/<script>alert(1)</script>$\\href{javascript:alert(2)}{x}$\x1b[2J"


@pytest.fixture
def lake(root: Path) -> logagg.OpenLake:
    return logagg.open(root, ManualClock(NOON))


def answer(query: str, zone: str = "UTC") -> Answer:
    connection = duckdb.connect()
    connection.execute(f"SET TimeZone = '{zone}'")
    return Answer(connection.sql(query))


def column(value: str, *more: str) -> pd.Series[Any]:
    rows = ", ".join(f"({one})" for one in (value, *more))
    return answer(f"SELECT one FROM (VALUES {rows}) t(one)").df().one


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        (["1", "2"], "int32", [1, 2]),
        ([f"{ODD}", "2"], "int64", [ODD, 2]),
        ([f"{ODD}::HUGEINT", "2"], "int64", [ODD, 2]),
        ([f"{ODD}", "NULL"], "Int64", [ODD, pd.NA]),
        ([f"{ODD}::HUGEINT", "NULL"], "Int64", [ODD, pd.NA]),
        (["200::SMALLINT", "NULL"], "Int16", [200, pd.NA]),
        (["18446744073709551615::UBIGINT", "NULL"], "UInt64", [(1 << 64) - 1, pd.NA]),
        (["170141183460469231731687303715884105727", "1"], "object", [(1 << 127) - 1, 1]),
        (["170141183460469231731687303715884105727", "NULL"], "object", [(1 << 127) - 1, None]),
        (["0.5", "1.25"], "float64", [0.5, 1.25]),
        (["true", "false"], "bool", [True, False]),
        (["INTERVAL 90 MINUTE", "NULL"], "timedelta64[us]", [timedelta(minutes=90), pd.NaT]),
        (["INTERVAL 1 MONTH", "INTERVAL 1 DAY"], "timedelta64[us]", [timedelta(30), timedelta(1)]),
    ],
)
def test_columns(values: list[str], dtype: str, expected: list[object]) -> None:
    found = column(*values)
    assert str(found.dtype) == dtype
    assert [None if pd.isna(one) else one for one in found] == [None if pd.isna(one) else one for one in expected]  # type: ignore[call-overload]


@pytest.mark.parametrize("condition", ["true", "false"])
def test_times_have_the_zone_of_the_lake(condition: str) -> None:
    query = f"SELECT TIMESTAMPTZ '2026-03-29 00:30:00Z' + to_hours(i) AS ts FROM range(2) t(i) WHERE {condition}"
    found = answer(query, "Europe/Berlin").df().ts
    assert str(found.dtype) == "datetime64[us, Europe/Berlin]"
    assert [str(one) for one in found] in (["2026-03-29 01:30:00+01:00", "2026-03-29 03:30:00+02:00"], [])


def test_sums_of_the_lake_are_integers(lake: logagg.OpenLake) -> None:
    found = lake.sql(
        "SELECT ts, sum(hits) AS hits, max(status) FILTER (status > 400) AS worst FROM traffic GROUP BY ts"
    )
    assert found is not None
    assert [str(kind) for kind in found.df().dtypes] == ["datetime64[us, UTC]", "int64", "Int16"]
    assert found.arrow().schema.field("hits").type == pa.int64()


def test_columns_of_one_name_stay_apart() -> None:
    assert list(answer("SELECT 1 AS a, NULL::INT AS b, 2 AS a").df().columns) == ["a", "b", "a_1"]


def test_an_answer_is_a_relation_too(lake: logagg.OpenLake) -> None:
    pages = lake.sql("SELECT path, views FROM pages ORDER BY views DESC")
    assert pages is not None
    assert (pages.columns, pages.limit(1).fetchall(), len(pages)) == (["path", "views"], [("/3", 3)], 4)
    found = lake.sql("SELECT count(*) FROM pages")
    assert found is not None and found.fetchall() == [(4,)]
    assert pa.table(pages).num_rows == 4


def test_a_variable_with_an_answer_can_be_queried(lake: logagg.OpenLake) -> None:
    top = lake.sql("SELECT path FROM pages WHERE views > 1")
    found = lake.sql("SELECT count(*) FROM top")
    assert found is not None and found.fetchall() == [(2,)], top


@pytest.fixture
def lake_of(root: Path, monkeypatch: pytest.MonkeyPatch) -> LakeOf:
    """Return a function that makes a lake with so many pages, whose paths begin so."""

    def made(beginning: str, pages: int) -> logagg.OpenLake:
        query = ROLLUPS["pages"].replace("'/' || i", f"'{beginning}' || i").replace("range(4)", f"range({pages})")
        monkeypatch.setitem(ROLLUPS, "pages", query)
        write_catalog(root, 2)
        return logagg.open(root, ManualClock(NOON))

    return made


@pytest.mark.parametrize(("limit", "rows"), [(None, 20), (0, 100), (7, 7)])
def test_a_limit_means_what_it_means_on_the_command_line(lake_of: LakeOf, limit: int | None, rows: int) -> None:
    lake = lake_of("/", 100)
    assert len(lake.report("pages", limit=limit)) == rows
    assert len(lake.report("overview")) == 1  # which has no limit


def test_what_a_notebook_shows_is_escaped(lake_of: LakeOf) -> None:
    lake = lake_of(SCRIPT, 4)
    pages = lake.sql("FROM pages")
    assert pages is not None
    for shown in (lake.report("pages"), pages):
        html = shown._repr_html_()  # type: ignore[operator]
        assert "&lt;script&gt;" in html and "<script" not in html and "\x1b" not in html
        assert "mathjax_ignore" in html
    assert "<script" not in str(lake.report("pages")[["path"]]._repr_html_())  # type: ignore[operator]


def test_a_notebook_shows_lakes_and_reports_as_the_command_line_does(root: Path) -> None:
    lake = logagg.open(root, ManualClock(NOON))
    shown = lake._repr_html_()
    assert (
        f"{root}: 1 commit, the last at 2026-11-24 12:05:00 UTC" in shown
        and ">traffic<" in shown
        and "visitors" in shown
    )
    assert f"{root}: commit 1 of 2026-11-24 12:05:00 UTC" in lake.snapshot()._repr_html_()
    report = lake.report("latency", since="2026-11-24", site="shop", bots="exclude")
    html: str = report._repr_html_()  # type: ignore[operator]
    assert "latency, since 2026-11-24 00:00:00, of shop, without robots" in html
    assert '<td style="text-align: right">100</td>' in html
    berlin = logagg.open(root, ManualClock(NOON), "Europe/Berlin").report("pages", since="2026-11-24T00:00Z")
    assert "pages, since 2026-11-24 01:00:00" in berlin._repr_html_()  # type: ignore[operator]
    assert type(report[["hits"]]) is pd.DataFrame and type(report) is not pd.DataFrame


def test_a_long_answer_is_shown_in_part() -> None:
    html = answer("SELECT i FROM range(1000) t(i)")._repr_html_()
    assert html.count("<tr>") == 51 and "the first 50 of 1,000 rows" in html


def test_a_lake_that_is_gone_says_so(root: Path) -> None:
    lake = logagg.open(root)
    (root / "logagg.duckdb").unlink()
    assert "no lake there" in repr(lake) and "no lake there" in lake._repr_html_()
