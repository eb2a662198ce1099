"""What stands on the screen: as in the files of `screens`, with the numbers that SQL gives, at any size."""

from __future__ import annotations

from pathlib import Path

import pytest

from logagg.alert.states import Instance
from logagg.alert.store import AlertRecord, AlertStore
from logagg.clock import ManualClock
from logagg.explore import figures
from logagg.explore.panels import panel_by
from logagg.explore.snapshots import AnswerLimits
from logagg.explore.windows import Window
from logagg.query.shorten import width as width_of
from logagg.top.source import Source
from logagg.top.spans import cells
from tests.units.explore.conftest import HOSTILE
from tests.units.top.conftest import NOW, Opened, golden

SIZES = [(80, 24), (200, 60), (300, 80), (120, 40), (40, 24), (20, 10), (20, 4)]
WITHIN = "ts >= '2026-03-03 00:00Z' AND ts < '2026-03-05 00:00Z'"


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.slow
def test_a_screen_has_its_size(width: int, height: int, opened: Opened) -> None:
    shown = opened(width, height, compare="previous")
    shown.state.lost = "the lake is gone"
    for keys in (
        (),
        ("f",),
        ("escape", "v"),
        ("enter",),
        ("escape", "escape", "t"),
        ("escape", "?"),
        ("escape", "s"),
        ("escape", "y"),
    ):
        shown.press(*keys)
        assert [cells(line) for line in shown.picture.lines] == [width] * height, keys


@pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 50), (40, 30)])
def test_the_overview_looks_like_this(width: int, height: int, opened: Opened) -> None:
    golden(f"overview-{width}", opened(width, height).text)


def test_a_comparison_looks_like_this(opened: Opened) -> None:
    shown = opened(120, 34, compare="previous", bots="exclude")
    shown.press("d")
    golden("compared", shown.text)


def test_one_panel_looks_like_this(opened: Opened) -> None:
    shown = opened(80, 24)
    shown.press("f")
    golden("panel", shown.text)


def test_requests_look_like_this(opened: Opened) -> None:
    shown = opened(100, 24, by=(panel_by(["path", "site"]),), where="status = 404")
    golden("by", shown.text)
    shown.press("v")
    golden("requests", shown.text)


def test_numbers_are_those_of_sql(opened: Opened) -> None:
    shown = opened(200, 50)
    [(hits, visitors, errors, size)] = shown.sql(
        f"SELECT sum(hits), uniques(visitors), sum(hits) FILTER (status >= 400), sum(bytes) FROM traffic WHERE {WITHIN}"
    )
    tiles = dict(
        zip(shown.lines[1].split(), shown.lines[2].replace(" kB", "_kB").replace(" MB", "_MB").split(), strict=False)
    )
    assert (tiles["Hits"], tiles["Visitors"]) == (figures.count(hits), figures.count(visitors))
    assert figures.count(errors) in shown.lines[2] and figures.size(size) in shown.lines[2]
    rows = shown.sql(
        f"SELECT path, sum(views) AS n FROM pages WHERE {WITHIN} GROUP BY path ORDER BY n DESC, path LIMIT 10"
    )
    shown.press("f")
    for line, (path, views) in zip(shown.lines[3:], rows, strict=False):
        assert line.split()[:2] == [path, f"{views:,}"]


def test_a_condition_and_a_grouping_are_those_of_sql(opened: Opened) -> None:
    shown = opened(120, 40, by=(panel_by(["path", "site"]),), where="status = 404")
    rows = shown.sql(
        f"SELECT path, site, count(*) AS n FROM requests WHERE {WITHIN} AND status = 404 GROUP BY ALL ORDER BY n DESC, path, site"
    )
    answer = shown.state.answer("by path,site")
    assert answer is not None
    assert [(row["path"], row["site"], row["hits"]) for row in answer["rows"]] == rows[: len(answer["rows"])]
    totals = shown.state.answer("totals")
    assert totals is not None and totals["now"]["hits"] == totals["now"]["errors"] == sum(count for *_, count in rows)
    statuses = shown.press("tab", "f")
    assert shown.state.table == "pages" and statuses


@pytest.mark.parametrize("by", ["is_bot", "visitor", "status_class", "source", "site,kind,method,status,browser,os"])
def test_requests_are_grouped_by_any_column(by: str, opened: Opened) -> None:
    shown = opened(200, 50, by=(panel_by(by.split(",")),), bots="exclude")
    totals, answer = shown.state.answer("totals"), shown.state.answer(f"by {by}")
    assert totals is not None and answer is not None and answer["rows"]
    shown.press("f")
    whole = shown.state.answer(f"by {by}")
    assert whole is not None and sum(row["hits"] for row in whole["rows"]) == totals["now"]["hits"]


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.slow
def test_a_hostile_log_is_only_text(width: int, opened: Opened, hostile_root: Path) -> None:
    shown = opened(width, 30, root=hostile_root, window=Window("2026-03-02", "2026-03-03"), by=(panel_by(["path"]),))
    for keys in ((), ("f",), ("v",), ("enter",)):
        lines = shown.press(*keys)
        assert all(line.isprintable() and width_of(line) <= width for line in lines)
    assert HOSTILE[:9] in "".join(lines)


def test_where_there_is_nothing_it_says_so_and_leads_to_some(opened: Opened) -> None:
    shown = opened(window=Window("2026-02-01", "2026-02-02"))
    assert "No request of this window." in shown.text and "Enter shows its last 24 hours" in shown.text
    shown.press("enter")
    totals = shown.state.answer("totals")
    assert totals is not None and totals["now"]["hits"] > 0 and "Pages" in shown.text


ALERTS = [
    {
        "alert": "errors", "state": "firing", "labels": {"site": "a\x1b[2J"}, "since": NOW, "value": 0.5,
        "message": "50% of requests fail \x1b]0;x\x07", "note": "silenced", "fingerprint": "1",
    },
    {
        "alert": "slow", "state": "ok", "labels": {}, "since": NOW, "value": None, "message": "", "note": "",
        "fingerprint": "",
    },
]  # fmt: skip


@pytest.mark.parametrize("width", [40, 80, 200])
def test_what_fires_is_in_the_head_and_listed(opened: Opened, width: int) -> None:
    shown = opened(width, 24)
    assert "firing" not in shown.text
    shown.state.alerts = ALERTS
    head = shown.settle()[0]
    assert "▲ 1 firing" in head and head.startswith("demo")
    lines = shown.click("▲ 1 firing")
    assert shown.state.dialog and shown.state.dialog.title == "Alerts"
    text = " ".join(line.strip(" │") for line in lines)
    assert "firing, silenced: errors (site=a" in text and "50% of requests fail" in text and "ok: slow" in text
    assert "\x1b" not in text and "\x07" not in text
    shown.press("escape")
    shown.state.alerts = ()
    shown.press("A")
    assert "No alert has been evaluated" in shown.text


def test_what_fires_is_read_from_the_lake(tmp_path: Path) -> None:
    source = Source(tmp_path, ManualClock(NOW.timestamp()), AnswerLimits())
    assert source.alerts() == []
    at = int(NOW.timestamp())
    store = AlertStore(tmp_path)
    with store.locked() as state:
        instance = Instance({"site": "a"}, "firing", at, at, message="half of them fail", value=0.5)
        state.alerts["errors"] = AlertRecord(at, has_data=True, instances={"1": instance})
        state.until = at
    store.commit()
    [found] = source.alerts()
    assert (found["alert"], found["state"], found["message"]) == ("errors", "firing", "half of them fail")
