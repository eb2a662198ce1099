"""Panels: their numbers are those of SQL, whichever table they come from."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logagg.errors import LogaggError, NotFound
from logagg.explore.attributed import DESCRIPTIONS
from logagg.explore.facts import Facts
from logagg.explore.measures import MEASURES
from logagg.explore.overview import latency, series, totals
from logagg.explore.panels import FEW, PANELS, Panel, PanelRequest, panel_answer, panel_named, panel_query
from logagg.explore.query import Ask
from logagg.explore.scope import Scope
from logagg.explore.tables import DEFINITIONS, Origin, aggregate, origin_of
from logagg.lake_format import MODELS
from logagg.query.sandbox_sql import check
from tests.units.explore.conftest import LINES

ALL = {"since": "2026-03-01", "until": "2026-03-06"}
WHOLE = Scope.of(0, **ALL)
NEAR = ("p50", "p90", "p95", "p99", "mean")  # rollups round them to a percent
ROLLED_UP = [panel for panel in PANELS if panel.rollup in DEFINITIONS]
FILTERS = ["site:www.example.com", "site:shop.example.com", "path:/", "path:/search", "status:404", "status_class:4xx",
           "kind:pageview", "method:GET", "browser:Chrome", "os:iOS", "referrer:", "campaign:copper-sale", "ad:31"]  # fmt: skip


def rows_of(panel: Panel, origin: Origin, scope: Scope, ask: Ask) -> dict[tuple[object, ...], list[object]]:
    measures = [name for name in panel.measures if name not in NEAR]
    sql = aggregate(origin, panel.rollup, panel.dimensions, measures, scope, scope.period, panel.where)
    width = len(panel.dimensions)
    return {tuple(row[:width]): list(row[width:]) for row in ask(sql).rows if any(row[width:])}


@pytest.mark.slow
@settings(max_examples=60)
@given(
    panel=st.sampled_from(ROLLED_UP),
    is_=st.lists(st.sampled_from(FILTERS), max_size=2),
    is_not=st.lists(st.sampled_from(FILTERS), max_size=2),
    bots=st.sampled_from(["include", "exclude", "only"]),
    days=st.sampled_from([("2026-03-01", "2026-03-06"), ("2026-03-03", "2026-03-03T12:34")]),
)
def test_rollups_and_requests_give_the_same(
    panel: Panel, is_: list[str], is_not: list[str], bots: str, days: tuple[str, str], law: tuple[Ask, Facts]
) -> None:
    ask, facts = law
    scope = Scope.of(0, since=days[0], until=days[1], bots=bots, is_=is_, is_not=is_not)
    origin = origin_of(panel.rollup, frozenset(panel.dimensions), scope, facts)
    if origin.is_requests:
        return
    from_rollup, from_requests = (rows_of(panel, one, scope, ask) for one in (origin, Origin("requests")))
    if panel.rollup == "ads":  # requests do not tell repeated clicks apart
        drop = [place for place, name in enumerate(panel.measures) if name in ("clicks", "ctr")]
        for rows in (from_rollup, from_requests):
            for values in rows.values():
                for place in drop:
                    values[place] = None
    assert from_rollup == from_requests


@pytest.fixture(scope="module")
def law(demo_lake: object) -> tuple[Ask, Facts]:
    from pathlib import Path

    from logagg.explore.query import Fetched
    from logagg.query.snapshot import connect

    connection = connect(Path(str(demo_lake)))

    def answered(sql: str) -> Fetched:
        found = connection.execute(sql)
        return Fetched(tuple(column[0] for column in found.description or ()), found.fetchall())

    return answered, Facts.of(answered)


def test_percentiles_of_both_are_within_a_percent(ask: Ask, facts: Facts) -> None:
    panel = panel_named("slow", facts)
    found = {}
    for origin in (Origin("latency"), Origin("requests")):
        sql = aggregate(origin, "latency", ("path",), ("p50", "p95", "mean", "hits"), WHOLE, WHOLE.period, panel.where)
        found[origin.table] = {row[0]: row[1:] for row in ask(sql).rows}
    for path, values in found["latency"].items():
        assert values == pytest.approx(found["requests"][path], rel=0.011), path


@pytest.mark.slow
def test_the_sql_that_is_shown_is_what_ran(ask: Ask, facts: Facts) -> None:
    scope = Scope.of(0, compare="previous", is_=["browser:Chrome"], since="2026-03-03", until="2026-03-05")
    for panel in PANELS:
        answer = panel_answer(PanelRequest.of(panel, limit=5), scope, facts, ask)
        if panel.rollup in ("flows", "credits", "unmatched"):  # which know no browser
            assert not answer["sql"]
            continue
        shown = ask(answer["sql"]).as_dicts()[:5]
        for row, again in zip(answer["rows"], shown, strict=True):
            assert {name: row[name] for name in panel.measures} == {name: again[name] for name in panel.measures}


PLACES = ("countries", "cities", "networks", "organizations")


@pytest.mark.parametrize("compare", ["none", "previous"])
@pytest.mark.parametrize("panel", [one for one in ROLLED_UP if "visitors" in one.measures], ids=lambda one: one.name)
def test_visitors_are_those_of_uniques(panel: Panel, compare: str, ask: Ask, facts: Facts) -> None:
    scope = Scope.of(0, since="2026-03-03", until="2026-03-05", compare=compare)
    apart = panel_answer(PanelRequest.of(panel, limit=FEW), scope, facts, ask)
    together = panel_answer(PanelRequest.of(panel, limit=FEW + 1), scope, facts, ask)
    assert apart["rows"] == together["rows"]
    assert len(apart["rows"]) > 1 or panel.name in PLACES, "the demo's logs know no places"
    assert "uniques" in together["sql"] and "uniques" not in apart["sql"]


def test_sketches_of_a_rollup_of_ones_own(ask_hostile: Ask) -> None:
    facts = Facts.of(ask_hostile)
    scope = Scope.of(0, since="2026-03-02", until="2026-03-03", compare="previous")
    answer = panel_answer(PanelRequest.of(panel_named("odd", facts)), scope, facts, ask_hostile)
    [row] = answer["rows"]
    assert (row["hits"], row["people"], row["before"]["people"]) == (LINES, 1, 0)


def test_the_first_measures_and_the_one_that_sorts(ask: Ask, facts: Facts) -> None:
    panel = panel_named("pages", facts)
    for sort, most, measures in (
        ("views", 2, ["views", "visitors"]),
        ("bytes", 2, ["views", "bytes"]),
        ("bytes", 1, ["bytes"]),
        ("change", 1, ["views"]),
        (None, 9, list(panel.measures)),
    ):
        answer = panel_answer(PanelRequest.of(panel, sort=sort, most=most), WHOLE, facts, ask)
        assert list(answer["measures"]) == measures
        assert set(answer["rows"][0]) == {"path", *measures, "before", "change", "share"}


def test_the_sandbox_takes_the_sql(ask: Ask, facts: Facts) -> None:
    with duckdb.connect() as connection:
        for compare in ("none", "previous"):
            scope = Scope.of(0, **ALL, compare=compare, is_=["site:www.example.com"])
            charts = (series("kind", scope, facts, ask)["sql"], latency(scope, facts, ask)["sql"])
            whole = (*totals(scope, facts, ask)["sql"].values(), *charts)
            for sql in (*whole, *(panel_query(PanelRequest.of(panel), scope, facts)[1] for panel in PANELS)):
                assert check(connection, sql).select == sql


def test_pages_follow_one_another(ask: Ask, facts: Facts) -> None:
    panel = panel_named("pages", facts)
    whole = panel_answer(PanelRequest.of(panel, limit=1000), WHOLE, facts, ask)
    parts = [
        panel_answer(PanelRequest.of(panel, limit=4, offset=offset), WHOLE, facts, ask) for offset in range(0, 40, 4)
    ]
    assert [row for part in parts for row in part["rows"]] == whole["rows"]
    assert whole["more"] is False and [part["more"] for part in parts][:2] == [True, True]
    assert sum(row["share"] for row in whole["rows"]) == pytest.approx(1)


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_sorted_by_the_change(order: str, ask: Ask, facts: Facts) -> None:
    scope = replace(WHOLE, period=Scope.of(0, since="2026-03-03", until="2026-03-04").period)
    scope = Scope.of(0, since="2026-03-03", until="2026-03-04", compare="previous")
    panel = panel_named("pages", facts)
    rows = panel_answer(PanelRequest.of(panel, sort="change", order=order, limit=50), scope, facts, ask)["rows"]
    changes = [row["change"] for row in rows if row["change"] is not None]
    assert changes == sorted(changes, reverse=order == "desc") and len(changes) > 5
    assert all(
        row["change"] == pytest.approx(row["views"] / row["before"]["views"] - 1) for row in rows if row["change"]
    )


def test_a_search_is_a_text_not_a_pattern(ask: Ask, facts: Facts) -> None:
    panel = panel_named("pages", facts)
    found = panel_answer(PanelRequest.of(panel, search="KETTLE"), WHOLE, facts, ask)["rows"]
    assert found and all("kettle" in row["path"] for row in found)
    for text in ("%", "_", "' OR true --", '"'):
        assert panel_answer(PanelRequest.of(panel, search=text), WHOLE, facts, ask)["rows"] == []


def test_what_only_requests_know_begins_where_they_do(ask: Ask, facts: Facts) -> None:
    begins = Scope.of(0, since="2026-03-04", until="2026-03-05").period.since
    later = replace(facts, requests_from=begins)
    scope = Scope.of(0, since="2026-03-03", until="2026-03-05", compare="previous", is_=["browser:Chrome"])
    answer = panel_answer(PanelRequest.of(panel_named("pages", facts)), scope, later, ask)
    assert (answer["from"], answer["complete_from"]) == ("requests", begins)
    assert all(row["before"] is None for row in answer["rows"]), "the period before is not known"
    answer = panel_answer(PanelRequest.of(panel_named("browsers", facts)), scope, later, ask)
    assert (answer["from"], answer["complete_from"]) == ("agents", None)


def test_a_panel_that_cannot_follow_says_so(ask: Ask, facts: Facts) -> None:
    none = replace(facts, requests_kinds=frozenset())
    scope = Scope.of(0, **ALL, is_=["browser:Chrome"])
    answer = panel_answer(PanelRequest.of(panel_named("pages", facts)), scope, none, ask)
    assert answer["unavailable"] == "pages does not have browser, and this lake keeps no requests"
    assert answer["rows"] == [] and answer["sql"] == ""
    some = replace(facts, requests_kinds=frozenset({"pageview"}))
    note = panel_answer(PanelRequest.of(panel_named("pages", facts)), scope, some, ask)["note"]
    assert note == "requests of kind impression, click, conversion, asset, other are not kept"


def test_names_that_are_none(facts: Facts) -> None:
    with pytest.raises(NotFound, match="no panel 'x'"):
        panel_named("x", facts)
    for wrong in ({"sort": "x"}, {"order": "up"}, {"limit": 0}, {"offset": -1}, {"search": "\0"}):
        with pytest.raises(LogaggError):
            PanelRequest.of(PANELS[0], **wrong)


def test_attribution_by_any_model_is_what_the_macro_says(ask: Ask, facts: Facts) -> None:
    for model in (MODELS[0], "linear"):
        scope = Scope.of(
            0, **ALL, model=model, bots="exclude", is_=["campaign:newsletter", "campaign:copper-sale", "campaign:"]
        )
        answer = panel_answer(PanelRequest.of(panel_named("attribution", facts), limit=100), scope, facts, ask)
        wanted = ask(
            f"SELECT channel, campaign, sum(credit) / 1e6, round(sum(credit::HUGEINT * value_micros) / 1e12, 6) FROM credits('{model}') "
            "WHERE campaign <> 'spring-tea' AND NOT is_bot AND invalid = '' AND credit > 0 GROUP BY ALL"
        ).rows
        found = {
            (row["channel"] or "", row["campaign"] or "", row["credits"], row["credited_value"])
            for row in answer["rows"]
        }
        assert {row for row in found if row[2]} == set(wanted) and len(wanted) > 4, model
        assert answer["note"] == ("" if model == "last_non_direct" else f"credit goes to: {DESCRIPTIONS[model]}")
        assert f"credits('{model}')" in answer["sql"]
    with pytest.raises(LogaggError, match="model: 'x' is not valid"):
        Scope.of(0, **ALL, model="x")


def test_what_is_unmatched_has_its_reason(ask: Ask, facts: Facts) -> None:
    answer = panel_answer(PanelRequest.of(panel_named("unmatched", facts)), WHOLE, facts, ask)
    wanted = "SELECT kind, reason, sum(events)::BIGINT FROM unmatched GROUP BY ALL"
    assert {(row["kind"], row["reason"], row["events"]) for row in answer["rows"]} == set(ask(wanted).rows)
    assert {"unknown_id", "no_touch"} < {row["reason"] for row in answer["rows"]}


def test_attribution_says_what_it_cannot_follow(ask: Ask, facts: Facts) -> None:
    def unavailable(name: str, facts: Facts, **asked: object) -> str:
        scope = Scope.of(0, **ALL, **asked)  # type: ignore[arg-type]
        answer = panel_answer(PanelRequest.of(panel_named(name, facts)), scope, facts, ask)
        assert answer["unavailable"] == "" or answer["rows"] == []
        return str(answer["unavailable"])

    assert unavailable("attribution", facts, is_=["path:/"]) == "attribution does not have path"
    assert unavailable("unmatched", facts, is_=["kind:click"]) == ""
    assert "a condition in SQL" in unavailable("unmatched", facts, where="bytes > 5")
    without = replace(facts, rollups={name: of for name, of in facts.rollups.items() if name != "paths"})
    assert unavailable("unmatched", without) == "this lake has no attribution"


def test_a_value_of_two_currencies_is_none(facts: Facts) -> None:
    rows = "(VALUES (500000, 2000000, 'EUR', ''), (1000000, 1000000, {}, ''), (1, NULL, 'SEK', '')) t(credit, value_micros, currency, invalid)"
    with duckdb.connect() as db:
        for currency, value in (("'EUR'", 2.0), ("'USD'", None)):
            assert db.sql(f"SELECT {MEASURES['credited_value'].rollup} FROM {rows.format(currency)}").fetchall() == [
                (value,)
            ]
