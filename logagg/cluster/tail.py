"""`logagg tail --gearman`: one session after the other, and what came of them."""

from __future__ import annotations

from dataclasses import replace

from logagg.clock import Clock, SystemClock
from logagg.cluster.remote import Cluster, Session, check
from logagg.cluster.secret import read_secret
from logagg.errors import SourceError
from logagg.intake import paths
from logagg.intake.names import STDIN
from logagg.notice_log import Notices
from logagg.parse_pool.pool import Parsers
from logagg.tail.console import summary
from logagg.tail.options import TailOptions
from logagg.tail.reporter import announce
from logagg.tail.signals import Requests
from logagg.tail.skipped import SkippedLogs


def tail(
    options: TailOptions,
    cluster: Cluster,
    clock: Clock | None = None,
    requests: Requests | None = None,
    parsers: Parsers | None = None,
) -> None:
    """Follow logs, or read them once, for workers elsewhere. Raises LogaggError."""
    clock, requests = clock or SystemClock(), requests or Requests()
    paths.check(options.paths, waits=not options.once)
    if STDIN in options.paths:
        raise SourceError("standard input cannot be sent to workers", "it could not be read again; write it to a file")
    check(options.config)
    secret = read_secret(cluster.secret)
    notices, began = Notices(clock, verbosity=options.verbosity, as_json=options.log_json), clock.monotonic()
    unread = SkippedLogs(notices, ends=options.once)
    announce(paths.problems(options.paths), notices)
    with parsers or Parsers(options.budget, clock) as ready:
        while (session := Session(options, cluster, secret, clock, requests, notices, unread, ready)).run() == "again":
            options = replace(options, config=session.config)
    if options.once:
        if options.verbosity >= 0:
            for line in summary(session.tally, clock.monotonic() - began, options.lake):
                options.say(line)
        unread.complain(options.paths, options.log_format or options.config.log_format, in_vain=not session.tally.lines)
