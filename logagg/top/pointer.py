"""The mouse: clicks on parts of the picture, a drag over the chart, the wheel."""

from __future__ import annotations

from collections.abc import Sequence

from logagg.top.actions import Actions
from logagg.top.board import HEADS
from logagg.top.spans import Hit
from logagg.top.state import REQUESTS, State

WHEEL = 3  # lines


def hit_at(hits: Sequence[Hit], x: int, y: int) -> Hit | None:
    return next((hit for hit in hits if hit.line == y and hit.start <= x < hit.end), None)


class Pointer:
    """Turns events of the mouse into actions; remembers where a drag began."""

    def __init__(self, state: State, actions: Actions) -> None:
        self._state, self._actions = state, actions
        self._down: tuple[int, int] | None = None

    def down(self, x: int, y: int) -> None:
        self._down = (x, y)

    def up(self, hits: Sequence[Hit], x: int, y: int) -> None:
        """End a drag that began on the chart; it may end outside."""
        start, self._down = self._down, None
        hit = hit_at(hits, *start) if start else None
        if start and hit and hit.action == "bucket" and abs(x - start[0]) > 1 and isinstance(hit.argument, list):
            first, last = (max(0, min(one - hit.start, len(hit.argument) - 1)) for one in (start[0], x))
            self._actions.do("drag", (hit.argument[first], hit.argument[last]))

    def click(self, hits: Sequence[Hit], x: int, y: int, *, also: bool, not_: bool, twice: bool) -> None:
        self._state.message = ""
        hit = hit_at(hits, x, y)
        if hit is None:
            return
        if hit.action == "bucket":
            if twice:
                self._actions.do("zoom", -1)
        elif hit.action in ("row", "request"):
            name, row = hit.argument if isinstance(hit.argument, tuple) else (REQUESTS, hit.argument)
            was = self._actions.clicked_row(name, row, twice=twice)
            act = "mark" if also else "exclude" if not_ else "pick" if was else ""
            if act:
                self._actions.do(act)
        else:
            self._actions.do(hit.action, hit.argument)

    def wheel(self, direction: int) -> None:
        state = self._state
        if state.dialog:
            state.dialog = state.dialog.moved(direction * WHEEL, state.body)
        elif state.mode == "overview":
            state.scroll = max(0, state.scroll + direction * WHEEL)
        else:
            table, shown = state.table, max(1, state.body - HEADS)
            state.firsts[table] = max(0, min(state.firsts.get(table, 0) + direction * WHEEL, len(state.rows) - shown))
            first = state.firsts[table]
            state.cursors[table] = min(max(state.cursors.get(table, 0), first), first + shown - 1)
            state.move(0)
