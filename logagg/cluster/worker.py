"""`logagg worker`: owns shards of a lake, absorbs the jobs that come for them, commits what they add up to."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from logagg.cargo import Delta, Source
from logagg.clock import Clock, SystemClock
from logagg.cluster.desk import Desk
from logagg.cluster.dispatch import JOBS, MISFIT, QUESTIONS, proof_of
from logagg.cluster.poison import Attempts, Quarantine
from logagg.config import Config
from logagg.embedded.pipeline import counted, merged, rollups_of
from logagg.errors import CommitFailed, LakeError, Overtaken
from logagg.heartbeat import decode
from logagg.lake import heartbeats, leases
from logagg.lake.store import Lake
from logagg.metrics import Number, served
from logagg.notices import Notices
from logagg.parse.fields import EVENT_SCHEMA
from logagg.queues import wire
from logagg.queues.gearman import Server
from logagg.queues.post import Assignment, Receiver
from logagg.queues.wire import Answer, Parcel, Question, WireError
from logagg.rollup.shard import Shard, ShardSettings
from logagg.running import insist
from logagg.running.process import resident
from logagg.running.signals import Wishes

LOOK = 0.5  # seconds between looks whether a shard has lost its owner
WAIT = 0.2  # seconds at most that we wait for a job before we look at the clock again
QUARANTINED = "quarantined"  # the reason with which the lines of a job that was given up are counted as rejects


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """One run of `logagg worker`."""

    servers: Sequence[Server]
    lake: Path
    config: Config
    wanted: Sequence[int]  # shards
    shards: int = 0  # of the lake; 0: as the lake says
    flush: float | None = None  # seconds
    memory: int | None = None  # bytes
    max_jobs: int = 0  # after which it ends; 0: never
    metrics: tuple[str, int] | None = None  # where Prometheus may scrape
    verbosity: int = 0


def work(options: WorkerOptions, clock: Clock | None = None, wishes: Wishes | None = None) -> None:
    """Own shards of a lake until told to stop, or until a limit is reached. Raises LogaggError."""
    clock = clock or SystemClock()
    lake = Lake.join(
        options.lake,
        rollups_of(options.config),
        clock=clock,
        config=options.config,
        shards=options.shards or options.config.tail.shards,
        at_least=max(options.wanted) + 1,
    )
    try:
        lake.refuse_missing()
        worker = Worker(options, clock, lake, wishes or Wishes())
        with served(options.metrics, worker.numbers):
            worker.run()
    finally:
        lake.close()


class Worker:
    """Takes one message after the other; commits beside that, in a thread of its own."""

    def __init__(self, options: WorkerOptions, clock: Clock, lake: Lake, wishes: Wishes) -> None:
        self._options, self._clock, self._lake, self._wishes, self._config = options, clock, lake, wishes, options.config
        self._notices = Notices(clock, verbosity=options.verbosity)
        lake.tell(self._notices.report)
        name = f"{socket.gethostname()}-{os.getpid()}"
        self._receiver = Receiver(options.servers, clock, self._notices.report, name)
        self._desks: dict[int, Desk] = {}
        self._flush_every = options.flush if options.flush is not None else options.config.tail.flush
        self._memory = options.memory or options.config.tail.memory
        self._flushed = self._looked = clock.monotonic() - LOOK
        self._committer = ThreadPoolExecutor(1, "committer")
        self._commit: Future[list[Delta]] | None = None
        self._merges = _Merges(lake, self._notices)
        self._quarantine = Quarantine(options.lake, self._notices.report)
        self._jobs = 0

    def run(self) -> None:
        if wrong := [shard for shard in self._options.wanted if shard >= self._lake.shards]:
            shards = self._lake.shards
            raise LakeError(f"{self._options.lake}: it has {shards} shards, 0 to {shards - 1}; there is no shard {wrong[0]}")
        self._notices.report("worker", f"shards {_ranges(self._options.wanted)} of {self._lake.shards}, lake {self._options.lake}")
        try:
            while not self._is_over():
                self._take_over()
                if assignment := self._receiver.next(WAIT):
                    self._receiver.answer(assignment, wire.pack(self._answer(assignment)))
                self._flush_if_due()
        finally:
            self._receiver.close()
        self._settle()
        self._close()

    def numbers(self) -> Iterator[Number]:
        """Return what a scrape shows."""
        yield Number("logagg_messages_total", "Messages that were answered.", self._jobs)
        for desk in list(self._desks.values()):
            yield from desk.numbers()
        yield from merged(self._lake.merging)
        yield from counted(self._notices)

    def _is_over(self) -> bool:
        if self._wishes.leaving:
            self._notices.report("worker", "leaving: a last flush")
            return True
        if self._options.max_jobs and self._jobs >= self._options.max_jobs:
            self._notices.report("worker", f"{self._jobs:,} jobs done, which is the limit: ending")
            return True
        if self._options.memory and (used := resident()) > self._options.memory:
            self._notices.report("worker", f"{used:,} bytes in use, over the limit: ending")
            return True
        return False

    # shards

    def _take_over(self) -> None:
        """Take the shards that we want and nobody owns."""
        now = self._clock.monotonic()
        if now - self._looked < LOOK:
            return
        self._looked = now
        for shard in self._options.wanted:
            if shard not in self._desks and (lease := leases.lease(self._options.lake, shard)) is not None:
                self._notices.report("lease", f"shard {shard} is ours")
                attempts = Attempts(self._options.lake, shard, self._clock, self._notices.report)
                self._sit_down(shard, attempts, lambda lease=lease: os.close(lease))  # type: ignore[misc]
        self._receiver.serve(function for shard in self._desks for function in _functions(shard))

    def _sit_down(self, number: int, attempts: Attempts, release: Callable[[], None]) -> None:
        """Begin a shard from what the lake has of it."""
        known = self._lake.sources_of(number)
        settings = ShardSettings(rollups_of(self._config), self._config.clicks.window, self._config.limits.keys)
        shard = Shard(number, settings, known, self._lake.clicks(number, self._lake.shards))
        self._desks[number] = Desk(shard, self._lake.shards, known, attempts, release)

    # messages

    def _answer(self, assignment: Assignment) -> Answer:
        """Do what a message asks for; whatever goes wrong with it is an answer, too."""
        self._jobs += 1
        desk = next((desk for desk in self._desks.values() if assignment.function in _functions(desk.number)), None)
        if desk is None:
            return self._refuses(f"{assignment.function} is not served here")
        try:
            done = self._take(desk, assignment)
        except WireError as error:
            self._quarantine.keep(assignment, str(error))
            return self._refuses(str(error))
        except (CommitFailed, Overtaken):
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, the next job may be a good one
            self._begin_anew(desk)
            return self._refuses(f"{type(error).__name__}: {error}")
        return self._hear(desk, done) if isinstance(done, Question) else done

    def _take(self, desk: Desk, assignment: Assignment) -> Answer | Question:
        """Take a job, and return the answer; return a question as it is."""
        with desk.attempts.work(assignment.name, alone=not desk.waits):
            message = self._unpacked(desk, assignment)
            if isinstance(message, Question):
                return message
            answer = desk.take(message)
            if desk.attempts.strict and desk.is_dirty:
                self._commit_alone(desk)
            if answer.verdict == "taken":
                desk.attempts.done(assignment.name)
            return answer

    def _unpacked(self, desk: Desk, assignment: Assignment) -> Parcel | Question:
        """Return a message, if it is for this desk; one that was given up, without its events. Raises WireError."""
        given_up = desk.attempts.exhausted(assignment.name)
        if given_up:
            self._quarantine.keep(assignment, "its shard failed with it again and again")
        message = wire.unpack(assignment.data, EVENT_SCHEMA, rejected=QUARANTINED if given_up else "")
        if isinstance(message, Answer):
            raise WireError("an answer is no question")
        number = message.job.shard if isinstance(message, Parcel) else message.shard
        if number != desk.number:
            raise WireError(f"shard {number} is not served by {assignment.function}")
        return message

    def _hear(self, desk: Desk, question: Question) -> Answer:
        if question.looks:
            return desk.shows(self._clock.now())
        if question.begins:
            if question.proof != proof_of(self._lake.secret):
                return desk.says("refused", reason=f"{MISFIT}tailer {question.tailer} has another secret than the lake")
            if not desk.begins(question):
                self._settle()
        answer = desk.hears(question)
        if question.heartbeat and answer.verdict == "taken":
            self._note(desk, question)
        return answer

    def _note(self, desk: Desk, question: Question) -> None:
        """Keep how a tailer does: in the lake, and for those who ask here."""
        with contextlib.suppress(ValueError, OSError):  # of a disk that is full the commits say so
            heartbeat = replace(decode(question.heartbeat), tailer=question.tailer, heard=self._clock.now())
            desk.note(heartbeat)
            heartbeats.write_remote(self._options.lake, heartbeat)

    def _refuses(self, reason: str) -> Answer:
        return Answer("refused", self._lake.shards, reason=reason)

    def _begin_anew(self, desk: Desk) -> None:
        """Forget what a shard has not committed: it is sent again."""
        self._await_commit()
        desk.close()
        self._sit_down(desk.number, desk.attempts, desk.release)

    # commits

    def _flush_if_due(self) -> None:
        held = sum(desk.nbytes for desk in self._desks.values())
        if self._commit and (self._commit.done() or held > self._memory // 4):
            self._await_commit()
        due = self._clock.monotonic() - self._flushed >= self._flush_every or held > self._memory // 8
        if due and not self._commit and any(desk.is_dirty for desk in self._desks.values()):
            self._begin_commit()

    def _begin_commit(self) -> None:
        self._flushed = self._clock.monotonic()
        drained = [one for desk in list(self._desks.values()) if desk.is_dirty and (one := self._drained(desk))]
        if drained:
            self._submit(drained)

    def _submit(self, drained: Sequence[tuple[Delta, list[Source]]]) -> None:
        deltas = [delta for delta, _ in drained]
        sources = {source.id: source for _, some in drained for source in some}
        sources |= {source.id: source for delta, some in drained if delta.shard == 0 for source in some}
        self._commit = self._committer.submit(self._write, deltas, list(sources.values()))

    def _drained(self, desk: Desk) -> tuple[Delta, list[Source]] | None:
        """Return what a shard has to commit; None when it fails: then its jobs come again."""
        try:
            with desk.attempts.work():
                return desk.drain()
        except Exception:  # noqa: BLE001  # it is said, and found out which job it is
            self._begin_anew(desk)
            return None

    def _commit_alone(self, desk: Desk) -> None:
        """Commit what a shard has, before anything else."""
        self._await_commit()
        self._submit([desk.drain()])
        self._await_commit()

    def _write(self, deltas: list[Delta], sources: list[Source]) -> list[Delta]:
        insist.commit(self._lake, deltas, sources, lambda: self._wishes.leaving, self._clock, self._notices)
        return deltas

    def _await_commit(self) -> None:
        """Wait for the commit on its way, and note what it has committed."""
        if self._commit:
            commit, self._commit = self._commit, None
            for delta in commit.result():
                self._desks[delta.shard].committed(delta)
            self._merges.begin()

    def _settle(self) -> None:
        """Commit all there is."""
        self._await_commit()
        if any(desk.is_dirty for desk in self._desks.values()):
            self._begin_commit()
            self._await_commit()

    def _close(self) -> None:
        self._committer.shutdown()
        self._merges.close()
        for desk in self._desks.values():
            desk.close()
            desk.attempts.close()
            desk.release()


class _Merges:
    """Merges small files and applies retention, beside the commits."""

    def __init__(self, lake: Lake, notices: Notices) -> None:
        self._lake, self._notices = lake, notices
        self._lake.merging.notice = notices.report
        self._merger = ThreadPoolExecutor(1, "merger")
        self._running: Future[None] | None = None

    def begin(self) -> None:
        """Merge what is due, unless that is going on already."""
        if self._running is None or self._running.done():
            self._running = self._merger.submit(self._merge)

    def close(self) -> None:
        self._lake.merging.stop()
        self._merger.shutdown(cancel_futures=True)

    def _merge(self) -> None:
        if doubt := self._lake.new_doubt():
            self._notices.report("clock", doubt)
        try:
            self._lake.compact_due()
        except CommitFailed as failure:
            self._notices.report("retry", f"{failure}; merging files later")


def _functions(shard: int) -> tuple[str, str]:
    """Return the functions of a shard: its jobs, and the questions to it."""
    return f"{JOBS}{shard}", f"{QUESTIONS}{shard}"


def _ranges(numbers: Sequence[int]) -> str:
    return ", ".join(_runs(sorted(numbers)))


def _runs(numbers: Sequence[int]) -> Iterator[str]:
    start = None
    for number, following in zip(numbers, [*numbers[1:], None], strict=True):
        start = number if start is None else start
        if following != number + 1:
            yield str(start) if start == number else f"{start}-{number}"
            start = None
