"""`logagg sql`."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

import click

from logagg.cli import Parsed, Shared, format_options, shared_options
from logagg.config.types import duration, size
from logagg.errors import LogaggError

if TYPE_CHECKING:
    from logagg.query.sandbox import Answer

FORMATS = ("table", "json", "csv", "parquet")


@click.command()
@click.argument("query", required=False)
@click.option(
    "--read",
    "readable",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    metavar="PATH",
    help="A file or directory that the query may read besides the lake.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the answer to FILE, which appears when it is complete.",
)
@click.option(
    "--timeout",
    type=Parsed("duration", duration),
    default="5m",
    show_default=True,
    metavar="DURATION",
    help="End a query that takes longer; 0: never.",
)
@click.option(
    "--memory",
    type=Parsed("size", size),
    metavar="SIZE",
    help="Memory for the query (default: half of the machine's, 2GB at most).",
)
@click.option(
    "--rows",
    type=click.IntRange(0),
    default=1_000_000,
    show_default=True,
    metavar="N",
    help="The most rows of an answer; 0: all.",
)
@format_options(FORMATS)
@shared_options
def sql(
    query: str | None,
    readable: tuple[Path, ...],
    output: Path | None,
    timeout: float,
    memory: int | None,
    rows: int,
    form: str,
    shared: Shared,
) -> None:
    """Run one SELECT on the newest snapshot; without QUERY, read it from standard input until its end.

    The query runs in a sandbox: it reads the snapshot and the files named by --read, nothing else, and it cannot write.
    """
    from logagg.query.sandbox import QueryLimits, Sandbox, half_of_memory

    signal.signal(signal.SIGTERM, _terminated)  # so that the query ends, and its spilled files are removed
    if form == "parquet" and output is None and sys.stdout.isatty():
        raise LogaggError("parquet is not for a terminal", "say --output FILE")
    text = sys.stdin.read() if query in (None, "-") else query
    limits = QueryLimits(timeout, half_of_memory() if memory is None else memory, rows)
    sandbox = Sandbox(shared.lake, readable=readable, limits=limits)
    arrow = form == "parquet"
    with sandbox.run(text or "", arrow=arrow) as answer, _target(output, shared.lake, binary=arrow) as stream:
        _write(answer, form, stream)


def _terminated(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)


def _write(answer: Answer, form: str, stream: Any) -> None:
    if form == "parquet":
        from logagg.query.export import write_parquet

        return write_parquet(answer.schema, answer.batches(), stream)
    from logagg.query import render

    render.write(render.Rows(answer.columns, answer.rows()), form, stream)


@contextmanager
def _target(output: Path | None, lake: Path, *, binary: bool) -> Iterator[IO[Any]]:
    """Yield the stream for the answer: standard output, or a file that appears when it is complete."""
    if output is None:
        yield sys.stdout.buffer if binary else sys.stdout
        return
    from logagg.query.export import appearing

    if lake.resolve() in output.resolve().parents:
        raise LogaggError(f"--output {output}: that is in the lake", "name a file elsewhere")
    with appearing(output, binary=binary) as file:
        yield file
