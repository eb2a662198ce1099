"""A panel: its values with their measures, the change, and a bar of the share of the largest.

Numbers and heads are never cut. Values are shortened first; then the last measures are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from logagg.explore import figures
from logagg.explore.panels import CHANGE, Panel
from logagg.top import bars
from logagg.top.notes import notes_in
from logagg.top.spans import (
    EMPTY,
    SELECTED,
    Hit,
    Line,
    Picture,
    Span,
    beside,
    between,
    cells,
    filled,
    restyled,
    text_of,
)
from logagg.top.table import GAP, Column, fitted, heads, row_of
from logagg.top.tiles import change_style

BAR = 6  # cells of a bar, at least
LONGEST_BAR = 24
HEADS = 2  # lines above the rows
ARROWS = {"desc": "▼", "asc": "▲"}


@dataclass(frozen=True, slots=True)
class Board:
    """The content of a panel, and its presentation."""

    panel: Panel
    answer: Mapping[str, Any] | None  # None: still missing
    rows: int  # how many fit
    cursor: int | None = None  # its row with the cursor; None: another panel has the keys
    first: int = 0  # the first row on the screen
    number: int = 0  # the key that selects the panel, 1 to 9; 0: it has none
    search: str = ""
    stale: bool = False  # the answer is to the previous question
    exact: bool = False
    compared: bool = False
    marked: frozenset[int] = frozenset()  # the numbers of the marked rows


def drawn(board: Board, width: int, zone: ZoneInfo) -> Picture:
    """Return the head and the rows, in exactly the lines that the board may take."""
    title = _title(board, width)
    hits = [Hit(0, 0, width, "panel", board.panel.name)]
    if board.answer is None:
        return _padded([title, (Span("…", "dim"),)], hits, board)
    notes = notes_in(board.answer, zone, width)[: board.rows]
    rows = board.answer["rows"][board.first : board.first + board.rows - len(notes)]
    if not board.answer["rows"]:
        return _padded([title, *(notes or [(Span("nothing", "dim"),)])], hits, board)
    columns, widths = fitted(*_columns(board, rows), width)
    head = heads(columns, widths)
    hits += (Hit(1, start, end, "sort", (board.panel.name, name)) for name, start, end in head.numbers)
    lines = [title, head.line, *notes]
    rest = width - sum(widths) - len(GAP) * len(widths)
    for place, row in enumerate(rows):
        hits.append(Hit(len(lines), 0, width, "row", (board.panel.name, board.first + place)))
        line = (*row_of(columns, widths, place), *_bar(row, board, rest))
        lines.append(_styled(line, width, board, board.first + place))
    return _padded(lines, hits, board)


def _styled(line: Line, width: int, board: Board, row: int) -> Line:
    """Return the line of a row with the style for its cursor or mark."""
    style = ("marked " if row in board.marked else "") + (SELECTED if row == board.cursor else "")
    return filled(restyled(line, style.strip()), width, style.strip()) if style else line


def _padded(lines: Sequence[Line], hits: Sequence[Hit], board: Board) -> Picture:
    empty = board.rows + HEADS - len(lines)
    return Picture([*lines, *[EMPTY] * empty], hits)


def _title(board: Board, width: int) -> Line:
    number = f"{board.number} " if board.number else ""
    style = "current" if board.cursor is not None else "title"
    left: Line = (Span(number, "dim"), Span(board.panel.title, style), Span(" …" if board.stale else "", "dim"))
    if board.search:
        left = (*left, Span(f" /{text_of(board.search)}", "pill"))
    found = _found(board)
    if board.answer and board.answer["from"] == "requests" and board.panel.rollup != "requests":
        right: Line = (Span("from requests ", "dim"), Span(found, "dim"))
        if cells(left) + cells(right) < width:
            return between(left, right, width)
    return between(left, (Span(found, "dim"),), width)


def _found(board: Board) -> str:
    """Return the numbers of the rows on the screen, and how many there are."""
    if not board.answer or not (count := len(board.answer["rows"])):
        return ""
    last = min(count, board.first + board.rows)
    if board.first == 0 and last == count and not board.answer["more"]:
        return f"{count}"
    return f"{board.first + 1}-{last} of {count}{'+' if board.answer['more'] else ''}"


def _columns(board: Board, rows: Sequence[Mapping[str, Any]]) -> tuple[list[Column], list[str]]:
    """Return the columns, and the names of those that may be left out: the last name goes first."""
    assert board.answer
    values = [
        Column(figures.dimension_title(one), [text_of(row[one]) for row in rows], one) for one in board.panel.dimensions
    ]
    numbers = _numbers(board, rows)
    return [*values, *numbers], [one.name for one in numbers if one.name != board.answer["sort"]][
        not _sorts(numbers, board) :
    ]


def _sorts(numbers: Sequence[Column], board: Board) -> bool:
    """Return whether the panel is sorted by one of these columns; if not, the first column is never left out."""
    assert board.answer
    return any(one.name == board.answer["sort"] for one in numbers)


def _numbers(board: Board, rows: Sequence[Mapping[str, Any]]) -> list[Column]:
    assert board.answer
    sort, arrow = board.answer["sort"], ARROWS[board.answer["order"]]
    written = figures.exact_measure if board.exact else figures.measure
    columns = []
    for name in board.answer["measures"]:
        head = figures.shown(name).title + (arrow if name == sort else "")
        columns.append(Column(head, [written(name, row[name]) for row in rows], name, number=True))
    if board.compared:
        columns.insert(1, _changes(board, rows, arrow if sort == CHANGE else ""))
    return columns


def _changes(board: Board, rows: Sequence[Mapping[str, Any]], arrow: str) -> Column:
    assert board.answer
    of = board.panel.measures[0] if board.answer["sort"] == CHANGE else board.answer["sort"]
    changes = [row["change"] for row in rows]
    styles = [change_style(of, one) for one in changes]
    return Column(f"Change{arrow}", list(map(figures.change, changes)), CHANGE, number=True, styles=styles)


def _bar(row: Mapping[str, Any], board: Board, place: int) -> Line:
    """Return the bar of a row, its share of the largest value; empty unless the panel is sorted by a sum."""
    assert board.answer
    shares = [one["share"] for one in board.answer["rows"] if one["share"]]
    if place < BAR or not shares or not row["share"]:
        return EMPTY
    return Span(GAP), Span(bars.right(row["share"] / max(shares), min(place, LONGEST_BAR)).rstrip(), "bar")


def side_by_side(boards: Sequence[Board], wide: int, zone: ZoneInfo) -> Picture:
    """Return panels side by side, all of the same width."""
    return beside([drawn(board, wide, zone) for board in boards], [wide] * len(boards), SPACE)


SPACE = 3  # cells between panels
NARROWEST = 36


def columns_of(width: int) -> int:
    """Return how many panels fit side by side."""
    return max(1, (width + SPACE) // (NARROWEST + SPACE))


def width_of(columns: int, width: int) -> int:
    """Return the width of each of them."""
    return (width - SPACE * (columns - 1)) // columns
