"""The page's answers add up to what SQL says, and take any value, window and rollup."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from logagg.errors import LogaggError
from logagg.explore.facts import Facts
from logagg.explore.page import lake_answer, page_answer, status_answer
from logagg.explore.panels import PANELS
from logagg.explore.query import Ask, asking
from logagg.explore.scope import Scope
from logagg.explore.tables import origin_of
from logagg.query import status
from logagg.query.render import as_json
from logagg.query.snapshot import connect
from tests.conftest import ROOT, Command
from tests.units.explore.conftest import HOSTILE, HUGE, LINES

NOW = datetime(2026, 3, 5, tzinfo=UTC).timestamp()
WINDOW = "ts >= '2026-03-04 00:00Z' AND ts < '2026-03-05 00:00Z'"


@pytest.mark.slow
def test_a_page_adds_up(ask: Ask, facts: Facts) -> None:
    page = page_answer(Scope.of(NOW, compare="previous"), facts, ask, limit=500)
    [(hits, size, errors)] = ask(
        f"SELECT sum(hits), sum(bytes), sum(hits) FILTER (status >= 400) FROM traffic WHERE {WINDOW}"
    ).rows
    now = page["totals"]["now"]
    assert (now["hits"], now["bytes"], now["errors"]) == (hits, size, errors)
    assert sum(map(sum, page["series"]["groups"].values())) == hits
    assert sum(page["series"]["before"]) == page["totals"]["before"]["hits"]
    for name in ("statuses", "sites", "methods", "kinds"):
        panel = page["panels"][name]
        assert sum(row["hits"] for row in panel["rows"]) == hits and not panel["more"]
        assert sum(row["share"] for row in panel["rows"]) == pytest.approx(1)
    assert len(page["series"]["ts"]) == len(page["latency"]["p95"]) == 144 and page["grain"] == 600
    assert page["panels"].keys() == {panel.name for panel in PANELS}
    json.loads(as_json(page))


def test_panels_sorts_and_orders_are_chosen(ask: Ask, facts: Facts) -> None:
    scope = Scope.of(NOW)
    page = page_answer(
        scope, facts, ask, panels=["pages", "sites"], limit=3, sorts={"pages": "bytes"}, orders={"pages": "asc"}
    )
    assert list(page["panels"]) == ["pages", "sites"] and page["before"] is None
    sizes = [row["bytes"] for row in page["panels"]["pages"]["rows"]]
    assert len(sizes) == 3 and sizes == sorted(sizes) and page["panels"]["pages"]["more"]
    former = page_answer(scope, facts, ask, panels=["entries"], sorts={"entries": "visitors"}, parts=["panels"])[
        "panels"
    ]
    assert former["pages_by_referrer"]["sort"] == "visitors"
    for wrong in ({"panels": ["no"]}, {"sorts": {"pages": "no"}}, {"orders": {"pages": "no"}}, {"split": "no"}):
        with pytest.raises(LogaggError):
            page_answer(scope, facts, ask, **wrong)


def test_a_lake_says_what_it_has(ask: Ask, facts: Facts) -> None:
    lake = lake_answer("demo", facts, ask, "1.2")
    assert lake["oldest"] == lake["requests_from"] == datetime(2026, 3, 2, 0, 34, tzinfo=UTC)
    assert lake["newest"] == datetime(2026, 3, 5, tzinfo=UTC)
    assert lake["sites"] == ["shop.example.com", "www.example.com"]
    present = {panel["name"]: panel["present"] for panel in lake["panels"]}
    assert present["pages"] and present["extensions"] and not present["countries"]
    measures = {name for panel in lake["panels"] for name in panel["measures"]}
    assert measures <= lake["measures"].keys() and lake["measures"]["bytes"]["unit"] == "bytes"
    unkept = lake_answer("demo", replace(facts, requests_kinds=frozenset()), ask, "1.2")
    left = {panel["name"]: panel["present"] for panel in unkept["panels"]}
    assert unkept["requests_from"] is None and left["pages"] and not left["pages_by_referrer"]
    after = lake_answer("demo", facts, ask, "1.2", since=lake["newest"])
    later = {panel["name"]: panel["present"] for panel in after["panels"]}
    assert later["pages"] and not later["extensions"]


@pytest.mark.parametrize("filters", [[], ["method:GET"], ["browser:Firefox"], ["path:" + HOSTILE, "status:200"]])
@pytest.mark.parametrize("bots", ["include", "exclude", "only"])
@pytest.mark.slow
def test_hostile_values_and_own_rollups(ask_hostile: Ask, bots: str, filters: list[str]) -> None:
    facts = Facts.of(ask_hostile)
    for is_, is_not in ((filters, []), ([], filters)):
        scope = Scope.of(NOW, since="2026-03-01", compare="week", bots=bots, is_=is_, is_not=is_not)
        page = page_answer(scope, facts, ask_hostile)
        json.loads(as_json(page))
    if bots == "include" and not filters:
        assert page["totals"]["now"]["bytes"] == LINES * HUGE
        [row] = page["panels"]["odd"]["rows"]
        assert row["path"] == f"/{HOSTILE}" and row["status"] == 200 and row["bytes"] == LINES * HUGE
        assert row["mean"] == 0 and row["people"] == 1 and row["hits"] == LINES
    if bots == "exclude" and not filters:
        assert page["panels"]["odd"]["unavailable"] == "the rollup odd does not have is_bot"


def test_a_measure_that_cannot_follow_says_so_alone(ask: Ask, facts: Facts) -> None:
    unkept = replace(facts, requests_kinds=frozenset())
    found = page_answer(Scope.of(NOW, is_=["browser:Chrome"]), unkept, ask, panels=[])["totals"]
    assert found["now"]["hits"] > 0 and found["now"]["impressions"] is None
    assert found["unavailable"] == "" and found["from"] == "rollups"
    assert "keeps no requests" in found["notes"]["impressions"] and "hits" not in found["notes"]
    none = page_answer(Scope.of(NOW, is_=["ext:html"]), unkept, ask, panels=[])["totals"]
    assert none["unavailable"] and none["from"] is None and set(none["now"].values()) == {None}


def test_the_state_is_a_light(demo_lake: Path) -> None:
    with connect(demo_lake) as connection:
        found = status.read(demo_lake, connection, NOW)
    answer = status_answer(found, 7)
    assert answer["state"] == "warn" and answer["commit"] == 7
    assert answer["reasons"][0].startswith("no tail is running") and len(answer["sources"]) == 3
    bad = replace(found, running=True, problems=("it burns",))
    assert status_answer(bad)["state"] == "bad" and status_answer(bad)["reasons"] == ["it burns"]
    assert status_answer(replace(found, running=True))["state"] == "good"
    rejecting = replace(found, running=True, sources=(replace(found.sources[0], rejects=500),))
    assert status_answer(rejecting)["state"] == "warn"


@pytest.mark.slow
def test_panels_of_places_are_there_where_a_lake_has_places(tmp_path: Path) -> None:
    logagg = Command(tmp_path / "lake", tmp_path)
    case = ROOT / "fixtures/countries"
    logagg.run("tail", "--once", "-q", "--config", case / "logagg.toml", case / "access.log")
    with connect(logagg.lake) as connection:
        _see_places(asking(connection))


def _see_places(ask: Ask) -> None:
    facts = Facts.of(ask)
    lake = lake_answer("l", facts, ask, "1")
    places = ("countries", "cities", "networks", "organizations")
    assert all(panel["present"] for panel in lake["panels"] if panel["name"] in places)
    found = page_answer(Scope.of(0, since="2026-03-01", until="2026-03-03", is_=["country:SE"]), facts, ask)["panels"]
    assert [found[name]["rows"][0][of] for name, of in (("countries", "country"), ("cities", "city"))] == [
        "SE",
        "Linköping",
    ]
    assert found["organizations"]["rows"][0]["organization"] == "Bredband2 AB"  # by its requests
    old = replace(facts, rollups={name: {"ts": "x", "is_bot": "bool"} for name in ("requests", "traffic")})
    assert origin_of("robots", frozenset({"robot"}), Scope.of(NOW), old).unavailable.startswith("an earlier logagg")
