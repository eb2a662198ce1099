"""Sends a tailer's jobs to their shards, hears what became of them, and sends again what was lost."""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from logagg.cargo import KnownSource, Mark, Progress, Source
from logagg.clock import Clock
from logagg.cluster.lanes import Flight, Lane, LostGround
from logagg.errors import LogaggError
from logagg.metrics import Number
from logagg.parse.fields import EVENT_SCHEMA
from logagg.queues import wire
from logagg.queues.gearman import Server
from logagg.queues.post import Outcome, Sender
from logagg.queues.wire import Answer, Question, WireError
from logagg.running.freshness import Freshness

JOBS, QUESTIONS = "logagg.shard.", "logagg.positions."  # and the shard's number: the functions of a shard
WINDOW = 4  # jobs on their way to a shard without an answer
FLIGHTS = 256  # to a shard that are not committed
PATIENCE = 30.0  # seconds that a message may wait for its answer, at first
ASK = 5.0  # seconds that the question how far a shard has come may wait, at first
BACKOFF = 0.1, 10.0  # seconds after a failure: the first time, and at most
REPORT = 5.0  # seconds between reports of how a tailer does
SAY = 3.0  # seconds of waiting after which it is said


class ClusterError(LogaggError):
    """Tailers and workers do not fit together."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a tailer is, for the workers."""

    tailer: str
    epoch: int
    proof: str  # that it has the lake's secret

    @property
    def digest(self) -> str:
        return hashlib.blake2b(self.tailer.encode(), digest_size=8).hexdigest()


def proof_of(secret: bytes) -> str:
    """Return what shows that two have the same secret, and tells nothing of it."""
    return hashlib.blake2b(b"logagg", key=secret[:64], digest_size=8).hexdigest()


class Dispatch:
    """The way of one tailer's jobs to all shards, and back the news of how far each has come."""

    def __init__(
        self,
        servers: Sequence[Server],
        identity: Identity,
        clock: Clock,
        notice: Callable[[str, str], None],
        *,
        room: int,
        poll: float,
        freshness: Freshness | None = None,
    ) -> None:
        self._sender, self._who = Sender(servers, clock, notice), identity
        self._clock, self._notice, self._room, self._poll = clock, notice, room, poll
        self.lanes: list[Lane] = []
        self.failure: Exception | None = None
        self.unread = 0  # bytes of the logs, as the tailer last saw
        self._reported = self._since = clock.monotonic()  # since when something waits, and nothing was committed
        self._news: dict[str, Source] = {}  # of sources, that come with no job
        self._told: dict[str, Source] = {}  # of these, what the owner of the first shard has heard
        self._freshness = freshness or Freshness(clock)
        self._cut: list[int] | None = None  # flights of each lane that were there at the last cut; None: they are committed
        self._heartbeat = self._asked = ""  # what is to be said of the tail, and what the last question to the first shard said
        self._count = 0
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dispatch", daemon=True)

    def greet(self, leaving: Callable[[], bool]) -> list[KnownSource] | None:
        """Wait until every shard has said how far it has come; return that, None when we are to leave before.

        Raises ClusterError when tailer and workers do not fit together.
        """
        answers: dict[int, Answer] = {}
        self.lanes = [Lane(0, asking=True)]
        began, said = self._clock.monotonic(), False
        while len(answers) < len(self.lanes):
            if leaving():
                return None
            if not said and self._clock.monotonic() - began > SAY:
                said = True
                missing = ", ".join(str(lane.shard) for lane in self.lanes if lane.shard not in answers)
                what = f"no worker answers for shard {missing}" if self._sender.servers else "no job server answers"
                self._notice("waiting", f"{what}; nothing is lost, reading begins when all have answered")
            self._greet_once(answers)
        self._notice("connected", f"{len(self.lanes)} shards have answered through {', '.join(map(str, self._sender.servers))}")
        return _known([answers[lane.shard] for lane in self.lanes])

    def _greet_once(self, answers: dict[int, Answer]) -> None:
        self._sender.connect()
        for lane in self.lanes:
            if lane.shard not in answers and not lane.on_way and self._clock.monotonic() >= lane.not_before:
                self._ask(lane, begins=True)
        for outcome in self._sender.poll(0.2):
            lane, _ = outcome.of
            lane.on_way -= 1
            answer = self._answer(outcome)
            if answer is None or answer.verdict != "taken":
                self._fail(lane, outcome.reason or (answer.reason if answer else ""))
            else:
                lane.asking, lane.owner, lane.failures, lane.heard = False, answer.owner, 0, self._clock.monotonic()
                answers[lane.shard] = answer
                self.lanes += [Lane(shard, asking=True) for shard in range(len(self.lanes), answer.shards)]

    def start(self) -> None:
        self._thread.start()

    # for the threads that read

    def put(self, flights: Iterable[tuple[int, Flight]]) -> bool:
        """Send a chunk's flights; waits while too much is not committed. Returns False when nothing more can be sent."""
        with self._changed:
            self._changed.wait_for(lambda: self._over or self._has_room())
            if self._over:
                return False
            for shard, flight in flights:
                self.lanes[shard].add(flight)
        self._sender.wake()
        return True

    def tell(self, sources: Iterable[Source]) -> None:
        """Tell what there is to say of sources that comes with no job."""
        with self._changed:
            self._news.update({source.id: replace(source, tailer=self._who.tailer) for source in sources})
        self._sender.wake()

    def read(self, at: float) -> None:
        """Note that all that was in the logs at a moment has been put."""
        with self._changed:
            self._freshness.read(at)
            self._settle_freshness()

    def say(self, heartbeat: str) -> None:
        """Say how the tail does."""
        with self._changed:
            self._heartbeat = heartbeat
        self._sender.wake()

    def wait_until_said(self, seconds: float) -> bool:
        """Wait so long until a worker has heard how the tail does; tell whether it has."""
        with self._changed:
            return self._changed.wait_for(lambda: self._over or not self._heartbeat, seconds) and not self._heartbeat

    def wait_until_committed(self, seconds: float) -> bool:
        """Wait so long until all is committed; tell whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._over or self._idle(), seconds) and self._idle()

    def numbers(self) -> Iterator[Number]:
        """Return what a scrape shows."""
        yield Number("logagg_unread_bytes", "Bytes of logs that are not read yet.", self.unread)
        for lane in self.lanes:
            label = ("shard", str(lane.shard))
            yield Number("logagg_uncommitted_jobs", "Jobs that are not committed yet.", len(lane.flights), label)
            yield Number("logagg_uncommitted_job_bytes", "Their size, packed.", lane.nbytes, label)
            yield Number("logagg_jobs_resent_total", "Jobs that were sent again.", lane.resent, label)
            yield Number("logagg_gaps_total", "Jobs that came before those before them.", lane.gaps, label)

    def stop(self) -> None:
        """Send nothing more."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread.is_alive():
            self._sender.wake()
            self._thread.join()
        self._sender.close()

    @property
    def _over(self) -> bool:
        return self._stopping.is_set() or self.failure is not None

    def _has_room(self) -> bool:
        return sum(lane.nbytes for lane in self.lanes) < self._room and all(len(one.flights) < FLIGHTS for one in self.lanes)

    def _idle(self) -> bool:
        return not self._news and not any(lane.flights for lane in self.lanes)

    # its own thread

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._sender.connect()
                with self._changed:
                    for lane in self.lanes:
                        self._advance(lane)
                outcomes = self._sender.poll(0.05 if any(lane.flights for lane in self.lanes) else 0.25)
                with self._changed:
                    for outcome in outcomes:
                        self._hear(outcome)
                    self._settle_freshness()
                    if not any(lane.flights for lane in self.lanes):
                        self._since = self._clock.monotonic()
                    self._changed.notify_all()
        except Exception as failure:  # noqa: BLE001  # the main thread says it
            self.failure = failure
            with self._changed:
                self._changed.notify_all()

    def _settle_freshness(self) -> None:
        """Find out whether all that was there at the last cut is committed; then make the next cut."""
        if self._cut is not None and all(lane.done >= count for lane, count in zip(self.lanes, self._cut, strict=True)):
            self._freshness.committed()
            self._cut = None
        if not any(lane.flights for lane in self.lanes):
            self._freshness.idle()
        elif self._cut is None:
            self._freshness.cut()
            self._cut = [lane.added for lane in self.lanes]

    def _advance(self, lane: Lane) -> None:
        """Send what can be sent to a shard now."""
        now = self._clock.monotonic()
        if now < lane.not_before:
            return
        if lane.asking:
            if not lane.on_way:  # what is still on its way would make the answer old
                self._ask(lane)
            return
        while lane.on_way < WINDOW and (flight := lane.next()):
            unique = f"{flight.source}-{self._who.epoch:x}-{flight.start}"
            if not self._send(lane, flight, JOBS, unique, flight.data, PATIENCE):
                return
            flight.sent = True
        silent = now - lane.heard
        has_more = lane.flights or (lane.shard == 0 and self._due_news())
        reports = lane.shard == 0 and (now - self._reported > REPORT or bool(self._heartbeat))
        if not lane.on_way and (has_more and silent > self._poll or reports):
            lane.asking, self._reported = True, now

    def _ask(self, lane: Lane, *, begins: bool = False) -> None:
        self._count += 1
        news = self._due_news() if lane.shard == 0 else ()
        report, heartbeat = (self._report(), self._heartbeat) if lane.shard == 0 else ({}, "")
        self._asked = heartbeat or self._asked
        who = self._who
        question = Question(who.tailer, who.epoch, lane.shard, begins, who.proof, news, report, heartbeat=heartbeat)
        unique = f"{self._who.digest}-{self._who.epoch:x}-{self._count}"
        self._send(lane, news, QUESTIONS, unique, wire.pack(question), ASK)

    def _send(self, lane: Lane, of: object, function: str, unique: str, data: bytes, patience: float) -> bool:
        patience *= 2 ** min(lane.failures, 4)
        if self._sender.send((lane, of), lane.shard, f"{function}{lane.shard}", unique, data, patience):
            lane.on_way += 1
            return True
        lane.not_before = self._clock.monotonic() + BACKOFF[0]
        return False

    def _hear(self, outcome: Outcome) -> None:
        """Take in what became of a message. Raises ClusterError, LostGround."""
        lane, of = outcome.of
        lane.on_way -= 1
        answer = self._answer(outcome)
        if answer is None:
            self._fail(lane, outcome.reason)
            return
        if lane.owner != answer.owner:  # who takes over has what was committed, and perhaps not the news
            lane.asking, lane.owner = True, answer.owner
            self._news = {**self._told, **self._news} if lane.shard == 0 else self._news
        if lane.release(answer.positions):
            self._since = self._clock.monotonic()
            self._freshness.moved()
        lane.heard = self._clock.monotonic()
        if answer.verdict == "refused":
            self._fail(lane, answer.reason)
            return
        lane.failures = 0
        if answer.verdict == "gap":
            lane.gaps += 1
            lane.asking = True
        elif isinstance(of, tuple):
            self._take_stock(lane, answer, of)

    def _take_stock(self, lane: Lane, answer: Answer, news: tuple[Source, ...]) -> None:
        """Go on from how far a shard has come."""
        for source in news:
            if self._news.get(source.id) == source:
                self._told[source.id] = self._news.pop(source.id)
        if lane.shard == 0 and self._heartbeat == self._asked:
            self._heartbeat = ""
        lane.asking = lane.shard == 0 and bool(self._due_news())
        lane.rewind(answer.positions)

    def _report(self) -> dict[str, int]:
        """Say how we do, for those who look."""
        waiting = [flight for lane in self.lanes for flight in lane.flights]
        return {
            "at": int(self._clock.now()),
            "unread": self.unread,
            "uncommitted": sum(flight.end - flight.start for flight in waiting) // max(1, len(self.lanes)),
            "behind": int(self._clock.monotonic() - self._since) if waiting else 0,
            "resent": sum(lane.resent for lane in self.lanes),
            "gaps": sum(lane.gaps for lane in self.lanes),
        }

    def _due_news(self) -> tuple[Source, ...]:
        """Return the news of sources whose jobs are all committed: that one is finished must not be known before."""
        busy = {flight.source for lane in self.lanes for flight in lane.flights}
        return tuple(source for source in self._news.values() if source.id not in busy)

    def _answer(self, outcome: Outcome) -> Answer | None:
        """Return the answer to a message, None where there is none. Raises ClusterError and LostGround."""
        if outcome.data is None:
            return None
        try:
            answer = wire.unpack(outcome.data, EVENT_SCHEMA)
        except WireError as error:
            self._notice("answer", str(error))
            return None
        if not isinstance(answer, Answer):
            return None
        if answer.verdict == "superseded":
            hint = "two tailers have the same name: give each another with --name"
            raise ClusterError(f"a later tailer has come that is named {self._who.tailer}, too", hint)
        if answer.verdict == "overlap":
            raise LostGround(answer.reason)
        if answer.verdict == "refused" and answer.reason.startswith(MISFIT):
            raise ClusterError(answer.reason.removeprefix(MISFIT), "see docs/cluster.md")
        return answer

    def _fail(self, lane: Lane, reason: str) -> None:
        """Wait a little, then learn how far the shard has come."""
        first, most = BACKOFF
        lane.asking = True
        lane.not_before = self._clock.monotonic() + min(most, first * 2 ** min(lane.failures, 10)) * random.uniform(0.5, 1)
        lane.failures += 1
        if lane.failures == 5 and lane.flights:
            self._notice("waiting", f"shard {lane.shard} does not take its jobs ({reason}); trying again, nothing is lost")


MISFIT = "misfit: "  # begins the reason where trying again is of no use


def _known(answers: Sequence[Answer]) -> list[KnownSource]:
    """Put together what the shards know of each source; the record of the first shard is the newest."""
    sources: dict[str, Source] = {}
    progress: dict[str, dict[int, Progress]] = {}
    for shard, answer in reversed(list(enumerate(answers))):
        for known in answer.known:
            sources[known.source.id] = known.source
            if known.progress:
                progress.setdefault(known.source.id, {})[shard] = known.progress
    return [_whole(source, progress[id_], len(answers)) for id_, source in sources.items() if id_ in progress]


def _whole(source: Source, progress: dict[int, Progress], shards: int) -> KnownSource:
    """Return a source with the progress of all shards; those that have not met it stand where reading began."""
    start = Progress(source.origin, 0, Mark.blank(source.origin))
    known = KnownSource(source, {shard: progress.get(shard, start) for shard in range(shards)})
    is_behind = known.resume.position < known.furthest.position
    return replace(known, source=replace(source, finished=False)) if is_behind else known
