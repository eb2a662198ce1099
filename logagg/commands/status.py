"""`logagg status`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from logagg.cli import Shared, Written, servers, shared_options

if TYPE_CHECKING:
    from logagg.cluster.look import ClusterStatus
    from logagg.view.health import Status


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For a program.")
@click.option(
    "--gearman", type=Written("servers", servers), metavar="HOST:PORT[,…]", help="Of a cluster: job servers, shards, tailers."
)
@click.option(
    "--secret",
    type=click.Path(path_type=Path),
    envvar="LOGAGG_SECRET",
    show_envvar=True,
    metavar="FILE",
    help="With --gearman: the lake's secret (default: that in --lake).",
)
@shared_options
def status(as_json: bool, gearman: Any, secret: Path | None, shared: Shared) -> int:
    """Show positions, lag and rates; exit status 1 when unhealthy.

    Unhealthy is: a log that may not be read, or a running tail that leaves bytes unread and has committed nothing for
    30 seconds. Unread bytes while no tail runs are shown, but are no failure: a lake may be filled with tail --once.
    """
    if gearman:
        return _cluster(gearman, secret or shared.lake / "secret", shared, as_json=as_json)
    from logagg.view import render
    from logagg.view.snapshot import open as open_lake

    with open_lake(shared.lake) as lake:
        found = lake.status()
    if as_json:
        click.echo(render.as_json(found.as_dict(), indent=2))
    elif shared.verbosity >= 0:
        _show(found)
    return int(not found.healthy)


def _cluster(gearman: Any, secret: Path, shared: Shared, *, as_json: bool) -> int:
    from logagg.notices import printable
    from logagg.view import render

    found = _look(gearman, secret)
    if as_json:
        click.echo(render.as_json(asdict(found) | {"healthy": not found.problems}, indent=2))
    elif shared.verbosity >= 0:
        for rows in (found.servers, found.shards, found.tailers):
            if rows:
                columns = tuple(rows[0])
                render.write(render.Rows(columns, [[row[column] for column in columns] for row in rows]), "table", sys.stdout)
        for problem in found.problems:
            click.echo(f"unhealthy: {printable(problem)}")
    return int(bool(found.problems))


def _look(gearman: Any, secret: Path) -> ClusterStatus:
    """Ask job servers, and the workers if we have the secret: they answer nobody else."""
    from logagg.clock import SystemClock
    from logagg.cluster.dispatch import ClusterError
    from logagg.cluster.look import look
    from logagg.cluster.secret import read_secret
    from logagg.queues.auth import Keys

    problem = ""
    try:
        keys = Keys(read_secret(secret))
    except ClusterError as error:
        keys, problem = None, f"the workers were not asked: {error}"
    found = look(gearman, SystemClock(), keys)
    found.problems += [problem] if problem else []
    return found


def _show(found: Status) -> None:
    from logagg.notices import printable
    from logagg.view import render

    state = f"workers own {found.workers} shards" if found.workers else f"{'a' if found.running else 'no'} tail is running"
    last = "never" if found.age is None else f"{found.age:,.0f} s ago"
    click.echo(f"{printable(found.lake)}: {state}; {found.commits:,} commits, the last {last}")
    columns = ("path", "position", "size", "lag", "lines", "rejects", "finished", "note")
    rows = [[getattr(source, column) for column in columns] for source in found.sources]
    render.write(render.Rows(columns, rows), "table", sys.stdout)
    for problem in found.problems:
        click.echo(f"unhealthy: {printable(problem)}")
