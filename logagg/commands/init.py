"""`logagg init`."""

from __future__ import annotations

from pathlib import Path

import click

from logagg.cli import Shared, shared_options
from logagg.errors import ConfigError


@click.command()
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@click.option(
    "--from",
    "server",
    metavar="PATH",
    help="Write the access logs of the configuration of nginx or Apache httpd at PATH, too; - reads what nginx -T prints.",
)
@shared_options
def init(force: bool, server: str | None, shared: Shared) -> None:
    """Write a commented logagg.toml: every setting with its default and its meaning."""
    from logagg.config.load import default_file
    from logagg.config.toml import FILE

    path = shared.config_file or Path(FILE)
    logs = _logs_of(server) if server else ""
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(default_file(logs))
    except FileExistsError:
        raise ConfigError(f"{path}: the file exists", "overwrite it with --force") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", "name another file with --config") from None
    if shared.verbosity >= 0:
        click.echo(f"wrote {path}")


def _logs_of(server: str) -> str:
    from logagg.commands.servers import as_toml
    from logagg.servers.find import Configuration

    return as_toml(server, Configuration(server).logs())
