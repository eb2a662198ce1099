"""The state that keys and mouse change: what the screen shows, and the answers for it. Independent of the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal
from zoneinfo import ZoneInfo

from logagg.errors import LogaggError
from logagg.explore import overview
from logagg.explore.panels import MOST_ROWS, Panel, PanelRequest, panel_answer
from logagg.explore.requests import events
from logagg.explore.scope import DIMENSIONS, Period, Scope
from logagg.explore.view import View
from logagg.explore.windows import Window
from logagg.top import board, chart
from logagg.top.dialogs import Dialog, Prompt
from logagg.top.notes import notes_in
from logagg.top.source import Answer, LakeFacts, Loaded, Part

Mode = Literal["overview", "panel", "requests"]
Values = tuple[tuple[str, str], ...]  # pairs of dimension and value of a row, for a filter

TOTALS, CHART, REQUESTS = "totals", "chart", "requests"
OF_CARD, OF_EXPANDED, OF_FULL = 20, 100, 1_000  # rows that a panel of each size asks for
MEASURES = 3  # columns of a card: the first measures, and the one it is sorted by
PAGE = 200  # requests
TALL = 40  # on a screen with so many lines, cards have more rows
CARD_ROWS, TALL_ROWS, EXPANDED_ROWS = 7, 10, 25
UNDONE = 200  # steps that are kept for undo


@dataclass(frozen=True, slots=True)
class Got:
    """An answer, and the key of its question."""

    part: Part
    answer: Answer
    revision: int
    commit: str  # from which it is


@dataclass(frozen=True, slots=True)
class Step:
    """The part of the state that a step changes, and that undo restores."""

    view: View
    mode: Mode
    current: str


@dataclass(slots=True)
class State:
    """The whole state of the screen."""

    view: View
    clock: Callable[[], float]
    by: tuple[Panel, ...] = ()  # panels of --by, before those of the lake
    lake: LakeFacts | None = None
    width: int = 80
    height: int = 24
    colored: bool = True
    printed: bool = False  # printed once, to be read later: without values that hold only now
    name: str = ""  # the lake's name
    home: str = "UTC"  # the time zone at the start
    mode: Mode = "overview"
    current: str = ""  # the panel that has the keys
    paused: bool = False
    revision: int = 0  # counts the commits that are shown
    latency: bool = False  # whether the chart shows latency
    scroll: int = 0  # lines of the overview above the screen
    cursors: dict[str, int] = field(default_factory=dict)
    firsts: dict[str, int] = field(default_factory=dict)  # by table: its first row on the screen
    expanded: set[str] = field(default_factory=set)
    searches: dict[str, str] = field(default_factory=dict)
    marks: dict[str, set[Values]] = field(default_factory=dict)  # by panel: the values of its marked rows
    got: dict[str, Got] = field(default_factory=dict)
    scope: Scope | None = None  # the scope of the newest answers
    status: Answer | None = None
    alerts: Sequence[Answer] = ()  # firing ones first
    history: list[Step] = field(default_factory=list)
    dialog: Dialog | None = None
    prompt: Prompt | None = None
    message: str = ""  # shown in the last line until the next key
    error: str = ""  # the reason why the newest answers are missing
    lost: str = ""  # the reason why the lake cannot be read
    more: int = PAGE  # how many requests are asked for
    busy: bool = False  # whether a question runs
    seen: tuple[str, ...] = ()  # panels on the screen, from the last picture

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.view.zone)

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock(), UTC)

    @property
    def panels(self) -> Sequence[Panel]:
        return (*self.by, *(self.lake.panels if self.lake else ()))

    @property
    def grid(self) -> list[list[Panel]]:
        """The panels by rows of the screen: a panel of --by has a row of its own, with all measures; others share rows."""
        columns, panels = board.columns_of(self.width), list(self.panels[len(self.by) :])
        rows = [panels[place : place + columns] for place in range(0, len(panels), columns)]
        return [*([one] for one in self.by), *rows]

    def width_of(self, panel: Panel) -> int:
        """Return how wide a panel is."""
        if self.mode == "panel" or panel in self.by:
            return self.width
        return board.width_of(board.columns_of(self.width), self.width)

    @property
    def panel(self) -> Panel | None:
        """The panel that has the keys."""
        return next((one for one in self.panels if one.name == self.current), next(iter(self.panels), None))

    @property
    def compared(self) -> bool:
        return self.view.compare != "none"

    @property
    def period(self) -> Period:
        """The window in times."""
        return self.view.scope(self.clock()).period

    @property
    def shown_period(self) -> Period:
        """The window of the numbers on the screen; the view's own, if they are answers to another view."""
        got = self.got.get(REQUESTS if self.mode == "requests" else TOTALS)
        is_newest = self.scope and got and got.part.key in (self.view.asked, (self.view.asked, self.more))
        return self.scope.period if self.scope and is_newest else self.period

    def answer(self, name: str) -> Answer | None:
        got = self.got.get(name)
        return got.answer if got else None

    def rows_of(self, panel: Panel) -> int:
        """Return how many rows of a panel fit."""
        if self.mode == "panel":
            return max(1, self.body - board.HEADS)
        return EXPANDED_ROWS if panel.name in self.expanded else TALL_ROWS if self.height >= TALL else CARD_ROWS

    @property
    def lines_of_head(self) -> int:
        return min(1 + bool(self.view.pills or self.view.where) + bool(self.trouble), max(1, self.height - 3))

    @property
    def body(self) -> int:
        """How many lines there are between the head and the last line."""
        return max(1, self.height - self.lines_of_head - 1)

    @property
    def failure(self) -> str:
        """The reason why the screen does not show the answer that the user asked for."""
        return self.error or self.lost

    @property
    def trouble(self) -> str:
        """Why there are no new answers, else the first reason for a light that is not green."""
        reasons = self.status["reasons"] if self.status and self.status["state"] != "good" else ()
        return self.failure or next(iter(reasons), "")

    @property
    def firing(self) -> int:
        """How many alerts fire."""
        return sum(one["state"] == "firing" for one in self.alerts)

    # The parts to ask for

    def parts(self) -> list[Part]:
        """Return the parts on the screen that are missing, or older than the newest commit."""
        return [part for part in self._wanted() if not self._is_there(part)]

    def _is_there(self, part: Part) -> bool:
        got = self.got.get(part.name)
        return got is not None and got.part.key == part.key and got.revision >= self.revision

    def _wanted(self) -> Iterator[Part]:
        asked = self.view.asked
        if self.mode == "requests":
            yield Part(REQUESTS, (asked, self.more), partial(events, limit=self.more))
            return
        yield Part(TOTALS, asked, overview.totals)
        if self.mode == "panel":
            yield from (self._board(panel) for panel in (self.panel,) if panel)
            return
        points = chart.points_of(self.width)
        series = overview.latency if self.latency else partial(overview.series, self.view.split)
        yield Part(CHART, (asked, self.split, points), partial(series, most=points))
        yield from (self._board(panel) for panel in self.panels if panel.name in self.seen)

    @property
    def split(self) -> str:
        return chart.LATENCY if self.latency else self.view.split

    def _board(self, panel: Panel) -> Part:
        full, expanded = self.mode == "panel", panel.name in self.expanded
        limit = OF_FULL if full else OF_EXPANDED if expanded else OF_CARD
        (sort, order), search = self.view.sort_of(panel), self.searches.get(panel.name, "")
        most = None if full or panel in self.by else MEASURES
        request = PanelRequest.of(panel, sort=sort, order=order, limit=limit, search=search, most=most)
        return Part(panel.name, (self.view.asked, request), partial(panel_answer, request))

    def is_stale(self, part: str) -> bool:
        """Return whether the answer is to another question."""
        wanted = next((one for one in self._wanted() if one.name == part), None)
        return wanted is not None and (got := self.got.get(part)) is not None and got.part.key != wanted.key

    @property
    def commits(self) -> set[str]:
        """The commits from which the answers on the screen are."""
        return {self.got[part.name].commit for part in self._wanted() if part.name in self.got}

    def put(self, parts: Sequence[Part], loaded: Loaded, revision: int) -> None:
        """Take answers."""
        self.got |= {part.name: Got(part, loaded.answers[part.name], revision, loaded.commit) for part in parts}
        self.scope, self.error = loaded.scope, ""
        for name in loaded.answers:
            self.place(name)

    # Steps

    def start(self, window: Window) -> None:
        """Begin with a window. Raises LogaggError for an invalid one."""
        view = replace(self.view, window=window)
        view.scope(self.clock())
        self.view = view

    def go(self, view: View | None = None, *, mode: Mode | None = None, current: str | None = None) -> None:
        """Take a step to another view, mode or panel; show a message instead if the view is invalid."""
        before = Step(self.view, self.mode, self.current)
        after = Step(view or self.view, mode or self.mode, self.current if current is None else current)
        if after == before:
            return
        try:
            after.view.scope(self.clock())
        except LogaggError as error:
            self.message = str(error)
            return
        self.history = [*self.history[-UNDONE:], before]
        self._show(after)

    def back(self) -> bool:
        """Undo the last step; return whether there was one."""
        if not self.history:
            return False
        self._show(self.history.pop())
        return True

    def _show(self, step: Step) -> None:
        if step.view.asked != self.view.asked:
            self.cursors, self.firsts, self.marks, self.more = {}, {}, {}, PAGE
        self.view, self.mode, self.current = step.view, step.mode, step.current
        if self.mode != "requests":
            self.got.pop(REQUESTS, None)

    # Rows

    @property
    def table(self) -> str:
        """The name of the table in which the keys for rows move the cursor."""
        return REQUESTS if self.mode == "requests" else self.panel.name if self.panel else ""

    @property
    def rows(self) -> Sequence[Mapping[str, Any]]:
        answer = self.answer(self.table)
        return answer["rows"] if answer else ()

    @property
    def row(self) -> Mapping[str, Any] | None:
        """The row that the keys act upon."""
        place = self.cursors.get(self.table, 0)
        return self.rows[place] if place < len(self.rows) else None

    def values_of(self, panel: Panel, row: Mapping[str, Any]) -> Values:
        """Return those values of a row that a filter can use."""
        names = [name for name in panel.dimensions if name in DIMENSIONS]
        return tuple((name, "" if row[name] is None else str(row[name])) for name in names)

    def move(self, rows: int) -> None:
        self.cursors[self.table] = self.cursors.get(self.table, 0) + rows
        self.place(self.table)
        if self.mode == "requests" and self.cursors[REQUESTS] >= len(self.rows) - 1 and self.answer(REQUESTS):
            self.more = min(MOST_ROWS, self.more + PAGE * bool((self.answer(REQUESTS) or {}).get("more")))

    def place(self, table: str) -> None:
        """Keep the cursor within a table, and its row on the screen."""
        answer = self.answer(table)
        if not answer or "rows" not in answer:
            return
        panel = next((one for one in self.panels if one.name == table), None)
        shown = self.rows_of(panel) if panel else max(1, self.body - board.HEADS)
        shown = max(1, shown - len(notes_in(answer, self.zone, self.width_of(panel) if panel else self.width)))
        last = max(0, len(answer["rows"]) - 1)
        at = self.cursors[table] = min(max(0, self.cursors.get(table, 0)), last)
        first = min(self.firsts.get(table, 0), max(0, last - shown + 1))
        self.firsts[table] = max(min(first, at), at - shown + 1, 0)

    def sort(self, view: View) -> None:
        """Sort a panel. Undo does not restore the order, since no number depends on it."""
        self.view = replace(self.view, sorts=view.sorts, orders=view.orders)
