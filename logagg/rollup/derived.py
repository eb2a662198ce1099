"""Derivations: what is said of requests by a rule that looks at many of them (visits, ...), as tables beside the rollups.

    requests before the watermark ──▶ Derivation.rows(connection, span) ──▶ parts of its tables
    requests since the watermark  ──▶ Derivation.live()                 ──▶ the rest of each view, at every query

A derivation is a function of requests, and of nothing else. It is written once, as SQL over a span of requests and over
what its own tables held at the beginning of the span; the view of a table adds the same SQL, over the requests since
the watermark, to what is materialized.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

from logagg.rollup.definitions import Rollup, Rows
from logagg.rollup.requests import Table

if TYPE_CHECKING:
    import duckdb

REQUESTS = "{requests}"  # what stands in the SQL of a live view for the requests since the watermark
_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Span:
    """The time of the requests that are derived: `since <= ts < until`."""

    since: datetime
    until: datetime

    @property
    def first(self) -> int:
        """Its beginning, in microseconds since 1970."""
        return micros(self.since)

    @property
    def end(self) -> int:
        """Its end, in microseconds since 1970."""
        return micros(self.until)


@dataclass(frozen=True, slots=True)
class Derivation:
    """A rule that looks at many requests. A subclass says what it makes of them."""

    @property
    def name(self) -> str:
        """Its name: that of its main table."""
        raise NotImplementedError

    @property
    def tables(self) -> tuple[Rollup | Rows, ...]:
        """The tables that only it writes."""
        raise NotImplementedError

    def rows(self, connection: duckdb.DuckDBPyConnection, span: Span) -> Iterator[tuple[str, pa.Table]]:
        """Yield what the requests of a span add, each with the name of its table, in the order of `ts`.

        The connection has a view `requests` with the requests of the span, and one for each of its tables with what
        that held before. It may be given more rows of one table in turn. It makes nothing that outlives the connection but
        what it yields.
        """
        raise NotImplementedError

    def live(self) -> tuple[LiveView, ...]:
        """Return the views that read requests since the watermark, each before those that it reads.

        One with the name of a table has the live part of that table: its columns by name. It reads REQUESTS, with the columns of
        `requests`, its own tables that have no live part, and of those that have one what is materialized
        (`lake_format.materialized`). A macro stands before the views that call it. They do not change while the lake is open.
        """
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class LiveView:
    """A view that reads requests since the watermark of a derivation, or, with parameters, a macro."""

    name: str
    sql: str
    schema: pa.Schema | None = None  # of one without a table, which other views read
    parameters: tuple[str, ...] = ()


Definition = Table | Derivation  # what a lake is told to have


def tables_in(definitions: Iterable[Definition]) -> dict[str, Table]:
    """Return the tables of definitions by name."""
    found = (one.tables if isinstance(one, Derivation) else (one,) for one in definitions)
    return {table.name: table for tables in found for table in tables}


def micros(at: datetime) -> int:
    """Return an instant in microseconds since 1970."""
    return (at - _EPOCH) // timedelta(microseconds=1)
