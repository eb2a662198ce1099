"""`logagg check`."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from logagg.cli import Shared, shared_options
from logagg.commands.options import paths_argument
from logagg.errors import ConfigError, LakeError
from logagg.quantities import counted, size

if TYPE_CHECKING:
    from logagg.check.checkup import Examination


@click.command()
@paths_argument
@click.option(
    "--from",
    "server",
    metavar="PATH",
    help="Check the access logs that the configuration of nginx or Apache httpd at PATH names; - reads what nginx -T prints.",
)
@click.option(
    "--log-format", default="", metavar="NAME|STRING", help="The format that the logs should have (default: detect)."
)
@click.option(
    "--repair", is_flag=True, help="Give up files of the lake that are damaged for good, and say which rows are lost."
)
@click.option(
    "--system",
    is_flag=True,
    help="Check the machine, too: rights, limits, disk, sandbox, clock, file watches; as the user who runs it.",
)
@click.option("--json", "as_json", is_flag=True, help="For a program.")
@shared_options
@click.pass_context
def check(
    context: click.Context,
    paths: tuple[str, ...],
    server: str | None,
    log_format: str,
    repair: bool,
    system: bool,
    as_json: bool,
    shared: Shared,
) -> int:
    """Check the configuration, the lake, and what a tail would read of PATHs, and how; write nothing.

    Each problem is a line with what to do about it; exit status 1 when there is one. With --repair, damaged files of
    the lake are given up first: restore them from a backup instead, if there is one.
    """
    from logagg.check.checkup import examine
    from logagg.servers.find import Configuration

    if repair:
        _repair(shared)
    # Before the first tail the lake does not exist; but `--lake` without logs means that it should.
    named = context.get_parameter_source("lake") is click.core.ParameterSource.COMMANDLINE
    logs = Configuration(server).logs if server else list
    found = examine(
        paths,
        lambda: shared.config,
        log_format,
        _lake(shared),
        must_exist=named and not (paths or server),
        server=logs,
        system=system,
    )
    if as_json:
        from logagg.query import render

        click.echo(render.as_json(dataclasses.asdict(found) | {"ok": found.ok}, indent=2))
    else:
        _show(found, quiet=shared.verbosity < 0)
    return int(not found.ok)


def _lake(shared: Shared) -> Path:
    """Return the lake, or where one would be if the configuration cannot be read, which is among the problems."""
    try:
        return shared.lake
    except ConfigError:
        return Path("lake")


def _repair(shared: Shared) -> None:
    from logagg.clock import SystemClock
    from logagg.lake.repair import repair
    from logagg.lake.verify import verify
    from logagg.notice_log import printable
    from logagg.rollup.configured import tables_of

    if verify(shared.lake) is None:
        raise LakeError(f"{shared.lake}: no lake there", "name another with --lake DIR")
    config = shared.config
    for line in repair(shared.lake, tables_of(config), clock=SystemClock(), config=config):
        click.echo(f"repaired: {printable(line)}", err=True)


def _show(found: Examination, *, quiet: bool) -> None:
    from logagg.notice_log import printable

    if not quiet:
        for line in (*_looked_at(found), *_machine(found)):
            click.echo(printable(line))
        _show_logs(found)
        _show_files(found)
    for problem in found.problems:
        click.echo(f"wrong: {printable(problem)}", err=quiet)
    if not quiet:
        click.echo("all is well" if found.ok else f"{len(found.problems)} wrong")


def _looked_at(found: Examination) -> Iterator[str]:
    if found.configuration is None:
        yield "configuration: refused, as said below; what follows is examined with the defaults"
    else:
        yield f"configuration: {found.configuration or 'none, so the defaults'}; {counted(found.rules, 'rule')}, {counted(found.rollups, 'rollup')} of your own"
    for database in found.databases:
        yield f"database: {database}"
    lake = found.verification
    if lake is None:
        yield f"lake: none at {found.lake} yet"
        return
    yield (
        f"lake: {found.lake}; {counted(lake.commits, 'commit')}, {counted(lake.lines, 'line')}, "
        f"{counted(lake.rows, 'row')} in {counted(lake.files, 'file')} of {size(lake.bytes)}"
    )
    if lake.orphans:
        yield f"      {counted(lake.orphans, 'file')} ({size(lake.orphan_bytes)}) no longer in use, which a tail deletes in time"
    if lake.undigested:
        yield f"      {counted(lake.undigested, 'file')} of an earlier logagg, of which not every bit can be checked; logagg compact sees to it"
    for one in lake.lost:
        yield f"      given up on {one.given_up:%Y-%m-%d}: {one}"
    if lake.gone:
        yield f"      retention has dropped buckets up to {lake.gone:%Y-%m-%d %H:%M} UTC"


def _machine(found: Examination) -> Iterator[str]:
    """Print the findings about the machine; its faults are among the problems."""
    for one in found.system:
        if one.level != "wrong":
            yield f"{one}" if one.level == "ok" else f"note: {one}"


def _show_logs(found: Examination) -> None:
    from logagg.query import render

    if found.logs:
        columns = ("log", "format", "site", "readable", "configured at")
        rows = [
            (
                one.path,
                one.format_name,
                "in its lines" if one.names_site else "in its name" if one.site == "*" else one.site or "unknown",
                "yes" if one.readable else "no",
                str(one.place),
            )
            for one in found.logs
        ]
        render.write(render.Rows(columns, rows), "table", sys.stdout)
    for one in found.logs:
        for note in (*one.notes, *([f"not followed: {one.left_out}"] if one.covered_by else [])):
            click.echo(f"{render.shown(one.path)}: {note}")


def _show_files(found: Examination) -> None:
    from logagg.query import render

    if found.files and not found.logs:
        columns = ("path", "stream", "size", "compression", "format", "matching", "lines", "start")
        rows = [[getattr(file, column) for column in columns] for file in found.files]
        render.write(
            render.Rows(("path", "stream", "bytes", "compression", "format", "matching", "of first", "from"), rows),
            "table",
            sys.stdout,
        )
    for file in found.files:
        if file.example:
            click.echo(f"{render.shown(file.path)}: a line: {render.shown(str(file.example))}")
        for miss in file.mismatches:
            click.echo(f"{render.shown(file.path)}:{miss.number}: {miss.reason}: {render.shown(miss.line)}")
    for one in found.passed_over:
        click.echo(f"not read: {render.shown(one.path)}: {one.reason}")
