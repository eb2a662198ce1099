"""One run of `logagg tail`, for any sink: options, signals, reload, display, heartbeats, the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from logagg.clock import Clock
from logagg.config.logs import LogTable, apart_of
from logagg.config.sections import Config
from logagg.errors import LogaggError
from logagg.heap import HeapTrimmer
from logagg.intake import paths
from logagg.intake.names import describe
from logagg.intake.tail import Tailer
from logagg.intake.waker import Waker
from logagg.lake.lake import Lake
from logagg.metrics import (
    DERIVED_UNTIL,
    EVICTED,
    LAST_COMMIT,
    LATE,
    MEMORY_LIMIT,
    MERGED,
    NOTICES,
    UNREAD,
    Sample,
)
from logagg.notice_log import Notices
from logagg.notices import (
    FAILURE,
    KINDS,
    configuration_refused,
    configuration_reloaded,
    log_has_further_format,
    reading_again,
    stopped_before_end,
)
from logagg.parse.envelopes.cutting import whole_lines
from logagg.parse.formats.format import PersonalFields
from logagg.parse.geo.places import GeoSettings, changes
from logagg.parse.source_formats import SourceFormats, check_formats
from logagg.parse_pool.pool import Parsers
from logagg.parse_pool.task import ParseTask
from logagg.records import Source
from logagg.scrape import of_process, served
from logagg.tail.console import CatchUpBar, StatusLine, summary
from logagg.tail.freshness import Freshness
from logagg.tail.options import TailOptions
from logagg.tail.reader import Pace, ReadLoop
from logagg.tail.reload import reloaded
from logagg.tail.reporter import Reporter, announce
from logagg.tail.signals import ControlRequests
from logagg.tail.sink import BeginAgain, Beginning, Destination, Sink
from logagg.tail.skipped import SkippedLogs
from logagg.tail.stats import Stats, Tally

REFRESH = 0.5  # seconds between updates of the status line
HEAP = 0.75  # share of the memory beside the parsers above which freed memory is returned to the system
ONCE_FLUSH = 10.0  # seconds between commits of `--once`, which need not be fresh


def counted(notices: Notices) -> Iterator[Sample]:
    """Return how many notices there were, by kind."""
    yield from NOTICES.each(notices.counts, [one.name for one in KINDS if one is not FAILURE])


def format_before(sources: Sequence[Source], source: Source) -> str:
    """Return the format that the latest earlier generation of a source's log had; empty if there is none."""
    stream = describe(source.path).stream
    same = [one for one in sources if one.id != source.id and one.format and describe(one.path).stream == stream]
    return max(same, key=lambda one: one.modified).format if same else ""


def maintained(lake: Lake) -> Iterator[Sample]:
    """Return how many rows were merged, and how far requests are derived."""
    state = lake.state
    yield MERGED.of(lake.merging.rows)
    yield LATE.of(state.late)
    for name, mark in state.derived.items():
        yield DERIVED_UNTIL.of(mark.until.timestamp(), name)
    derived = {table for mark in state.derived.values() for table in mark.tables}
    for table in sorted(derived | set(state.evicted)):
        yield EVICTED.of(state.evicted.get(table, 0), table)


class Run:
    """One run: sessions with a tailer each, and in a session one read loop for each configuration.

    The tailer outlives a reload: it holds rotated files open, and an unfinished line of standard input. If the committed
    positions are not those that the sink was given, a new session starts from them.
    """

    def __init__(
        self,
        options: TailOptions,
        destination: Destination,
        clock: Clock,
        notices: Notices,
        requests: ControlRequests,
        parsers: Parsers,
    ) -> None:
        self._options, self._destination, self._clock, self._notices = options, destination, clock, notices
        self._requests, self._parsers, self._budget = requests, parsers, options.budget
        self._config = options.config
        self._new_config: Config | None = None  # for the next read loop, loaded while this one runs
        self._geo: GeoSettings | None = None
        self._cut_short = False  # by a signal
        self._waker = Waker(notices.report)
        self._skipped = SkippedLogs(notices, ends=options.ends)
        self._tailer: Tailer | None = None
        self._renew_stats()

    def numbers(self) -> Iterator[Sample]:
        """Return what a scrape shows."""
        backlog = self._tailer.backlog() if self._tailer else 0
        yield from self._stats.tally.numbers()
        yield UNREAD.of(backlog)
        yield LAST_COMMIT.of(self._stats.freshness.committed_at)
        yield MEMORY_LIMIT.of(self._budget.memory)
        yield from of_process(self._parsers.pids)
        yield from self._reporter.numbers()
        yield from self._destination.numbers()
        yield from counted(self._notices)

    def run(self) -> None:
        """Follow until told to stop, or read once. Raises LogaggError."""
        started = self._clock.monotonic()
        self._tell_news()
        announce(paths.problems(self._paths), self._notices)
        try:
            with served(self._options.metrics, self.numbers):
                while self._session():
                    self._renew_stats()
                if self._options.once:
                    self._finish(started)
        finally:
            self._waker.stop()
        if self._options.ends:
            self._destination.refuse_damaged()
            self._skipped.complain(self._paths, in_vain=not self._stats.tally.lines)

    def _tell_news(self) -> None:
        for notice in self._options.news():
            self._notices.report(notice)

    @property
    def _paths(self) -> list[str]:
        return self._options.follows(self._config)

    def _finish(self, started: float) -> None:
        """Merge the files of the lake, and print the summary."""
        if not self._cut_short:
            self._destination.tidy()
        if self._options.verbosity >= 0:
            for line in summary(self._stats.tally, self._clock.monotonic() - started, self._options.lake):
                self._options.say(line)
        if self._cut_short:
            self._notices.report(stopped_before_end())

    # a session

    def _session(self) -> bool:
        """Follow from the committed positions; return whether a new session is needed."""
        try:
            beginning = self._destination.begin(self._stats, lambda: self._requests.leaving)
            if beginning is None:
                self._cut_short = True
                return False
            self._stats.freshness.last_commit_was(beginning.written_at)
            self._tailer = self._make_tailer(beginning)
            if self._options.ends:
                self._tailer.check_clock()
            self._reporter.go_on_from(self._destination.last_heartbeat())
            with self._reporter.of_run(self._tailer, but=BeginAgain):
                self._follow(self._tailer, beginning)
        except BeginAgain as lost:
            self._notices.report(reading_again(str(lost)))
            return True
        finally:
            self._destination.end()
            if self._tailer:
                self._tailer.close()
        if self._options.ends:
            self._tailer.check_clock()
        return False

    def _renew_stats(self) -> None:
        self._stats = Stats(Tally(record=self._skipped.record), Freshness(self._clock))
        self._reporter = Reporter(
            self._options,
            self._destination.say,
            self._skipped.record,
            self._stats.freshness,
            self._clock,
            tailer=self._destination.tailer,
            lock=self._destination.lock,
        )

    def _make_tailer(self, beginning: Beginning) -> Tailer:
        options, tail = self._options, self._config.tail
        return Tailer(
            self._paths,
            beginning.known,
            apart=apart_of(self._config.logs),
            start_at=options.start or tail.begin,
            chunk_bytes=beginning.chunk_bytes,
            max_line=tail.max_line,
            idle=tail.idle,
            forget=tail.forget,
            take_buffer=self._parsers.take_buffer,
            whole_lines=whole_lines,
            reserved=beginning.descriptors,
            once=options.once,
            clock=self._clock,
            notice=self._skipped.report,
            may_forget=self._destination.may_forget,
        )

    def _follow(self, tailer: Tailer, beginning: Beginning) -> None:
        """Run one read loop after the other, each with the newest configuration."""
        loud = self._options.shows_progress
        tally = self._stats.tally
        display = CatchUpBar(tally, loud) if self._options.once else StatusLine(tally, self._clock, loud)
        try:
            with HeapTrimmer(round(HEAP * (self._budget.memory - self._parsers.memory))):
                sink = self._destination.sink(self._config)
                while config := self._watch(self._make_loop(tailer, sink, beginning), tailer, sink, display):
                    sink = self._renewed(config, tailer)
        finally:
            display.close()

    def _make_loop(self, tailer: Tailer, sink: Sink, beginning: Beginning) -> ReadLoop:
        config, pace = self._config, self._pace(self._config)
        privacy, classifier = config.privacy, self._destination.classifier(config)
        self._geo = classifier.geo
        formats, logs = self._formats(config, tailer), LogTable(config.logs)
        detector = formats.detector if formats.detects else None
        task = ParseTask(classifier, config.tail.max_line, privacy.addresses_in_samples, sink.then, detector)
        self._parsers.use(task, self._notices.report, formats.learn)
        self._reporter.flush, self._reporter.paths = pace.flush, self._paths
        return ReadLoop(
            tailer,
            self._waker,
            formats,
            logs,
            self._parsers,
            sink,
            pace,
            self._clock,
            beginning.written_at,
            found=lambda source, name: self._notices.report(log_has_further_format(source.path, name)),
        )

    def _watch(self, loop: ReadLoop, tailer: Tailer, sink: Sink, display: CatchUpBar | StatusLine) -> Config | None:
        """Show the progress until a read loop ends; return the configuration for the next one, if any."""
        self._new_config = None
        sink.start(loop.stop)
        loop.start()
        with ThreadPoolExecutor(1, "end") as executor:
            end = executor.submit(self._await_end, loop, sink)
            end.add_done_callback(lambda _: self._requests.put("ended"))
            try:
                self._heed(end, loop, tailer, sink, display)
            except BaseException:
                loop.stop()
                sink.cut()
                raise
        end.result()
        if self._cut_short:
            sink.finish()  # a signal to end came after a reload
            return None
        return self._next_config()

    def _next_config(self) -> Config | None:
        """Return the configuration that was loaded while the read loop ran."""
        return self._new_config

    def _await_end(self, loop: ReadLoop, sink: Sink) -> None:
        """Wait until a read loop has ended, and its sink has paused or finished. Raises the failure of either."""
        try:
            loop.join()
        finally:
            if self._new_config:
                sink.pause()
            else:
                sink.finish()

    def _heed(
        self, end: Future[None], loop: ReadLoop, tailer: Tailer, sink: Sink, display: CatchUpBar | StatusLine
    ) -> None:
        """Handle control requests, and show the progress, until the end."""
        while not end.done():
            request = self._requests.wait(REFRESH)
            if request == "stop":
                self._cut_short = True
                sink.leave()
                loop.stop()
            elif request == "reload":
                self._reload(loop, tailer)
            for notice in changes(self._geo):
                self._notices.report(notice)
            display.refresh(tailer.backlog(), self._destination.activity)
            self._reporter.tick(tailer)

    # reload

    def _reload(self, loop: ReadLoop, tailer: Tailer) -> None:
        def attempt(config: Config) -> None:
            self._destination.check(config)
            self._destination.classifier(config)
            self._formats(config, tailer)

        if config := reloaded(self._options.reload, self._new_config or self._config, attempt, self._notices):
            self._new_config = config
            loop.stop()
            self._tell_news()

    def _renewed(self, config: Config, tailer: Tailer) -> Sink:
        """Return the next sink: with the new configuration, or with the old one if the destination refuses the new one."""
        try:
            sink = self._destination.adopt(config)
        except LogaggError as error:
            self._notices.report(configuration_refused(str(error)))
            return self._destination.adopt(self._config)
        if (config.paths, config.logs) != (self._config.paths, self._config.logs):
            tailer.follow(self._options.follows(config), apart_of(config.logs))
        self._config = config
        tailer.reconsider()
        self._notices.report(configuration_reloaded())
        return sink

    def _formats(self, config: Config, tailer: Tailer) -> SourceFormats:
        """Return the formats of logs for a configuration. Raises LogaggError."""
        given, logs, personal = self._options.log_format, LogTable(config.logs), PersonalFields.of(config)
        known = {source.id: source.format for source in tailer.sources() if source.format}
        check_formats(config.logs, personal)

        def own(source: str) -> str:
            return "" if given else logs.format_of(*tailer.names(source))

        def refused(source: str) -> None:
            self._skipped.refuse(tailer.source(source), formats.given_for(source), formats.why(source))

        def before(source: str) -> str:
            return format_before(tailer.sources(), tailer.source(source))

        formats = SourceFormats(
            given or config.log_format, known, self._clock, refused, personal, before, tailer.bytes_before, own
        )
        return formats

    def _pace(self, config: Config) -> Pace:
        options = self._options
        flush = options.flush if options.flush is not None else config.tail.flush
        if options.once and options.flush is None:
            flush = ONCE_FLUSH
        return Pace(flush, options.once)
