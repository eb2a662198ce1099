"""The progress of a merge, for observers, and the request to stop it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from logagg.clock import Clock, SystemClock
from logagg.errors import MergeStopped
from logagg.notices import Report, ignore, merge_goes_on
from logagg.quantities import counted

LONG = 10.0  # seconds after which a merge is reported; further notices follow each time its duration has doubled
REFRESH = 0.5  # seconds between calls of the observer


class MergeProgress:
    """The progress of a lake's merges, one at a time. Other threads may read it, and stop the merge in progress."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.rows = 0  # read by all merges
        self.text = ""  # of one that takes a while, for a status line
        self.watch: Callable[[], None] = lambda: None  # called now and then while one is under way
        self.notice: Report = ignore
        self.leaving: Callable[[], bool] = lambda: False  # if it returns True, merges stop
        self._stopped = False
        self._clock = clock or SystemClock()
        self._doing, self._name, self._done, self._total = "", "", 0, 0
        self._began = self._look_at = self._tell_at = 0.0

    @property
    def stops(self) -> bool:
        """Tell whether merges are to stop."""
        return self._stopped or self.leaving()

    def stop(self) -> None:
        """Make the merge in progress, and later ones, raise MergeStopped, until `go_on` is called."""
        self._stopped = True

    def go_on(self) -> None:
        self._stopped = False

    @contextmanager
    def of(self, name: str, rows: int, doing: str = "merging") -> Iterator[None]:
        """Track a merge of `rows` rows of a rollup in the `with` block, or what else is done with them."""
        self._doing, self._name, self._done, self._total = doing, name, 0, rows
        self._began = self._clock.monotonic()
        self._look_at, self._tell_at = self._began + REFRESH, self._began + LONG
        try:
            yield
        finally:
            self.text = ""

    def read(self, rows: int) -> None:
        """Record that the merge has read `rows` more rows. Raises MergeStopped if it is to stop."""
        if self.stops:
            raise MergeStopped(f"{self._doing} {self._name} was stopped", "nothing is lost, it can be done again")
        self._done, self.rows = self._done + rows, self.rows + rows
        if (now := self._clock.monotonic()) >= self._look_at:
            self._look_at = now + REFRESH
            self.text = f"{self._doing} {self._name}: {self._done:,} of {counted(self._total, 'row')}"
            self.watch()
        if now >= self._tell_at:
            self._tell_at = now + now - self._began
            self.notice(merge_goes_on(self._name, self._done, self._total, now - self._began))
