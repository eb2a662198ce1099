"""Where a tail's chunks go: a sink takes them, and a destination makes the sinks of a run.

There are two of each: into the lake of this process (`tail.local`), and to workers elsewhere (`cluster.remote`).
`tests/contracts/` holds both to what is promised here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from logagg.config.sections import Config
from logagg.heartbeat import Heartbeat
from logagg.metrics import Sample
from logagg.parse.events.classify import Classifier
from logagg.parse_pool.task import Then
from logagg.records import Chunk, KnownSource, Source
from logagg.tail.stats import Stats


class Closed(Exception):
    """a sink, or a queue, takes nothing more, and all that it took was handed on."""


class BeginAgain(Exception):
    """What is committed is not what a sink was told: the run begins again from what is committed."""


class Sink(Protocol):
    """Takes parsed chunks from the read loop to a commit.

    Order: the lines of a source are committed in the order of their positions.
    Bounds: `put` waits while too much is not committed, so that a run keeps to `--memory`.
    Once: a commit holds lines of a source together with the position that they reach, so no line is lost or counted twice.
    What was put and is not committed at the end of a run, however it ends, is read again by the next.
    Commits: a local sink makes one commit of all that was put before a `flush`; of a remote one each worker commits the
    shards that it owns, in its own time.
    Failure: a sink that cannot go on calls what `start` was given; `put`, `flush` and `ready` raise Closed from then on, and
    `pause` and `finish` raise what was wrong: LogaggError, BeginAgain, or what a parser raised.

    The read loop calls `put`, `read`, `due`, `ready` and `flush` in its thread; another thread may call the others.
    """

    @property
    def then(self) -> Then | None:
        """What a parser makes of a chunk and its events, for `put`; None: it hands on the batch as it is."""
        ...

    def start(self, failed: Callable[[], None]) -> None:
        """Begin to take chunks, or go on after a `pause`; call `failed` when that comes to an end by a failure."""
        ...

    def put(self, source: Source, chunk: Chunk, parsed: Future[Any]) -> None:
        """Hand on a chunk, without its data, and what a parser will have made of it; waits while there is no room."""
        ...

    def read(self, at: float) -> None:
        """Note that all that was in the logs at a moment has been put."""
        ...

    def due(self) -> bool:
        """Tell whether so much waits that a flush should not wait for its time."""
        ...

    def ready(self, seconds: float | None = 0) -> bool:
        """Wait at most so long (None: without end) until a flush can be taken; tell whether it can."""
        ...

    def flush(self, sources: Sequence[Source], *, changed: bool) -> None:
        """Have all that was put committed, with the sources as they stand.

        `changed` tells whether there is something to say of a source that gave no chunk.
        """
        ...

    def leave(self) -> None:
        """Wait no longer for what may take long (a disk without room, workers without an answer): the user wants to go."""
        ...

    def pause(self) -> None:
        """Return when another configuration can be adopted: the read loop has ended, and another one will follow."""
        ...

    def finish(self) -> None:
        """Take nothing more; return when all that was put is committed, or, after `leave`, when that takes too long."""
        ...

    def cut(self) -> None:
        """Take nothing more, and drop what is not committed."""
        ...


@dataclass(frozen=True, slots=True)
class Beginning:
    """From where on a session reads."""

    known: Sequence[KnownSource]
    chunk_bytes: int  # the largest chunk that is taken
    written_at: float = 0.0  # when the lake was last written, by the clock of then; 0: not known


class Destination(ABC):
    """The lake of this process, or the workers: knows what is committed, and makes the sinks of a run."""

    tailer = ""  # the name of this tail among others
    lock = 0  # when the lake's lock was taken, as it says itself; 0: there is none

    @abstractmethod
    def begin(self, stats: Stats, leaving: Callable[[], bool]) -> Beginning | None:
        """Begin a session; return from where on to read, None when the user wants to go before that is known."""

    @abstractmethod
    def classifier(self, config: Config) -> Classifier:
        """Return what classifies events as a configuration says. Raises LogaggError."""

    @abstractmethod
    def check(self, config: Config) -> None:
        """Raise LogaggError where a configuration asks for what cannot be."""

    @abstractmethod
    def sink(self, config: Config) -> Sink:
        """Return the sink of a session that begins. Raises LogaggError."""

    @abstractmethod
    def adopt(self, config: Config) -> Sink:
        """Return the sink to go on with by another configuration, after a pause. Raises LogaggError."""

    @abstractmethod
    def say(self, heartbeat: Heartbeat) -> None:
        """Leave a heartbeat where `logagg status` finds it."""

    @abstractmethod
    def numbers(self) -> Iterator[Sample]:
        """Return what a scrape shows."""

    def last_heartbeat(self) -> Heartbeat | None:
        """Return the last heartbeat of the tail before this one."""
        return None

    def may_forget(self) -> bool:
        """Tell whether what is old by the clock may be forgotten."""
        return True

    @property
    def activity(self) -> str:
        """What else is going on, for a status line."""
        return ""

    @abstractmethod
    def tidy(self) -> None:
        """Leave few files behind a run that has read all there is."""

    @abstractmethod
    def refuse_damaged(self) -> None:
        """Raise LogaggError where something that was committed before is damaged."""

    @abstractmethod
    def end(self) -> None:
        """End a session."""
