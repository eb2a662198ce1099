"""`logagg compact`: merge small files now. `logagg expire`: apply retention now."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from logagg.cli import Shared, shared_options
from logagg.quantities import counted

if TYPE_CHECKING:
    from logagg.lake.lake import Lake


@click.command()
@shared_options
def compact(shared: Shared) -> None:
    """Merge the lake's small files now; a running tail does it by itself."""
    _maintain(shared, lambda lake: lake.compact_all(), "merged")


@click.command()
@click.option(
    "--trust-clock", is_flag=True, help="Even if the clock seems to have leapt since the lake was last written."
)
@shared_options
def expire(shared: Shared, trust_clock: bool) -> None:
    """Apply the configured retention now: coarsen old buckets, drop the oldest."""
    _maintain(shared, lambda lake: _expire(lake, trust_clock=trust_clock), "replaced or dropped")


def _expire(lake: Lake, *, trust_clock: bool) -> int:
    from logagg.errors import ClockError

    if not trust_clock and (doubt := lake.doubt()) and lake.is_anything_due():
        raise ClockError(doubt, "set the clock; if it is right, say --trust-clock")
    return lake.expire(trust_clock=trust_clock)


def _maintain(shared: Shared, work: Callable[[Lake], int], done: str) -> None:
    from logagg.clock import SystemClock
    from logagg.errors import LakeError
    from logagg.lake.catalog import newest
    from logagg.lake.lake import Lake
    from logagg.notice_log import Notices
    from logagg.rollup.configured import tables_of
    from logagg.tail.console import merge_line

    if newest(shared.lake) is None:
        raise LakeError(f"{shared.lake}: no lake there", "`logagg tail` makes one")
    config, clock = shared.config, SystemClock()
    lake = Lake.open(shared.lake, tables_of(config), clock=clock, config=config)
    lake.merging.notice = Notices(clock, verbosity=shared.verbosity).report
    former = signal.signal(signal.SIGTERM, lambda number, frame: lake.merging.stop())
    try:
        with merge_line(lake.merging, shared.verbosity >= 0):
            files = work(lake)
        if shared.verbosity >= 0:
            click.echo(f"{counted(files, 'file')} {done}")
        lake.refuse_damaged()
    finally:
        signal.signal(signal.SIGTERM, former)
        lake.close()
