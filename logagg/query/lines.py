"""The log lines behind a query of requests.

    asked = LinesRequest.of("status >= 500", now, since="1h")
    with find(root, asked, paths) as found:
        for line in found: ...

The condition is untrusted: it runs in the sandbox. Rows come back as Arrow, whose bounds were checked.
"""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from logagg.closing import Closing
from logagg.errors import LakeError, LimitReached, LogaggError, QueryFailed, QueryRefused
from logagg.heartbeat import Heartbeat
from logagg.lake import heartbeats
from logagg.lake.catalog import known_sources
from logagg.query.sandbox import QueryLimits, Sandbox
from logagg.query.sandbox_sql import CONDITION
from logagg.query.snapshot import connect
from logagg.query.times import When, moment
from logagg.quoting import literal
from logagg.retrieve.places import Places
from logagg.retrieve.search import Search
from logagg.retrieve.spool import KeptLines

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

LIMIT = 20
MOST = 1_000_000  # rows, which are all in memory
_NARROW = "ask for less, with a condition, since and until"
_UTC = ZoneInfo("UTC")
_UNKNOWN = "?"  # the machine of a tailer without a heartbeat


@dataclass(frozen=True, slots=True)
class LinesRequest:
    """A request for log lines: the newest ones that meet all conditions."""

    where: str = ""  # a condition over `requests`, in SQL
    since: datetime | None = None
    until: datetime | None = None
    limit: int = LIMIT
    zone: str = "UTC"  # the time zone of the condition, and of times in the answer

    @classmethod
    def of(
        cls,
        where: str,
        now: float,
        *,
        since: When | None = None,
        until: When | None = None,
        limit: int = LIMIT,
        zone: ZoneInfo = _UTC,
    ) -> LinesRequest:
        """Return the request, checked except for its condition; days are those of `zone`. Raises LogaggError."""
        if not 0 < limit <= MOST:
            raise LogaggError(f"limit: {limit} is not valid", f"write a number from 1 to {MOST:,}")
        start, end = moment(since, now, "since", zone), moment(until, now, "until", zone)
        return cls(where.strip(), start, end, limit, zone.key)

    @property
    def query(self) -> str:
        """The query, with a place for the condition."""
        conditions = [
            *([f"ts >= {literal(self.since.isoformat())}::TIMESTAMPTZ"] if self.since else []),
            *([f"ts < {literal(self.until.isoformat())}::TIMESTAMPTZ"] if self.until else []),
            *([CONDITION] if self.where else []),
        ]
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return f"SELECT * FROM requests{where} ORDER BY ts DESC, source DESC, position DESC LIMIT {self.limit}"


_OF_LINES = ("file", "line", "reason")  # columns of the answer, after those of requests


@dataclass(frozen=True, slots=True)
class FoundLine:
    """A row of requests, and its log line."""

    row: dict[str, Any]
    line: bytes | None  # without its newline; None: not shown
    file: str  # the file with the line
    reason: str  # why the line is not shown

    @property
    def text(self) -> str | None:
        """The line as text, without its line end."""
        return None if self.line is None else self.line.removesuffix(b"\r").decode("utf-8", "replace")

    def as_dict(self) -> dict[str, Any]:
        return {**self.row, "file": self.file or None, "line": self.text, "reason": self.reason or None}


class FoundLines(Closing):
    """The rows of an answer, in the order of their times, with their log lines."""

    def __init__(self, rows: pa.Table, lines: KeptLines, search: Search) -> None:
        self._rows, self._lines, self._search = rows, lines, search

    def __len__(self) -> int:
        return self._rows.num_rows

    def __iter__(self) -> Iterator[FoundLine]:
        rows = (row for batch in self._rows.to_batches(max_chunksize=1_000) for row in batch.to_pylist())
        for number, row in enumerate(rows):
            yield FoundLine(row, self._lines.get(number), self._search.files.get(number, ""), self._reason(number))

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the values of `FoundLine.as_dict`."""
        return (*self._rows.column_names, *_OF_LINES)

    @property
    def shown(self) -> int:
        """How many lines are shown."""
        return self._lines.count()

    def missing(self) -> Counter[str]:
        """Return how many lines are not shown, by reason, in the order of their first lines."""
        reasons = (self._reason(number) for number in range(len(self)) if number not in self._lines)
        return Counter(reasons)

    def frame(self) -> pd.DataFrame:
        """Return the rows and lines as a data frame."""
        from logagg.query import frames

        return frames.of_table(self.table())

    def table(self) -> pa.Table:
        """Return the rows and lines as a table of Arrow."""
        found = [(one.file or None, one.text, one.reason or None) for one in self]
        table = self._rows
        for name, values in zip(_OF_LINES, zip(*found, strict=True) if found else ([],) * 3, strict=True):
            table = table.append_column(name, pa.array(values, pa.large_string()))
        return table

    def _reason(self, number: int) -> str:
        return self._search.reason(number)

    def close(self) -> None:
        self._lines.close()


def find(root: Path, asked: LinesRequest, paths: Sequence[str | os.PathLike[str]] = ()) -> FoundLines:
    """Find log lines, wherever their logs are now; `paths` are further places to search.

    Raises LogaggError if the condition is refused, or the lake cannot answer.
    """
    rows = _rows(root, asked)
    with connect(root) as connection:  # opened after the rows were read, so it has all of their sources
        known = known_sources(connection, rows.column("source").unique().to_pylist())
        places = _places(root, connection, tuple(os.fspath(path) for path in paths))
    lines = KeptLines(rows.num_rows)
    try:
        search = Search(rows, known, places, lines)
        search.run()
    except BaseException:
        lines.close()
        raise
    return FoundLines(rows, lines, search)


def checked(root: Path, where: str, zone: str) -> str:
    """Return a condition over `requests` that is safe as a part of other queries. Raises LogaggError for any other text."""
    if not where.strip():
        return ""
    _answer(root, f"SELECT ts FROM requests WHERE {CONDITION} LIMIT 0", where.strip(), zone)
    return where.strip()


def _rows(root: Path, asked: LinesRequest) -> pa.Table:
    """Return the rows of the answer, the oldest first."""
    table = _answer(root, asked.query, asked.where, asked.zone)
    return table.take(pa.array(range(table.num_rows - 1, -1, -1), pa.int64()))


def _answer(root: Path, query: str, where: str, zone: str) -> pa.Table:
    """Return the sandbox's answer to a query that has a place for an untrusted condition."""
    try:
        sandbox = Sandbox(root, limits=QueryLimits(rows=MOST), zone=zone)
        with sandbox.run(query, arrow=True, condition=where) as answer:
            return pa.Table.from_batches(answer.batches(), answer.schema)
    except LimitReached as error:
        raise LimitReached(error.message, _NARROW) from None
    except (QueryFailed, QueryRefused) as error:
        _refuse_without_requests(root)
        raise _of_condition(error) if where else error from None


def _of_condition(error: QueryFailed | QueryRefused) -> LogaggError:
    what = f"where: {error.message}"
    return QueryRefused.said(what, error.hint) if isinstance(error, QueryRefused) else QueryFailed(what, error.hint)


def _refuse_without_requests(root: Path) -> None:
    with connect(root) as connection:
        if not connection.execute("SELECT 1 FROM duckdb_views() WHERE view_name = 'requests'").fetchall():
            raise LakeError(f"{root}: no requests in it", "they come with the next commit of a tail of this version")


def _places(root: Path, connection: duckdb.DuckDBPyConnection, named: tuple[str, ...]) -> Places:
    """Return the places where logs may be: those named by the user, by the tails, and by the lake."""
    own = heartbeats.read(root)
    tails = [*([own] if own else []), *heartbeats.read_remote(root)]
    latest: dict[str, tuple[str, ...]] = {}
    for tail in tails:
        for log in tail.logs:
            latest[log.source] = (*latest.get(log.source, ()), log.path)
    given = tuple(dict.fromkeys(path for tail in tails for path in tail.paths))
    found = connection.execute("SELECT DISTINCT path, tailer FROM sources ORDER BY ALL").fetchall()
    others = tuple(dict.fromkeys(path for path, _ in found))
    return Places(named, latest, given, others, _hosts(tails, {tailer for _, tailer in found if tailer}))


def _hosts(tails: Sequence[Heartbeat], tailers: set[str]) -> dict[str, str]:
    """Return, by tailer, the machine it runs on, unless that is this machine."""
    here, hosts = socket.gethostname(), {tail.tailer: tail.host for tail in tails}
    return {tailer: hosts.get(tailer, _UNKNOWN) for tailer in tailers if hosts.get(tailer) != here}
