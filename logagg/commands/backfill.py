"""`logagg backfill`: counts lines that were read before a rollup was defined, from requests."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from logagg import completion
from logagg.cli import Shared, shared_options
from logagg.quantities import counted

if TYPE_CHECKING:
    from datetime import datetime

    from logagg.config.sections import Config
    from logagg.lake.backfill import Backfill
    from logagg.lake.handover import Handover
    from logagg.lake.progress import MergeProgress
    from logagg.lake.state import State
    from logagg.rollup.definitions import Rollup

ATTEMPTS = 5  # files of a snapshot may be replaced while they are read, and another run may fill its ranges


@click.command()
@click.argument("rollup", shell_complete=completion.rollups)
@shared_options
def backfill(rollup: str, shared: Shared) -> None:
    """Fill a rollup from requests, with the lines read before it was defined.

    A tail may run meanwhile. It can be stopped, and run again: nothing is counted twice.
    """
    from logagg.clock import SystemClock
    from logagg.lake import locks
    from logagg.lake.handover import Handover
    from logagg.lake.layout import prepare_to_write
    from logagg.lake.progress import MergeProgress
    from logagg.rollup.configured import tables_of
    from logagg.tail.console import merge_line

    prepare_to_write(shared.lake)
    config, clock = shared.config, SystemClock()
    wanted, progress = _defined(rollup, config), MergeProgress(clock)
    say: Callable[..., None] = click.echo if shared.verbosity >= 0 else lambda text, err=False: None
    with _stopped_by_sigterm(progress):
        handover = Handover(
            shared.lake,
            tables_of(config),
            clock,
            config,
            stops=lambda: progress.stops,
            say=lambda text: say(text, err=True),
        )
        with locks.filling(shared.lake, rollup), merge_line(progress, shared.verbosity >= 0):
            lines = list(_fill(shared, wanted, config.limits.keys, handover, progress))
    for line in lines:
        say(line)


def _defined(name: str, config: Config) -> Rollup:
    """Return a rollup that can be filled. Raises ConfigError."""
    from logagg.errors import ConfigError
    from logagg.rollup.configured import rollups_of
    from logagg.rollup.replay import looks_back

    known = {one.name: one for one in rollups_of(config)}
    if name not in known:
        where = config.path or "the configuration"
        raise ConfigError(f"{where}: defines no rollup {name}", f"there are {', '.join(known)}")
    if looks_back(known[name]):
        raise ConfigError(
            f"{name}: cannot be filled from requests: whether a click is a duplicate depends on those before it",
            "read the logs again into a new lake",
        )
    return known[name]


def _fill(shared: Shared, rollup: Rollup, keys: int, handover: Handover, progress: MergeProgress) -> Iterator[str]:
    """Fill a rollup; yield lines for the user. Raises LakeError."""
    from logagg.errors import CHECK, LakeError
    from logagg.lake.backfill import Backfill, PartsReplaced

    for attempt in range(ATTEMPTS):
        found = Backfill(shared.lake, rollup, _newest(shared, rollup, handover), keys)
        if not found.ranges:
            yield f"{rollup.name}: nothing to fill, " + (
                "another run has done it" if attempt else "it has counted all that was read"
            )
            return
        try:
            if handover.commit(found.run(progress)):
                yield from _summary(found)
                yield from _left(_newest(shared, rollup, handover), rollup)
                return
        except PartsReplaced:
            continue
    raise LakeError(f"{shared.lake}: files of requests are missing, or replaced faster than they are read", CHECK)


def _newest(shared: Shared, rollup: Rollup, handover: Handover) -> State:
    """Return the newest state of a lake, which has the rollup. Raises LakeError."""
    from logagg.errors import LakeError, LakeLocked
    from logagg.lake import catalog, heartbeats

    path = catalog.newest(shared.lake)
    if path is None:
        raise LakeError(f"{shared.lake}: no lake there", "`logagg tail` makes one")
    state = catalog.read(path)
    if rollup.name not in state.rollups:
        try:
            handover.opened().close()  # which defines it
        except LakeLocked:
            pid = heartbeats.lock_state(shared.lake).pid
            raise LakeError(
                f"{shared.lake}: the process that writes it does not know {rollup.name} yet",
                f"have it read the configuration (kill -HUP {pid}), then run this again",
            ) from None
        state = catalog.read(catalog.newest(shared.lake) or path)
    if not state.requests_kinds:
        raise LakeError(
            f"{shared.lake}: keeps no requests to fill {rollup.name} from", 'see requests.keep, which is "0"'
        )
    return catalog.with_tables(state, [rollup])


def _summary(done: Backfill) -> Iterator[str]:
    """Print what was filled, and which lines are missing."""
    name, rows = done.rollup.name, counted(done.requests, "request")
    if done.first and done.last:
        rows += f", from {_moment(done.first)} to {_moment(done.last)} UTC"
    yield f"{name}: filled from {rows}"
    if done.is_cut:
        yield f"{name}: events older than {_moment(done.since)} UTC are not in it: requests do not reach back further"
    if kinds := done.kinds_left_out:
        yield f"{name}: events of the kinds {', '.join(kinds)} are not in it, if it counts them: requests.kinds leaves them out"
    for column, requests in done.unknown.items():
        if requests:
            yield f"{name}: of {counted(requests, 'request')} no `{column}` is known: it was not kept when they were read, or not logged"
    for column, until in done.lacking.items():
        yield f"{name}: requests up to {_moment(until)} UTC have no `{column}`: an earlier logagg wrote them without"


def _left(state: State, rollup: Rollup) -> Iterator[str]:
    """Say where lines have come meanwhile that the rollup does not count."""
    if state.uncounted.get(rollup.name):
        yield (
            f"{rollup.name}: lines that were read meanwhile are not in it: the tail, or a worker, does not know it yet; "
            "have it read the configuration (SIGHUP to a tail, a restart of a worker), then run this again"
        )


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


@contextmanager
def _stopped_by_sigterm(progress: MergeProgress) -> Iterator[None]:
    former = signal.signal(signal.SIGTERM, lambda number, frame: progress.stop())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)
