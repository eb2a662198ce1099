"""The whole screen: the head, the overview with its panels side by side or one table alone, and a dialog over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from logagg.explore import figures
from logagg.explore.panels import Panel
from logagg.top import board, chart, dialogs, head, requests, tiles
from logagg.top.board import Board
from logagg.top.notes import notes_in
from logagg.top.spans import EMPTY, Line, Picture, Span, clipped, filled, is_empty, stacked
from logagg.top.state import CHART, REQUESTS, TOTALS, State

BLANK = Picture([EMPTY])
NUMBERS = 9  # panels that a key selects


def drawn(state: State) -> Picture:
    """Return exactly the lines of the screen. Notes in the state which panels are in view, and scrolls to the current one."""
    top, body = head.drawn(state), _body(state)
    room = state.body
    lines = [filled(line, state.width) for line in body.lines[:room]]
    lines += [filled(EMPTY, state.width)] * (room - len(lines))
    body = Picture(lines, [hit for hit in body.hits if hit.line < room])
    if state.dialog:
        body = dialogs.over(body, state.dialog.drawn(state.width, room), state.width, room)
    lines_of_head = Picture([filled(line, state.width) for line in top.lines], top.hits)
    whole = stacked([lines_of_head, body, Picture([head.last(state)])])
    return replace(whole, head=top.height)


def with_head(state: State, before: Picture) -> Picture:
    """Return the same screen with a new head: the age of the data grows while nothing else changes."""
    top = head.drawn(state)
    if before.height != state.height or before.head != top.height:
        return drawn(state)
    return replace(before, lines=[*(filled(line, state.width) for line in top.lines), *before.lines[top.height :]])


def _body(state: State) -> Picture:
    if state.mode == "requests":
        return _requests(state)
    if state.mode == "panel" and state.panel:
        return board.drawn(_board(state, state.panel), state.width, state.zone)
    whole, places = overview(state)
    state.scroll = _scrolled(state, whole, places)
    state.seen = tuple(
        name for name, (top, end) in places.items() if top < state.scroll + state.body and end > state.scroll
    )
    lines = whole.lines[state.scroll : state.scroll + state.body]
    hits = [hit.moved(-state.scroll, 0) for hit in whole.hits if hit.line >= state.scroll]
    return Picture(lines, hits)


def _requests(state: State) -> Picture:
    answer = state.answer(REQUESTS)
    if answer is None:
        return Picture([(Span("…", "dim"),)])
    at, first = state.cursors.get(REQUESTS, 0), state.firsts.get(REQUESTS, 0)
    return requests.drawn(answer, state.width, state.body - requests.HEADS, at, first, state.zone)


def overview(state: State) -> tuple[Picture, dict[str, tuple[int, int]]]:
    """Return the overview, and the lines of each panel."""
    pictures = [_tiles(state), BLANK]
    if nothing := _nothing(state):
        return stacked([*pictures, nothing]), {}
    pictures += [_chart(state), BLANK]
    start = sum(one.height for one in pictures)
    places: dict[str, tuple[int, int]] = {}
    for row in state.grid:
        picture = board.side_by_side([_board(state, one) for one in row], state.width_of(row[0]), state.zone)
        places |= {one.name: (start, start + picture.height) for one in row}
        pictures += [picture, BLANK]
        start += picture.height + 1
    return stacked(pictures), places


def _tiles(state: State) -> Picture:
    totals = state.answer(TOTALS)
    if totals is None:
        return Picture([(Span("…", "dim"),), EMPTY])
    ads = any(panel.rollup == "ads" for panel in state.panels)
    return tiles.drawn(totals, state.width, state.zone, ads=ads)


def chart_rows(height: int) -> int:
    return 3 if height < 30 else 5 if height < 45 else 8


def _chart(state: State) -> Picture:
    answer, rows = state.answer(CHART), chart_rows(state.height)
    if answer is None or ("groups" in answer) == state.latency:
        return Picture([(Span("…", "dim"),), *[EMPTY] * (rows + 1)])
    notes = notes_in(answer, state.zone, state.width)
    if answer["unavailable"]:
        return Picture(notes)
    picture = chart.drawn(chart.chart_of(state.split, answer), state.width, rows, state.zone, colored=state.colored)
    return stacked([Picture(notes), picture])


def _board(state: State, panel: Panel) -> Board:
    place = list(state.panels).index(panel)
    current = panel is state.panel
    return Board(
        panel,
        state.answer(panel.name),
        state.rows_of(panel),
        cursor=state.cursors.get(panel.name, 0) if current else None,
        first=state.firsts.get(panel.name, 0),
        number=place + 1 if place < NUMBERS and state.mode == "overview" else 0,
        search=state.searches.get(panel.name, ""),
        stale=state.is_stale(panel.name),
        exact=state.mode == "panel",
        compared=state.compared,
        marked=_marked(state, panel),
    )


def _marked(state: State, panel: Panel) -> frozenset[int]:
    """Return the rows that are marked."""
    marks, answer = state.marks.get(panel.name), state.answer(panel.name)
    if not marks or not answer:
        return frozenset()
    return frozenset(place for place, row in enumerate(answer["rows"]) if state.values_of(panel, row) in marks)


def _nothing(state: State) -> Picture | None:
    """Return the text for a window without requests, instead of chart and panels: the reason, and what to do."""
    totals = state.answer(TOTALS)
    if not totals or totals["unavailable"] or totals["now"]["hits"] or (totals["before"] or {}).get("hits"):
        return None
    lake = state.lake
    if lake is None or lake.newest is None or lake.oldest is None:
        return Picture([(Span("No line has been counted yet: the first ones appear by themselves."),)])
    filtered = bool(state.view.pills or state.view.where)
    lines: list[Line] = [(Span(f"No request of this window{' has all of these values' if filtered else ''}."),)]
    if not is_within(state):
        first, last = (figures.date_time(one, state.zone, year=True) for one in (lake.oldest, lake.newest))
        lines.append((Span(f"The lake has them from {first} to {last}."),))
        lines.append((Span("Enter ", "key"), Span("shows its last 24 hours")))
    elif state.view.pills:
        lines.append((Span("\\ ", "key"), Span("clears the filters")))
    return Picture([clipped(line, state.width) for line in lines])


def is_within(state: State) -> bool:
    """Return whether the lake has data within the window."""
    lake, period = state.lake, state.period
    return bool(lake and lake.oldest and lake.newest and lake.newest > period.since and lake.oldest < period.until)


def is_nothing(state: State) -> bool:
    return state.mode == "overview" and _nothing(state) is not None


def _scrolled(state: State, whole: Picture, places: dict[str, tuple[int, int]]) -> int:
    """Return the line of the overview that is at the top of the screen."""
    return max(0, min(state.scroll, whole.height - state.body))


def reveal(state: State) -> None:
    """Scroll so that the current panel is on the screen; for panels of the first row, show the tiles and chart, too."""
    if state.mode != "overview" or not state.panel:
        return
    _, places = overview(state)
    top, end = places.get(state.panel.name, (0, 0))
    if top == min((top for top, _ in places.values()), default=0) and end <= state.body:
        state.scroll = 0
    state.scroll = min(max(state.scroll, end - state.body), top)


def plain(state: State) -> Sequence[Line]:
    """Return the whole overview, of any length, without two empty lines in a row."""
    lines = [*head.drawn(state).lines, EMPTY, *overview(state)[0].lines]
    return [
        line for line, before in zip(lines, [EMPTY, *lines], strict=False) if not (is_empty(line) and is_empty(before))
    ]
