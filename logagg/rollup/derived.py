"""Derivations: tables beside the rollups, made by rules that each look at many requests (visits, ...).

    requests before the watermark ──▶ Derivation.rows(connection, span) ──▶ parts of its tables
    requests since the watermark  ──▶ Derivation.live()                 ──▶ the rest of each view, at every query

A derivation is a function of requests, and of nothing else. It is written once, as SQL over a span of requests and over
the rows that its own tables held at the beginning of the span. The view of a table adds the same SQL, over the requests
since the watermark, to the materialized rows.
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

REQUESTS = "{requests}"  # placeholder in the SQL of a live view for the requests since the watermark
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
    """A rule that looks at many requests. Subclasses define its tables and its SQL."""

    @property
    def name(self) -> str:
        """Its name: that of its main table."""
        raise NotImplementedError

    @property
    def tables(self) -> tuple[Rollup | Rows, ...]:
        """The tables that only it writes."""
        raise NotImplementedError

    def rows(self, connection: duckdb.DuckDBPyConnection, span: Span) -> Iterator[tuple[str, pa.Table]]:
        """Yield the rows that the requests of a span add, with the name of their table, in the order of `ts`.

        The connection has a view `requests` with the requests of the span, and a view of each of the derivation's tables with
        its earlier rows. A table may be yielded several times. The yielded rows are the only result: nothing else outlives
        the connection.
        """
        raise NotImplementedError

    def live(self) -> tuple[LiveView, ...]:
        """Return the views that read requests since the watermark, each before those that it reads.

        A view with the name of a table is the live part of that table: its columns by name. Its SQL may read REQUESTS, which has
        the columns of `requests`; own tables without a live part; and the materialized rows of the others
        (`lake_format.materialized`). A macro stands before the views that call it. The views stay the same while the lake is open.
        """
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class LiveView:
    """A view that reads requests since the watermark of a derivation, or, with parameters, a macro."""

    name: str
    sql: str
    schema: pa.Schema | None = None  # of a view that has no table, and that other views read
    parameters: tuple[str, ...] = ()


Definition = Table | Derivation  # what the configuration asks a lake to have


def tables_in(definitions: Iterable[Definition]) -> dict[str, Table]:
    """Return the tables of definitions by name."""
    found = (one.tables if isinstance(one, Derivation) else (one,) for one in definitions)
    return {table.name: table for tables in found for table in tables}


def micros(at: datetime) -> int:
    """Return an instant in microseconds since 1970."""
    return (at - _EPOCH) // timedelta(microseconds=1)
