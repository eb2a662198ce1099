"""The newest snapshot, opened once for all requests, and answers that are computed once for all who ask the same.

A snapshot is a commit: what is asked of one never changes, so its answers are kept until the next one, as far as memory goes.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import LifoQueue
from typing import Any

import duckdb

from logagg import spill
from logagg.errors import LakeError, LimitReached
from logagg.explore.facts import Facts
from logagg.explore.query import Ask, Fetched
from logagg.query import reports, status
from logagg.query.reports import ReportRequest
from logagg.query.snapshot import connect, target_of
from logagg.query.status import Status
from logagg.quoting import literal

KEPT = 32 << 20  # bytes of answers that are kept
AT_A_TIME = 3  # queries of one page: many have a part that one core does alone, as merging sketches
QUERIES, ROWS = 500, 1_000  # queries of a snapshot whose rows are kept, if they are at most so many


Left = Future[None]  # done once no client waits for an answer any more


@dataclass(frozen=True, slots=True)
class AnswerLimits:
    """The limits of the queries of a server."""

    seconds: float = 30.0  # that all queries of one request may take
    memory: int = 256 << 20  # bytes of all queries together; more is spilled to a temporary directory
    threads: int = 2


class Snapshot:
    """One commit of a lake. Queries may come from any thread."""

    def __init__(self, target: Path, connection: duckdb.DuckDBPyConnection, limits: AnswerLimits) -> None:
        self.target, self._connection, self._limits = target, connection, limits
        self._kept: OrderedDict[str, Fetched] = OrderedDict()  # a page and the next one share most of their queries
        self._lock = threading.Lock()
        with self.queries() as ask:
            self.facts = Facts.of(ask)

    @property
    def name(self) -> str:
        """The name of the catalog's file: another one for each commit."""
        return self.target.stem

    @contextmanager
    def queries(self, stop: Left | None = None) -> Iterator[Ask]:
        """Yield a function that runs queries, all of them within the time limit, and until no client waits for them.

        It may be called from any thread; some queries run at a time. It raises LimitReached, LakeError.
        """
        with self._limited(AT_A_TIME, stop) as (cursors, over):
            free: LifoQueue[duckdb.DuckDBPyConnection] = LifoQueue()
            for cursor in cursors:
                free.put(cursor)

            def ask(sql: str) -> Fetched:
                if found := self._kept.get(sql):
                    return found
                cursor = free.get()
                try:
                    if over.is_set():
                        raise self._too_long()
                    with self._failures():
                        return self._keep(sql, Fetched.of(cursor.execute(sql)))
                finally:
                    free.put(cursor)

            yield ask

    def _keep(self, sql: str, found: Fetched) -> Fetched:
        if len(found.rows) <= ROWS:
            with self._lock:
                self._kept[sql] = found
                if len(self._kept) > QUERIES:
                    self._kept.popitem(last=False)
        return found

    def report(self, wanted: ReportRequest) -> Fetched:
        """Return a report of the command line. Raises LogaggError."""
        with self._limited(1) as ([cursor], _), self._failures():
            return Fetched.of(reports.run(cursor, wanted))

    def status(self, root: Path, now: float) -> Status:
        """Return how the lake and its tails are doing. Raises LogaggError."""
        with self._limited(1) as ([cursor], _), self._failures():
            return status.look(root, cursor, now)

    @contextmanager
    def _limited(
        self, count: int, stop: Left | None = None
    ) -> Iterator[tuple[list[duckdb.DuckDBPyConnection], threading.Event]]:
        """Yield cursors that are interrupted after the time limit, and the event that tells so."""
        cursors, over = [self._connection.cursor() for _ in range(count)], threading.Event()
        for cursor in cursors:
            cursor.execute("SET TimeZone = 'UTC'")

        def interrupt() -> None:
            over.set()
            for cursor in cursors:
                with suppress(duckdb.Error):  # it is closed by now
                    cursor.interrupt()

        if stop:
            stop.add_done_callback(lambda _: interrupt())
        timer = threading.Timer(self._limits.seconds, interrupt)
        timer.daemon = True
        timer.start()
        try:
            yield cursors, over
        finally:
            timer.cancel()
            for cursor in cursors:
                cursor.close()

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Turn the errors of DuckDB into ours: the queries are built in, so limits or files are at fault."""
        try:
            yield
        except duckdb.InterruptException:
            raise self._too_long() from None
        except duckdb.OutOfMemoryException:
            text = "the answer needs more memory than the server may take"
            raise LimitReached(text, "ask for less, or give more with --memory") from None
        except duckdb.IOException as error:  # a file is missing or damaged
            what = str(error).splitlines()[0]
            raise LakeError(f"{self.target}: {what}", "ask again; logagg check tells more") from error

    def _too_long(self) -> LimitReached:
        return LimitReached(
            f"the answer took longer than {self._limits.seconds:g} s", "ask for a shorter window, or fewer filters"
        )


class Snapshots:
    """Gives the newest snapshot of a lake. An older one lives as long as a request uses it."""

    def __init__(self, root: Path, limits: AnswerLimits) -> None:
        self._root, self._limits = root, limits
        self._lock = threading.Lock()
        self._newest: Snapshot | None = None

    def newest(self) -> Snapshot:
        """Return the newest snapshot. Raises LakeError."""
        target = target_of(self._root)
        with self._lock:
            if self._newest is None or self._newest.target != target:
                self._newest = Snapshot(target, self._opened(), self._limits)
            return self._newest

    def _opened(self) -> duckdb.DuckDBPyConnection:
        connection = connect(self._root)
        settings = {
            "threads": str(self._limits.threads),
            "memory_limit": literal(f"{self._limits.memory}B"),
            "temp_directory": literal(spill.directory()),
            "python_scan_all_frames": "false",
            "python_enable_replacements": "false",
            "preserve_insertion_order": "false",
            "parquet_metadata_cache": "true",  # else each query reads the metadata of all files: a third of a short one
        }
        for name, value in settings.items():
            connection.execute(f"SET {name} = {value}")
        return connection


@dataclass(slots=True)
class _Computation:
    """An answer that is being computed, and how many wait for it."""

    answer: Future[bytes] = field(default_factory=Future)
    left: Left = field(default_factory=Future)
    waiting: int = 0


class Answers:
    """Computes an answer once for all who ask the same at the same commit, and keeps it; not if all of them leave."""

    def __init__(self, most: int = KEPT) -> None:
        self._most, self._bytes = most, 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[object, bytes] = OrderedDict()
        self._computing: dict[object, _Computation] = {}
        self.computed = self.reused = 0

    def get(self, key: object, compute: Callable[[Left], bytes], left: Left) -> bytes:
        """Return the kept answer, or that which another thread computes now, or compute it.

        `left` is done when the one who asks does not wait any more.
        """
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                self.reused += 1
                return self._kept[key]
            is_first = key not in self._computing
            running = self._computing.setdefault(key, _Computation())
            running.waiting += 1
        left.add_done_callback(lambda _: self._leave(key, running))
        if is_first:
            return self._compute(key, compute, running)
        self.reused += 1
        return running.answer.result()

    def _leave(self, key: object, running: _Computation) -> None:
        with self._lock:
            running.waiting -= 1
            if running.waiting:
                return
            self._end(key, running)  # who asks for the same from now on begins anew
        running.left.set_result(None)

    def _end(self, key: object, running: _Computation) -> None:
        if self._computing.get(key) is running:
            del self._computing[key]

    def _compute(self, key: object, compute: Callable[[Left], bytes], running: _Computation) -> bytes:
        try:
            found = compute(running.left)
        except BaseException as error:
            running.answer.set_exception(error)
            raise
        else:
            self.computed += 1
            running.answer.set_result(found)
            self._keep(key, found)
            return found
        finally:
            with self._lock:
                self._end(key, running)

    def _keep(self, key: object, found: bytes) -> None:
        with self._lock:
            self._kept[key] = found
            self._bytes += len(found)
            while self._bytes > self._most and self._kept:
                _, dropped = self._kept.popitem(last=False)
                self._bytes -= len(dropped)


class Remembered:
    """Values that change seldom and take long: computed again after a while, once for all who ask meanwhile."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._found: dict[str, tuple[float, Any]] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def get(self, name: str, compute: Callable[[], Any]) -> Any:
        """Return the value, which `compute` gives if it is too old."""
        with self._locks[name]:
            at, value = self._found.get(name, (float("-inf"), None))
            if self._clock() - at > self._seconds:
                value = compute()
                self._found[name] = self._clock(), value
            return value
