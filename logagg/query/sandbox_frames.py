"""Frames from the sandbox's process to its parent: rows as JSON, or columns as Arrow, validated by the reader.

A frame is one byte for its kind, eight bytes for its length, and the payload. Rows are sent as JSON, which needs no
further imports on either side; Arrow takes 90 ms of imports on each.
"""

from __future__ import annotations

import json
import struct
from datetime import datetime
from typing import TYPE_CHECKING, Any

from logagg.errors import QueryFailed

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA, BATCH, FAILED, DONE = b"S", b"B", b"F", b"D"
HEADER = struct.Struct("=cQ")
ROWS, ARROW = "rows", "arrow"  # the forms of an answer


UNCLEAR = QueryFailed("the answer cannot be understood", "please report it")


def parsed(payload: memoryview) -> Any:
    """Parse JSON. Raises QueryFailed."""
    try:
        return json.loads(bytes(payload))
    except (ValueError, RecursionError):
        raise UNCLEAR from None


def listed(payload: memoryview) -> list[Any]:
    """Parse a JSON list. Raises QueryFailed."""
    if isinstance(found := parsed(payload), list):
        return found
    raise UNCLEAR


def row_of(sent: Any, columns: int) -> list[Any]:
    """Return a row that `sandbox_child` sent. Raises QueryFailed."""
    if not isinstance(sent, list) or len(sent) != columns:
        raise UNCLEAR
    return [_value(one) if isinstance(one, dict) else one for one in sent]


def _value(sent: dict[str, Any]) -> Any:
    """Return a time, or a value that is an object."""
    try:
        return datetime.fromisoformat(sent["time"]) if "time" in sent else sent["value"]
    except (ValueError, TypeError, KeyError):
        raise UNCLEAR from None


def schema_of(payload: memoryview) -> pa.Schema:
    """Return the schema of an answer in Arrow. Raises QueryFailed."""
    import pyarrow.ipc

    try:
        return pyarrow.ipc.read_schema(pyarrow.py_buffer(payload))
    except (pyarrow.ArrowException, OSError, ValueError):
        raise UNCLEAR from None


def batch_of(payload: memoryview, schema: pa.Schema) -> pa.RecordBatch:
    """Return a batch of the schema, validated since an attacker may control the child. Raises QueryFailed."""
    import pyarrow as pa

    try:
        with pa.ipc.open_stream(pa.py_buffer(payload)) as reader:
            batch = reader.read_next_batch()
        _validate(batch)
    except (pa.ArrowException, StopIteration, OSError, ValueError):
        raise UNCLEAR from None
    if batch.schema != schema:
        raise UNCLEAR
    return batch


def _validate(batch: pa.RecordBatch) -> None:
    """Raise ArrowInvalid if an offset, a code or a text is invalid."""
    import pyarrow as pa

    for column in batch.columns:  # a HUGEINT may have one digit more than Arrow's decimals
        column.validate(full=not pa.types.is_decimal(column.type))
