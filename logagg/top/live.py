"""Follows the commits of a lake: decides when a new one is shown, and reads the state of the tails."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from logagg.errors import LogaggError
from logagg.explore.windows import refresh_after
from logagg.top.source import Source
from logagg.top.state import State

MINUTE = 60.0  # seconds after which a window that follows the data has moved
PANELS = 60.0  # seconds between two searches for panels, since new data may bring new ones


class Live:
    """Keeps the state of the lake, apart from answers."""

    def __init__(self, state: State, source: Source, clock: Callable[[], float] = time.monotonic) -> None:
        self._state, self._source, self._clock = state, source, clock
        self._shown_at = clock()
        self._searched_at = float("-inf")
        self._has_looked = self._is_looking = False

    def is_due(self) -> bool:
        """Return whether to read the lake: it was never read; or new data, or a moved window, are to be shown.

        Long windows are asked for less often. While the screen is paused, or a question runs, nothing is due.
        """
        state = self._state
        if state.paused or state.busy or self._is_looking:
            return False
        try:
            newest = self._source.commit
        except LogaggError as error:
            state.lost = str(error)
            return False
        state.lost = ""
        if not self._is_time(is_new=state.commits != {newest}):
            return not self._has_looked and self._begin()
        self._shown_at = self._clock()
        state.revision += 1
        return self._begin()

    def _is_time(self, *, is_new: bool) -> bool:
        elapsed, state = self._clock() - self._shown_at, self._state
        has_moved = not state.view.window.until and elapsed >= MINUTE
        return has_moved or (is_new and elapsed >= refresh_after(state.period, state.now))

    def _begin(self) -> bool:
        self._has_looked = self._is_looking = True
        return True

    def look(self) -> None:
        """Read what the lake has now: its panels, and the age of its data. This blocks."""
        thoroughly = self._clock() - self._searched_at > PANELS
        try:
            found = self._source.look(thoroughly=thoroughly)
        except LogaggError as error:
            self._state.lost = str(error)
        else:
            if thoroughly or self._state.lake is None:
                self._searched_at = self._clock() if thoroughly else self._searched_at
                self._state.lake = found
            else:
                self._state.lake = replace(found, panels=self._state.lake.panels)
        finally:
            self._is_looking = False

    def look_at_tails(self) -> None:
        """Read the state of the tails, and which alerts fire. This blocks."""
        try:
            self._state.status = self._source.status()
            self._state.alerts = self._source.alerts()
        except LogaggError as error:
            self._state.lost = str(error)
