"""Fits columns of texts and numbers into a width. It shortens texts and leaves columns out, but never cuts numbers or heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from logagg.query.shorten import padded, shorten
from logagg.query.shorten import width as width_of
from logagg.query.tables import fitting
from logagg.top.spans import Line, Span

GAP = "  "
LEAST = 8  # cells that a shortened text keeps, at least
COMFORTABLE = 18  # the same, as long as columns can be left out instead


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its head, its cells, and the name of its content."""

    head: str
    cells: Sequence[str]
    name: str
    number: bool = False
    styles: Sequence[str] = ()  # one for each cell, or none at all

    @property
    def width(self) -> int:
        return max(map(width_of, (self.head, *self.cells)))

    def lowest(self, least: int) -> int:
        return self.width if self.number else max(width_of(self.head), min(least, self.width))


class Heads(NamedTuple):
    """The line of heads, and the name, start and end of each head of a number column."""

    line: Line
    numbers: list[tuple[str, int, int]]


def fitted(columns: Sequence[Column], spares: Sequence[str], width: int) -> tuple[list[Column], list[int]]:
    """Return the columns that fit, and their widths; leaves out as few of `spares` as possible, the last one first."""
    for kept in range(len(spares), -1, -1):
        found = [one for one in columns if one.name not in spares[kept:]]
        least = COMFORTABLE if kept else LEAST
        fit = fitting([one.width for one in found], [one.lowest(least) for one in found], width)
        if fit is not None:
            return found, fit
    last = found[-1].width if len(found) > 1 else -len(GAP)
    return [found[0], *found[1:][-1:]], [max(1, width - last - len(GAP)), *([last] if len(found) > 1 else [])]


def heads(columns: Sequence[Column], widths: Sequence[int]) -> Heads:
    line, numbers, start = [], [], 0
    for column, wide in zip(columns, widths, strict=True):
        text = padded(shorten(column.head, wide), wide, right=column.number)
        line.append(text)
        if column.number:
            numbers.append((column.name, start, start + wide))
        start += wide + len(GAP)
    return Heads((Span(GAP.join(line), "head"),), numbers)


def row_of(columns: Sequence[Column], widths: Sequence[int], place: int) -> Line:
    spans: list[Span] = []
    for number, (column, wide) in enumerate(zip(columns, widths, strict=True)):
        text = padded(shorten(column.cells[place], wide), wide, right=column.number)
        spans += [*([Span(GAP)] if number else []), Span(text, column.styles[place] if column.styles else "")]
    return tuple(spans)
