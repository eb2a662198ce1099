"""Lines of JSON -> raw fields, whole chunks at a time: those of the usual shape at once, all others by DuckDB's JSON functions."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from logagg.parse import objects
from logagg.parse.formats import Format
from logagg.parse.slices import Mask, Slices
from logagg.parse.text import to_text

_TEXT_OR_NUMBER = pa.array(["VARCHAR", "UBIGINT", "BIGINT", "DOUBLE", "HUGEINT", "UHUGEINT"])
_local = threading.local()


def split_fields(lines: Slices, fmt: Format) -> tuple[dict[str, Slices], Mask]:
    """Return the values of each field, and which lines are JSON objects.

    A value is the text of a string or a number; anything else, and a key that is not there, is an empty value.
    """
    starts, ends, fits = objects.split_objects(lines.data, lines.start, lines.end, list(fmt.keys))
    data = lines.data
    if not fits.all():
        odd = np.flatnonzero(~fits)
        columns, fits[odd] = _parse(lines.take(odd), fmt)
        beyond = np.cumsum([len(data), *(len(column.data) for column in columns)])
        data = np.concatenate([data, *(column.data for column in columns)])
        for number, column in enumerate(columns):
            starts[number, odd], ends[number, odd] = column.start + beyond[number], column.end + beyond[number]
    return {field: Slices(data, starts[number], ends[number]) for number, field in enumerate(fmt.keys.values())}, fits


def _parse(lines: Slices, fmt: Format) -> tuple[list[Slices], Mask]:
    """Return the same by DuckDB, which is right about any line, as values of each key."""
    found = _look_up(to_text(lines.gather()), list(fmt.keys))
    fits: Mask = found["fits"].to_numpy().astype(bool)
    values, types = (_flat(found[name], fits, len(fmt.keys)) for name in ("values", "types"))
    values = pc.if_else(pc.is_in(types, value_set=_TEXT_OR_NUMBER), values, "")
    # One row of values a line: every key's are as far apart as there are keys.
    each = np.arange(len(lines)) * len(fmt.keys)
    return [Slices.of(values.take(pa.array(each + number))) for number in range(len(fmt.keys))], fits


def _flat(lists: pa.ChunkedArray, fits: Mask, keys: int) -> pa.Array:
    """Return the elements of lists, one list a line, below one another; nulls for a line that is no object."""
    elements = pc.list_flatten(lists.combine_chunks())
    if fits.all():
        return elements
    rows = np.where(fits, np.cumsum(fits) - 1, 0)[:, None] * keys + np.arange(keys)
    return elements.take(pa.array(rows.ravel(), mask=np.repeat(~fits, keys)))


def _look_up(lines: pa.Array, keys: Sequence[str]) -> pa.Table:
    """Return for each line whether it is an object, and the text and the type of what it has under each key.

    All keys at once, so that DuckDB parses a line once for their values and once for their types.
    """
    paths = ", ".join("'$.\"" + key.replace("'", "''") + "\"'" for key in keys)
    is_object = "CASE WHEN json_valid(line) THEN json_type(line) = 'OBJECT' ELSE false END"
    return _query(
        f"SELECT fits, CASE WHEN fits THEN json_extract_string(line, [{paths}]) END AS values,"
        f" CASE WHEN fits THEN json_type(line, [{paths}]) END AS types FROM (SELECT line, {is_object} AS fits FROM lines)",
        lines,
    )


def _query(query: str, lines: pa.Array) -> pa.Table:
    """Run a query over the lines, in order, on a connection of this thread."""
    import duckdb  # where there is JSON; other logs are read without

    if not hasattr(_local, "db"):
        _local.db = duckdb.connect(config={"threads": 1, "preserve_insertion_order": True})
    _local.db.register("lines", pa.table({"line": lines}))
    return _local.db.sql(query).to_arrow_table()
