"""Conditions: which events a part of a rollup takes, or a measure.

Built-in conditions are column comparisons; user conditions are SQL evaluated by DuckDB (which took 20% of roll-up time
for the built-in ones).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logagg.columnar.dictionary import spread
from logagg.rollup.columns import Columns

if TYPE_CHECKING:
    import duckdb

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class OneOf:
    """A column of text has one of these values."""

    column: str
    values: tuple[str, ...]

    def holds(self, events: Columns) -> Mask:
        encoded = events[self.column]
        among = _mask(pc.is_in(encoded.dictionary, value_set=pa.array(self.values)))
        codes = encoded.indices.fill_null(-1) if encoded.null_count else encoded.indices
        return spread(np.append(among, False), codes.to_numpy(zero_copy_only=False))


@dataclass(frozen=True, slots=True)
class AtLeast:
    """A column of numbers without nulls has this or more."""

    column: str
    least: int

    def holds(self, events: Columns) -> Mask:
        at_least: Mask = events[self.column].to_numpy() >= self.least
        return at_least


@dataclass(frozen=True, slots=True)
class IsTrue:
    """A column of booleans without nulls is true."""

    column: str

    def holds(self, events: Columns) -> Mask:
        return _mask(events[self.column])


@dataclass(frozen=True, slots=True)
class NotNull:
    """A column is not null."""

    column: str

    def holds(self, events: Columns) -> Mask:
        return _mask(pc.is_valid(events[self.column]))


@dataclass(frozen=True, slots=True)
class Both:
    """Both of two conditions hold."""

    one: Comparison
    other: Comparison

    def holds(self, events: Columns) -> Mask:
        return self.one.holds(events) & self.other.holds(events)


@dataclass(frozen=True, slots=True)
class Either:
    """At least one of two conditions holds."""

    one: Comparison
    other: Comparison

    def holds(self, events: Columns) -> Mask:
        return self.one.holds(events) | self.other.holds(events)


@dataclass(frozen=True, slots=True)
class Sql:
    """An SQL expression over the columns of an event, always from the configuration; null counts as false."""

    text: str


Comparison = OneOf | AtLeast | IsTrue | NotNull | Both | Either
Condition = Comparison | Sql


def decide(
    conditions: Iterable[Condition], events: Columns, database: Callable[[], duckdb.DuckDBPyConnection]
) -> dict[Condition, Mask]:
    """Return for each condition the mask of events for which it holds; `database` is called only if one is SQL."""
    distinct = dict.fromkeys(conditions)
    written = [one for one in distinct if isinstance(one, Sql)]
    answers = iter(_decide(written, events, database()) if written else ())
    return {one: next(answers) if isinstance(one, Sql) else one.holds(events) for one in distinct}


def closed_database() -> duckdb.DuckDBPyConnection:
    """Return a database for the conditions of users, which must not reach files or variables of this process."""
    import duckdb

    closed: dict[str, Any] = {
        "enable_external_access": False,
        "python_enable_replacements": False,
        "temp_directory": "",
    }
    return duckdb.connect(config={"threads": 1, **closed})


def _decide(conditions: Sequence[Sql], events: Columns, db: duckdb.DuckDBPyConnection) -> list[Mask]:
    db.register("events", events.table())
    listed = ", ".join(f"coalesce({condition.text}, false)" for condition in conditions)
    decided = db.sql(f"SELECT {listed} FROM events").to_arrow_table()
    db.unregister("events")
    return list(map(_mask, decided.columns))


def _mask(values: pa.Array | pa.ChunkedArray) -> Mask:
    mask: Mask = values.to_numpy(zero_copy_only=False) if isinstance(values, pa.Array) else values.to_numpy()
    return mask
