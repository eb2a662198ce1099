"""What a tailer has sent to each shard and is not committed yet; no I/O.

A flight stays, packed, until its shard has committed it: so what a shard has lost is sent again as it was, cut where it
was cut, even if the log has been truncated since.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from logagg.tail.sink import BeginAgain

Positions = Mapping[str, tuple[int, int]]  # by source: committed, applied


@dataclass(slots=True, eq=False)
class PendingJob:
    """A job on its way."""

    source: str
    origin: int
    start: int
    end: int
    data: bytes
    sent: bool = False
    number: int = 0  # in its outbox


class PositionMismatch(BeginAgain):
    """A shard has less than was committed, or was given other chunks: begin anew from what it has."""


@dataclass(slots=True)
class Outbox:
    """The flights to one shard, in the order they were made, and what is known of the shard."""

    shard: int
    pending: list[PendingJob] = field(default_factory=list)
    nbytes: int = 0
    on_way: int = 0  # messages without an answer yet
    asking: bool = False  # how far the shard has come must be learnt before more is sent
    not_before: float = 0.0  # clock; after a failure
    failures: int = 0  # since the last answer that was one
    heard: float = 0.0  # clock, of the last answer
    owner: str = ""  # of the shard
    resent: int = 0
    gaps: int = 0
    added: int = 0  # flights, in all

    @property
    def done(self) -> int:
        """Return how many flights are committed, of those before the first that is not."""
        return self.pending[0].number if self.pending else self.added

    def add(self, flight: PendingJob) -> None:
        flight.number = self.added
        self.added += 1
        self.pending.append(flight)
        self.nbytes += len(flight.data)

    def next(self) -> PendingJob | None:
        """Return what is to be sent next."""
        return next((flight for flight in self.pending if not flight.sent), None)

    def release(self, positions: Positions) -> bool:
        """Let go of what is committed; tell whether there was anything."""
        kept = [one for one in self.pending if one.source not in positions or one.end > positions[one.source][0]]
        if len(kept) == len(self.pending):
            return False
        self.pending, self.nbytes = kept, sum(len(flight.data) for flight in kept)
        return True

    def rewind(self, positions: Positions) -> None:
        """Send again what the shard has not applied, of all sources. Raises PositionMismatch when there is less than it needs."""
        at: dict[str, int] = {}
        for flight in self.pending:
            reached = at.setdefault(flight.source, positions.get(flight.source, (0, flight.origin))[1])
            is_unknown = flight.start == flight.end and flight.source not in positions
            if flight.end <= reached and not is_unknown:
                flight.sent = True
                continue
            if flight.start != reached:
                raise PositionMismatch(
                    f"shard {self.shard} stands at {reached:,}, the next job starts at {flight.start:,}"
                )
            self.resent += flight.sent
            flight.sent = False
            at[flight.source] = flight.end
