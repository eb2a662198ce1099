"""`logagg sql`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from logagg.cli import Shared, format_options, shared_options
from logagg.errors import LogaggError


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
@format_options
@shared_options
def sql(query: str | None, readable: tuple[Path, ...], form: str, shared: Shared) -> None:
    """Run SQL on the newest snapshot; without QUERY, read it from standard input until its end.

    Of several statements, separated by semicolons, the last one's answer is shown. Only what reads is run: the
    lake cannot be changed from here.
    """
    import duckdb

    from logagg.view import render, sealed

    text = sys.stdin.read() if query in (None, "-") else query
    connection = sealed.connect_sealed(shared.lake, readable)
    try:
        answer = None
        for statement in sealed.statements(connection, text or ""):
            answer = render.Rows.of(sealed.run(connection, statement))
    except duckdb.Error as error:
        raise LogaggError(_said(error)) from error
    if answer is None:
        raise LogaggError("no query", "give it as an argument or on standard input")
    render.write(answer, form, sys.stdout)


def _said(error: Exception) -> str:
    """Return what DuckDB says is wrong and the line it says it of, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip(" ^\t")]
    return ": ".join(lines[:1]) + "".join(f" [{line}]" for line in lines[1:3])
