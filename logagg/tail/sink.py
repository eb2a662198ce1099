"""What every transport between the tailer and the shards promises.

A message is a job, or a `Barrier`: "commit all that came before this". Messages of one sender reach a shard in the order
they were sent. A transport may lose jobs, or deliver them again: shards know by position what they have, and what
is missing is sent again. It may not invent or change them.

Within a process `local.LocalQueue` is the transport. Between machines a job travels as a `wire.JobMessage`, through
`post.Sender` and `post.Receiver`, which give an answer to each; barriers do not travel, since there each shard commits by
itself. `tests/contracts/` holds both to what is promised here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from logagg.records import Job, Source


@dataclass(frozen=True, slots=True)
class Barrier:
    """The same cut through all sources, for every shard: what comes before it is committed together."""

    number: int
    sources: tuple[Source, ...]  # as they stand


Message = Job | Barrier


class Closed(Exception):
    """The queue is closed: nothing more can be sent, and all that was has been received."""


class Queue(Protocol):
    """The way to the shards."""

    def send(self, shard: int, message: Message) -> None:
        """Send a message to a shard; waits while the shard is behind. Raises Closed."""
        ...

    def receive(self, shard: int) -> Message:
        """Return the next message of a shard; waits for it. Raises Closed."""
        ...

    def close(self) -> None:
        """Let receivers finish what was sent, and nobody send more."""
        ...
