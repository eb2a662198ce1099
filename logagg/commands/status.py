"""`logagg status`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from logagg.cli import Shared, shared_options

if TYPE_CHECKING:
    from logagg.view.health import Status


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For a program.")
@shared_options
def status(as_json: bool, shared: Shared) -> int:
    """Show positions, lag and rates; exit status 1 when unhealthy.

    Unhealthy is: a log that may not be read, or a running tail that leaves bytes unread and has committed nothing for
    30 seconds. Unread bytes while no tail runs are shown, but are no failure: a lake may be filled with tail --once.
    """
    from logagg.view import render
    from logagg.view.snapshot import open as open_lake

    with open_lake(shared.lake) as lake:
        found = lake.status()
    if as_json:
        click.echo(render.as_json(found.as_dict(), indent=2))
    elif shared.verbosity >= 0:
        _show(found)
    return int(not found.healthy)


def _show(found: Status) -> None:
    from logagg.notices import printable
    from logagg.view import render

    state = "a tail is running" if found.running else "no tail is running"
    last = "never" if found.age is None else f"{found.age:,.0f} s ago"
    click.echo(f"{printable(found.lake)}: {state}; {found.commits:,} commits, the last {last}")
    columns = ("path", "position", "size", "lag", "lines", "rejects", "finished", "note")
    rows = [[getattr(source, column) for column in columns] for source in found.sources]
    render.write(render.Rows(columns, rows), "table", sys.stdout)
    for problem in found.problems:
        click.echo(f"unhealthy: {printable(problem)}")
