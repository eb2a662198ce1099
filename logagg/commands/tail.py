"""`logagg tail`."""

from __future__ import annotations

import re
import socket
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from logagg.cli import Shared, shared_options
from logagg.commands.options import (
    flush_option,
    gearman_option,
    log_json_option,
    memory_option,
    metrics_option,
    paths_argument,
    secret_option,
)
from logagg.commands.serve import LISTEN, serving
from logagg.config.types import MEMORY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from logagg.config.sections import Config
    from logagg.notices import Notice
    from logagg.tail.options import TailOptions

NO_LOGS = "name logs as PATH, or a server with --nginx or --apache, or write [tail] paths in logagg.toml"
INSTALLED = ""  # the value of --nginx and --apache without one
ADDRESS = re.compile(r"unix:.*|[^/]*:[^/]*|\d+")


class Tail(click.Command):
    """A command whose --serve may stand before PATH: click would take any next word for its value."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        alone = {
            at for at in range(end) if args[at] == "--serve" and not ADDRESS.fullmatch((args[at + 1 :] or [""])[0])
        }
        return super().parse_args(
            ctx, [f"--serve={LISTEN}" if at in alone else argument for at, argument in enumerate(args)]
        )


@click.command(cls=Tail)
@paths_argument
@click.option(
    "--nginx",
    metavar="FILE",
    is_flag=False,
    flag_value=INSTALLED,
    help="Follow the access logs of this configuration of nginx (default: /etc/nginx/nginx.conf).",
)
@click.option(
    "--apache",
    metavar="DIR",
    is_flag=False,
    flag_value=INSTALLED,
    help="Follow the access logs of the configuration of Apache httpd in DIR (default: where it is installed).",
)
@click.option("--once", is_flag=True, help="Read all there is, commit, print a summary, exit.")
@click.option(
    "--from",
    "start",
    type=click.Choice(["start", "end"]),
    help="Where to begin reading a new log (default: start).",
)
@click.option(
    "--log-format", metavar="NAME|STRING", help="A name, an nginx log_format or an Apache LogFormat (default: detect)."
)
@flush_option
@click.option(
    "--shards",
    type=click.IntRange(1),
    metavar="N",
    help="Shards that the visitors are divided into (default: one for two cores).",
)
@memory_option("Memory for the tail and its parsers (default, and least: 640MB).", MEMORY.convert)
@metrics_option
@click.option(
    "--serve",
    metavar="HOST:PORT",
    is_flag=False,
    flag_value=LISTEN,
    help=f"Serve the page, too, as logagg serve does (at {LISTEN} if no address is given).",
)
@gearman_option("Send the jobs to workers.")
@click.option(
    "--name", metavar="NAME", help="With --gearman: the name of this tail among others (default: the host's name)."
)
@secret_option
@log_json_option
@shared_options
def tail(
    paths: tuple[str, ...],
    nginx: str | None,
    apache: str | None,
    shared: Shared,
    serve: str | None,
    gearman: Any,
    name: str | None,
    secret: Path | None,
    **options: Any,
) -> None:
    """Follow files, directories or globs; - reads standard input.

    Without PATH, follow the logs that a server's configuration or logagg.toml names.

    SIGTERM and SIGINT: flush, commit, exit with status 0. A second one: exit at once; nothing is lost.
    SIGHUP: read the configuration again, and that of the server.
    """
    from logagg.heap import tune_process

    if serve and (gearman or options["once"]):
        raise click.UsageError("--serve shows a lake that is being written here: leave out --gearman and --once")
    tune_process()
    from logagg.clock import SystemClock
    from logagg.parse_pool.pool import Parsers
    from logagg.tail.signals import ControlRequests

    requests = ControlRequests(reloads=not options["once"])
    run, clock = _run(paths, shared, {"nginx": nginx, "apache": apache}, options), SystemClock()
    page = serving(shared.lake, serve) if serve else nullcontext()
    with requests.heeded(), Parsers(run.budget, clock) as parsers, page:  # parsers start up while the rest is imported
        if gearman:
            from logagg.cluster.remote import Cluster
            from logagg.cluster.remote import tail as send

            cluster = Cluster(gearman, name or socket.gethostname(), secret or shared.lake / "secret")
            send(run, cluster, clock, requests, parsers)
        else:
            from logagg.tail.local import tail as follow

            follow(run, clock, requests, parsers)


def _run(
    paths: tuple[str, ...], shared: Shared, servers: dict[Any, str | None], options: dict[str, Any]
) -> TailOptions:
    """Return the options of the run: the logs are those named, or those of the configuration and of servers."""
    from logagg.tail.options import TailOptions

    named = [(kind, path) for kind, path in servers.items() if path is not None]
    read: Callable[[], Config] = lambda: shared.config  # noqa: E731
    news: Callable[[], Sequence[Notice]] = list
    if named:
        from logagg.commands.servers import WithServers
        from logagg.servers.find import Configuration

        with_servers = WithServers([Configuration(path, kind) for kind, path in named], read)
        read, news = with_servers.read, with_servers.news
    config = read()
    if not paths and not config.paths:
        raise click.UsageError(NO_LOGS)
    return TailOptions(
        paths,
        shared.lake,
        config,
        verbosity=shared.verbosity,
        say=click.echo,
        reload=read,
        news=news,
        configured=bool(named) or not paths,
        **options,
    )
