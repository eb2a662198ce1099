"""Bars of block characters, in eighths of a cell."""

from __future__ import annotations

from collections.abc import Sequence

from logagg.top.spans import Span

EIGHTHS = 8
UP = " ▁▂▃▄▅▆▇█"
RIGHT = " ▏▎▍▌▋▊▉█"


def right(share: float, cells: int) -> str:
    """Return a bar that starts at the left and fills a share of the cells; a share above zero is always visible."""
    eighths = min(cells * EIGHTHS, max(round(share * cells * EIGHTHS), 1 if share > 0 else 0))
    full, rest = divmod(eighths, EIGHTHS)
    return (RIGHT[-1] * full + (RIGHT[rest] if rest else "")).ljust(cells)


def heights(values: Sequence[float], most: float, rows: int) -> list[int]:
    """Return the heights of values in eighths of rows; a value above zero has at least one eighth."""
    whole = rows * EIGHTHS
    return [min(whole, max(round(value / most * whole), 1)) if value and most else 0 for value in values]


def stack(parts: Sequence[float], height: int) -> list[int]:
    """Return the end of each part of a bar, in eighths; the last end is the height of the bar."""
    total, sum_, ends = sum(parts), 0.0, []
    for part in parts:
        sum_ += part
        ends.append(round(sum_ / total * height) if total else 0)
    return ends


def cell(ends: Sequence[int], styles: Sequence[str], row: int) -> Span:
    """Return the cell of a stacked bar in a row; row 0 is the lowest.

    A cell has two colours. Where one part ends and the next begins, the lower part is the foreground and the upper one the
    background. The top of a bar has no background.
    """
    low, high = row * EIGHTHS, (row + 1) * EIGHTHS
    top = ends[-1] if ends else 0
    if top <= low:
        return Span(" ")
    inside = [
        (min(end, high) - max(start, low), style)
        for start, end, style in _parts(ends, styles)
        if end > low and start < high
    ]
    if top < high:
        return Span(UP[top - low], max(inside)[1])
    if len(inside) == 1:
        return Span(UP[-1], inside[0][1])
    (filled, below), (_, above) = inside[0], max(inside[1:])
    return Span(UP[filled], f"{below} on {above}")


def _parts(ends: Sequence[int], styles: Sequence[str]) -> list[tuple[int, int, str]]:
    return [(start, end, style) for start, end, style in zip((0, *ends), ends, styles, strict=False) if end > start]
