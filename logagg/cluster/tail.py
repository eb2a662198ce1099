"""`logagg tail --gearman`: one session after the other, and what came of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from logagg.clock import Clock, SystemClock
from logagg.cluster.dispatch import ClusterError
from logagg.cluster.session import Cluster, Session, check
from logagg.errors import SourceError
from logagg.intake import paths
from logagg.intake.names import STDIN
from logagg.notices import Notices
from logagg.running.options import TailOptions
from logagg.running.parsers import Parsers
from logagg.running.progress import summary
from logagg.running.reporter import announce
from logagg.running.signals import Wishes
from logagg.running.unread import Unread


def tail(
    options: TailOptions,
    cluster: Cluster,
    clock: Clock | None = None,
    wishes: Wishes | None = None,
    parsers: Parsers | None = None,
) -> None:
    """Follow logs, or read them once, for workers elsewhere. Raises LogaggError."""
    clock, wishes = clock or SystemClock(), wishes or Wishes()
    paths.check(options.paths, waits=not options.once)
    if STDIN in options.paths:
        raise SourceError("standard input cannot be sent to workers", "it could not be read again; write it to a file")
    check(options.config)
    secret = _secret(cluster.secret)
    notices, began = Notices(clock, verbosity=options.verbosity), clock.monotonic()
    unread = Unread(notices, ends=options.once)
    announce(paths.problems(options.paths), notices)
    with parsers or Parsers(options.budget, clock) as ready:
        while (session := Session(options, cluster, secret, clock, wishes, notices, unread, ready)).run() == "again":
            options = replace(options, config=session.config)
    if options.once:
        if options.verbosity >= 0:
            for line in summary(session.tally, clock.monotonic() - began, options.lake):
                options.say(line)
        unread.complain(options.paths, options.log_format or options.config.log_format, in_vain=not session.tally.lines)


def _secret(path: Path) -> bytes:
    try:
        secret = path.read_bytes()
    except OSError as error:
        hint = "copy the file secret out of the lake, and name it with --secret"
        raise ClusterError(f"{path}: the lake's secret cannot be read: {error.strerror}", hint) from error
    if len(secret) < 16:
        raise ClusterError(f"{path}: too short to be the secret of a lake", "copy it again")
    return secret
