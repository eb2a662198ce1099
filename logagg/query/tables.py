"""Tables for people: aligned columns in a pipe, columns that fit a terminal, and Markdown.

On a terminal numbers, times and headers are never cut. Texts are shortened, the widest column first; where that does not
suffice, each row is written as lines of a name and a value.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TextIO

from logagg.notice_log import printable
from logagg.query.render import Row, Rows, shown
from logagg.query.shorten import padded, shorten, width

GAP = "  "
LEAST = 8  # characters that a text is shortened to, if it has more
SAMPLE = 1_000  # rows of a Markdown table that tell which columns are numbers

# Columns whose numbers are names, not amounts: 2026 is a year, 13335 a network.
_NAMES = re.compile(r"(?<![a-z])((iso)?year|epoch|asn|visitor|id|pid|port)(?![a-z])")
_MARKDOWN = re.compile(r"([\\`*\[\]<>|~&$]|(?<![^\W_])_|_(?![^\W_]))")  # a _ within a word means nothing


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of texts, and how it is laid out."""

    name: str
    cells: Sequence[str]
    right: bool  # aligned at the right: numbers
    shrinks: bool  # may be shortened: texts

    @property
    def width(self) -> int:
        return max(map(width, (self.name, *self.cells)))

    @property
    def least(self) -> int:
        return max(width(self.name), min(LEAST, self.width)) if self.shrinks else self.width

    def of_width(self, limit: int) -> list[str]:
        return [padded(shorten(text, limit), limit, right=self.right) for text in (self.name, *self.cells)]


def write_table(answer: Rows, stream: TextIO) -> None:
    """Write a table: for a terminal one that fits, else one that is complete."""
    rows = list(answer.rows)
    columns = _columns(answer.columns, rows)
    widths = [column.width for column in columns]
    if not stream.isatty():
        return _write_columns(columns, widths, stream)
    limit = shutil.get_terminal_size().columns
    fit = fitting(widths, [column.least for column in columns], limit)
    if fit is None and rows:
        _write_records(columns, limit, stream)
    else:
        _write_columns(columns, fit or widths, stream, bold=os.environ.get("TERM", "dumb") != "dumb")


def _columns(names: Sequence[str], rows: Sequence[Row]) -> list[_Column]:
    values = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    return [_column(name, column) for name, column in zip(names, values, strict=True)]


def _column(name: str, values: Sequence[object]) -> _Column:
    return _Column(
        printable(name),
        cells(name, values),
        are_numbers(values),
        any(isinstance(value, str | bytes | list | tuple | dict) for value in values),
    )


def cells(name: str, values: Iterable[object]) -> list[str]:
    """Return the values of a column as texts; numbers that are names, such as years, have no thousands."""
    if _NAMES.search(name.lower()):
        return [str(value) if type(value) in (int, float) else shown(value) for value in values]
    return [shown(value) for value in values]


def are_numbers(values: Iterable[object]) -> bool:
    """Return whether all values are numbers, apart from missing ones."""
    return all(
        value is None or (isinstance(value, int | float | Decimal) and not isinstance(value, bool)) for value in values
    )


def _write_columns(columns: Sequence[_Column], widths: Sequence[int], stream: TextIO, *, bold: bool = False) -> None:
    laid_out = [column.of_width(limit) for column, limit in zip(columns, widths, strict=True)]
    for number, row in enumerate(zip(*laid_out, strict=True)):
        line = GAP.join(row).rstrip()
        stream.write(f"\x1b[1m{line}\x1b[0m\n" if bold and number == 0 else f"{line}\n")


def _write_records(columns: Sequence[_Column], limit: int, stream: TextIO) -> None:
    """Write each row as lines of a name and a value, with an empty line between rows."""
    names = max(width(column.name) for column in columns)
    rest = max(LEAST, limit - names - len(GAP))
    for number, row in enumerate(zip(*(column.cells for column in columns), strict=True)):
        stream.write("\n" if number else "")
        for column, text in zip(columns, row, strict=True):
            value = shorten(text, rest) if column.shrinks else text
            stream.write(f"{padded(column.name, names)}{GAP}{value}".rstrip() + "\n")


def fitting(widths: Sequence[int], least: Sequence[int], limit: int) -> list[int] | None:
    """Return widths that fit. The widest columns are shortened first, none below its least width; None if that is impossible."""
    limit -= len(GAP) * (len(widths) - 1)
    if sum(least) > limit:
        return None
    found = [max(low, min(wide, limit)) for wide, low in zip(widths, least, strict=True)]
    for _ in range(sum(found) - limit):
        found[max((wide, place) for place, wide in enumerate(found) if wide > least[place])[1]] -= 1
    return found


def write_markdown(answer: Rows, stream: TextIO) -> None:
    """Write a table in GitHub's Markdown. Characters with a meaning in Markdown or HTML are escaped, so texts look unchanged."""
    rows = iter(answer.rows)
    first = list(itertools.islice(rows, SAMPLE))  # a query that fails at once must not leave a header
    columns = zip(*first, strict=True) if first else ([] for _ in answer.columns)
    rules = ["---:" if first and are_numbers(column) else "---" for column in columns]
    stream.write(_markdown_row(_markdown(printable(name)) for name in answer.columns))
    stream.write(_markdown_row(rules))
    for row in itertools.chain(first, rows):
        texts = (cells(name, (value,))[0] for name, value in zip(answer.columns, row, strict=True))
        stream.write(_markdown_row(map(_markdown, texts)))


def _markdown_row(texts: Iterable[str]) -> str:
    return f"| {' | '.join(texts)} |\n"


def _markdown(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", text)
