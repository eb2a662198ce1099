"""`logagg sql`."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import NoReturn

import click

from logagg import completion
from logagg.cli import Shared, shared_options
from logagg.commands.options import memory_option, timeout_option, tz_option
from logagg.commands.output import Output, output_options


@click.command()
@click.argument("query", required=False, shell_complete=completion.words)
@click.option(
    "--read",
    "readable",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    metavar="PATH",
    help="A file or directory that the query may read besides the lake.",
)
@timeout_option("5m", "End a query that takes longer; 0: never.")
@memory_option("Memory for the query (default: half of the machine's, 2GB at most).")
@click.option(
    "--rows",
    type=click.IntRange(0),
    default=1_000_000,
    show_default=True,
    metavar="N",
    help="The most rows of an answer; 0: all.",
)
@tz_option
@output_options
@shared_options
def sql(
    query: str | None,
    readable: tuple[Path, ...],
    timeout: float,
    memory: int | None,
    rows: int,
    tz: str | None,
    output: Output,
    shared: Shared,
) -> None:
    """Run one SELECT on the newest snapshot; without QUERY, read it from standard input until its end.

    The query runs in a sandbox: it reads the snapshot and the files named by --read, nothing else, and it cannot write.
    """
    from logagg.query.render import Rows
    from logagg.query.sandbox import QueryLimits, Sandbox, half_of_memory

    signal.signal(signal.SIGTERM, _terminated)  # so that the query ends, and its spilled files are removed
    output.check(shared.lake)
    text = sys.stdin.read() if query in (None, "-") else query
    limits = QueryLimits(timeout, half_of_memory() if memory is None else memory, rows)
    zone = shared.zone(tz, people=output.is_for_people).key
    sandbox = Sandbox(shared.lake, readable=readable, limits=limits, zone=zone)
    with sandbox.run(text or "", arrow=output.is_arrow) as answer, output.stream() as stream:
        if output.is_arrow:
            output.write_arrow(answer.schema, answer.batches(), stream)
        else:
            output.write(Rows(answer.columns, answer.rows()), stream)


def _terminated(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)
