"""The newest snapshot of a lake, opened once for all questions, with limits on the queries of each question.

A snapshot is the state of one commit: its answers never change, so the rows of queries are kept.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from queue import LifoQueue

import duckdb

from logagg import spill
from logagg.errors import LakeError, LimitReached
from logagg.explore.facts import Facts
from logagg.explore.narrowed import Narrowed, Narrowing, Views
from logagg.explore.query import Fetched
from logagg.explore.scope import Scope
from logagg.query import reports, status
from logagg.query.reports import ReportRequest
from logagg.query.sandbox_child import allow_only, parts_of
from logagg.query.snapshot import attach, target_of
from logagg.query.status import Status
from logagg.quoting import literal

AT_A_TIME = 3  # parallel queries of one page: many have a phase, such as merging sketches, that uses only one core
QUERIES, ROWS = 500, 1_000  # the most queries whose rows a snapshot keeps, and the most rows of each


Left = Future[None]  # done once no client waits for an answer


@dataclass(frozen=True, slots=True)
class AnswerLimits:
    """Limits on the queries of a server."""

    seconds: float = 30.0  # for all queries of one request together
    memory: int = 256 << 20  # bytes for all queries together; beyond that they spill to a temporary directory
    threads: int = 2


Cursors = Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]


@dataclass(frozen=True, slots=True)
class Queries:
    """Runs the queries of one request on its snapshot."""

    snapshot: Snapshot
    cursors: Cursors
    narrowing: Narrowing | None = None

    def __call__(self, sql: str) -> Fetched:
        return self.snapshot.ask(sql, self.narrowing, self.cursors)

    def about(self, scope: Scope) -> Queries:
        """Return what runs queries that are about a scope, or most of them: it reads less for these, with the same answers."""
        return replace(self, narrowing=Narrowing.of(scope, self.snapshot.facts, self.snapshot.views))


class Snapshot:
    """One commit of a lake. Queries may come from any thread."""

    def __init__(
        self, target: Path, connection: duckdb.DuckDBPyConnection, limits: AnswerLimits, start: Sequence[str] = ()
    ) -> None:
        """`start` are statements that are executed on each new cursor."""
        self.target, self._connection, self._limits, self._start = target, connection, limits, start
        self._kept: OrderedDict[str, Fetched] = OrderedDict()  # a page and the next one have most queries in common
        self._narrowed = Narrowed()
        self._lock = threading.Lock()
        with self.queries() as ask:
            self.facts, self.views = Facts.of(ask), Views.of(ask)

    @property
    def name(self) -> str:
        """The name of the catalog's file, which differs for each commit."""
        return self.target.stem

    @contextmanager
    def queries(self, stop: Left | None = None) -> Iterator[Queries]:
        """Yield what runs queries. The time limit holds for all of them together; they end when no client waits.

        Any thread may call it; up to AT_A_TIME queries run in parallel. It raises LimitReached and LakeError.
        """
        with self._limited(AT_A_TIME, stop) as (cursors, over):
            free: LifoQueue[duckdb.DuckDBPyConnection] = LifoQueue()
            for cursor in cursors:
                free.put(cursor)

            @contextmanager
            def free_cursor() -> Iterator[duckdb.DuckDBPyConnection]:
                cursor = free.get()
                try:
                    if over.is_set():
                        raise self._too_long()
                    with self._failures():
                        yield cursor
                finally:
                    free.put(cursor)

            yield Queries(self, free_cursor)

    def ask(self, sql: str, about: Narrowing | None, cursors: Cursors) -> Fetched:
        """Return the answer to a query, narrowed to what it is about."""
        if found := self._kept.get(sql):
            return found
        with cursors() as cursor:
            if about is None:
                return self._keep(sql, Fetched.of(cursor.execute(sql)))
            with self._narrowed.prepared(sql, about, cursor) as prepared:
                return self._keep(sql, Fetched.of(cursor.execute(prepared)))

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
        """Return the state of the lake and its tails. Raises LogaggError."""
        with self._limited(1) as ([cursor], _), self._failures():
            return status.read(root, cursor, now)

    @contextmanager
    def _limited(
        self, count: int, stop: Left | None = None
    ) -> Iterator[tuple[list[duckdb.DuckDBPyConnection], threading.Event]]:
        """Yield cursors that are interrupted at the time limit, and an event that is set then."""
        cursors, over = [self._connection.cursor() for _ in range(count)], threading.Event()
        for cursor in cursors:
            for command in self._start:
                cursor.execute(command)

        def interrupt() -> None:
            over.set()
            for cursor in cursors:
                with suppress(duckdb.Error):  # if the cursor is closed by now
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
        """Translate errors of DuckDB into LogaggError. The queries are built in, so the cause is a limit or a file."""
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
    """Keeps the newest snapshot of a lake open. An older one stays open as long as a request uses it."""

    def __init__(self, root: Path, limits: AnswerLimits, zone: str = "UTC", *, confined: bool = False) -> None:
        """`zone` is the time zone of times in a condition that name none; `confined`: queries can read no files but the snapshot's."""
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
        return (f"SET TimeZone = {literal(self._zone)}", "USE lake")

    def _opened(self) -> duckdb.DuckDBPyConnection:
        # An instance of its own: it has a database in memory for what is kept, and others that read the catalog would share its limits.
        connection = attach(self._root, {})
        settings = {
            "threads": str(self._limits.threads),
            "memory_limit": literal(f"{self._limits.memory}B"),
            "python_scan_all_frames": "false",
            "python_enable_replacements": "false",
            "preserve_insertion_order": "false",
            "temp_directory": literal(spill.directory()),
            "parquet_metadata_cache": "true",  # else each query reads the metadata of all files, a third of a short query's time
        }
        for name, value in settings.items():
            connection.execute(f"SET GLOBAL {name} = {value}")  # without GLOBAL, cursors would not have some of them
        if self._confined:
            allow_only(connection, parts_of(connection))
        return connection
