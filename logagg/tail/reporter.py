"""Sends a heartbeat every few seconds: the logs that a tail follows, waits for, cannot read, and cannot parse."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from contextlib import contextmanager, suppress
from dataclasses import replace
from fnmatch import fnmatchcase
from glob import has_magic

import logagg
from logagg.clock import Clock
from logagg.errors import LogaggError
from logagg.heartbeat import FollowedLog, Heartbeat, LogProblem
from logagg.intake import paths
from logagg.intake.names import STDIN
from logagg.intake.tail import Tailer
from logagg.metrics import BEHIND, FOLLOWED, LOG_UNREAD, LOG_UNREAD_FOR, UNPARSED, UNREADABLE, WAITING, Sample
from logagg.notice_log import Notices
from logagg.notices import log_unreadable, path_missing
from logagg.quantities import counted
from logagg.tail.freshness import Freshness
from logagg.tail.options import TailOptions
from logagg.tail.parse_record import ParseRecord
from logagg.tail.skipped import no_format

EVERY = 5.0  # seconds between heartbeats
AT_LEAST = 1.0  # seconds between heartbeats, at least, even after a change
MOST_LOGS = 1000  # logs in a heartbeat: with that many, writing one took 8 ms, for 82 kB
MOST_PROBLEMS = 1000


class Reporter:
    """Makes the heartbeats of a run, and sends them; for one thread."""

    def __init__(
        self,
        options: TailOptions,
        send: Callable[[Heartbeat], None],
        record: ParseRecord,
        freshness: Freshness,
        clock: Clock,
        *,
        tailer: str = "",
        lock: int = 0,
    ) -> None:
        self.flush = options.config.tail.flush  # seconds, by the current configuration
        self._blank = Heartbeat(
            tailer,
            socket.gethostname(),
            os.getpid(),
            lock,
            clock.now(),
            clock.now(),
            once=options.once,
            version=logagg.__version__,
        )
        self.paths: Sequence[str] = options.follows(options.config)  # by the current configuration, as `flush`
        self._send, self._record, self._freshness, self._clock = send, record, freshness, clock
        self._since: dict[
            tuple[str, str], float
        ] = {}  # by kind and path of a problem, by the clock that never goes back
        self._unread: dict[str, int] = {}  # bytes by log
        self._unread_since: dict[str, float] = {}  # by log, by the clock that never goes back
        self._waiting: dict[str, str] = {}  # by path
        self._refused: dict[str, str] = {}
        self._sent = self._looked = float("-inf")
        self._offset = self._clock_offset()  # when the last heartbeat was sent
        self._said: object = None
        self._newest = self._blank

    def go_on_from(self, before: Heartbeat | None) -> None:
        """Remember the problems that the tail before this one found, and since when they exist."""
        if before is None:
            return
        for kind, found in (
            ("waiting", before.waiting),
            ("unreadable", before.unreadable),
            ("unparsed", before.unparsed),
        ):
            for one in found:
                self._since[kind, one.path] = self._clock.monotonic() - max(0.0, self._clock.now() - one.since)
        for one in before.unparsed:
            self._record.add(one.source, one.lines, one.rejects)

    def tick(self, tailer: Tailer) -> None:
        """Send a heartbeat if one is due."""
        now = self._clock.monotonic()
        if now - self._looked < AT_LEAST:
            return
        self._looked = now
        self._look_at_backlog(tailer)
        wrong = self._what_is_wrong(tailer)
        clock_was_set = abs(self._clock_offset() - self._offset) > AT_LEAST  # the last heartbeat has a wrong age
        if now - self._sent >= EVERY or clock_was_set or self._names(*wrong) != self._said:
            self._say(tailer)

    @contextmanager
    def of_run(self, tailer: Tailer, *, but: type[Exception] | None = None) -> Iterator[None]:
        """Send the first heartbeat of a run, and the last one, with its outcome; not the last one after the exception `but`."""
        self._say(tailer)
        try:
            yield
        except Exception as error:
            if but is None or not isinstance(error, but):
                self._say(tailer, ended=self._clock.now(), failure=_said(error))
            raise
        self._say(tailer, ended=self._clock.now())

    def numbers(self) -> Iterator[Sample]:
        """Return what a scrape shows."""
        newest = self._newest
        yield FOLLOWED.of(newest.following)
        yield UNREADABLE.of(len(newest.unreadable))
        yield UNPARSED.of(len(newest.unparsed))
        yield WAITING.of(len(newest.waiting))
        yield BEHIND.of(self._freshness.behind)
        yield from LOG_UNREAD.each(self._unread)
        now, since = self._clock.monotonic(), self._unread_since
        yield from LOG_UNREAD_FOR.each({path: now - since[path] if path in since else 0 for path in self._unread})

    def _say(self, tailer: Tailer, *, ended: float = 0.0, failure: str = "") -> None:
        logs = tailer.followed()
        self._look_at_backlog(tailer)
        self._record.forget_all_but({source.id for source in tailer.sources() if not source.gone})
        self._look_at_paths(logs)
        unreadable, unparsed = self._what_is_wrong(tailer)
        self._said, self._sent, self._offset = (
            self._names(unreadable, unparsed),
            self._clock.monotonic(),
            self._clock_offset(),
        )
        self._forget_what_is_over(unreadable, unparsed)
        self._newest = replace(
            self._blank,
            at=self._clock.now(),
            ended=ended,
            failure=failure,
            flush=self.flush,
            behind=self._freshness.behind,
            stalled=self._freshness.stalled,
            unread=tailer.backlog(),
            paths=tuple(self.paths),
            following=len(logs),
            logs=tuple(logs[:MOST_LOGS]),
            waiting=self._since_when("waiting", (LogProblem(path, why, 0.0) for path, why in self._waiting.items())),
            unreadable=self._since_when("unreadable", unreadable),
            unparsed=self._since_when("unparsed", unparsed),
        )
        self._send(self._newest.shortened(MOST_PROBLEMS))

    def _look_at_backlog(self, tailer: Tailer) -> None:
        """Remember how much of each log is not read, and since when there is something; a scrape may be reading these."""
        unread = dict(sorted(tailer.backlogs().items())[:MOST_LOGS])
        now = self._clock.monotonic()
        self._unread_since = {path: self._unread_since.get(path, now) for path, size in unread.items() if size}
        self._unread = unread

    def _clock_offset(self) -> float:
        """Return the difference between wall clock and monotonic clock; it changes only when the clock is set."""
        return self._clock.now() - self._clock.monotonic()

    # problems

    def _look_at_paths(self, logs: Sequence[FollowedLog]) -> None:
        """Return the paths that match no log, among those without a followed log."""
        names = {log.path for log in logs}
        found = [one for path in self.paths if not _is_followed(path, names) and (one := _problem(path))]
        self._waiting = {one.path: one.reason for one in found if one.state == "missing"}
        self._refused = {one.path: one.reason for one in found if one.state != "missing"}

    def _what_is_wrong(self, tailer: Tailer) -> tuple[list[LogProblem], list[LogProblem]]:
        """Return the logs that cannot be read, and the others that cannot be parsed."""
        unreadable = self._unreadable(tailer)
        paths = {one.path for one in unreadable}
        return unreadable, [one for one in self._unparsed(tailer) if one.path not in paths]

    def _unreadable(self, tailer: Tailer) -> list[LogProblem]:
        found = {path: _in_detail(path, reason) for path, reason in tailer.read_errors().items()}
        found |= self._refused
        found |= {one.path: one.note for one in tailer.broken()}
        return [LogProblem(path, reason, 0.0) for path, reason in found.items()]

    def _unparsed(self, tailer: Tailer) -> list[LogProblem]:
        found = {
            id_: (f"{no_format(given)} of its first lines", 0, 0)
            for id_, given in self._record.without_format().items()
        }
        for id_, (lines, rejects) in self._record.mostly_rejected().items():
            found[id_] = (f"{rejects} of its last {counted(lines, 'line')} are rejects", lines, rejects)
        problems = []
        for id_, (reason, lines, rejects) in found.items():
            with suppress(KeyError):
                source = tailer.source(id_)
                if not (source.finished and lines) and not source.gone:
                    problems.append(LogProblem(source.path, reason, 0.0, id_, lines, rejects))
        return problems

    def _since_when(self, kind: str, found: Iterable[LogProblem]) -> tuple[LogProblem, ...]:
        """Return the problems, each with the time since when it exists."""
        now, at = self._clock.monotonic(), self._clock.now()
        return tuple(replace(one, since=at - (now - self._since.setdefault((kind, one.path), now))) for one in found)

    def _forget_what_is_over(self, unreadable: Sequence[LogProblem], unparsed: Sequence[LogProblem]) -> None:
        there = {("waiting", path) for path in self._waiting}
        there |= {("unreadable", one.path) for one in unreadable} | {("unparsed", one.path) for one in unparsed}
        self._since = {key: since for key, since in self._since.items() if key in there}

    def _names(self, unreadable: Iterable[LogProblem], unparsed: Iterable[LogProblem]) -> object:
        return {one.path for one in unreadable}, {(one.path, bool(one.lines)) for one in unparsed}


def announce(found: Iterable[paths.PathProblem], notices: Notices) -> None:
    """Give notices of the paths that a new run waits for."""
    for one in found:
        if one.state == "missing":
            notices.report(path_missing(one.path, one.reason))
        elif has_magic(os.path.dirname(one.path)):  # otherwise the first look reports it
            notices.report(log_unreadable(one.path, one.reason))


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, LogaggError) else f"{type(error).__name__}: {error}"


def _problem(path: str) -> paths.PathProblem | None:
    return None if path == STDIN else paths.problem(path)


def _in_detail(path: str, reason: str) -> str:
    return f"permission denied{paths.detail(path)}" if reason == os.strerror(errno.EACCES) else reason


def _is_followed(path: str, names: Set[str]) -> bool:
    """Return whether a path matches one of these logs."""
    if has_magic(path):
        return any(fnmatchcase(name, path) for name in names)
    inside = os.path.join(path, "")
    return path in names or (os.path.isdir(path) and any(name.startswith(inside) for name in names))
