"""Answers as JSON, CSV, Parquet or Arrow, by `?format=` or the Accept header."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from logagg.errors import LogaggError
from logagg.query.export import write_parquet
from logagg.query.render import Rows, as_json, text_of

MEDIA_TYPES: Mapping[str, str] = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}

Table = Sequence[Mapping[str, Any]]  # rows by the names of their columns


def chosen(form: str | None, accept: str) -> str:
    """Return the format that the client asks for; JSON if Accept names none of ours. Raises LogaggError."""
    if form is not None:
        if form not in MEDIA_TYPES:
            raise LogaggError(f"format: {form[:40]!r} is not valid", f"write one of {', '.join(MEDIA_TYPES)}")
        return form
    offered = {media.partition(";")[0]: name for name, media in MEDIA_TYPES.items()}
    asked = (one.partition(";")[0].strip().lower() for one in accept.split(","))
    return next((offered[one] for one in asked if one in offered), "json")


def encoded(answer: Mapping[str, Any], table: Table | None, form: str) -> bytes:
    """Return an answer in a format. Formats other than JSON have its table only; raises LogaggError if it is not a table."""
    if form == "json":
        return as_json(answer).encode()
    if table is None:
        raise LogaggError(f"format: this answer is not a table, so it cannot be given as {form}", "ask for json")
    names = _names(table)
    if form == "csv":
        return text_of(Rows(names, [[row.get(name) for name in names] for row in table]), "csv").encode()
    found = pa.table({name: _column([row.get(name) for row in table]) for name in names})
    stream = io.BytesIO()
    if form == "parquet":
        write_parquet(found.schema, found.to_batches(), stream)
    else:
        with pa.ipc.new_stream(stream, found.schema) as writer:
            writer.write_table(found)
    return stream.getvalue()


def _column(values: list[Any]) -> pa.Array:
    """Return a column with the type of its values; sums beyond 64 bits are decimals."""
    try:
        return pa.array(values)
    except (OverflowError, pa.ArrowInvalid):
        return pa.array(values, pa.decimal128(38, 0))


def flat(rows: Table) -> Table:
    """Return rows of a panel with each value of the compared period as a separate column."""
    return [
        {key: value for key, value in row.items() if key != "before"}
        | {f"before_{key}": value for key, value in (row.get("before") or {}).items()}
        for row in rows
    ]


def _names(table: Table) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for row in table for name in row))
