"""`logagg tail`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from logagg.cli import Shared, shared_options
from logagg.settings import INTERVAL, MEMORY


class Written(click.ParamType[Any]):
    """A value as `logagg.toml` writes it: a size, a duration."""

    def __init__(self, name: str, convert: Callable[[object], Any]) -> None:
        self.name, self._convert = name, convert

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self._convert(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--once", is_flag=True, help="Read all there is, commit, print a summary, exit.")
@click.option(
    "--from",
    "start",
    type=click.Choice(["start", "end"]),
    help="Where a log that is new is read from (default: start).",
)
@click.option(
    "--log-format", metavar="NAME|STRING", help="A name, an nginx log_format or an Apache LogFormat (default: detect)."
)
@click.option(
    "--flush",
    type=Written("seconds", INTERVAL.convert),
    metavar="SECONDS",
    help="How often counts become visible in SQL (default: 1).",
)
@click.option(
    "--shards", type=click.IntRange(1), metavar="N", help="Workers that share the visitors (default: one per core)."
)
@click.option(
    "--memory",
    type=Written("size", MEMORY.convert),
    metavar="SIZE",
    help="What the process may take (default, and least: 512MB).",
)
@shared_options
def tail(paths: tuple[str, ...], shared: Shared, **options: Any) -> None:
    """Follow files, directories or globs; - reads standard input.

    SIGTERM and SIGINT: a last flush, a commit, exit status 0. A second one: the end at once; nothing is lost.
    SIGHUP: read the configuration again.
    """
    from logagg.process import settle

    settle()
    from logagg.pipeline import TailOptions
    from logagg.pipeline import tail as follow
    from logagg.signals import Wishes

    wishes = Wishes(reloads=not options["once"])
    run = TailOptions(
        paths,
        shared.lake,
        shared.config,
        verbosity=shared.verbosity,
        say=click.echo,
        reload=lambda: shared.config,
        **options,
    )
    with wishes.heeded():
        follow(run, wishes=wishes)
