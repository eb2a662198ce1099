"""The newest snapshot of a lake, opened once for all questions, with limits for the queries of each.

A snapshot is a commit: answers about it never change, so that the rows of its queries are kept.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import LifoQueue

import duckdb

from logagg import spill
from logagg.errors import LakeError, LimitReached
from logagg.explore.facts import Facts
from logagg.explore.query import Ask, Fetched
from logagg.query import reports, status
from logagg.query.reports import ReportRequest
from logagg.query.sandbox_child import allow_only, parts_of
from logagg.query.snapshot import attach, connect, target_of
from logagg.query.status import Status
from logagg.quoting import literal

AT_A_TIME = 3  # queries of one page: many have a part that one core does alone, as merging sketches
QUERIES, ROWS = 500, 1_000  # queries of a snapshot whose rows are kept, and the most rows of each


Left = Future[None]  # done once no client waits for an answer


@dataclass(frozen=True, slots=True)
class AnswerLimits:
    """The limits of the queries of a server."""

    seconds: float = 30.0  # that all queries of one request may take
    memory: int = 256 << 20  # bytes of all queries together; more is spilled to a temporary directory
    threads: int = 2


class Snapshot:
    """One commit of a lake. Queries may come from any thread."""

    def __init__(
        self, target: Path, connection: duckdb.DuckDBPyConnection, limits: AnswerLimits, start: Sequence[str] = ()
    ) -> None:
        """`start` is executed on each cursor."""
        self.target, self._connection, self._limits, self._start = target, connection, limits, start
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
            return status.read(root, cursor, now)

    @contextmanager
    def _limited(
        self, count: int, stop: Left | None = None
    ) -> Iterator[tuple[list[duckdb.DuckDBPyConnection], threading.Event]]:
        """Yield cursors that are interrupted after the time limit, and the event that tells so."""
        cursors, over = [self._connection.cursor() for _ in range(count)], threading.Event()
        for cursor in cursors:
            for command in self._start:
                cursor.execute(command)

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

    def __init__(self, root: Path, limits: AnswerLimits, zone: str = "UTC", *, confined: bool = False) -> None:
        """`zone` is that of times without one in a condition; `confined`: queries can read the files of the snapshot only."""
        self._root, self._limits, self._zone, self._confined = root, limits, zone, confined
        self._lock = threading.Lock()
        self._newest: Snapshot | None = None

    def newest(self) -> Snapshot:
        """Return the newest snapshot. Raises LakeError."""
        target = target_of(self._root)
        with self._lock:
            if self._newest is None or self._newest.target != target:
                self._newest = Snapshot(target, self._opened(), self._limits, self._start())
            return self._newest

    def _start(self) -> tuple[str, ...]:
        """Return the statements that are executed on each new cursor."""
        return (f"SET TimeZone = {literal(self._zone)}", *(["USE lake"] if self._confined else []))

    def _opened(self) -> duckdb.DuckDBPyConnection:
        # A confined one is an instance of its own: other connections to the catalog's file would share its limits.
        connection = attach(self._root, {}) if self._confined else connect(self._root)
        settings = {
            "threads": str(self._limits.threads),
            "memory_limit": literal(f"{self._limits.memory}B"),
            "python_scan_all_frames": "false",
            "python_enable_replacements": "false",
            "preserve_insertion_order": "false",
            "parquet_metadata_cache": "true",  # else each query reads the metadata of all files: a third of a short one
        }
        if self._confined:  # for others `connect` sets it, unless a query of this process has spilled into it already
            settings["temp_directory"] = literal(spill.directory())
        for name, value in settings.items():
            connection.execute(f"SET {name} = {value}")
        if self._confined:
            allow_only(connection, parts_of(connection))
        return connection
