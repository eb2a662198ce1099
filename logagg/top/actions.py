"""The effect of each key and each click on the state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any, Protocol

from logagg.explore import figures
from logagg.explore.attributed import DESCRIPTIONS
from logagg.explore.view import Pill, View, sorts_of
from logagg.explore.windows import PRESETS, Window, last_of, moved, narrowed, widened
from logagg.query.times import zone_of
from logagg.top import board, screen, texts
from logagg.top.dialogs import Choice, Dialog, Prompt
from logagg.top.state import CHART, REQUESTS, State, Values

SPLITS = (("kind", False), ("status_class", False), ("kind", True))


class Host(Protocol):
    """The host of actions that change more than the state."""

    def leave(self) -> None:
        """End the command."""

    def read_line(self, row: Mapping[str, Any]) -> None:
        """Search for the log line of a request, and show it once it is found."""

    def copy(self, text: str) -> None:
        """Copy a text to the clipboard."""


class Actions:
    """The actions by name."""

    def __init__(self, state: State, host: Host) -> None:
        self.state, self.host = state, host

    def do(self, action: str, argument: Any = None) -> None:
        """Do an action of the table of keys, or of a click."""
        getattr(self, f"do_{action}")(argument)

    # The page

    def do_quit(self, _: object) -> None:
        self.host.leave()

    def do_pause(self, _: object) -> None:
        self.state.paused = not self.state.paused

    def do_reload(self, _: object) -> None:
        self.state.revision += 1

    def do_help(self, _: object) -> None:
        self.state.dialog = texts.help_of(self.state.width)

    def do_trouble(self, _: object) -> None:
        self.state.dialog = texts.status_of(self.state)

    def do_alerts(self, _: object) -> None:
        self.state.dialog = texts.alerts_of(self.state)

    def do_compare(self, _: object) -> None:
        self.state.go(self.state.view.next_compare())

    def do_bots(self, _: object) -> None:
        self.state.go(self.state.view.next_bots())

    def do_model(self, _: object) -> None:
        self.state.go(self.state.view.next_model())
        self.state.message = f"Conversions are credited to: {DESCRIPTIONS[self.state.view.model]}."

    def do_split(self, _: object) -> None:
        state = self.state
        place = next(
            (place for place, one in enumerate(SPLITS) if one[0] == state.view.split and one[1] == state.latency), 0
        )
        split, state.latency = SPLITS[(place + 1) % len(SPLITS)]
        state.view = replace(state.view, split=split)

    def do_zone(self, _: object) -> None:
        """Switch between UTC and the time zone of the start; if that is UTC, between UTC and the zone of the machine."""
        home = self.state.home if self.state.home != "UTC" else zone_of("").key
        self.state.go(replace(self.state.view, zone="UTC" if self.state.view.zone != "UTC" else home))

    def do_sql(self, _: object) -> None:
        """Show the SQL of the table that has the keys; in a dialog that shows SQL, copy it."""
        if self.state.dialog and self.state.dialog.copied:
            self.host.copy(self.state.dialog.copied)
            self.state.message = "The SQL is copied, if the terminal permits it (OSC 52)."
        else:
            self.state.dialog = texts.sql_of(self.state)

    def do_explain(self, name: str) -> None:
        self.state.dialog = texts.total_of(self.state, name)

    # The window

    def do_window(self, _: object) -> None:
        choices = [Choice(one.key, one.title, self._to(one.window)) for one in PRESETS]
        current = next((place for place, one in enumerate(PRESETS) if one.window == self.state.view.window), 0)
        choices.append(Choice("T", "from and to …", lambda: self.do_custom(None)))
        if (lake := self.state.lake) and lake.newest:
            choices.append(Choice("a", "the last 24 hours of the lake", self._to(last_of(lake.newest))))
        self.state.dialog = Dialog("Window", choices=choices, cursor=current)

    def _to(self, window: Window) -> Callable[[], None]:
        return lambda: self.state.go(replace(self.state.view, window=window))

    def do_custom(self, _: object) -> None:
        def done(text: str | None) -> None:
            if text and text.strip():
                self._to(Window.written(text))()

        self.state.prompt = Prompt("From, or from to:", str(self.state.view.window), done)

    def do_shift(self, direction: int) -> None:
        state = self.state
        self._to(moved(state.view.window, state.period, direction, state.now))()

    def do_zoom(self, direction: int) -> None:
        state = self.state
        window = narrowed(state.period) if direction > 0 else widened(state.period, state.now)
        if window is None:
            state.message = "The window is as short as it can be."
        else:
            self._to(window)()

    def do_drag(self, buckets: tuple[int, int]) -> None:
        """Narrow the window to the buckets that were dragged over."""
        answer = self.state.answer(CHART)
        if answer is None:
            return
        starts, grain = answer["ts"], timedelta(seconds=answer["grain"])
        first, last = (starts[min(max(0, one), len(starts) - 1)] for one in sorted(buckets))
        end = min(last.astimezone(UTC) + grain, max(self.state.now, first + grain))
        self._to(Window.between(first, end))()

    # Panels

    def do_panel(self, step: int | str) -> None:
        """Go to the panel with this name, or `step` panels further; a click on the panel that has the keys shows it alone."""
        state = self.state
        names = [one.name for one in state.panels]
        if isinstance(step, str):
            return self.do_full(None) if step == state.table else self._choose(step)
        if names:
            place = names.index(state.table) if state.table in names else 0
            self._choose(names[(place + step) % len(names)])

    def _choose(self, name: str) -> None:
        self.state.current = name
        screen.reveal(self.state)

    def do_beside(self, step: int) -> None:
        state = self.state
        row = next(([one.name for one in row] for row in state.grid if state.panel in row), [])
        if state.mode == "overview" and row and 0 <= (place := row.index(state.table) + step) < len(row):
            self._choose(row[place])

    def do_number(self, number: int) -> None:
        if number <= len(self.state.panels):
            self.state.mode = "overview" if self.state.mode == "requests" else self.state.mode
            self._choose(self.state.panels[number - 1].name)

    def do_expand(self, _: object) -> None:
        self.state.expanded ^= {self.state.table}
        self.state.place(self.state.table)
        screen.reveal(self.state)

    def do_full(self, _: object) -> None:
        state = self.state
        if state.mode == "panel":
            state.back()
        elif state.mode == "overview" and state.panel:
            state.go(mode="panel", current=state.panel.name)
        state.place(state.table)

    def do_sort(self, name: object) -> None:
        """Show the menu of measures; after a click on a column's head, sort by that column."""
        state = self.state
        if isinstance(name, tuple):
            clicked = next(one for one in state.panels if one.name == name[0])
            state.current = clicked.name
            return state.sort(state.view.sorted_by(clicked, name[1]))
        if not (panel := state.panel) or state.mode == "requests":
            return
        sorts, current = sorts_of(panel, compared=state.compared), state.view.sort_of(panel)[0]
        choices = [Choice(str(place), _title(one), self._sorting(panel, one)) for place, one in enumerate(sorts, 1)]
        at = sorts.index(current) if current in sorts else 0
        state.dialog = Dialog(f"Sort {panel.title.lower()} by", choices=choices, cursor=at)

    def _sorting(self, panel: Any, measure: str) -> Callable[[], None]:
        def sort() -> None:
            if self.state.view.sort_of(panel)[0] != measure:
                self.state.sort(self.state.view.sorted_by(panel, measure))

        return sort

    def do_measure(self, direction: int) -> None:
        if self.state.panel and self.state.mode != "requests":
            self.state.sort(self.state.view.sorted_by_next(self.state.panel, direction))

    def do_reverse(self, _: object) -> None:
        state = self.state
        if state.panel and state.mode != "requests":
            state.sort(state.view.sorted_by(state.panel, state.view.sort_of(state.panel)[0]))

    def do_search(self, _: object) -> None:
        state, panel = self.state, self.state.panel
        if not panel or state.mode == "requests":
            return
        before = state.searches.get(panel.name, "")

        def change(text: str) -> None:
            state.searches[panel.name] = text[:1000]
            state.cursors[panel.name] = 0

        state.prompt = Prompt(
            f"Search {panel.title.lower()}:", before, lambda text: change(before) if text is None else None, change
        )

    # Rows

    def do_row(self, rows: int) -> None:
        self.state.move(rows)

    def do_page(self, direction: int) -> None:
        state = self.state
        panel = state.panel
        shown = state.rows_of(panel) if panel and state.mode != "requests" else state.body - board.HEADS
        state.move(direction * max(1, shown - 1))

    def do_pick(self, _: object) -> None:
        """Filter by all values of the row, or of the marked rows; if they are the filter already, remove it."""
        if self.state.mode == "requests":
            return self.host.read_line(self.state.row) if self.state.row else None
        if screen.is_nothing(self.state):
            lake = self.state.lake
            return self._to(last_of(lake.newest))() if lake and lake.newest else None
        values, view = self._chosen(), self.state.view
        if all(Pill(*value) in view.pills for value in values):
            for value in values:
                view = view.without(Pill(*value))
        else:
            view = _filtered(view, values)
        self._filter(view)

    def do_mark(self, _: object) -> None:
        """Mark the row, or remove its mark, and go to the next row."""
        state = self.state
        if values := self._values():
            state.marks.setdefault(state.table, set()).symmetric_difference_update({values})
        state.move(1)

    def do_exclude(self, _: object) -> None:
        """Exclude the first value of the row, or the first values of the marked rows."""
        view, chosen = self.state.view, self._chosen()
        for value in chosen:
            view = view.exclude(*value) if chosen and value[0] == chosen[0][0] else view
        self._filter(view)

    def _filter(self, view: View) -> None:
        if self.state.row is not None and not self._chosen():
            names = ", ".join(self.state.panel.dimensions if self.state.panel else ())
            self.state.message = f"There is no filter for {names}."
        self.state.go(view)

    def _chosen(self) -> Values:
        """Return the values of the marked rows; without marks, of the current row."""
        marks = self.state.marks.get(self.state.table) if self.state.mode != "requests" else None
        return tuple(dict.fromkeys(value for values in sorted(marks) for value in values)) if marks else self._values()

    def _values(self) -> Values:
        """Return those values of the row that a filter can use."""
        state, row = self.state, self.state.row
        return state.values_of(state.panel, row) if row is not None and state.panel and state.mode != "requests" else ()

    def do_requests(self, _: object) -> None:
        """Show the requests of the row."""
        state = self.state
        if state.mode == "requests":
            return
        state.go(_filtered(state.view, self._chosen()), mode="requests")
        state.cursors[REQUESTS] = 0

    def do_back(self, _: object) -> None:
        state = self.state
        if state.mode != "requests" and state.searches.pop(state.table, ""):
            return
        if not state.back():
            state.message = "There is nothing to undo; q quits."

    def do_clear(self, _: object) -> None:
        self.state.searches.clear()
        self.state.go(self.state.view.unfiltered())

    def do_flip(self, pill: object) -> None:
        """Negate the filter that was clicked, else the last filter."""
        pills = self.state.view.pills
        chosen = pill if isinstance(pill, Pill) else pills[-1] if pills else None
        if chosen:
            self.state.go(self.state.view.flip(chosen))

    def do_remove(self, pill: Pill) -> None:
        self.state.go(self.state.view.without(pill))

    def do_close(self, _: object) -> None:
        self.state.dialog = None

    def do_choose(self, place: int) -> None:
        """Choose an entry of the menu."""
        dialog, self.state.dialog = self.state.dialog, None
        if dialog:
            dialog.choices[place].do()

    def clicked_row(self, name: str, row: int, *, twice: bool) -> bool:
        """Move the cursor to a row; return whether it was there already."""
        state = self.state
        was = state.table == name and state.cursors.get(name, 0) == row
        if name != REQUESTS:
            state.current = name
        state.cursors[name] = row
        state.place(name)
        return was or twice


def _filtered(view: View, values: Values) -> View:
    """Return a view whose filters on the dimensions of these values are exactly these values."""
    dimensions = {dimension for dimension, _ in values}
    for pill in view.pills:
        if pill.dimension in dimensions and not pill.excluded:
            view = view.without(pill)
    for value in values:
        view = view.also(*value)
    return view


def _title(name: str) -> str:
    return "Change" if name == "change" else figures.shown(name).title
