"""Lines of JSON -> raw fields, whole chunks at a time, by DuckDB's JSON functions."""

from __future__ import annotations

import threading

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from logagg.parse.convert import Mask, Slices
from logagg.parse.formats import Format
from logagg.parse.text import gather, to_text

_NUMBERS_AND_TEXT = "('VARCHAR', 'UBIGINT', 'BIGINT', 'DOUBLE', 'HUGEINT', 'UHUGEINT')"
_local = threading.local()


def split_fields(lines: Slices, fmt: Format) -> tuple[dict[str, Slices], Mask]:
    """Return the values of each field, and which lines are JSON objects.

    A value is the text of a string or a number; anything else, and a key that is not there, is an empty value.
    """
    text = to_text(gather(lines.data, lines.start, lines.end))
    fits = _query("SELECT CASE WHEN json_valid(line) THEN json_type(line) = 'OBJECT' ELSE false END FROM lines", text)
    mask: Mask = fits.column(0).to_numpy().astype(bool)
    objects = text if mask.all() else pc.if_else(pa.array(mask), text, "{}")
    selected = ", ".join(f"coalesce({_value(key)}, '')" for key in fmt.keys)
    found = _query(f"SELECT {selected} FROM lines", objects)
    columns = (column.combine_chunks().cast(pa.string()) for column in found.columns)
    return {field: Slices.of(column) for field, column in zip(fmt.keys.values(), columns, strict=True)}, mask


def _value(key: str) -> str:
    path = "'$.\"" + key.replace("'", "''") + "\"'"
    return f"CASE WHEN json_type(line, {path}) IN {_NUMBERS_AND_TEXT} THEN json_extract_string(line, {path}) END"


def _query(query: str, lines: pa.Array) -> pa.Table:
    """Run a query over the lines, in order, on a connection of this thread."""
    if not hasattr(_local, "db"):
        _local.db = duckdb.connect(config={"threads": 1, "preserve_insertion_order": True})
    _local.db.register("lines", pa.table({"line": lines}))
    return _local.db.sql(query).to_arrow_table()
