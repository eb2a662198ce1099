"""`logagg tail`: builds the stages from the configuration, lets the river run, says what came of it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence

from logagg.clock import Clock, SystemClock
from logagg.config.sections import Config
from logagg.errors import LogaggError
from logagg.heap import HeapTrimmer
from logagg.heartbeat import Heartbeat
from logagg.intake import paths
from logagg.intake.tail import Tailer
from logagg.intake.waker import Waker
from logagg.lake import heartbeats
from logagg.lake.lake import Lake
from logagg.lake.progress import MergeProgress
from logagg.metrics import Sample, served
from logagg.notice_log import Notices
from logagg.notices import configuration_refused, configuration_reloaded, stopped_before_end
from logagg.parse.events.classify import Classifier
from logagg.parse.schemas import EVENT_SCHEMA
from logagg.parse_pool.pool import Parsers
from logagg.parse_pool.task import Interpreter
from logagg.records import KnownSource
from logagg.rollup.definitions import DEFAULTS, Rollup
from logagg.rollup.shard import Shard, ShardSettings
from logagg.tail.console import CatchUpBar, StatusLine, merge_line, summary
from logagg.tail.freshness import Freshness
from logagg.tail.local import LocalTail, Pace, Tally
from logagg.tail.options import TailOptions
from logagg.tail.reload import reloaded
from logagg.tail.reporter import Reporter, announce
from logagg.tail.signals import Requests
from logagg.tail.skipped import SkippedLogs

REFRESH = 0.5  # seconds between looks of the status line
HEAP = 0.75  # of the memory that parsers leave: beyond, what is freed goes back to the system, for its pieces add up
ONCE_FLUSH = 10.0  # seconds between commits of `--once`, where nobody waits for the newest second


def tail(
    options: TailOptions, clock: Clock | None = None, requests: Requests | None = None, parsers: Parsers | None = None
) -> None:
    """Follow logs into a lake until told to stop by a wish, or read them once. Raises LogaggError."""
    clock = clock or SystemClock()
    paths.check(options.paths, waits=not options.once)
    with parsers or Parsers(options.budget, clock) as ready:
        _tail(options, clock, requests or Requests(), ready)


def _tail(options: TailOptions, clock: Clock, requests: Requests, parsers: Parsers) -> None:
    lake = Lake.open(options.lake, rollups_of(options.config), clock=clock, config=options.config, begin=False)
    try:
        lake.refuse_missing()
        run = _Run(options, clock, lake, requests, parsers)
        with served(options.metrics, run.numbers):
            run.run()
    finally:
        lake.close()


def counted(notices: Notices) -> Iterator[Sample]:
    """Return how many notices there were, by kind."""
    for kind, count in list(notices.counts.items()):
        yield Sample(
            "logagg_notices_total", "Notices by kind, whether they were written or not.", count, ("kind", kind)
        )


def merged(merging: MergeProgress) -> Iterator[Sample]:
    """Return how many rows were merged."""
    yield Sample("logagg_merged_rows_total", "Rows that merges have read.", merging.rows)


def rollups_of(config: Config) -> tuple[Rollup, ...]:
    """Return the default rollups and those that the configuration defines."""
    if not config.rollups:
        return DEFAULTS
    from logagg.rollup.custom import build  # DuckDB checks them, which takes a while to import

    return (*DEFAULTS, *(build(one, EVENT_SCHEMA) for one in config.rollups))


class _Run:
    """One run of the tail: one river after the other, and the person who watches.

    A new configuration takes a new river. The tailer stays: it holds open what was rotated away, and the part of a line
    that came through standard input.
    """

    def __init__(self, options: TailOptions, clock: Clock, lake: Lake, requests: Requests, parsers: Parsers) -> None:
        self._options, self._clock, self._lake, self._config = options, clock, lake, options.config
        self._shards, self._budget = options.shard_count, options.budget
        self._notices = Notices(clock, verbosity=options.verbosity, as_json=options.log_json)
        lake.tell(self._notices.report)
        self._wishes, self._parsers = requests, parsers
        lake.merging.notice, lake.merging.leaving = self._notices.report, lambda: requests.leaving
        self._waker = Waker(self._notices.report)
        self._cut_short = False  # by a wish
        self._unread = SkippedLogs(self._notices, ends=options.ends)
        self._tally, self._freshness = Tally(record=self._unread.record), Freshness(clock)
        self._tailer = self._make_tailer(lake.known_sources(self._shards))
        self._reporter = self._make_reporter()

    def numbers(self) -> Iterator[Sample]:
        """Return what a scrape shows."""
        yield from self._tally.numbers()
        yield Sample("logagg_unread_bytes", "Bytes of the logs that have not been read yet.", self._tailer.backlog())
        yield from self._reporter.numbers()
        yield from merged(self._lake.merging)
        yield from counted(self._notices)

    def run(self) -> None:
        started = self._clock.monotonic()
        if self._options.ends:
            self._tailer.check_clock()
        announce(paths.problems(self._options.paths), self._notices)
        with self._reporter.of_run(self._tailer):
            self._follow()
        if self._options.once:
            self._finish(started)
        if self._options.ends:
            self._tailer.check_clock()
            self._lake.refuse_damaged()
            self._unread.complain(self._options.paths, self._log_format(self._config), in_vain=not self._tally.lines)

    def _follow(self) -> None:
        """Let one river run after the other, each with the configuration that was wished for."""
        loud = self._options.shows_progress
        display = CatchUpBar(self._tally, loud) if self._options.once else StatusLine(self._tally, self._clock, loud)
        river = self._make_river(self._config)
        try:
            with HeapTrimmer(round(HEAP * (self._budget.memory - self._parsers.memory))):
                while config := self._watch(river, display):
                    river = self._renewed(config)
        finally:
            display.close()
            self._tailer.close()
            self._waker.stop()

    def _watch(self, river: LocalTail, display: CatchUpBar | StatusLine) -> Config | None:
        """Show how it goes until a river ends; return the configuration that the next one shall have."""
        config = self._config
        river.start()
        threading.Thread(target=self._report_end, args=(river,), daemon=True).start()
        while (wish := self._wishes.wait(REFRESH)) != "ended":
            if wish == "stop":
                self._cut_short = True
                river.stop()
            elif wish == "reload" and (new := reloaded(self._options.reload, config, rollups_of, self._notices)):
                config = new
                river.pause()
            display.refresh(self._tailer.backlog(), self._lake.merging.text)
            self._reporter.tick(self._tailer)
        river.join()
        return None if self._cut_short or config is self._config else config

    def _report_end(self, river: LocalTail) -> None:
        with contextlib.suppress(BaseException):  # the main thread joins too, and says it
            river.join()
        self._wishes.put("ended")

    def _finish(self, started: float) -> None:
        """Leave few files behind, and say what was read."""
        if not self._cut_short:
            with merge_line(self._lake.merging, self._options.shows_progress):
                self._lake.compact_due()
        if self._options.verbosity >= 0:
            for line in summary(self._tally, self._clock.monotonic() - started, self._options.lake):
                self._options.say(line)
        if self._cut_short:
            self._notices.report(stopped_before_end())

    # the stages

    def _make_tailer(self, known: Sequence[KnownSource]) -> Tailer:
        options, tail = self._options, self._options.config.tail
        return Tailer(
            options.paths,
            known,
            start_at=options.start or tail.begin,
            chunk_bytes=self._budget.chunk,
            max_line=tail.max_line,
            idle=tail.idle,
            forget=tail.forget,
            room=self._parsers.room,
            once=options.once,
            clock=self._clock,
            notice=self._unread.report,
            may_forget=self._lake.clock_is_settled,
        )

    def _make_reporter(self) -> Reporter:
        lake = self._options.lake

        def send(heartbeat: Heartbeat) -> None:
            with contextlib.suppress(OSError):  # a disk that is full says so when something is committed
                heartbeats.write(lake, heartbeat)

        taken = heartbeats.lock_state(lake).taken
        reporter = Reporter(self._options, send, self._unread.record, self._freshness, self._clock, lock=taken)
        reporter.go_on_from(heartbeats.read(lake))
        return reporter

    def _make_river(self, config: Config) -> LocalTail:
        self._reporter.flush = self._pace(config).flush
        known = self._lake.known_sources(self._shards)
        settings = ShardSettings(
            rollups_of(config),
            config.clicks.window,
            config.limits.keys,
            clicks_bytes=self._budget.clicks,
            events_bytes=self._budget.events,
        )
        return LocalTail(
            self._tailer,
            self._waker,
            self._make_interpreter(config),
            [Shard(number, settings, known, self._lake.clicks(number, self._shards)) for number in range(self._shards)],
            self._lake,
            self._pace(config),
            self._clock,
            self._notices,
            self._parsers,
            tally=self._tally,
            freshness=self._freshness,
        )

    def _make_interpreter(self, config: Config) -> Interpreter:
        given = self._log_format(config)
        return Interpreter(
            config,
            given,
            Classifier.of(config, self._lake.secret, self._lake.salts.key),
            self._tailer.sources(),
            self._clock,
            lambda source: self._unread.refuse(self._tailer.source(source), given),
            committed=self._lake.written_at,
        )

    def _log_format(self, config: Config) -> str:
        return self._options.log_format or config.log_format

    def _pace(self, config: Config) -> Pace:
        options = self._options
        flush = options.flush if options.flush is not None else config.tail.flush
        if options.once and options.flush is None:
            flush = ONCE_FLUSH
        return Pace(flush, self._budget.waiting, options.once)

    # another configuration

    def _renewed(self, config: Config) -> LocalTail:
        """Return the next river: with a new configuration, or with the old one where the lake refuses the new."""
        try:
            self._lake.reconfigure(rollups_of(config), config)
            river = self._make_river(config)
        except LogaggError as error:
            self._notices.report(configuration_refused(str(error)))
            self._lake.reconfigure(rollups_of(self._config), self._config)
            return self._make_river(self._config)
        self._config = config
        self._tailer.reconsider()
        self._notices.report(configuration_reloaded())
        return river
