"""`logagg compact`: merge small files now. `logagg expire`: apply retention now."""

from __future__ import annotations

import signal

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
    from logagg.notices import Notices
    from logagg.running.progress import merge_line

    if newest(shared.lake) is None:
        raise LakeError(f"{shared.lake}: no lake there", "`logagg tail` makes one")
    config, clock = shared.config, SystemClock()
    lake = Lake.open(shared.lake, rollups_of(config), clock=clock, config=config)
    lake.merging.notice = Notices(clock, verbosity=shared.verbosity).report
    signal.signal(signal.SIGTERM, lambda number, frame: lake.merging.stop())
    try:
        with merge_line(lake.merging, shared.verbosity >= 0):
            files = getattr(lake, what)()
        if shared.verbosity >= 0:
            click.echo(f"{files} files {done}")
    finally:
        lake.close()
