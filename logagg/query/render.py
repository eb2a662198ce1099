"""Rows as a table for people, or as JSON, CSV and TSV for programs.

Clients choose the values in logs: so a terminal gets no control characters, and `formula_guard` protects spreadsheets.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TextIO

from logagg.notice_log import printable

if TYPE_CHECKING:
    import duckdb

FORMATS = ("table", "json", "jsonl", "csv", "tsv", "markdown", "parquet")
GUARDED = ("csv", "tsv")  # the formats that spreadsheets open
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # spreadsheets take a text that begins with one of these for a formula

Row = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Rows:
    """An answer: the names of its columns, and its rows, which JSON and CSV consume one by one."""

    columns: tuple[str, ...]
    rows: Iterable[Row]

    @classmethod
    def of(cls, answer: duckdb.DuckDBPyConnection | duckdb.DuckDBPyRelation) -> Rows:
        return cls(tuple(column[0] for column in answer.description or ()), answer.fetchall())


def write(answer: Rows, form: str, stream: TextIO, *, formula_guard: bool = False) -> None:
    """Write an answer in one of `FORMATS`; `export.write_parquet` writes Parquet, from rows of Arrow.

    `formula_guard`: a text that a spreadsheet would take for a formula gets a `'` in front, in CSV and TSV.
    """
    if form in GUARDED:
        {"csv": _write_csv, "tsv": _write_tsv}[form](answer, stream, formula_guard)
    else:
        _WRITERS[form](answer, stream)


def _write_table(answer: Rows, stream: TextIO) -> None:
    from logagg.query.tables import write_table

    write_table(answer, stream)


def _write_markdown(answer: Rows, stream: TextIO) -> None:
    from logagg.query.tables import write_markdown

    write_markdown(answer, stream)


def _write_json(answer: Rows, stream: TextIO) -> None:
    """Write a list of objects, one per line."""
    names, before = distinct(answer.columns), "["
    for row in answer.rows:
        stream.write(before + as_json(dict(zip(names, row, strict=True))))
        before = ",\n "
    stream.write("]\n" if before != "[" else "[]\n")


def _write_jsonl(answer: Rows, stream: TextIO) -> None:
    names = distinct(answer.columns)
    for row in answer.rows:
        stream.write(f"{as_json(dict(zip(names, row, strict=True)))}\n")


_WRITERS: Mapping[str, Callable[[Rows, TextIO], None]] = {
    "table": _write_table,
    "markdown": _write_markdown,
    "json": _write_json,
    "jsonl": _write_jsonl,
}


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


def _write_csv(answer: Rows, stream: TextIO, guard: bool) -> None:
    writer = csv.writer(stream, lineterminator="\n")
    quoting = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row in _cells(answer, stream, guard):
        returns = any(isinstance(cell, str) and "\r" in cell for cell in row)  # Python before 3.13 does not quote those
        (quoting if returns else writer).writerow(row)


def _write_tsv(answer: Rows, stream: TextIO, guard: bool) -> None:
    """Write lines of cells separated by tabs; within a cell, tabs, line ends and backslashes are escaped."""
    for row in _cells(answer, stream, guard):
        stream.write("\t".join(str(cell).translate(_TSV) for cell in row) + "\n")


_TSV = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def _cells(answer: Rows, stream: TextIO, guard: bool) -> Iterator[list[object]]:
    """Yield the header and the rows. Programs get raw texts, but a terminal would interpret control characters."""
    rows = iter(answer.rows)
    first = list(itertools.islice(rows, 1))  # a query that fails at once must not leave a header
    escaped = _for_terminal if stream.isatty() else _as_it_is
    for row in itertools.chain([answer.columns], first, rows):
        yield [escaped(_cell(value, guard)) for value in row]


def _as_it_is(cell: object) -> object:
    return cell


def _for_terminal(cell: object) -> object:
    return printable(cell) if isinstance(cell, str) else cell


def _cell(value: object, guard: bool) -> object:
    """Return a value for CSV; with `guard`, a text that a spreadsheet would take for a formula gets a quote in front."""
    value = plain(value)
    if value is None:
        return ""
    if isinstance(value, bool | list | dict):
        return json.dumps(value, ensure_ascii=False)
    if guard and isinstance(value, str) and value.startswith(FORMULA) and value != "-":
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
    """Return a time in ISO 8601, in its own zone; UTC is Z."""
    text = value.isoformat()
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


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
    return value.replace(tzinfo=None).isoformat(" ", "seconds" if not value.microsecond else "auto")


def text_of(answer: Rows, form: str) -> str:
    stream = io.StringIO()
    write(answer, form, stream)
    return stream.getvalue()
