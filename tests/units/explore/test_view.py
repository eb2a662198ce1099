"""A view changes by steps, each of which gives another view."""

from __future__ import annotations

from logagg.explore.panels import PANELS
from logagg.explore.view import Pill, View, sorts_of

PAGES = PANELS[0]


def test_filters() -> None:
    view = View().pick("path", "/a").pick("site", "s")
    assert view.pills == (Pill("path", "/a"), Pill("site", "s"))
    assert view.pick("path", "/b").pills == (Pill("site", "s"), Pill("path", "/b"))
    assert view.pick("path", "/a").pills == (Pill("site", "s"),)
    both = view.also("path", "/b")
    assert both.pills[-1] == Pill("path", "/b") and both.also("path", "/b") == view
    assert both.pick("path", "/b").pills == (Pill("site", "s"), Pill("path", "/b"))
    out = view.exclude("path", "/a")
    assert out.pills == (Pill("site", "s"), Pill("path", "/a", True)) == out.exclude("path", "/a").pills
    assert out.also("path", "/a").pills == (Pill("site", "s"), Pill("path", "/a"))
    assert out.flip(Pill("path", "/a", True)).pills == out.also("path", "/a").pills
    assert out.without(Pill("site", "s")).unfiltered() == View()


def test_a_scope_of_it() -> None:
    view = View(where="bytes > 5").pick("path", "/a").exclude("status", "404").next_bots().next_compare()
    scope = view.scope(1_800_000_000.0)
    assert scope.bots == "exclude" and scope.before and scope.where == "bytes > 5"
    assert scope.filter_conditions() == ["NOT is_bot", "\"path\" IN ('/a')", '"status" NOT IN (404)', "(\nbytes > 5\n)"]
    assert (
        view.asked
        == View(where="bytes > 5").exclude("status", "404").pick("path", "/a").next_bots().next_compare().asked
    )
    assert View().next_bots().next_bots().next_bots() == View()


def test_sorting() -> None:
    view = View().sorted_by(PAGES, "bytes")
    assert view.sort_of(PAGES) == ("bytes", "desc") and view.sorted_by(PAGES, "bytes").sort_of(PAGES) == (
        "bytes",
        "asc",
    )
    assert view.sorted_by(PAGES, "views").sorts == {} and View().sorted_by(PAGES, "views").sort_of(PAGES) == (
        "views",
        "asc",
    )
    assert View().sorted_by_next(PAGES, 1).sort_of(PAGES)[0] == "visitors"
    assert View().sorted_by_next(PAGES, -1).sort_of(PAGES)[0] == "bytes"
    assert View(compare="week").sorted_by_next(PAGES, -1).sort_of(PAGES)[0] == "change"
    assert sorts_of(PAGES, compared=True)[-1] == "change"
