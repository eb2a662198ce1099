"""The result of a parser without its empty columns, whose indices would be copied from process to process."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa

from logagg.parse.schemas import EVENT_SCHEMA
from logagg.records import Batch


def packed(result: Any) -> Any:
    """Return a batch of events whose columns of nulls take no space; anything else as it is."""
    if not isinstance(result, Batch):
        return result
    table = result.table
    for number, name in enumerate(table.schema.names):
        if table.num_rows and table[name].null_count == table.num_rows:
            table = table.set_column(number, name, pa.nulls(table.num_rows))
    return replace(result, table=table)


def unpacked(result: Any) -> Any:
    """Return the result that was packed."""
    if not isinstance(result, Batch):
        return result
    table = result.table
    for number, field in enumerate(table.schema):
        if pa.types.is_null(field.type):
            whole = EVENT_SCHEMA.field(field.name)
            table = table.set_column(number, whole, pa.nulls(table.num_rows, whole.type))
    return replace(result, table=table)
