"""The options of commands that look at a window of time, and at what counts in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def window_options(command: F) -> F:
    """Add `since` and `until`, as written on the command line."""
    until = click.option("--until", metavar="TIME", help="Up to then, not including it.")
    since = click.option(
        "--since", metavar="TIME", help='From then on: "1h30m" ago, "today", "yesterday", "last week", a date, a time.'
    )
    return since(until(command))


def counted_options(command: F) -> F:
    """Add `site` and `bots`."""
    bots = click.option(
        "--bots",
        type=click.Choice(["include", "exclude", "only"]),
        default="include",
        show_default=True,
        help="Whether robots count.",
    )
    return click.option("--site", help="Of this site only.")(bots(command))
