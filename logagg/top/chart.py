"""The chart over time: hits as stacked bars, or percentiles of latency; with the compared period as a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from logagg.explore import figures
from logagg.top import bars
from logagg.top.spans import EMPTY, Hit, Line, Picture, Span, between, cells, text_of

AXIS = 7  # cells for the numbers at the left, such as 99,999 or 123 ms
BEFORE = "╌"
LATENCY = "latency"  # the chart that is not a split of hits
_PERCENTILES = ("p95", "p50")
_LEAST = 8  # cells from the start of one time label to the next, at least
_DAY = timedelta(days=1)
_STEPS = [timedelta(minutes=one) for one in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720)]


@dataclass(frozen=True, slots=True)
class Chart:
    """The content of the chart: the buckets, and a value for each group and bucket."""

    title: str
    starts: Sequence[datetime]
    grain: timedelta
    groups: Mapping[str, Sequence[float | None]]  # from the bottom up, if the chart is stacked
    is_sum: bool = True
    before: Sequence[float] | None = None

    @property
    def totals(self) -> list[float]:
        """The heights of the bars."""
        columns = ([one or 0 for one in column] for column in zip(*self.groups.values(), strict=True))
        return [sum(one) if self.is_sum else max(one) for one in columns] or [0.0] * len(self.starts)

    def written(self, value: float | None) -> str:
        return figures.count(value) if self.is_sum else figures.seconds(value)


def points_of(width: int) -> int:
    """Return how many buckets fit into a chart."""
    return max(8, width - AXIS - 1)


def chart_of(split: str, answer: Mapping[str, Any]) -> Chart:
    """Return the chart of an answer of the model."""
    grain = timedelta(seconds=answer["grain"])
    per = figures.duration(grain).removeprefix("1 ")
    if split == LATENCY:
        groups = {name: answer[name] for name in _PERCENTILES if answer[name]}
        return Chart(f"Latency per {per}", answer["ts"], grain, groups, is_sum=False)
    return Chart(f"Hits per {per}", answer["ts"], grain, answer["groups"], before=answer["before"])


def drawn(chart: Chart, width: int, rows: int, zone: ZoneInfo, *, colored: bool) -> Picture:
    """Return the title with the groups, the bars, and the times below them."""
    places, wide = _places(len(chart.starts), points_of(width)), points_of(width)
    totals = chart.totals
    most = max([*totals, *(chart.before or ()), 0])
    columns = _columns(chart, totals, most, rows, colored=colored)
    line = bars.heights(chart.before, most, rows) if chart.before else []
    lines: list[Line] = [_head(chart, width)]
    first = len(lines)
    for row in range(rows - 1, -1, -1):
        label = chart.written(most) if row == rows - 1 else "0" if row == 0 else ""
        body = [_with_line(columns[place][row], line[place] if line else 0, row) for place in places]
        lines.append((Span(f"{label:>{AXIS}} ", "dim"), *_joined(body)))
    hits = [Hit(first + row, AXIS + 1, AXIS + 1 + wide, "bucket", places) for row in range(rows)]
    return Picture([*lines, _times(chart, places, zone)], hits)


def _places(buckets: int, wide: int) -> list[int]:
    """Return the bucket of each cell."""
    return [cell * buckets // wide for cell in range(wide)] if buckets else []


def _columns(chart: Chart, totals: Sequence[float], most: float, rows: int, *, colored: bool) -> list[list[Span]]:
    """Return the cells for each bucket, from the bottom up."""
    names = list(chart.groups)
    styles = [style_of(name, place) for place, name in enumerate(names)]
    columns = []
    for bucket, height in enumerate(bars.heights(totals, most, rows)):
        values = [chart.groups[name][bucket] or 0 for name in names]
        if not chart.is_sum:  # both bars begin at zero, so the smaller one is in front
            values = [after - before for before, after in zip([0, *sorted(values)], sorted(values), strict=False)]
        ends = bars.stack(values, height) if colored else [height]
        shown = styles if chart.is_sum else styles[::-1]
        columns.append([bars.cell(ends, shown if colored else [""], row) for row in range(rows)])
    return columns


def _with_line(cell: Span, height: int, row: int) -> Span:
    """Draw the line of the compared period over a cell."""
    if height and (height - 1) // bars.EIGHTHS == row:
        return Span(BEFORE, f" on {cell.style.partition(' on ')[0]}" if cell.text == bars.UP[-1] and cell.style else "")
    return cell


def _joined(spans: Sequence[Span]) -> list[Span]:
    """Join neighbouring spans of the same style."""
    found: list[Span] = []
    for span in spans:
        if found and found[-1].style == span.style:
            found[-1] = Span(found[-1].text + span.text, span.style)
        else:
            found.append(span)
    return found


def _head(chart: Chart, width: int) -> Line:
    """Return the title, and the groups with their numbers: as many as fit, the largest first."""
    title = (Span(chart.title, "title"), Span("  "))
    entries = {name: _entry(chart, place, name) for place, name in enumerate(chart.groups)}
    before = (Span(f"{BEFORE} before "), Span(chart.written(sum(chart.before)), "dim")) if chart.before else EMPTY
    left = width - cells(title) - (cells(before) + 2 if before else 0)
    for name in sorted(entries, key=lambda name: -(_value(chart, name) or 0)):
        left -= cells(entries[name]) + 2
        if left < -2:
            del entries[name]
    shown = [*entries.values(), *([before] if before else [])]
    legend = [span for entry in shown for span in (*entry, Span("  "))]
    return between(title, tuple(legend[:-1]), width)


def _entry(chart: Chart, place: int, name: str) -> Line:
    value = chart.written(_value(chart, name))
    return (Span("■ ", style_of(name, place)), Span(f"{text_of(name)} "), Span(value, "dim"))


def _value(chart: Chart, name: str) -> float | None:
    """Return the number of a group in the window: the sum of hits, or the largest percentile."""
    known = [one for one in chart.groups[name] if one is not None]
    return sum(known) if chart.is_sum else max(known, default=None)


def _times(chart: Chart, places: Sequence[int], zone: ZoneInfo) -> Line:
    """Return the line of times below the chart: round ones, if buckets begin at round times."""
    begins = [cell for cell, bucket in enumerate(places) if not cell or places[cell - 1] != bucket]
    round_ = [cell for cell in begins if _is_round(chart, places, cell, zone)]
    text, free = " " * (AXIS + 1), AXIS + 1
    for cell in round_ or begins:
        label, at = _label(chart, places[cell], zone), AXIS + 1 + cell
        if at >= free and at + len(label) <= AXIS + 1 + len(places):
            text = text.ljust(at) + label
            free = at + max(_LEAST, len(label) + 2)
    return (Span(text, "dim"),)


def _is_round(chart: Chart, places: Sequence[int], cell: int, zone: ZoneInfo) -> bool:
    """Return whether a bucket begins at a multiple of the smallest step whose labels fit."""
    least = _LEAST * chart.grain * len(chart.starts) / len(places)
    step = next((one for one in _STEPS if one >= least), _DAY)
    local = chart.starts[places[cell]].astimezone(zone)
    return not timedelta(hours=local.hour, minutes=local.minute) % step


def _label(chart: Chart, bucket: int, zone: ZoneInfo) -> str:
    """Return the label below a bucket: a day; or a time of the day, at midnight the day that begins."""
    start = chart.starts[bucket]
    local = start.astimezone(zone)
    if chart.grain >= _DAY:
        return f"{local.day} {local:%b}"
    if not (local.hour or local.minute) and len(chart.starts) > 1:
        return f"{local:%a} {local.day}"
    return figures.clock(start, zone)


_OF_CLASSES = {"1xx": 5, "2xx": 0, "3xx": 1, "4xx": 2, "5xx": 3}
_OF_KINDS = {"pageview": 0, "asset": 5, "impression": 1, "click": 4, "conversion": 2, "other": 6}
_OF_PERCENTILES = {"p50": 0, "p95": 2}
COLORS = 7


def style_of(group: str, place: int) -> str:
    """Return the style of a group, which does not depend on other groups."""
    known = _OF_CLASSES | _OF_KINDS | _OF_PERCENTILES
    return f"group{known.get(group, place % COLORS)}"
