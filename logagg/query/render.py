"""Rows as a table for people, or as JSON and CSV for programs.

Values come from logs, so clients chose them: control sequences and spreadsheet formulas are escaped.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TextIO

from logagg.notice_log import printable

if TYPE_CHECKING:
    import duckdb

FORMATS = ("table", "json", "csv")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a text that begins so is a formula to a spreadsheet

Row = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Rows:
    """An answer: the names of its columns, and its rows, which JSON and CSV consume one by one."""

    columns: tuple[str, ...]
    rows: Iterable[Row]

    @classmethod
    def of(cls, answer: duckdb.DuckDBPyConnection | duckdb.DuckDBPyRelation) -> Rows:
        return cls(tuple(column[0] for column in answer.description or ()), answer.fetchall())


def write(answer: Rows, form: str, stream: TextIO) -> None:
    """Write an answer as `table`, `json` or `csv`."""
    {"table": _write_table, "json": _write_json, "csv": _write_csv}[form](answer, stream)


def _write_json(answer: Rows, stream: TextIO) -> None:
    """Write a list of objects, one per line."""
    names, before = distinct(answer.columns), "["
    for row in answer.rows:
        stream.write(before + as_json(dict(zip(names, row, strict=True))))
        before = ",\n "
    stream.write("]\n" if before != "[" else "[]\n")


def as_json(value: object, indent: int | None = None) -> str:
    """Return a value as JSON, with control characters escaped."""
    return json.dumps(plain(value), ensure_ascii=False, indent=indent).translate(_UNSAFE)


# JSON permits these characters unescaped, but a terminal would interpret them.
_UNSAFE = {
    code: f"\\u{code:04x}"
    for code in (
        *range(0x7F, 0xA0),
        0x61C,
        *range(0x200B, 0x2010),
        *range(0x2028, 0x202F),
        *range(0x2060, 0x2070),
        0xFEFF,
    )
}


def distinct(names: Iterable[str]) -> list[str]:
    """Return the names, duplicates numbered as DuckDB does: a, a_1."""
    distinct: list[str] = []
    for name in names:
        number, chosen = 0, name
        while chosen in distinct:
            number += 1
            chosen = f"{name}_{number}"
        distinct.append(chosen)
    return distinct


def _write_csv(answer: Rows, stream: TextIO) -> None:
    rows = iter(answer.rows)
    first = list(itertools.islice(rows, 1))  # a query that fails at once must not leave a header
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(map(_cell, answer.columns))
    # Programs get the raw text, but a terminal would interpret control characters.
    escaped = printable if stream.isatty() else str
    cells = ([_cell(value) for value in row] for row in itertools.chain(first, rows))
    writer.writerows([escaped(cell) if isinstance(cell, str) else cell for cell in row] for row in cells)


def _cell(value: object) -> object:
    """Return a value for CSV; a text that a spreadsheet would take for a formula gets a quote in front."""
    value = plain(value)
    if value is None:
        return ""
    if isinstance(value, list | dict):
        value = json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and value.startswith(FORMULA):
        return "'" + value
    return value


def plain(value: Any) -> Any:
    """Return a value in the types of JSON: times in ISO 8601, NaN and infinity as null, integers exact."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime):
        return _iso(value)
    if isinstance(value, date | time):
        return value.isoformat()
    return _plain_other(value)


def _plain_other(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value)


def _iso(value: datetime) -> str:
    if value.tzinfo is None:
        return value.isoformat()
    return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def _write_table(answer: Rows, stream: TextIO) -> None:
    answer = Rows(answer.columns, list(answer.rows))
    if stream.isatty():
        _write_fitting(answer, stream)
    else:
        _write_plain(answer, stream)


def _write_fitting(answer: Rows, stream: TextIO) -> None:
    """Write a table that fits the terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column, right in zip(answer.columns, _right(answer), strict=True):
        table.add_column(Text(printable(column)), justify="right" if right else "left", overflow="ellipsis")
    for row in answer.rows:
        table.add_row(*(Text(shown(value)) for value in row))
    Console(file=stream, highlight=False, markup=False).print(table)


def _write_plain(answer: Rows, stream: TextIO) -> None:
    """Write aligned columns without truncation, for a pipe or a file."""
    cells = [
        [printable(column) for column in answer.columns],
        *([shown(value) for value in row] for row in answer.rows),
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    right = _right(answer)
    for row in cells:
        padded = (c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True))
        stream.write("  ".join(padded).rstrip() + "\n")


def _right(answer: Rows) -> list[bool]:
    """Tell which columns hold numbers only."""
    columns = zip(*answer.rows, strict=True) if answer.rows else ([] for _ in answer.columns)
    return [
        all(v is None or (isinstance(v, int | float | Decimal) and not isinstance(v, bool)) for v in column)
        for column in columns
    ]


def shown(value: object) -> str:
    """Return a value as text for a table, with control characters escaped."""
    if isinstance(value, datetime):
        return _shown_time(value)
    value = plain(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.1f}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return printable(text)


def _shown_time(value: datetime) -> str:
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return value.isoformat(" ", "seconds" if not value.microsecond else "auto")


def text_of(answer: Rows, form: str) -> str:
    stream = io.StringIO()
    write(answer, form, stream)
    return stream.getvalue()
