"""`logagg top`."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import click

from logagg.cli import Shared, shared_options
from logagg.commands.options import compare_option, counted_options, tz_option, where_option, window_options
from logagg.errors import LogaggError

if TYPE_CHECKING:
    from logagg.explore.panels import Panel
    from logagg.top.source import Source
    from logagg.top.state import State

WIDTH, HEIGHT = 100, 24  # of a picture that is printed to no terminal


@click.command()
@where_option()
@click.option("--by", multiple=True, metavar="COLUMN[,…]", help="A panel of requests by these columns; repeatable.")
@window_options
@counted_options
@compare_option("Also the period before, or the same days a week or a year ago.", default="none", show_default=True)
@click.option("--plain", is_flag=True, help="Print one picture, as where there is no terminal.")
@tz_option
@shared_options
def top(
    where: str,
    by: tuple[str, ...],
    since: str | None,
    until: str | None,
    site: str | None,
    bots: str,
    compare: str,
    plain: bool,
    tz: str | None,
    shared: Shared,
) -> None:
    """Show the page of logagg serve in the terminal, live: totals, a chart, leaderboards, filters, single requests and their lines.

    The key ? lists all keys; logagg docs top is a tour. Without --since the window is the last 24 hours, or those before the newest
    data if these are older.

    CONDITION is one over the columns of requests, as for logagg lines: "status = 404". COLUMN is one of their dimensions: path,site.
    """
    from logagg.clock import SystemClock
    from logagg.explore.snapshots import AnswerLimits
    from logagg.explore.view import Pill, View
    from logagg.explore.windows import Window, first_window
    from logagg.top.source import Source
    from logagg.top.state import State

    clock, zone = SystemClock(), shared.zone(tz, people=True).key
    panels = tuple(map(_panel, by))
    where = _checked(shared.lake, where, zone)
    source = Source(shared.lake, clock, AnswerLimits(), zone, where)
    lake = source.look(thoroughly=False)
    width, height = shutil.get_terminal_size((WIDTH, HEIGHT))
    state = State(
        View(
            compare=compare, bots=bots, zone=zone, where=where, pills=(Pill("site", site),) if site is not None else ()
        ),
        clock.now,
        by=panels,
        lake=lake,
        width=width,
        height=height,
        name=_name(shared.lake),
        home=zone,
    )
    window = Window(since or Window().since, until or "") if since or until else first_window(lake.newest, state.now)
    state.start(window)
    _show(state, source, plain=plain or not _is_terminal())


def _panel(by: str) -> Panel:
    from logagg.explore.panels import panel_by

    try:
        return panel_by([name.strip() for name in by.split(",")])
    except LogaggError as error:
        raise click.BadParameter(str(error).removeprefix("by: "), param_hint="--by") from None


def _checked(lake: Path, where: str, zone: str) -> str:
    """Return a condition that may be a part of queries. Raises LogaggError."""
    if not where.strip():
        return ""
    from logagg.query.lines import checked

    return checked(lake, where, zone)


def _name(lake: Path) -> str:
    return lake.resolve().name


def _is_terminal() -> bool:
    """Return whether the picture can be live: Textual reads standard input, and writes to standard error."""
    return os.environ.get("TERM", "dumb") != "dumb" and all(one.isatty() for one in (sys.stdin, sys.stdout, sys.stderr))


def _show(state: State, source: Source, *, plain: bool) -> None:
    if plain:
        from logagg.top.plain import show

        return show(state, source)
    Thread(target=_ask_early, args=(state, source), daemon=True).start()
    from logagg.top.app import Top  # which takes as long as the first answers

    app = Top(state, source)
    app.run()
    if app.return_code:
        raise click.exceptions.Exit(app.return_code)


def _ask_early(state: State, source: Source) -> None:
    """Ask for the first picture, so that its snapshot has the answers when the terminal is there."""
    with suppress(LogaggError):  # which is said when it is asked for again
        source.load(state.view, state.parts())
