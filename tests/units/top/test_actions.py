"""What keys and the mouse do: filters, windows, sorting, search, requests, and how each step is undone."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from logagg.explore.panels import panel_by
from logagg.explore.view import Pill
from logagg.explore.windows import Window
from logagg.lake_format import MODELS
from logagg.top.keys import BY_KEY
from logagg.top.spans import cells
from tests.units.top.conftest import DAYS, NOW, Opened, Shown

WITHIN = "ts >= '2026-03-03 00:00Z' AND ts < '2026-03-05 00:00Z'"


def hits(shown: Shown) -> int:
    totals = shown.state.answer("totals")
    assert totals is not None
    return int(totals["now"]["hits"])


@pytest.mark.slow
def test_enter_filters_x_excludes_and_escape_undoes(opened: Opened) -> None:
    shown = opened()
    all_, path = hits(shown), shown.row()["path"]
    shown.press("enter")
    assert shown.pills() == (Pill("path", path),) and 0 < hits(shown) < all_
    of_path = hits(shown)
    assert f"Path = {path} ×" in shown.lines[1]
    shown.press("~")
    assert shown.pills() == (Pill("path", path, excluded=True),) and hits(shown) == all_ - of_path
    shown.press("escape", "backspace")
    assert shown.pills() == () and hits(shown) == all_
    shown.press("x")
    assert hits(shown) == all_ - of_path and shown.row()["path"] != path
    shown.press("j", "x", "\\")
    assert shown.pills() == () and hits(shown) == all_
    shown.press("escape")
    assert len(shown.pills()) == 2


def test_a_filter_by_several_rows(opened: Opened) -> None:
    shown = opened()
    all_, counts = hits(shown), {}
    for path in [row["path"] for row in shown.state.rows[:3]]:
        [(counts[path],)] = shown.sql(f"SELECT count(*) FROM requests WHERE path = '{path}' AND {WITHIN}")
    one, two, three = counts
    shown.press("a", "a", "k", "a")
    assert shown.state.marks == {"pages": {(("path", one),)}} and shown.state.cursors["pages"] == 2
    shown.press("a", "enter")
    assert set(shown.pills()) == {Pill("path", one), Pill("path", three)} and not shown.state.marks
    assert hits(shown) == counts[one] + counts[three]
    shown.press("escape", "a", "a", "x")
    assert hits(shown) == all_ - counts[one] - counts[two]
    assert all(pill.excluded for pill in shown.pills())


def test_escape_at_the_start_quits_nothing(opened: Opened) -> None:
    shown = opened()
    assert "nothing to undo" in shown.press("escape")[-1] and not shown.left
    shown.press("q")
    assert shown.left


@pytest.mark.slow
def test_windows(opened: Opened) -> None:
    shown = opened()
    shown.press("[")
    assert shown.state.view.window == Window("2026-03-01T00:00Z", "2026-03-03T00:00Z")
    shown.press("[", "]", "z")
    assert shown.state.view.window == Window("2026-03-01T12:00Z", "2026-03-02T12:00Z")
    shown.press("Z")
    assert shown.state.view.window == Window("2026-03-01T00:00Z", "2026-03-03T00:00Z")
    shown.press("t")
    assert "last 24 hours" in shown.text and shown.dialog()
    shown.press("o")
    assert shown.state.view.window == Window("1h") and shown.dialog() is None
    shown.press("T", "ctrl+u", *"2026-03-03 to 2026-03-04", "enter")
    assert shown.state.view.window == Window("2026-03-03", "2026-03-04")
    shown.press("T", "ctrl+u", *"nonsense", "enter")
    assert "is not a time" in shown.lines[-1] and shown.state.view.window == Window("2026-03-03", "2026-03-04")
    shown.press("escape")
    assert shown.state.view.window == Window("1h")


def test_sorting(opened: Opened) -> None:
    shown = opened()
    views = [row["views"] for row in shown.state.rows]
    assert views == sorted(views, reverse=True)
    shown.press("r")
    views = [row["views"] for row in shown.state.rows]
    assert views == sorted(views) and "Views▲" in shown.text
    shown.press("r", "m")
    assert "Visitors▼" in shown.text
    shown.press("s", "down", "down", "down", "enter")
    sizes = [row["bytes"] for row in shown.state.rows]
    assert "Bytes▼" in shown.text and sizes == sorted(sizes, reverse=True)
    shown.press("M", "<")
    assert "Clicks▼" in shown.text


@pytest.mark.slow
def test_search(opened: Opened) -> None:
    shown = opened()
    before = [row["path"] for row in shown.state.rows]
    shown.press("/", *"tea")
    assert shown.lines[-1].startswith("Search pages: tea")
    assert shown.state.rows and all("tea" in row["path"] for row in shown.state.rows)
    shown.press("enter")
    assert "/tea" in shown.text and shown.lines[-1].startswith("?")
    shown.press("escape")
    assert [row["path"] for row in shown.state.rows] == before
    shown.press("/", *"nothing has this", "escape")
    assert [row["path"] for row in shown.state.rows] == before


def test_panels(opened: Opened) -> None:
    shown = opened(120, 40)
    names = [panel.name for panel in shown.state.panels]
    shown.press("tab", "tab", "shift+tab")
    assert shown.state.table == names[1]
    shown.press("left", "left")
    assert shown.state.table == names[0]
    shown.press("9")
    assert shown.state.table == names[8] and "▼" in shown.text and shown.state.scroll > 0
    shown.press("1", "o")
    assert shown.state.scroll == 0 and shown.state.rows_of(shown.state.panels[0]) > 20
    shown.press("o", "f")
    assert shown.mode() == "panel" and shown.lines[1].startswith("Pages")
    shown.press("G", "f")
    assert shown.mode() == "overview"


@pytest.mark.slow
def test_every_panel_can_be_reached_and_stays_on_the_screen(opened: Opened) -> None:
    shown = opened(80, 24)
    for panel in [*shown.state.panels[1:], shown.state.panels[0]]:
        shown.press("tab")
        assert shown.state.table == panel.name
        assert any(panel.title in line for line in shown.lines), panel.title


def test_the_cursor_stays_on_a_row(opened: Opened) -> None:
    shown = opened()
    count = len(shown.state.rows)
    shown.press("G")
    assert shown.state.cursors["pages"] == count - 1
    shown.press("j", "pagedown", "ctrl+f")
    assert shown.state.cursors["pages"] == count - 1
    shown.press("g", "k", "pageup")
    assert shown.state.cursors["pages"] == 0 and shown.state.firsts["pages"] == 0


@pytest.mark.slow
def test_requests_and_their_lines(opened: Opened) -> None:
    shown = opened(100, 24)
    path = shown.row()["path"]
    shown.press("v")
    assert shown.mode() == "requests" and {row["path"] for row in shown.state.rows} == {path}
    times = [row["ts"] for row in shown.state.rows]
    assert times == sorted(times, reverse=True)
    shown.press("j", "enter")
    assert f"GET {path}" in shown.text.replace("\n", "") and "at byte" in shown.text
    shown.press("escape", "escape")
    assert shown.mode() == "overview" and shown.pills() == ()


def test_more_requests_come_at_the_end(opened: Opened) -> None:
    shown = opened()
    shown.press("l", "escape")
    shown.state.go(mode="requests")
    shown.settle()
    count = len(shown.state.rows)
    shown.press("G")
    assert len(shown.state.rows) == 2 * count


@pytest.mark.slow
def test_comparison_people_and_zone(opened: Opened) -> None:
    shown = opened(200, 50, zone="Europe/Berlin")
    everybody = hits(shown)
    shown.press("b")
    people = hits(shown)
    shown.press("b")
    assert people + hits(shown) == everybody and "robots" in shown.lines[0]
    shown.press("c")
    assert shown.state.compared and "Change" in shown.text and "before" in shown.text
    shown.press("u")
    assert shown.state.view.zone == "UTC"


def test_the_next_model_of_attribution(opened: Opened) -> None:
    shown = opened(100, 30)
    shown.press("e")
    assert shown.state.view.model == "last" and "credited to: the last touch." in shown.text
    for _ in MODELS[1:]:
        shown.press("e")
    assert shown.state.view.model == MODELS[0]


def test_the_chart_has_three_faces(opened: Opened) -> None:
    shown = opened()
    assert "pageview" in shown.text
    shown.press("d")
    assert "2xx" in shown.text
    shown.press("d")
    assert "Latency per" in shown.text and "p95" in shown.text
    shown.press("d")
    assert "pageview" in shown.text


def test_sql_is_shown_and_copied_and_runs(opened: Opened) -> None:
    shown = opened()
    shown.press("enter", "y")
    assert "SELECT" in shown.text and not shown.copied
    shown.press("y")
    [sql] = shown.copied
    first = shown.sql(sql)[0]
    assert first[0] == shown.row()["path"]
    shown.press("q")
    assert shown.dialog() is None and not shown.left


def test_pause_and_help(opened: Opened) -> None:
    shown = opened()
    assert "Paused" in shown.press("space")[0]
    shown.press("?")
    assert "menu of windows" in shown.text
    for _ in range(12):
        shown.press("pagedown")
    assert "drag over the chart" in shown.text
    shown.press("escape")
    assert shown.dialog() is None


def test_a_value_that_cannot_be_filtered_by(opened: Opened) -> None:
    shown = opened(by=(panel_by(["visitor"]),))
    assert "no filter for visitor" in shown.press("enter")[-1] and not shown.pills()


def test_clicks(opened: Opened) -> None:
    shown = opened(120, 40)
    row = shown.state.rows[2]
    shown.click(row["path"])
    assert shown.state.cursors["pages"] == 2 and not shown.pills()
    shown.click(row["path"])
    assert shown.pills() == (Pill("path", row["path"]),)
    shown.click("Path =")
    assert shown.pills() == (Pill("path", row["path"], excluded=True),)
    shown.click("×")
    assert not shown.pills()
    shown.click("Visitors  ")
    shown.press("escape")
    shown.click("Referrers")
    assert shown.state.table == "referrers"
    shown.click("Referrers")
    assert shown.mode() == "panel"
    shown.press("f")
    shown.click("Hits")
    assert (dialog := shown.dialog()) and dialog.title == "Hits"


def test_a_drag_over_the_chart_is_a_window(opened: Opened) -> None:
    shown = opened()
    shown.pointer.down(20, 5)
    shown.pointer.up(shown.picture.hits, 40, 9)
    shown.settle()
    period = shown.state.period
    whole = replace(shown.state.view, window=DAYS).scope(NOW.timestamp()).period
    assert whole.since < period.since < period.until < whole.until
    shown.pointer.click(shown.picture.hits, 20, 5, also=False, not_=False, twice=True)
    assert shown.state.period.length > period.length


def test_the_wheel(opened: Opened) -> None:
    shown = opened()
    shown.pointer.wheel(1)
    shown.settle()
    assert shown.state.scroll == 3
    for _ in range(60):
        shown.pointer.wheel(1)
    shown.settle()
    assert shown.lines[-2] == "" or shown.state.scroll > 50
    shown.pointer.wheel(-1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_any_keys_and_clicks_leave_a_screen(seed: int, opened: Opened) -> None:
    chance = random.Random(seed)
    width, height = chance.choice([(80, 24), (120, 40), (40, 20), (20, 4)])
    shown = opened(width, height, by=chance.choice([(), (panel_by(["path", "site"]),)]))
    for _ in range(15):
        key, x, y = chance.choice([*BY_KEY, "enter", "é", "7"]), chance.randrange(width), chance.randrange(height)
        if chance.random() < 0.7:
            shown.press(key)
        else:
            shown.pointer.down(x, y)
            shown.pointer.click(shown.picture.hits, x, y, also=chance.random() < 0.2, not_=False, twice=False)
            shown.pointer.up(shown.picture.hits, chance.randrange(width), y)
            shown.settle()
        assert [cells(line) for line in shown.picture.lines] == [width] * height
