"""The table of requests, the newest first, and the fields of one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from logagg.explore import figures
from logagg.top.notes import notes_in
from logagg.top.spans import SELECTED, Hit, Line, Picture, Span, filled, restyled, text_of
from logagg.top.table import Column, fitted, heads, row_of

HEADS = 2  # lines above the rows
# The columns in their order, and the order in which they are left out.
COLUMNS = ("ts", "site", "method", "status", "path", "referrer", "browser", "country", "bytes", "seconds")
SPARES = ("status", "method", "bytes", "seconds", "site", "referrer", "browser", "country")
_NUMBERS: Mapping[str, Callable[[Any], str]] = {"bytes": figures.size, "seconds": figures.seconds}


def drawn(answer: Mapping[str, Any], width: int, rows: int, cursor: int, first: int, zone: ZoneInfo) -> Picture:
    """Return the heads, and as many rows as fit."""
    notes = notes_in(answer, zone, width)
    shown = answer["rows"][first : first + rows - len(notes)]
    title: Line = (Span("Requests", "current"), Span("  newest first", "dim"))
    if not shown:
        return Picture([title, *notes, (Span("No request in this window.", "dim"),)])
    columns = [_column(name, shown, zone) for name in COLUMNS if name in answer["columns"]]
    columns = [one for one in columns if one.name in ("ts", "path") or any(cell != figures.DASH for cell in one.cells)]
    found, widths = fitted(columns, [name for name in SPARES if name in {one.name for one in columns}], width)
    lines, hits = [title, heads(found, widths).line, *notes], []
    for place in range(len(shown)):
        hits.append(Hit(len(lines), 0, width, "request", first + place))
        line = row_of(found, widths, place)
        lines.append(filled(restyled(line, SELECTED), width, SELECTED) if cursor == first + place else line)
    return Picture(lines, hits)


def _column(name: str, rows: Sequence[Mapping[str, Any]], zone: ZoneInfo) -> Column:
    head, values = figures.dimension_title(name), [row[name] for row in rows]
    if name == "ts":
        return Column(head, [figures.stamp(one, zone) for one in values], name, number=True)
    if name == "status":
        return Column(head, list(map(text_of, values)), name, number=True, styles=[status_style(one) for one in values])
    if write := _NUMBERS.get(name):
        return Column(head, list(map(write, values)), name, number=True)
    return Column(head, list(map(text_of, values)), name)


def status_style(status: int | None) -> str:
    return {4: "group2", 5: "group3"}.get((status or 0) // 100, "")


def fields(row: Mapping[str, Any], zone: ZoneInfo) -> list[tuple[str, str]]:
    """Return the fields of a request, without empty ones."""
    found = {name: value for name, value in row.items() if value not in (None, "")}
    return [(name, figures.stamp(value, zone) if name == "ts" else text_of(value)) for name, value in found.items()]
