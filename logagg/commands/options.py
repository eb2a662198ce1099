"""The options that several commands have, and the notations of their values; `output` has those of answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from logagg.config.types import INTERVAL, duration, size

F = TypeVar("F", bound=Callable[..., Any])


class Parsed(click.ParamType[Any]):
    """A value in the notation of `logagg.toml`: a size, a duration."""

    def __init__(self, name: str, convert: Callable[[object], Any]) -> None:
        self.name, self._convert = name, convert

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self._convert(value)
        except ValueError as error:
            self.fail(f"{value!r} is not valid; {error}", param, ctx)


def address(text: object) -> tuple[str, int]:
    """Read `HOST:PORT`, or `:PORT` for this machine alone. Raises ValueError."""
    if isinstance(text, tuple):
        return text
    host, colon, port = str(text).rpartition(":")
    if not colon or not port.isdecimal() or len(port) > 5 or not 0 < int(port) < 1 << 16:
        raise ValueError("write HOST:PORT, or :PORT for this machine alone")
    return host.strip("[]") or "127.0.0.1", int(port)


def servers(text: object) -> Any:
    """Read `HOST:PORT[,HOST:PORT]`. Raises ValueError."""
    from logagg.cluster.gearman import Server

    return text if isinstance(text, tuple) else Server.listed(str(text))


paths_argument = click.argument("paths", nargs=-1, metavar="[PATH]...")
tz_option = click.option(
    "--tz",
    metavar="ZONE",
    help="The time zone of days and of times shown, as Europe/Berlin; if not given, the machine's for people, UTC for programs.",
)
log_json_option = click.option(
    "--log-json", is_flag=True, help="Write notices as JSON, one object a line, for programs."
)
flush_option = click.option(
    "--flush",
    type=Parsed("seconds", INTERVAL.convert),
    metavar="SECONDS",
    help="How often counts become visible in SQL (default: 1).",
)
metrics_option = click.option(
    "--metrics", type=Parsed("address", address), metavar="HOST:PORT", help="Where Prometheus may scrape."
)
secret_option = click.option(
    "--secret",
    type=click.Path(path_type=Path),
    envvar="LOGAGG_SECRET",
    show_envvar=True,
    metavar="FILE",
    help="With --gearman: the lake's secret (default: that in --lake).",
)


def where_option(**details: Any) -> Callable[[F], F]:
    """Return `--where`, a condition over requests."""
    about = "Of the requests that meet a condition in SQL."
    return click.option("--where", default="", metavar="CONDITION", help=about, **details)


def compare_option(help: str, **details: Any) -> Callable[[F], F]:
    """Return `--compare`, a period beside the window."""
    return click.option("--compare", type=click.Choice(["none", "previous", "week", "year"]), help=help, **details)


def gearman_option(help: str, *, required: bool = False) -> Callable[[F], F]:
    """Return `--gearman`, the job servers of a cluster."""
    kind = Parsed("servers", servers)
    return click.option("--gearman", type=kind, required=required, metavar="HOST:PORT[,…]", help=help)


def timeout_option(default: str, help: str) -> Callable[[F], F]:
    """Return `--timeout`, a limit on the time of a query."""
    kind = Parsed("duration", duration)
    return click.option("--timeout", type=kind, default=default, show_default=True, metavar="DURATION", help=help)


def memory_option(help: str, convert: Callable[[object], Any] = size, **details: Any) -> Callable[[F], F]:
    """Return `--memory`, a limit in bytes."""
    return click.option("--memory", type=Parsed("size", convert), metavar="SIZE", help=help, **details)


def window_options(command: F) -> F:
    """Add `--since` and `--until`, the window of time."""
    until = click.option("--until", metavar="TIME", help="Up to then, not including it.")
    since = click.option(
        "--since", metavar="TIME", help='From then on: "1h30m" ago, "today", "yesterday", "last week", a date, a time.'
    )
    return since(until(command))


def counted_options(command: F) -> F:
    """Add `--site` and `--bots`, which narrow what is counted."""
    bots = click.option(
        "--bots",
        type=click.Choice(["include", "exclude", "only"]),
        default="include",
        show_default=True,
        help="Whether robots count.",
    )
    return click.option("--site", help="Of this site only.")(bots(command))
