"""A query of the model, and its answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class Fetched:
    """All rows of an answer, and the names of their columns."""

    columns: tuple[str, ...]
    rows: Sequence[Sequence[Any]]

    @classmethod
    def of(cls, answer: duckdb.DuckDBPyConnection | duckdb.DuckDBPyRelation) -> Fetched:
        return cls(tuple(column[0] for column in answer.description or ()), answer.fetchall())

    def as_dicts(self) -> list[dict[str, Any]]:
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


Ask = Callable[[str], Fetched]  # runs a query on one snapshot


def asking(connection: duckdb.DuckDBPyConnection) -> Ask:
    """Return a function that runs queries on a connection, one after the other."""
    return lambda query: Fetched.of(connection.execute(query))
