"""`logagg lines`."""

from __future__ import annotations

import signal
import sys
from itertools import islice
from typing import TYPE_CHECKING, NoReturn

import click

from logagg import completion
from logagg.cli import Shared, shared_options
from logagg.commands.options import paths_argument, tz_option, where_option, window_options
from logagg.commands.output import FORMATS as ANSWERS
from logagg.commands.output import Output, format_option, guard_option, refuse_guard
from logagg.notice_log import printable, write
from logagg.quantities import counted

if TYPE_CHECKING:
    from logagg.query.lines import FoundLines

FORMATS = ("lines", *ANSWERS)
_REASONS = 20  # that are said, at most: each names a log


@click.command()
@paths_argument
@where_option(shell_complete=completion.columns(of="requests"))
@window_options
@click.option(
    "--limit",
    type=click.IntRange(1, 1_000_000),
    default=20,
    show_default=True,
    metavar="N",
    help="The most lines to print: the newest.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format jsonl.")
@tz_option
@format_option(FORMATS)
@guard_option
@shared_options
def lines(
    paths: tuple[str, ...],
    where: str,
    since: str | None,
    until: str | None,
    limit: int,
    tz: str | None,
    as_json: bool,
    form: str,
    formula_guard: bool,
    shared: Shared,
) -> None:
    """Print the log lines behind requests: the newest ones, in the order of time.

    Lines are read from their logs, wherever rotation and compression have moved them: where they were last, beside that,
    beside other logs of the lake, and in the files and directories PATH. A line whose log is gone or has changed is not
    printed, and standard error says why. Exit status 1 when there are requests, and no line of any.

    The format "lines" is the lines as they are in their logs; others have the request, its file, its line and the reason
    why there is none.
    """
    from logagg.clock import SystemClock
    from logagg.query.lines import LinesRequest, find

    signal.signal(signal.SIGTERM, _terminated)  # so that the query ends, and its spilled files are removed
    form = "jsonl" if as_json else form
    refuse_guard(form, formula_guard)
    output = Output(form, None, formula_guard)
    output.check(shared.lake)
    zone = shared.zone(tz, people=output.is_for_people)
    asked = LinesRequest.of(where, SystemClock().now(), since=since, until=until, limit=limit, zone=zone)
    with find(shared.lake, asked, paths) as found:
        _write(found) if output.form == "lines" else _write_rows(found, output)
        sys.stdout.flush()
        if shared.verbosity >= 0:
            _say_missing(found)
        if len(found) and not found.shown:
            raise click.exceptions.Exit(1)


def _terminated(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)


def _write(found: FoundLines) -> None:
    """Write the lines as they are; to a terminal, without control characters."""
    if sys.stdout.isatty():
        for one in found:
            if one.text is not None:
                sys.stdout.write(f"{printable(one.text)}\n")
        return
    for one in found:
        if one.line is not None:
            sys.stdout.buffer.write(one.line + b"\n")


def _write_rows(found: FoundLines, output: Output) -> None:
    """Write the requests with their lines."""
    from logagg.query.render import Rows

    with output.stream() as stream:
        if output.is_arrow:
            table = found.table()
            return output.write_arrow(table.schema, table.to_batches(), stream)
        output.write(Rows(found.columns, (tuple(one.as_dict().values()) for one in found)), stream)


def _say_missing(found: FoundLines) -> None:
    """Say how many lines are not shown, and why, one line for each reason."""
    missing = found.missing()
    for reason, count in islice(missing.items(), _REASONS):
        write(printable(f"logagg: {counted(count, 'line')} {reason}") + "\n", sys.stderr)
    if len(missing) > _REASONS:
        rest = sum(islice(missing.values(), _REASONS, None))
        write(f"logagg: {counted(rest, 'line')} not shown for other reasons, which --json gives\n", sys.stderr)
