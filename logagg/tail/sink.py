"""Where a tail's chunks go: a sink takes them, and a destination makes the sinks of a run.

There are two of each: into the lake of this process (`tail.local`), and to workers elsewhere (`cluster.remote`).
`tests/contracts/` holds both to these promises.
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
    """A sink or a queue accepts nothing more, and everything that it accepted was passed on."""


class BeginAgain(Exception):
    """The committed positions are not those that a sink was given: the run starts again from them."""


class Sink(Protocol):
    """Takes parsed chunks from the read loop to a commit.

    Order: the lines of a source are committed in the order of their positions.
    Bounds: `put` waits while too much is uncommitted, so that a run stays within `--memory`.
    Once: a commit holds lines of a source together with the position that they reach, so no line is lost or counted twice.
    Chunks that are not committed at the end of a run, however it ends, are read again by the next.
    Commits: a local sink makes one commit of everything that was put before a `flush`; with a remote one each worker commits
    its shards by its own interval.
    Failure: a sink that cannot go on calls what `start` was given; `put`, `flush` and `ready` raise Closed from then on, and
    `pause` and `finish` raise the cause: LogaggError, BeginAgain, or an exception of a parser.

    The read loop calls `put`, `read`, `due`, `ready` and `flush` in its thread; another thread may call the others.
    """

    @property
    def then(self) -> Then | None:
        """A function that parsers apply to a chunk and its events before `put`; None: `put` receives the batch."""
        ...

    def start(self, failed: Callable[[], None]) -> None:
        """Begin to accept chunks, or go on after a `pause`; `failed` is called if the sink fails."""
        ...

    def put(self, source: Source, chunk: Chunk, parsed: Future[Any]) -> None:
        """Accept a chunk, without its data, and the future result of its parser; waits while too much is uncommitted."""
        ...

    def read(self, at: float) -> None:
        """Note that everything in the logs up to a time has been put."""
        ...

    def due(self) -> bool:
        """Return whether a flush is due early, since much is uncommitted."""
        ...

    def ready(self, seconds: float | None = 0) -> bool:
        """Wait at most `seconds` (None: forever) until a flush is possible; return whether it is."""
        ...

    def flush(self, sources: Sequence[Source], *, changed: bool) -> None:
        """Commit everything that was put, with the records of the sources.

        `changed`: the record of a source without a chunk has changed.
        """
        ...

    def leave(self) -> None:
        """Stop waiting for a full disk or silent workers: the run is to end."""
        ...

    def pause(self) -> None:
        """Return when a new configuration can be adopted: the read loop has ended, and another one will follow."""
        ...

    def finish(self) -> None:
        """Accept nothing more; return when everything is committed, or, after `leave`, when that takes too long."""
        ...

    def cut(self) -> None:
        """Accept nothing more, and drop all uncommitted chunks."""
        ...


@dataclass(frozen=True, slots=True)
class Beginning:
    """The positions and limits with which a session begins."""

    known: Sequence[KnownSource]
    chunk_bytes: int  # the largest chunk that is accepted
    descriptors: int  # files and connections that the destination opens at a time
    written_at: float = 0.0  # when the lake was last written, by the clock at that time; 0: not known


class Destination(ABC):
    """The lake of this process, or the workers: knows the committed positions, and makes the sinks of a run."""

    tailer = ""  # the name of this tail in a cluster
    lock = 0  # the mtime of the lake's lock when it was taken; 0: there is no lock

    @abstractmethod
    def begin(self, stats: Stats, leaving: Callable[[], bool]) -> Beginning | None:
        """Begin a session; return its beginning, or None if the run is to end before that is known."""

    @abstractmethod
    def classifier(self, config: Config) -> Classifier:
        """Return the classifier for a configuration. Raises LogaggError."""

    @abstractmethod
    def check(self, config: Config) -> None:
        """Raise LogaggError for a configuration that cannot be followed."""

    @abstractmethod
    def sink(self, config: Config) -> Sink:
        """Return the sink of a new session. Raises LogaggError."""

    @abstractmethod
    def adopt(self, config: Config) -> Sink:
        """Return the sink for a new configuration, after a pause. Raises LogaggError."""

    @abstractmethod
    def say(self, heartbeat: Heartbeat) -> None:
        """Store or send a heartbeat, so that `logagg status` finds it."""

    @abstractmethod
    def numbers(self) -> Iterator[Sample]:
        """Return what a scrape shows."""

    def last_heartbeat(self) -> Heartbeat | None:
        """Return the last heartbeat of the tail before this one."""
        return None

    def may_forget(self) -> bool:
        """Return whether old records may be dropped: the clock is trusted."""
        return True

    @property
    def activity(self) -> str:
        """Another activity, for the status line."""
        return ""

    @abstractmethod
    def tidy(self) -> None:
        """Merge files at the end of a run with `--once`."""

    @abstractmethod
    def refuse_damaged(self) -> None:
        """Raise LogaggError if committed files are damaged."""

    @abstractmethod
    def end(self) -> None:
        """End a session."""
