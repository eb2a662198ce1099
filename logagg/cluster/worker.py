"""`logagg worker`: owns shards of a lake, absorbs their jobs, and commits the sums."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from logagg import quantities
from logagg.alert.service import AlertService
from logagg.clock import Clock, SystemClock
from logagg.cluster import protocol
from logagg.cluster.auth import Keys
from logagg.cluster.bounds import job_bytes, packet_bytes
from logagg.cluster.epochs import Epochs
from logagg.cluster.gearman import Server
from logagg.cluster.handshake import MISFIT
from logagg.cluster.protocol import Envelope, JobMessage, OwnerRequest, PositionsRequest, Reply, Request, StatusRequest
from logagg.cluster.quarantine import Attempts, Quarantine
from logagg.cluster.refusals import TOO_LARGE, UNREADABLE, Refusals, reason_of
from logagg.cluster.sender import JOBS, REQUESTS
from logagg.cluster.shard_commits import CommitPace, ShardCommits
from logagg.cluster.shard_host import Ownership, ShardHost
from logagg.cluster.transport import Delivery, Receiver
from logagg.config.sections import Config
from logagg.errors import CommitFailed, Fenced, LakeError, OtherVersion, TooLarge, WireError
from logagg.heap import resident
from logagg.heartbeat import decode
from logagg.lake import heartbeats, locks
from logagg.lake.lake import Lake
from logagg.metrics import LAST_COMMIT, MEMORY_LIMIT, MESSAGES, MESSAGES_REFUSED, Sample
from logagg.notice_log import Notices
from logagg.notices import shard_owned, worker_did_its_jobs, worker_leaves, worker_over_memory, worker_started
from logagg.parse.schemas import EVENT_SCHEMA
from logagg.rollup.configured import requests_of, rollups_of, tables_of
from logagg.rollup.shard import Shard, ShardSettings
from logagg.scrape import of_process, served
from logagg.tail.run import counted, maintained
from logagg.tail.signals import ControlRequests

LOOK = 0.5  # seconds between attempts to take over shards without an owner
WAIT = 0.2  # seconds at most to wait for a message before the clock is checked again
OLD_TAIL = (
    f"{MISFIT}the workers speak version {protocol.VERSION} of the protocol, this tail version 1: upgrade logagg here"
)
QUARANTINED = "quarantined"  # the reason of rejects under which the lines of a job that was given up are counted


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
    max_jobs: int = 0  # jobs after which it ends; 0: never
    metrics: tuple[str, int] | None = None  # where Prometheus may scrape
    verbosity: int = 0
    log_json: bool = False


def work(options: WorkerOptions, clock: Clock | None = None, requests: ControlRequests | None = None) -> None:
    """Own shards of a lake until told to stop, or until a limit is reached. Raises LogaggError."""
    clock = clock or SystemClock()
    lake = Lake.join(
        options.lake,
        tables_of(options.config),
        clock=clock,
        config=options.config,
        shards=options.shards or options.config.tail.shards,
        at_least=max(options.wanted) + 1,
    )
    try:
        lake.refuse_missing()
        worker = Worker(options, clock, lake, requests or ControlRequests())
        with served(options.metrics, worker.numbers):
            worker.run()
    finally:
        lake.close()


class Worker:
    """Processes one message at a time; commits run beside that, in another thread."""

    def __init__(self, options: WorkerOptions, clock: Clock, lake: Lake, requests: ControlRequests) -> None:
        self._options, self._clock, self._lake, self._requests, self._config = (
            options,
            clock,
            lake,
            requests,
            options.config,
        )
        self._notices = Notices(clock, verbosity=options.verbosity, as_json=options.log_json)
        lake.tell(self._notices.report)
        self._memory = options.memory or options.config.tail.memory
        self._limit, self._keys = job_bytes(self._memory), Keys(lake.secret)
        name = f"{socket.gethostname()}-{os.getpid()}"
        largest = packet_bytes(self._limit)
        self._receiver = Receiver(options.servers, clock, self._notices.report, name, largest=largest)
        self._refusals = Refusals(clock, self._notices.report)  # of messages for shards that this worker does not own
        self._hosts: dict[int, ShardHost] = {}
        self._looked = clock.monotonic() - LOOK
        flush = options.flush if options.flush is not None else options.config.tail.flush
        pace = CommitPace(flush, self._memory)
        self._commits = ShardCommits(lake, self._hosts, pace, clock, self._notices, requests, self._restart)
        self._quarantine = Quarantine(options.lake, self._notices.report)
        self._alerts = AlertService(options.lake, options.config, clock, self._notices.report, alone=False)
        self._jobs = 0

    def run(self) -> None:
        if wrong := [shard for shard in self._options.wanted if shard >= self._lake.shards]:
            shards = self._lake.shards
            raise LakeError(
                f"{self._options.lake}: it has {quantities.counted(shards, 'shard')}, 0 to {shards - 1}; there is no shard {wrong[0]}"
            )
        wanted, lake = _ranges(self._options.wanted), str(self._options.lake)
        self._notices.report(worker_started(wanted, self._lake.shards, lake))
        self._alerts.start()
        try:
            while not self._is_over():
                self._take_over()
                if delivery := self._receiver.next(WAIT):
                    self._receiver.answer(delivery, self._answer(delivery))
                self._commits.flush_if_due()
        finally:
            self._receiver.close()
            self._alerts.stop()
        self._commits.commit_all()
        self._close()

    def numbers(self) -> Iterator[Sample]:
        """Return what a scrape shows."""
        yield MESSAGES.of(self._jobs)
        yield LAST_COMMIT.of(self._lake.written_at)
        yield MEMORY_LIMIT.of(self._memory)
        yield from of_process()
        yield from self._refused_numbers()
        for host in list(self._hosts.values()):
            yield from host.numbers()
        yield from maintained(self._lake)
        yield from self._alerts.numbers()
        yield from counted(self._notices)

    def _refused_numbers(self) -> Iterator[Sample]:
        refused = Refusals(self._clock, self._notices.report)
        for one in (self._refusals, *(host.owned.refusals for host in list(self._hosts.values()))):
            refused.counts.update(one.counts)
        return refused.numbers(MESSAGES_REFUSED)

    def _is_over(self) -> bool:
        if self._requests.leaving:
            self._notices.report(worker_leaves())
            return True
        if self._options.max_jobs and self._jobs >= self._options.max_jobs:
            self._notices.report(worker_did_its_jobs(self._jobs))
            return True
        if self._options.memory and (used := resident()) > self._options.memory:
            self._notices.report(worker_over_memory(used))
            return True
        return False

    # shards

    def _take_over(self) -> None:
        """Take over wanted shards that have no owner."""
        now = self._clock.monotonic()
        if now - self._looked < LOOK:
            return
        self._looked = now
        for shard in self._options.wanted:
            if shard not in self._hosts and (lease := locks.lease(self._options.lake, shard)) is not None:
                self._notices.report(shard_owned(shard))
                self._host_shard(shard, self._owned(shard, lambda lease=lease: os.close(lease)))  # type: ignore[misc]
        self._receiver.serve(function for shard in self._hosts for function in _functions(shard))

    def _owned(self, shard: int, release: Callable[[], None]) -> Ownership:
        root, notice = self._options.lake, self._notices.report
        attempts, epochs = Attempts(root, shard, self._clock, notice), Epochs(root, shard, notice)
        return Ownership(attempts, epochs, Refusals(self._clock, notice), release, self._limit)

    def _host_shard(self, number: int, owned: Ownership) -> None:
        """Start a shard from its state in the lake."""
        known = self._lake.sources_of(number)
        settings = ShardSettings(
            rollups_of(self._config),
            self._config.clicks.window,
            self._config.limits.keys,
            requests=requests_of(self._config),
        )
        shard = Shard(number, settings, known, self._lake.clicks(number, self._lake.shards))
        self._hosts[number] = ShardHost(shard, self._lake.shards, known, owned)

    # messages

    def _answer(self, delivery: Delivery) -> bytes:
        """Process a message, if its MAC is right, and return the reply; failures are replies, too.

        Until its MAC is checked, a message is not unpacked or kept, and its sender learns nothing.
        """
        host = next((host for host in self._hosts.values() if delivery.function in _functions(host.number)), None)
        refusals = host.owned.refusals if host else self._refusals
        if delivery.omitted:
            size = len(delivery.data) + delivery.omitted
            refusals.add(
                TOO_LARGE, f"{delivery.function}: a message of {quantities.counted(size, 'byte')} was passed over"
            )
            return protocol.pack(self._refuses(f"a message of {quantities.counted(size, 'byte')} is too large"))
        try:
            envelope = self._keys.check(delivery.data)
        except WireError as error:
            refusals.add(reason_of(error), f"{delivery.function}: {error}")
            is_old = isinstance(error, OtherVersion) and error.version == 1
            return (
                protocol.refusal_of_version_1(OLD_TAIL)
                if is_old
                else protocol.pack(self._refuses("its MAC is not by the lake's secret"))
            )
        self._jobs += 1
        answer = (
            self._done(host, delivery, envelope) if host else self._refuses(f"{delivery.function} is not served here")
        )
        return self._keys.sign(protocol.pack(answer), envelope.nonce)

    def _done(self, host: ShardHost, delivery: Delivery, envelope: Envelope) -> Reply:
        """Process an authentic message."""
        try:
            return self._do(host, delivery, envelope)
        except TooLarge as error:
            host.owned.refusals.add(TOO_LARGE, f"{delivery.function}: {error}")
            return host.says("refused", reason=str(error))
        except WireError as error:
            host.owned.refusals.add(UNREADABLE, f"{delivery.function}: {error}")
            self._quarantine.keep(f"{delivery.function} {delivery.unique}", delivery.data, str(error))
            return host.says("refused", reason=str(error))
        except (CommitFailed, Fenced):
            raise
        except Exception as error:  # the next job may be a good one
            self._restart(host)
            return self._hosts[host.number].says("refused", reason=f"{type(error).__name__}: {error}")

    def _do(self, host: ShardHost, delivery: Delivery, envelope: Envelope) -> Reply:
        message = self._read(host, delivery, envelope)
        if isinstance(message, OwnerRequest):
            return host.tell_owner(message)
        if isinstance(message, StatusRequest):
            return host.tell_status(envelope.owner, self._clock.now())
        if objection := host.objects(message, envelope.owner):
            return objection
        if isinstance(message, PositionsRequest):
            return self._tell_positions(host, message)
        return self._take(host, delivery, message, envelope)

    def _read(self, host: ShardHost, delivery: Delivery, envelope: Envelope) -> JobMessage | Request:
        """Parse a message for this host; a job has no events yet. Raises WireError."""
        message = protocol.read(envelope, EVENT_SCHEMA)
        if isinstance(message, Reply):
            raise WireError("a reply, where a job or a request should be")
        is_job = isinstance(message, JobMessage)
        number = message.job.shard if isinstance(message, JobMessage) else message.shard
        if number != host.number or delivery.function != _functions(number)[0 if is_job else 1]:
            raise WireError(f"a {'job' if is_job else 'request'} of shard {number} is not for {delivery.function}")
        return message

    def _take(self, host: ShardHost, delivery: Delivery, message: JobMessage, envelope: Envelope) -> Reply:
        """Unpack a job and take it.

        Its name comes from its authenticated header, since by its name on the job server one job could be blamed for another.
        """
        name = f"shard {host.number} {message.name}"
        with host.attempts.work(name, alone=not host.waits):
            given_up = host.attempts.exhausted(name)
            if given_up:
                self._quarantine.keep(name, delivery.data, "its shard failed with it again and again")
            whole = protocol.with_events(message, envelope, rejected=QUARANTINED if given_up else "", limit=self._limit)
            answer = host.take(whole)
            if host.attempts.strict and host.is_dirty:
                self._commits.commit_alone(host)
            if answer.outcome == "taken":
                host.attempts.done(name)
            return answer

    def _tell_positions(self, host: ShardHost, request: PositionsRequest) -> Reply:
        if request.begins and not host.is_committed(request.tailer):
            self._commits.commit_all()
        if (now := self._hosts[host.number]) is not host:  # it failed meanwhile and was restarted
            return now.says("moved")
        answer = host.tell_positions(request)
        if request.heartbeat and answer.outcome == "taken":
            self._note(host, request)
        return answer

    def _note(self, host: ShardHost, request: PositionsRequest) -> None:
        """Keep a tailer's heartbeat, in the lake and in the shard's host."""
        with contextlib.suppress(ValueError, OSError):  # another version; or a full disk, which the commits report
            heartbeat = replace(decode(request.heartbeat), tailer=request.tailer, heard=self._clock.now())
            host.note(heartbeat)
            heartbeats.write_remote(self._options.lake, heartbeat)

    def _refuses(self, reason: str) -> Reply:
        return Reply("refused", self._lake.shards, reason=reason)

    def _restart(self, host: ShardHost) -> None:
        """Restart a shard from its committed state: uncommitted jobs are sent again."""
        self._commits.wait()
        host.close()
        self._host_shard(host.number, host.owned)

    def _close(self) -> None:
        self._commits.close()
        for host in self._hosts.values():
            host.close()
            host.attempts.close()
            host.owned.release()


def _functions(shard: int) -> tuple[str, str]:
    """Return the functions of a shard: its jobs, and the requests to it."""
    return f"{JOBS}{shard}", f"{REQUESTS}{shard}"


def _ranges(numbers: Sequence[int]) -> str:
    return ", ".join(_runs(sorted(numbers)))


def _runs(numbers: Sequence[int]) -> Iterator[str]:
    start = None
    for number, following in zip(numbers, [*numbers[1:], None], strict=True):
        start = number if start is None else start
        if following != number + 1:
            yield str(start) if start == number else f"{start}-{number}"
            start = None
