"""The integers of answers: DuckDB's sums have 128 bits, and arrive in Arrow as decimals."""

from __future__ import annotations

from contextlib import suppress

import pyarrow as pa


def with_integers(table: pa.Table) -> pa.Table:
    """Return a table with 64-bit integers instead of decimals; a column with a larger integer keeps its decimals."""
    for place, field in enumerate(table.schema):
        if pa.types.is_decimal(field.type) and field.type.scale == 0:
            with suppress(pa.ArrowInvalid):
                table = table.set_column(place, field.name, table.column(place).cast(pa.int64()))
    return table
