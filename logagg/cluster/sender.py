"""Sends a tailer's jobs to their shards, receives the replies, and sends lost jobs again."""

from __future__ import annotations

import random
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from logagg.clock import Clock
from logagg.cluster import protocol
from logagg.cluster.bounds import job_bytes, packet_bytes
from logagg.cluster.gearman import Server
from logagg.cluster.handshake import MISFIT, Handshake, Identity, superseded
from logagg.cluster.outbox import Outbox, OutboxState, PendingJob, PositionMismatch
from logagg.cluster.protocol import NO_OWNER, TOKEN, OwnerRequest, PositionsRequest, Reply
from logagg.cluster.refusals import Refusals, reason_of
from logagg.cluster.transport import Sender, SendResult
from logagg.errors import AuthError, ClusterError, WireError
from logagg.metrics import ANSWERS_REFUSED, GAPS, RESENT, UNCOMMITTED_BYTES, UNCOMMITTED_JOBS, Sample
from logagg.notices import Report, shard_takes_no_jobs
from logagg.parse.schemas import EVENT_SCHEMA
from logagg.records import KnownSource, Source
from logagg.tail.freshness import Freshness

JOBS, REQUESTS = "logagg.shard.", "logagg.positions."  # the functions of a shard, before its number
WINDOW = 4  # unanswered jobs to a shard at a time
PENDING = 256  # uncommitted jobs to a shard at a time
PATIENCE = 30.0  # seconds that a message may wait for its answer, at first
ASK = 5.0  # seconds that a request for positions may wait, at first
BACKOFF = 0.1, 10.0  # seconds after a failure: the first time, and at most
REPORT = 5.0  # seconds between two reports of a tailer's numbers


class Dispatch:
    """Sends the jobs of one tailer to all shards, and tracks what each shard has committed."""

    def __init__(
        self,
        servers: Sequence[Server],
        identity: Identity,
        clock: Clock,
        notice: Report,
        *,
        memory: int,
        poll: float,
        freshness: Freshness | None = None,
    ) -> None:
        self._sender = Sender(servers, clock, notice, largest=packet_bytes(job_bytes(memory)))
        self._who, self._clock, self._notice, self._limit, self._poll = identity, clock, notice, memory // 4, poll
        self._refusals = Refusals(clock, notice)
        self.outboxes: list[Outbox] = []
        self.epoch = 0  # one more than the last one that the workers knew
        self.limit = 0  # bytes that a job may unpack to
        self.failure: Exception | None = None
        self.failed: Callable[[], None] = lambda: None  # called after a failure
        self.unread = 0  # unread bytes of the logs, by the tailer's last look
        self._reported = self._since = clock.monotonic()  # the last report; since when jobs wait without a commit
        self._news: dict[str, Source] = {}  # changed records of sources, to be sent with a request
        self._told: dict[str, Source] = {}  # the records that the owner of the first shard has
        self._freshness = freshness or Freshness(clock)
        self._cut: list[int] | None = None  # jobs of each outbox at the last cut; None: they are committed
        self._heartbeat = self._asked = ""  # the heartbeat to send; the one in the last request
        self._count = 0
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dispatch", daemon=True)

    def greet(self, leaving: Callable[[], bool], *, once: bool = False) -> list[KnownSource] | None:
        """Shake hands with the workers (see `Handshake.greet`); return the known sources, or None if the tailer is to stop."""
        handshake = Handshake(
            self, self._sender, self._clock, self._notice, self._refusals, self._who.tailer, leaving, once
        )
        known = handshake.greet()
        self.limit = handshake.limit
        return known

    def start(self) -> None:
        self._thread.start()

    # for the reader's threads

    def put(self, jobs: Iterable[tuple[int, PendingJob]], given_up: Callable[[], bool] = lambda: False) -> bool:
        """Send a chunk's jobs; waits while too much is uncommitted, unless `given_up`.

        Returns False when they cannot be sent.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._over or self._accepts_more() or given_up())
            if self._over or not self._accepts_more():
                return False
            for shard, job in jobs:
                self.outboxes[shard].add(job)
        self._sender.wake()
        return True

    def tell(self, sources: Iterable[Source]) -> None:
        """Send the changed records of sources that no job carries."""
        with self._changed:
            self._news.update({source.id: replace(source, tailer=self._who.tailer) for source in sources})
        self._sender.wake()

    def read(self, at: float) -> None:
        """Note that everything in the logs up to a time has been put."""
        with self._changed:
            self._freshness.read(at)
            self._update_freshness()

    def say(self, heartbeat: str) -> None:
        """Send a heartbeat."""
        with self._changed:
            self._heartbeat = heartbeat
        self._sender.wake()

    def progress(self) -> tuple[int, int]:
        """Return the bytes of the logs that are not committed, and how many jobs were sent again."""
        with self._changed:
            return self._uncommitted(), self._resent()

    def wait_until_said(self, seconds: float) -> bool:
        """Wait at most `seconds` until a worker has received the heartbeat; return whether it has."""
        with self._changed:
            return self._changed.wait_for(lambda: self._over or not self._heartbeat, seconds) and not self._heartbeat

    def wait_until_committed(self, seconds: float) -> bool:
        """Wait at most `seconds` until everything is committed; return whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._over or self._idle(), seconds) and self._idle()

    def numbers(self) -> Iterator[Sample]:
        """Return what a scrape shows."""
        for outbox in self.outboxes:
            shard = str(outbox.shard)
            yield UNCOMMITTED_JOBS.of(len(outbox.pending), shard)
            yield UNCOMMITTED_BYTES.of(outbox.nbytes, shard)
            yield RESENT.of(outbox.resent, shard)
            yield GAPS.of(outbox.gaps, shard)
        yield from self._refusals.numbers(ANSWERS_REFUSED)

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

    def _accepts_more(self) -> bool:
        return sum(outbox.nbytes for outbox in self.outboxes) < self._limit and all(
            len(one.pending) < PENDING for one in self.outboxes
        )

    def _idle(self) -> bool:
        return not self._news and not any(outbox.pending for outbox in self.outboxes)

    # the sender's own thread

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._sender.connect()
                with self._changed:
                    for outbox in self.outboxes:
                        self._advance(outbox)
                outcomes = self._sender.poll(0.05 if any(outbox.pending for outbox in self.outboxes) else 0.25)
                with self._changed:
                    for outcome in outcomes:
                        self._hear(outcome)
                    self._update_freshness()
                    if not any(outbox.pending for outbox in self.outboxes):
                        self._since = self._clock.monotonic()
                    self._changed.notify_all()
        except Exception as failure:  # the main thread raises it
            self.failure = failure
            with self._changed:
                self._changed.notify_all()
            self.failed()

    def _update_freshness(self) -> None:
        """If all jobs of the last cut are committed, note that, and make the next cut."""
        if self._cut is not None and all(
            outbox.done >= count for outbox, count in zip(self.outboxes, self._cut, strict=True)
        ):
            self._freshness.committed()
            self._cut = None
        if not any(outbox.pending for outbox in self.outboxes):
            self._freshness.idle()
        elif self._cut is None:
            self._freshness.cut()
            self._cut = [outbox.added for outbox in self.outboxes]

    def _advance(self, outbox: Outbox) -> None:
        """Send what can be sent to a shard now."""
        now = self._clock.monotonic()
        state = outbox.state(now)
        if state is OutboxState.ASKING:
            self.ask(outbox)
        if state is not OutboxState.SENDING:
            return
        while outbox.on_way < WINDOW and (job := outbox.next()):
            if not self._send(outbox, job, JOBS, job.data, PATIENCE):
                return
            job.sent = True
        silent = now - outbox.heard
        has_more = outbox.pending or (outbox.shard == 0 and self._due_news())
        reports = outbox.shard == 0 and (now - self._reported > REPORT or bool(self._heartbeat))
        if not outbox.on_way and (has_more and silent > self._poll or reports):
            outbox.ask()
            self._reported = now

    def ask_owner(self, outbox: Outbox) -> None:
        """Ask a shard for the token of its owner, and for the last epoch of this tailer."""
        request = OwnerRequest(self._who.tailer, outbox.shard)
        self._send(outbox, (), REQUESTS, protocol.pack(request), ASK)

    def ask(self, outbox: Outbox, *, begins: bool = False) -> None:
        """Ask a shard for its positions; the first shard also gets changed records, numbers and heartbeat."""
        self._count += 1
        is_first = outbox.shard == 0
        heartbeat = self._heartbeat if is_first else ""
        self._asked = heartbeat or self._asked
        request = PositionsRequest(
            self._who.tailer,
            self.epoch,
            outbox.shard,
            begins,
            sources=self._due_news() if is_first else (),
            report=self._report() if is_first else {},
            run=self._who.run,
            count=self._count,
            heartbeat=heartbeat,
        )
        self._send(outbox, request.sources, REQUESTS, protocol.pack(request), ASK)

    def _send(self, outbox: Outbox, of: object, function: str, data: bytes, patience: float) -> bool:
        """Send a message to the owner of a shard, as far as the owner is known.

        Its unique name on the job server is its nonce: that reveals nothing to clients that list jobs, and a message that is
        sent again, to another owner, is not merged with the one before.
        """
        nonce = secrets.token_bytes(TOKEN)
        signed = self._who.keys.sign(data, nonce, bytes.fromhex(outbox.owner) or NO_OWNER)
        patience *= 2 ** min(outbox.failures, 4)
        if self._sender.send(
            (outbox, of, nonce), outbox.shard, f"{function}{outbox.shard}", nonce.hex(), signed, patience
        ):
            outbox.note_sent()
            return True
        outbox.wait_until(self._clock.monotonic() + BACKOFF[0])
        return False

    def _hear(self, outcome: SendResult) -> None:
        """Process the reply to a message, or its loss. Raises ClusterError, PositionMismatch."""
        outbox, of, _ = outcome.of
        outbox.note_outcome()
        answer = self.answer(outcome)
        if answer is None:
            self.fail(outbox, outcome.reason or "its answers are refused")
            return
        if answer.outcome == "superseded":
            raise superseded(self._who.tailer)
        if answer.outcome == "overlap":
            raise PositionMismatch(answer.reason)
        if outbox.note_owner(answer.owner) and outbox.shard == 0:  # the new owner may lack the records
            self._news = {**self._told, **self._news}
        if outbox.release(answer.positions):
            self._since = self._clock.monotonic()
            self._freshness.moved()
        outbox.note_reply(self._clock.monotonic())
        if answer.outcome == "refused":
            self.fail(outbox, answer.reason)
            return
        if answer.outcome == "moved":
            outbox.move(self._clock.monotonic() + BACKOFF[0] * random.uniform(0.5, 1))
            return
        outbox.note_success()
        if answer.outcome == "gap":
            outbox.gap()
        elif isinstance(of, tuple):
            self._take_stock(outbox, answer, of)

    def _take_stock(self, outbox: Outbox, answer: Reply, news: tuple[Source, ...]) -> None:
        """Continue from the positions of a shard."""
        for source in news:
            if self._news.get(source.id) == source:
                self._told[source.id] = self._news.pop(source.id)
        if outbox.shard == 0 and self._heartbeat == self._asked:
            self._heartbeat = ""
        outbox.resume(answer.positions, ask=outbox.shard == 0 and bool(self._due_news()))

    def _report(self) -> dict[str, int]:
        """Return the tailer's numbers for `logagg status`."""
        waiting = any(outbox.pending for outbox in self.outboxes)
        return {
            "at": int(self._clock.now()),
            "unread": self.unread,
            "uncommitted": self._uncommitted(),
            "behind": int(self._clock.monotonic() - self._since) if waiting else 0,
            "resent": self._resent(),
            "gaps": sum(outbox.gaps for outbox in self.outboxes),
            "refused": self._refusals.total,
        }

    def _uncommitted(self) -> int:
        """Return the bytes of the logs that are not committed, on average of the shards."""
        waiting = sum(job.end - job.start for outbox in self.outboxes for job in outbox.pending)
        return waiting // max(1, len(self.outboxes))

    def _resent(self) -> int:
        return sum(outbox.resent for outbox in self.outboxes)

    def _due_news(self) -> tuple[Source, ...]:
        """Return the changed records of sources whose jobs are all committed: none may be called finished before that."""
        busy = {job.source for outbox in self.outboxes for job in outbox.pending}
        return tuple(source for source in self._news.values() if source.id not in busy)

    def answer(self, outcome: SendResult) -> Reply | None:
        """Return the authentic reply to a message, or None. Raises ClusterError."""
        if outcome.data is None:
            return None
        outbox, _, nonce = outcome.of
        try:
            envelope = self._who.keys.check(outcome.data)
            if envelope.kind != protocol.REPLY or envelope.nonce != nonce:
                raise AuthError("a message that does not answer the one that was sent")
            answer = protocol.read(envelope, EVENT_SCHEMA)
        except WireError as error:
            self._refusals.add(reason_of(error), f"shard {outbox.shard} answers with {error}")
            return None
        assert isinstance(answer, Reply)
        if answer.outcome == "refused" and answer.reason.startswith(MISFIT):
            raise ClusterError(answer.reason.removeprefix(MISFIT), "see logagg docs cluster")
        return answer

    def fail(self, outbox: Outbox, reason: str) -> None:
        """Pause, then ask the shard for its positions."""
        first, most = BACKOFF
        pause = min(most, first * 2 ** min(outbox.failures, 10)) * random.uniform(0.5, 1)
        outbox.fail(self._clock.monotonic() + pause)
        if outbox.failures == 5 and outbox.pending:
            self._notice(shard_takes_no_jobs(outbox.shard, reason))
