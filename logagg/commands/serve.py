"""`logagg serve`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from logagg.cli import Shared, shared_options
from logagg.commands.options import Parsed, gearman_option, memory_option, timeout_option

if TYPE_CHECKING:
    from logagg.clock import Clock

LISTEN = "127.0.0.1:8080"
LOOK = 0.5  # seconds between two looks for a lake


def listen(text: object) -> Any:
    """Read where to listen. Raises ValueError."""
    from logagg.serve.server import Listen

    return Listen.of(text)


@contextmanager
def serving(lake: Path, at: str) -> Iterator[None]:
    """Run `logagg serve` in a process of its own while the block runs; it ends with this process, however that ends."""
    try:
        listen(at)
    except ValueError as error:
        raise click.UsageError(f"--serve: {error}") from None
    theirs, ours = os.pipe()
    argv = [sys.executable, "-m", "logagg", "serve", "--wait", "--lake", str(lake), "--listen", at]
    try:
        child = subprocess.Popen([*argv, "--ends-with", str(theirs)], pass_fds=[theirs], start_new_session=True)
    finally:
        os.close(theirs)
    try:
        yield
    finally:
        os.close(ours)
        child.terminate()
        child.wait()


@click.command()
@click.option(
    "--listen",
    "at",
    type=Parsed("address", listen),
    metavar="HOST:PORT|unix:PATH",
    default=LISTEN,
    show_default=True,
    help="Where to listen; beyond this machine a token is required.",
)
@click.option(
    "--token-file", type=click.Path(path_type=Path), metavar="FILE", help="Where the token is; else one is made."
)
@click.option(
    "--host-name", "hosts", multiple=True, metavar="NAME", help="A name by which the page is opened; repeatable."
)
@click.option("--root-path", default="", metavar="PATH", help="The path under which a proxy shows the page, as /logs.")
@click.option(
    "--trusted-proxy",
    "proxies",
    multiple=True,
    metavar="ADDRESS",
    help="A proxy whose X-Forwarded headers count; repeatable.",
)
@click.option("--sql", is_flag=True, help="Answer queries at api/sql, in the sandbox.")
@timeout_option("30s", "For one answer.")
@memory_option("For all queries.", default="256MB", show_default=True)
@gearman_option("Job servers to show.")
@click.option("--wait", is_flag=True, help="Wait until there is a lake.")
@click.option("--ends-with", type=int, hidden=True, help="A descriptor: end when its other end is closed.")
@shared_options
def serve(
    at: Any,
    token_file: Path | None,
    hosts: tuple[str, ...],
    root_path: str,
    proxies: tuple[str, ...],
    sql: bool,
    timeout: float,
    memory: int,
    gearman: Any,
    wait: bool,
    ends_with: int | None,
    shared: Shared,
) -> None:
    """Serve the page and its read-only HTTP API, beside a running tail or alone.

    SIGTERM and SIGINT: exit with status 0. logagg docs web shows the page, logagg docs http describes the API.
    """
    from logagg.clock import SystemClock
    from logagg.errors import LakeError
    from logagg.explore.snapshots import AnswerLimits
    from logagg.query.snapshot import target_of
    from logagg.serve.api import ServedLake
    from logagg.serve.guard import Access
    from logagg.serve.server import new_token, read_token
    from logagg.serve.server import serve as run

    if root_path and not root_path.startswith("/"):
        raise click.UsageError("--root-path begins with /, as /logs")
    if not wait:
        target_of(shared.lake)
    while wait:
        try:
            target_of(shared.lake)
            break
        except LakeError:
            time.sleep(LOOK)
    token = read_token(token_file) if token_file else "" if at.is_loopback else new_token()
    names = tuple(name.lower() for name in (*hosts, *([] if at.path else [at.host])))
    access = Access(token, names, bool(at.path), proxies, root_path.rstrip("/"))
    clock = SystemClock()
    cluster = _cluster(gearman, shared.lake, clock) if gearman else None
    lake = ServedLake(shared.lake, AnswerLimits(timeout, memory), sql, cluster)

    def say(address: str) -> None:
        if shared.verbosity >= 0:
            click.echo(f"serving {shared.lake} at {address}")

    run(lake, at, access, clock, say, ends_with=ends_with)


def _cluster(job_servers: Any, lake: Path, clock: Clock) -> Callable[[], dict[str, Any]]:
    """Return a function that observes a cluster; without the right to read the secret it shows less."""
    from logagg.cluster import monitor
    from logagg.cluster.secret import read_secret
    from logagg.errors import ClusterError
    from logagg.query.snapshot import connect

    try:
        secret = read_secret(lake / "secret")
    except ClusterError:
        secret = None

    def observe() -> dict[str, Any]:
        with connect(lake) as connection:
            return monitor.observe(job_servers, lake, secret, clock, connection)

    return observe
