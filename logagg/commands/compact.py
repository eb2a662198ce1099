"""`logagg compact`: merge small files now. `logagg expire`: apply retention now."""

from __future__ import annotations

import click

from logagg.cli import Shared, shared_options


@click.command()
@shared_options
def compact(shared: Shared) -> None:
    """Merge the lake's small files now; a running tail does it by itself."""
    _maintain(shared, "compact_all", "merged")


@click.command()
@shared_options
def expire(shared: Shared) -> None:
    """Apply the configured retention now: coarsen old buckets, drop the oldest."""
    _maintain(shared, "expire", "replaced or dropped")


def _maintain(shared: Shared, what: str, done: str) -> None:
    from logagg.clock import SystemClock
    from logagg.embedded.pipeline import rollups_of
    from logagg.errors import LakeError
    from logagg.lake.catalog import newest
    from logagg.lake.store import Lake

    if newest(shared.lake) is None:
        raise LakeError(f"{shared.lake}: no lake there", "`logagg tail` makes one")
    config = shared.config
    lake = Lake.open(shared.lake, rollups_of(config), clock=SystemClock(), config=config)
    try:
        files = getattr(lake, what)()
        if shared.verbosity >= 0:
            click.echo(f"{files} files {done}")
        lake.refuse_damaged()
    finally:
        lake.close()
