"""The jobs of a tailer to one shard that are not committed yet, and the state that says what may be sent; no I/O.

A job stays, packed, until its shard has committed it. So a job that a shard has lost is sent again with the same bounds,
even if the log has been truncated since.

    ASKING ──resume──▶ SENDING          the shard has sent its positions
    SENDING ──ask, fail, gap, moved, another owner──▶ ASKING
    any ──fail, moved, wait_until──▶ PAUSED until a time, then the state before
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from logagg.tail.sink import BeginAgain

Positions = Mapping[str, tuple[int, int]]  # by source: committed, applied


@dataclass(slots=True, eq=False)
class PendingJob:
    """A job that is not committed yet."""

    source: str
    origin: int
    start: int
    end: int
    data: bytes
    sent: bool = False
    number: int = 0  # in its outbox


class PositionMismatch(BeginAgain):
    """A shard has less than was committed, or received other chunks: the tail must restart from the shard's positions."""


class OutboxState(Enum):
    """The messages that may be sent to a shard now."""

    PAUSED = "paused"  # nothing for a while: the last message failed
    ASKING = "asking"  # the request for its positions
    DRAINING = "draining"  # nothing: replies to earlier messages would make the positions stale
    SENDING = "sending"  # jobs


@dataclass(slots=True)
class Outbox:
    """The pending jobs of one shard, in the order in which they were made, and the state of the shard."""

    shard: int
    asking: bool = False  # the positions of the shard are needed before more jobs are sent
    pending: list[PendingJob] = field(default_factory=list)
    nbytes: int = 0  # of the pending jobs
    added: int = 0  # jobs, in total
    on_way: int = 0  # messages without a reply yet
    failures: int = 0  # in a row
    heard: float = 0.0  # monotonic clock: the last reply
    owner: str = ""  # of the shard; empty until it is known
    resent: int = 0  # jobs, in total
    gaps: int = 0  # replies that an earlier job is missing
    _not_before: float = 0.0  # monotonic clock: the end of a pause

    def state(self, now: float) -> OutboxState:
        """Return what may be sent now."""
        if now < self._not_before:
            return OutboxState.PAUSED
        if not self.asking:
            return OutboxState.SENDING
        return OutboxState.DRAINING if self.on_way else OutboxState.ASKING

    def may_ask(self, now: float) -> bool:
        """Return whether a request may be sent now: no pause, and no message on its way."""
        return not self.on_way and now >= self._not_before

    # messages and their replies

    def note_sent(self) -> None:
        """Note that a message is on its way."""
        self.on_way += 1

    def note_outcome(self) -> None:
        """Note that a message was answered, or never will be."""
        self.on_way -= 1

    def note_reply(self, now: float) -> None:
        self.heard = now

    def note_success(self) -> None:
        self.failures = 0

    def ask(self) -> None:
        """Require the positions of the shard before more jobs are sent."""
        self.asking = True

    def wait_until(self, moment: float) -> None:
        """Pause until this time."""
        self._not_before = moment

    def fail(self, until: float) -> None:
        """Pause until this time after a failure, then ask for the positions."""
        self.asking, self._not_before = True, until
        self.failures += 1

    def move(self, until: float) -> None:
        """Pause until the shard may have its new owner, then ask."""
        self.asking, self._not_before = True, until

    def gap(self) -> None:
        """Note that an earlier job is missing in the shard, and ask for the positions."""
        self.gaps += 1
        self.asking = True

    def set_owner(self, owner: str) -> None:
        """Note the owner that a reply names."""
        self.owner = owner

    def note_owner(self, owner: str) -> bool:
        """Note the owner; if it is another one, ask for positions: it may have only what was committed. Return whether it is."""
        if not owner or owner == self.owner:
            return False
        self.asking, self.owner = True, owner
        return True

    def greet(self, now: float) -> None:
        """Note that the shard has sent its positions: jobs may be sent."""
        self.asking, self.failures, self.heard = False, 0, now

    def resume(self, positions: Positions, *, ask: bool) -> None:
        """Go on from the positions of the shard; `ask`: with another request first. Raises PositionMismatch."""
        self.asking = ask
        self.rewind(positions)

    # jobs

    @property
    def done(self) -> int:
        """Return the number of jobs before the first that is not committed."""
        return self.pending[0].number if self.pending else self.added

    def add(self, job: PendingJob) -> None:
        job.number = self.added
        self.added += 1
        self.pending.append(job)
        self.nbytes += len(job.data)

    def next(self) -> PendingJob | None:
        """Return the job to send next."""
        return next((job for job in self.pending if not job.sent), None)

    def release(self, positions: Positions) -> bool:
        """Drop the jobs that are committed; return whether there were any."""
        kept = [one for one in self.pending if one.source not in positions or one.end > positions[one.source][0]]
        if len(kept) == len(self.pending):
            return False
        self.pending, self.nbytes = kept, sum(len(job.data) for job in kept)
        return True

    def rewind(self, positions: Positions) -> None:
        """Mark the jobs that the shard has not applied for sending again. Raises PositionMismatch if others are missing, too."""
        at: dict[str, int] = {}
        for job in self.pending:
            reached = at.setdefault(job.source, positions.get(job.source, (0, job.origin))[1])
            is_unknown = job.start == job.end and job.source not in positions
            if job.end <= reached and not is_unknown:
                job.sent = True
                continue
            if job.start != reached:
                raise PositionMismatch(
                    f"shard {self.shard} is at position {reached:,}, the next job starts at {job.start:,}"
                )
            self.resent += job.sent
            job.sent = False
            at[job.source] = job.end
