"""`logagg status`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from logagg.cli import Shared, shared_options
from logagg.commands.options import Parsed, gearman_option, secret_option
from logagg.commands.output import Output, output_options
from logagg.config.types import INTERVAL
from logagg.quantities import counted

if TYPE_CHECKING:
    from logagg.alert.overview import AlertRow
    from logagg.cluster.monitor import CheckedCluster
    from logagg.query.status import Status


@click.command()
@output_options
@gearman_option("Of a cluster: job servers, shards, tailers, quarantine.")
@click.option(
    "--max-age",
    type=Parsed("duration", INTERVAL.convert),
    metavar="DURATION",
    help="For a monitor: also unhealthy without a heartbeat of a tail for this long, or if lines older than this are not committed.",
)
@secret_option
@shared_options
def status(output: Output, gearman: Any, max_age: float | None, secret: Path | None, shared: Shared) -> int:
    """Show positions, lag and rates; exit status 1 when unhealthy.

    A lake is unhealthy if its tail reports a log that it cannot read, a log that no format fits or whose last lines are
    mostly rejects, or 30 seconds without a commit while data wait. Unread bytes while no tail runs are shown, but do not
    count as a failure: a lake may be filled with tail --once.

    The formats table and json have all of it, the others the logs.
    """
    output.check(shared.lake)
    if gearman:
        if output.form not in ("table", "json"):
            raise click.UsageError("with --gearman there are several tables: say --format table or json")
        return _cluster(gearman, secret or shared.lake / "secret", shared, max_age, output)
    from logagg.alert.overview import firing
    from logagg.clock import SystemClock
    from logagg.query.open_lake import open as open_lake

    with open_lake(shared.lake) as lake:
        found = lake.status(max_age)
    if output.form != "table" or shared.verbosity >= 0:
        with output.stream() as stream:
            _write(found, firing(shared.lake, SystemClock().now()), output, stream)
    return int(not found.healthy)


def _write(found: Status, alerts: Sequence[AlertRow], output: Output, stream: Any) -> None:
    from logagg.query import render

    if output.form == "table":
        _show(found, stream)
        _show_alerts(alerts, stream)
    elif output.form == "json":
        whole = {**found.as_dict(), "alerts": [one.as_dict() for one in alerts]}
        click.echo(render.as_json(whole, indent=2), stream)
    else:
        _write_logs(found.as_dict()["sources"], output, stream)


def _write_logs(logs: Sequence[Mapping[str, Any]], output: Output, stream: Any) -> None:
    from logagg.query.render import Rows
    from logagg.query.status import SourceHealth

    columns = tuple(one.name for one in dataclasses.fields(SourceHealth))
    if output.is_arrow:
        import pyarrow as pa

        table = pa.table({name: [log[name] for log in logs] for name in columns})
        output.write_arrow(table.schema, table.to_batches(), stream)
    else:
        output.write(Rows(columns, [[log[name] for name in columns] for log in logs]), stream)


def _cluster(gearman: Any, secret: Path, shared: Shared, max_age: float | None, output: Output) -> int:
    from logagg.cluster.status import as_dict
    from logagg.query import render

    found = _look(gearman, secret, shared.lake, max_age)
    if output.form == "json" or shared.verbosity >= 0:
        with output.stream() as stream:
            if output.form == "json":
                click.echo(render.as_json(as_dict(found), indent=2), stream)
            else:
                _show_cluster(found, shared.lake, stream)
    return int(bool(found["problems"]))


def _show_cluster(found: CheckedCluster, lake: Path, stream: Any) -> None:
    from logagg.cluster.status import as_dict, tables
    from logagg.notice_log import printable
    from logagg.query import render

    for table in tables(as_dict(found)):
        render.write(table, "table", stream)
    if found["lake"]["problem"] and not _is_missing(lake):  # it may well be on another machine
        click.echo(f"lake: {printable(found['lake']['problem'])}", stream)
    _say(found["waiting"], found["problems"], stream)


def _look(gearman: Any, secret: Path, lake: Path, max_age: float | None) -> CheckedCluster:
    """Ask the job servers, the lake and, if the secret is known, the workers, which answer authenticated requests only."""
    from logagg.clock import SystemClock
    from logagg.cluster.monitor import check
    from logagg.cluster.secret import read_secret
    from logagg.errors import ClusterError

    problem, key = "", None
    try:
        key = read_secret(secret)
    except ClusterError as error:
        problem = f"the workers were not asked: {error}"
    found = check(gearman, lake, key, SystemClock(), max_age=max_age)
    found["problems"] += [problem] if problem else []
    return found


def _is_missing(lake: Path) -> bool:
    try:
        lake.lstat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def _show(found: Status, stream: Any) -> None:
    from logagg.notice_log import printable
    from logagg.query import render

    last = "never" if found.age is None else f"{found.age:,.0f} s ago"
    click.echo(printable(f"{found.lake}: {found.writer}; {counted(found.commits, 'commit')}, the last {last}"), stream)
    columns = ("path", "position", "size", "lag", "lines", "rejects", "finished", "note")
    rows = [[getattr(source, column) for column in columns] for source in found.sources]
    render.write(render.Rows(columns, rows), "table", stream)
    if remote := [tail for tail in found.tails if tail.name]:
        shown = [(one.name, one.state, one.age, one.heartbeat.following, one.heartbeat.unread) for one in remote]
        render.write(render.Rows(("tailer", "state", "heard", "logs", "unread"), shown), "table", stream)
    _show_derivations(found, stream)
    _say(found.waiting, found.problems, stream)


def _show_derivations(found: Status, stream: Any) -> None:
    for one in found.derivations:
        click.echo(one.text, stream)
    if found.late:
        click.echo(f"late: {counted(found.late, 'request')}, in no visit", stream)


def _show_alerts(alerts: Sequence[AlertRow], stream: Any) -> None:
    for one in alerts:
        click.echo(one.text, stream)


def _say(waiting: Sequence[str], problems: Sequence[str], stream: Any) -> None:
    from logagg.notice_log import printable

    for text in waiting:
        click.echo(f"waiting: {printable(text)}", stream)
    for text in problems:
        click.echo(f"unhealthy: {printable(text)}", stream)
