"""Requests back to events: the rows that a rollup would have made of them when they were read.

    requests ──▶ events(rows) ──▶ Replay.rows(events) -> rows of the rollup ──▶ added up, written

A request has all that conditions and dimensions of a rollup can ask for: the columns of its event, but for the latency
bucket, which is a function of its duration.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa

from logagg.parse.schemas import EVENT_SCHEMA
from logagg.rollup import aggregate
from logagg.rollup.columns import Columns
from logagg.rollup.conditions import AtLeast, Both, Condition, Either, IsTrue, NotNull, OneOf, Sql, closed_database
from logagg.rollup.definitions import Rollup
from logagg.rollup.requests import ENTRY, of_entries
from logagg.sketches import latency_bucket

if TYPE_CHECKING:
    import duckdb

OPTIONAL = ("query", "user", "city")  # columns that events have only where a setting asks for them


def looks_back(rollup: Rollup) -> bool:
    """Tell whether a rollup counts an event by those before it: then requests alone do not say what it counts."""
    return any(part.of != "events" for part in rollup.parts)


def events(requests: pa.Table) -> pa.Table:
    """Return the events of requests, in the same order."""
    found = Columns([requests])
    columns = [_column(field, found).cast(field.type) for field in EVENT_SCHEMA]
    return pa.Table.from_arrays(columns, schema=EVENT_SCHEMA)


def _column(field: pa.Field, requests: Columns) -> pa.Array:
    if field.name == "bucket":
        return latency_bucket(requests["seconds"])
    if field.name in ENTRY:
        return of_entries(field.name, requests).dictionary_encode()
    return requests["ts" if field.name == "time" else field.name]


class Replay:
    """Rolls events of any order up for one rollup."""

    def __init__(self, rollup: Rollup) -> None:
        self._rollup = rollup

    def rows(self, found: pa.Table) -> pa.Table:
        """Return the rows that some events make, in the order of `ts`; there may be none."""
        tables = [
            rows for _, rows in aggregate.roll_up_all([self._rollup], "events", Columns([found]), lambda: self._db)
        ]
        return aggregate.in_order(tables) if tables else self._rollup.schema.empty_table()

    def close(self) -> None:
        if "_db" in vars(self):
            self._db.close()

    @cached_property
    def _db(self) -> duckdb.DuckDBPyConnection:
        return closed_database()


def columns_of(rollup: Rollup) -> frozenset[str]:
    """Return the columns of events that a rollup asks for; of SQL, all the words that are names of some."""
    found = {
        name for part in rollup.parts for name in ((part.columns or {}).get(one, one) for one in rollup.dimensions)
    }
    for part in rollup.parts:
        found |= {measure.of for measure in part.measures.values() if measure.of}
        wanted = [part.where, *(measure.where for measure in part.measures.values())]
        found |= {name for condition in wanted if condition for name in _named(condition)}
    return frozenset(found & set(EVENT_SCHEMA.names))


def _named(condition: Condition) -> Iterator[str]:
    match condition:
        case Sql(text):
            yield from re.findall(r"\w+", text.lower())
        case Both(one, other) | Either(one, other):
            yield from _named(one)
            yield from _named(other)
        case OneOf() | AtLeast() | NotNull() | IsTrue():
            yield condition.column
