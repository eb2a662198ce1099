"""The integers of answers: sums are 128-bit ones in DuckDB, which Arrow has as decimals."""

from __future__ import annotations

from contextlib import suppress

import pyarrow as pa


def with_integers(table: pa.Table) -> pa.Table:
    """Return a table with its 128-bit integers as 64-bit ones; a column with one that does not fit keeps its decimals."""
    for place, field in enumerate(table.schema):
        if pa.types.is_decimal(field.type) and field.type.scale == 0:
            with suppress(pa.ArrowInvalid):
                table = table.set_column(place, field.name, table.column(place).cast(pa.int64()))
    return table
