"""Data frames of answers: integers stay integers, times keep their zone.

pandas converts an integer column with a missing value to floating point, where 9007199254740993 becomes
9007199254740992. Such a column gets a nullable type here, such as `Int64`; a column with integers beyond 64 bits holds
Python's integers.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pandas as pd
import pyarrow as pa

from logagg.query import html
from logagg.query.integers import with_integers
from logagg.query.render import Rows, distinct

_NULLABLE = {
    pa.int8(): pd.Int8Dtype(),
    pa.int16(): pd.Int16Dtype(),
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.uint8(): pd.UInt8Dtype(),
    pa.uint16(): pd.UInt16Dtype(),
    pa.uint32(): pd.UInt32Dtype(),
    pa.uint64(): pd.UInt64Dtype(),
}
_OF_A_MONTH = 30  # days: the length that DuckDB gives a month in an interval


class Report(pd.DataFrame):
    """A data frame that a notebook shows as `logagg report` does. Frames derived from it are plain."""

    _metadata = ["title"]
    title: str

    @classmethod
    def of(cls, table: pa.Table, title: str) -> Report:
        """Return a report with its title."""
        found = cls(of_table(table))
        found.title = title
        return found

    def _repr_html_(self) -> str:
        return html.table(rows_of(self), len(self), getattr(self, "title", ""))


def of_table(table: pa.Table) -> pd.DataFrame:
    """Return a table of Arrow as a data frame."""
    table = with_integers(table).rename_columns(distinct(table.column_names))
    exact = {
        place: column
        for place, kind in enumerate(table.schema.types)
        if (column := _exact(table, place, kind)) is not None
    }
    rest = table.select([place for place in range(table.num_columns) if place not in exact])
    frame = rest.to_pandas(maps_as_pydicts="lossy")
    for place, column in exact.items():
        frame.insert(place, table.column_names[place], column)
    return frame


def _exact(table: pa.Table, place: int, kind: pa.DataType) -> Any:
    """Return a column that Arrow's own conversion would change; None if that is exact."""
    column = table.column(place)
    if pa.types.is_decimal(kind):
        return column.cast(pa.float64()).to_pandas() if kind.scale else _objects(column, int)
    if pa.types.is_date(kind):
        return column.cast(pa.timestamp("us")).to_pandas()
    if pa.types.is_interval(kind):
        return pd.Series(pd.to_timedelta([None if one is None else _length(one) for one in column.to_pylist()]))
    if kind in _NULLABLE and column.null_count:
        return column.to_pandas(types_mapper=_NULLABLE.get)
    return None


def _objects(column: pa.ChunkedArray, kind: type) -> pd.Series[Any]:
    return pd.Series([None if one is None else kind(one) for one in column.to_pylist()], dtype=object)


def _length(interval: Any) -> timedelta:
    months, days, nanoseconds = interval
    return timedelta(days=_OF_A_MONTH * months + days, microseconds=nanoseconds // 1_000)


def rows_of(frame: pd.DataFrame) -> Rows:
    """Return the rows of a frame that a notebook shows."""
    head = frame.head(html.MOST).astype(object)
    return Rows(tuple(map(str, frame.columns)), list(head.where(head.notna(), None).itertuples(index=False, name=None)))
