"""`logagg report`."""

from __future__ import annotations

import sys
from dataclasses import replace

import click

from logagg.cli import Shared, format_options, shared_options
from logagg.errors import CHECK, LakeError


@click.command()
@click.argument("name", default="overview", required=False)
@click.option("--since", metavar="TIME", help='From then on: "1h" ago, "today", "yesterday", a date, a time (UTC).')
@click.option("--until", metavar="TIME", help="Up to then, not including it.")
@click.option("--limit", type=click.IntRange(0, (1 << 63) - 1), help="The most rows to show, 20 if not given; 0: all.")
@click.option("--site", help="Of this site only.")
@click.option(
    "--bots",
    type=click.Choice(["include", "exclude", "only"]),
    default="include",
    show_default=True,
    help="Whether robots count.",
)
@format_options(("table", "json", "csv"))
@shared_options
def report(
    name: str,
    since: str | None,
    until: str | None,
    limit: int | None,
    site: str | None,
    bots: str,
    form: str,
    shared: Shared,
) -> None:
    """Show a report: overview, pages, ads, referrers, agents, errors, latency, sources.

    Robots are included, so that the sums are those of the log; the column bots is their share of the hits, views or
    impressions, and --bots exclude leaves them out.
    """
    import duckdb

    from logagg.clock import SystemClock
    from logagg.query import render, reports
    from logagg.query.interruptible import interruptible
    from logagg.query.snapshot import connect

    wanted = reports.ReportRequest.of(
        name,
        SystemClock().now(),
        since=since,
        until=until,
        limit=limit or None,
        site=site,
        bots=bots,  # type: ignore[arg-type]
    )
    if limit is None and "$limit" in reports.query_of(name):
        wanted = replace(wanted, limit=reports.LIMIT)
    try:
        answer = interruptible(lambda: render.Rows.of(reports.run(connect(shared.lake), wanted)))
    except duckdb.Error as error:  # the queries are built in, so the files are at fault
        what = str(error).splitlines()[0]
        raise LakeError(f"{shared.lake}: {what}", "" if CHECK in what else CHECK) from error
    render.write(_upright(answer) if name == "overview" and form == "table" else answer, form, sys.stdout)


def _upright(answer):  # type: ignore[no-untyped-def]
    """Transpose a wide answer of one row into pairs of name and value."""
    from logagg.query import render

    return render.Rows(
        ("what", "how much"),
        [(name, render.shown(value)) for name, value in zip(answer.columns, next(iter(answer.rows)), strict=True)],
    )
