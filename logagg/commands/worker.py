"""`logagg worker`."""

from __future__ import annotations

import re
from typing import Any

import click

from logagg.cli import Shared, shared_options
from logagg.commands.options import Parsed, flush_option, gearman_option, log_json_option, memory_option, metrics_option
from logagg.config.types import SIZE
from logagg.quantities import counted

_LIST = re.compile(r"\d{1,4}(-\d{1,4})?(,\d{1,4}(-\d{1,4})?)*(/\d{1,4})?", re.ASCII)


def shard_list(text: object) -> tuple[tuple[int, ...], int]:
    """Return the shards of `0-3,7` or `0-3,7/8`, and the total number, 0 if not given. Raises ValueError."""
    if isinstance(text, tuple):
        return text
    if not _LIST.fullmatch(str(text)):
        raise ValueError("write shards such as 0-3,7 or, of a lake of 8 shards, 0-3,7/8")
    listed, _, count = str(text).partition("/")
    found: set[int] = set()
    for part in listed.split(","):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    if not found:
        raise ValueError(f"write shards such as 0-3,7; {text} is an empty range")
    if count and max(found) >= int(count):
        raise ValueError(f"of {counted(int(count), 'shard')}, the last one is {int(count) - 1}")
    return tuple(sorted(found)), int(count or 0)


@click.command()
@gearman_option("The job servers.", required=True)
@click.option(
    "--shards",
    type=Parsed("list", shard_list),
    required=True,
    metavar="LIST",
    help="The shards to own: 0-3,7 or 0-3,7/8.",
)
@flush_option
@memory_option("End when the process uses more memory than this; a supervisor starts it again.", SIZE.convert)
@metrics_option
@click.option(
    "--max-jobs", type=click.IntRange(1), metavar="N", help="End after this many jobs; a supervisor starts it again."
)
@log_json_option
@shared_options
def worker(shared: Shared, gearman: Any, shards: Any, **options: Any) -> None:
    """Own shards of a lake, for tails that send their jobs through a job server.

    A shard has one owner; another worker that wants it waits until the owner is gone.
    SIGTERM and SIGINT: flush, commit, exit with status 0. A second one: exit at once; nothing is lost.
    """
    from logagg.heap import tune_process

    tune_process()
    from logagg.cluster.worker import WorkerOptions, work
    from logagg.tail.signals import ControlRequests

    wanted, of = shards
    options["max_jobs"] = options["max_jobs"] or 0
    requests = ControlRequests(reloads=False)
    run = WorkerOptions(gearman, shared.lake, shared.config, wanted, of, verbosity=shared.verbosity, **options)
    with requests.heeded():
        work(run, requests=requests)
