"""`logagg report`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from logagg.cli import Shared, shared_options
from logagg.commands.options import compare_option, counted_options, tz_option, window_options
from logagg.commands.output import Output, output_options, refuse_in_lake
from logagg.errors import CHECK, LakeError
from logagg.lake_format import MODELS
from logagg.query.names import REPORTS

if TYPE_CHECKING:
    from logagg.query.render import Rows
    from logagg.query.reports import Bots, ReportRequest

T = TypeVar("T")


@click.command()
@click.argument("name", required=False, type=click.Choice(REPORTS), metavar="[NAME]")
@click.argument("steps", nargs=-1, metavar="[PATH]...")
@window_options
@click.option("--limit", type=click.IntRange(0, (1 << 63) - 1), help="The most rows to show, 20 if not given; 0: all.")
@counted_options
@click.option(
    "--model",
    type=click.Choice(MODELS),
    help="With attribution or --html: how the touches before a conversion share it; last_non_direct if not given.",
)
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the page of logagg serve as one file, with the data of the window; --limit rows of a panel, 500 if not given.",
)
@compare_option("With --html: also the period before, or the same days a week or a year ago.")
@tz_option
@output_options
@shared_options
def report(
    name: str | None,
    steps: tuple[str, ...],
    since: str | None,
    until: str | None,
    limit: int | None,
    site: str | None,
    bots: Bots,
    model: str | None,
    html: Path | None,
    compare: str | None,
    tz: str | None,
    output: Output,
    shared: Shared,
) -> None:
    """Show a report: overview, pages, ads, referrers, channels, visits, entries, exits, funnel, agents, robots, countries, networks, errors, latency, attribution, sources.

    Robots are included, so that the sums are those of the log; the column bots is their share of the hits, views or
    impressions, and --bots exclude leaves them out.

    A funnel takes the paths of pages: it shows how many visits saw the first, how many of these the next one after it, and
    so on. It looks back as far as requests are kept.

    With --html there is no NAME: the file has all panels of the page, which can be sorted and searched without a server.
    Without --since its window is the last 24 hours before the newest data.
    """
    from logagg.clock import SystemClock
    from logagg.query.reports import ReportRequest

    if steps and name != "funnel":
        raise click.UsageError(f"Got unexpected extra argument ({steps[0]})")
    now, zone = SystemClock().now(), shared.zone(tz, people=output.is_for_people)
    if html is not None:
        if name is not None or output != Output("table"):
            raise click.UsageError("--html is the whole page: leave NAME and the options of other formats out")
        window = {"since": since, "until": until, "compare": compare or "none", "zone": zone.key}
        asked = {**window, "site": site, "bots": bots, "model": model or MODELS[0]}
        return _write_page(html, asked, limit, now, shared)
    if compare is not None:
        raise click.UsageError("--compare is for --html")
    counted: dict[str, Any] = {"limit": limit, "site": site, "steps": steps, "model": model}
    wanted = ReportRequest.of(name or "overview", now, since=since, until=until, bots=bots, zone=zone, **counted)
    _write_report(wanted, output, shared, zone.key)


def _write_report(wanted: ReportRequest, output: Output, shared: Shared, zone: str) -> None:
    from logagg.query import render, reports
    from logagg.query.snapshot import connect

    output.check(shared.lake)
    if output.is_arrow:
        table = _asked(lambda: reports.arrow(reports.run(connect(shared.lake, zone), wanted)), shared.lake)
        with output.stream() as stream:
            return output.write_arrow(table.schema, table.to_batches(), stream)
    answer = _asked(lambda: render.Rows.of(reports.run(connect(shared.lake, zone), wanted)), shared.lake)
    with output.stream() as stream:
        upright = wanted.name == "overview" and output.form in ("table", "markdown")
        output.write(_upright(answer) if upright else answer, stream)


def _write_page(file: Path, asked: dict[str, Any], limit: int | None, now: float, shared: Shared) -> None:
    from logagg.explore.document import ROWS, FileRequest, answers, document
    from logagg.explore.panels import MOST_ROWS
    from logagg.query.export import appearing

    refuse_in_lake("--html", file, shared.lake)
    rows = ROWS if limit is None else min(limit or MOST_ROWS, MOST_ROWS)
    data = _asked(lambda: answers(shared.lake, FileRequest(**asked, rows=rows), now), shared.lake)
    page = document(data)
    with appearing(file, binary=True) as stream:
        stream.write(page)


def _asked(work: Callable[[], T], lake: Path) -> T:
    """Return what queries answer. Raises LakeError."""
    import duckdb

    from logagg.query.interruptible import interruptible

    try:
        return interruptible(work)
    except duckdb.Error as error:  # the queries are built in, so the files are at fault
        what = str(error).splitlines()[0]
        raise LakeError(f"{lake}: {what}", "" if CHECK in what else CHECK) from error


def _upright(answer: Rows) -> Rows:
    """Transpose a wide answer of one row into pairs of name and value."""
    from logagg.query.render import Rows

    return Rows(("what", "how much"), list(zip(answer.columns, next(iter(answer.rows)), strict=True)))
