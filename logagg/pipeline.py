"""`logagg tail`: builds the stages from the configuration, lets the river run, says what came of it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from logagg.cargo import KnownSource
from logagg.clock import Clock, SystemClock
from logagg.config import Config
from logagg.errors import FormatError
from logagg.intake.tail import Tailer
from logagg.intake.watch import Waker
from logagg.lake.store import Lake
from logagg.notices import Notices
from logagg.parse import agents
from logagg.parse.book import FormatBook
from logagg.parse.events import Classifier
from logagg.parse.fields import EVENT_SCHEMA
from logagg.progress import CatchUpBar, StatusLine, summary
from logagg.river import Pace, River
from logagg.rollup.custom import build
from logagg.rollup.definitions import DEFAULTS, Rollup
from logagg.rollup.shard import Shard, ShardSettings

REFRESH = 0.5  # seconds between looks of the status line
ONCE_FLUSH = 10.0  # seconds between commits of `--once`, where nobody waits for the newest second


@dataclass(frozen=True, slots=True)
class TailOptions:
    """One run of `logagg tail`; what the command line does not say comes from the configuration."""

    paths: Sequence[str]
    lake: Path
    config: Config
    once: bool = False
    start: str | None = None  # "start" or "end"
    log_format: str | None = None
    flush: float | None = None  # seconds
    shards: int | None = None
    memory: int | None = None  # bytes
    verbosity: int = 0  # -1 quiet, 1 verbose
    say: Callable[[str], None] = print


def tail(options: TailOptions, clock: Clock | None = None) -> None:
    """Follow logs into a lake until told to stop, or read them once. Raises LogaggError."""
    clock = clock or SystemClock()
    threading.Thread(target=agents.prepare, daemon=True).start()
    rollups = rollups_of(options.config)
    lake = Lake.open(options.lake, rollups, clock=clock, config=options.config)
    try:
        _Run(options, clock, lake, rollups).run()
    finally:
        lake.close()


def rollups_of(config: Config) -> tuple[Rollup, ...]:
    """Return the default rollups and those that the configuration defines."""
    return (*DEFAULTS, *(build(one, EVENT_SCHEMA) for one in config.rollups))


class _Run:
    """One run of the tail: the stages, and the person who watches."""

    def __init__(self, options: TailOptions, clock: Clock, lake: Lake, rollups: Sequence[Rollup]) -> None:
        self._options, self._clock, self._lake = options, clock, lake
        self._notices = Notices(clock, verbosity=options.verbosity)
        self._waker = Waker(self._notices.report)
        self._refused: list[str] = []
        config, count = options.config, shard_count(options)
        known = lake.known_sources(count)
        self._tailer = self._make_tailer(known)
        self._book = FormatBook(
            options.log_format or config.log_format,
            {one.source.id: one.source.format for one in known if one.source.format},
            clock,
            self._refused.append,
            config.visitor,
        )
        settings = ShardSettings(rollups, config.clicks.window, config.limits.keys)
        shards = [Shard(number, settings, known, lake.clicks(number, count)) for number in range(count)]
        self._river = River(
            self._tailer,
            self._waker,
            self._book,
            Classifier.of(config, lake.secret),
            shards,
            lake,
            self._pace(),
            clock,
            self._notices,
            parsers=os.cpu_count() or 1,
        )

    def run(self) -> None:
        started = self._clock.monotonic()
        self._handle_signals()
        self._river.start()
        self._watch()
        if self._options.once:
            self._lake.compact_due()
        if self._options.once and self._options.verbosity >= 0:
            seconds = self._clock.monotonic() - started
            for line in summary(self._river.tally, seconds, self._options.lake):
                self._options.say(line)
        self._complain()

    def _make_tailer(self, known: Sequence[KnownSource]) -> Tailer:
        options, tail = self._options, self._options.config.tail
        return Tailer(
            options.paths,
            known,
            start_at=options.start or tail.begin,
            chunk_bytes=min(tail.chunk, max(self._memory() // 32, 1 << 16)),
            max_line=tail.max_line,
            clock=self._clock,
            notice=self._notices.report,
        )

    def _memory(self) -> int:
        return self._options.memory or self._options.config.tail.memory

    def _pace(self) -> Pace:
        options = self._options
        flush = options.flush if options.flush is not None else options.config.tail.flush
        if options.once and options.flush is None:
            flush = ONCE_FLUSH
        # Half for what waits to be committed; the rest for chunks on their way and for the commit itself.
        return Pace(flush, self._memory() // 4, options.once, options.config.tail.max_line)

    def _handle_signals(self) -> None:
        """SIGTERM and SIGINT: a last flush, a commit, the end. A second one: the end at once; nothing is lost."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: object) -> None:
        if self._river.stopping:
            os._exit(128 + number)
        self._river.stop()

    def _watch(self) -> None:
        """Show how it goes until it ends."""
        tally, loud = self._river.tally, self._options.verbosity >= 0
        display = CatchUpBar(tally, loud) if self._options.once else StatusLine(tally, self._clock, loud)
        try:
            while not self._river.join(REFRESH):
                display.refresh(self._tailer.backlog())
        finally:
            display.close()
            self._tailer.close()
            self._waker.stop()

    def _complain(self) -> None:
        """Fail when a log was left unread because no format matched it and nothing else was read."""
        if not self._refused:
            return
        paths = {source.id: source.path for source in self._tailer.sources()}
        named = sorted({paths[source] for source in self._refused})
        explicit = [path for path in named if path in self._options.paths]
        if explicit or not self._river.tally.lines:
            raise self._no_format((explicit or named)[0])

    def _no_format(self, path: str) -> FormatError:
        given = self._options.log_format or self._options.config.log_format
        what = f"the log format {given!r} matches none" if given else "no known log format matches most"
        return FormatError(f"{path}: {what} of its first lines", "say it with --log-format; nothing of it was counted")


def shard_count(options: TailOptions) -> int:
    """Return the number of shards: as said, as configured, or one per core."""
    return options.shards or options.config.tail.shards or os.cpu_count() or 1
