"""The numbers of the window, each with its change against the compared period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from logagg.explore import figures
from logagg.explore.overview import TOTALS
from logagg.query.shorten import padded
from logagg.query.shorten import width as width_of
from logagg.top.notes import notes_in
from logagg.top.spans import EMPTY, Hit, Line, Picture, Span

GAP = 2
OF_ADS = ("impressions", "clicks", "ctr", "conversions")
WORSE = ("errors", "p95")  # measures of which more is worse
NEUTRAL = ("bytes",)


def names_of(totals: Mapping[str, Any], *, ads: bool) -> list[str]:
    """Return the measures of the tiles; `ads`: with those of ads."""
    return [name for name in TOTALS if name in totals["now"] and (ads or name not in OF_ADS)]


def drawn(totals: Mapping[str, Any], width: int, zone: Any, *, ads: bool) -> Picture:
    """Return the tiles, in as many bands as they need."""
    notes = notes_in({**totals, "note": ""}, zone, width)
    if totals["unavailable"]:
        return Picture(notes)
    tiles = [_tile(name, totals) for name in names_of(totals, ads=ads)]
    lines, hits = notes, []
    gap = GAP if len(_bands(tiles, width, GAP)) == 1 else GAP - 1
    for band in _bands(tiles, width, gap):
        start = 0
        rows: list[Line] = [EMPTY] * len(band[0][1])
        for name, texts in band:
            wide = _width(texts)
            rows = [
                (*row, Span(padded(one.text, wide), one.style), Span(" " * gap))
                for row, one in zip(rows, texts, strict=True)
            ]
            hits += [Hit(len(lines) + row, start, start + wide, "explain", name) for row in range(len(rows))]
            start += wide + gap
        lines += rows
    return Picture(lines, hits)


def _tile(name: str, totals: Mapping[str, Any]) -> tuple[str, list[Span]]:
    """Return the name of a measure, and the lines of its tile."""
    now = totals["now"][name]
    texts = [Span(figures.shown(name).title, "dim"), Span(figures.measure(name, now), "number")]
    if totals["before"] is not None:
        value = figures.change_of(now, totals["before"].get(name))
        texts.append(Span(figures.change(value), change_style(name, value)))
    return name, texts


def change_style(name: str, value: float | None) -> str:
    if value is None or abs(value) < 0.0005 or name in NEUTRAL:
        return "dim"
    return "worse" if (value > 0) == (name in WORSE) else "better"


def _width(texts: Sequence[Span]) -> int:
    return max(width_of(span.text) for span in texts)


def _bands(tiles: Sequence[tuple[str, list[Span]]], width: int, gap: int) -> list[list[tuple[str, list[Span]]]]:
    bands: list[list[tuple[str, list[Span]]]] = []
    left = -1
    for tile in tiles:
        wide = _width(tile[1])
        if left < wide:
            bands.append([])
            left = width
        bands[-1].append(tile)
        left -= wide + gap
    return bands
