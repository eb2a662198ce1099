"""The answer to a query in Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from logagg.query import html
from logagg.query.render import Rows

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import pyarrow as pa


class Answer:
    """The answer to a query: a DuckDB relation whose frames keep integers and the zone of times.

    It has all that a relation has: `.fetchall()`, `.pl()` for Polars where it is installed, `.filter()`, `.show()`, `.columns`.
    The query runs at each of these calls, always on the commit that it was asked of; keep the frame to keep the rows. Other
    queries may name the variable that holds it, and a notebook shows it as a table.

    >>> errors = lake.sql("SELECT status, sum(hits) AS hits FROM errors GROUP BY status")
    >>> lake.sql("SELECT status FROM errors ORDER BY hits DESC LIMIT 1").fetchall()
    [(404,)]
    """

    def __init__(self, relation: duckdb.DuckDBPyRelation) -> None:
        self.relation = relation

    def df(self) -> pd.DataFrame:
        """Return the rows as a data frame of pandas.

        Sums are integers, too. An integer column with missing values has pandas' nullable type, as `Int64`; times have their
        zone.

        >>> lake.sql("SELECT sum(hits) AS hits, max(ts) AS last FROM traffic").df().dtypes
        hits                  int64
        last    datetime64[us, UTC]
        dtype: object
        """
        from logagg.query import frames

        return frames.of_table(self.relation.to_arrow_table())

    def arrow(self) -> pa.Table:
        """Return the rows as a table of Arrow, with sums as 64-bit integers where all fit, else as decimals.

        >>> lake.sql("SELECT sum(hits) AS hits FROM traffic").arrow().to_pylist()
        [{'hits': 6482}]
        """
        from logagg.query.integers import with_integers

        return with_integers(self.relation.to_arrow_table())

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the relation."""
        if name == "relation":  # not set yet: the answer is being copied
            raise AttributeError(name)
        return getattr(self.relation, name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(self.relation)})

    def __len__(self) -> int:
        return len(self.relation)

    def __repr__(self) -> str:
        return repr(self.relation)

    def _repr_html_(self) -> str:
        rows = self.relation.limit(html.MOST).fetchall()
        return html.table(Rows(tuple(self.relation.columns), rows), len(self) if len(rows) == html.MOST else len(rows))

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return the rows as a stream of Arrow, for DuckDB, Polars and other libraries."""
        return self.arrow().__arrow_c_stream__(requested_schema)
