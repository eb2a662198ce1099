"""The display of a tail: a progress bar with `--once`, a status line while it follows, a summary at the end."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from logagg.clock import Clock
from logagg.lake.progress import MergeProgress
from logagg.notice_log import show
from logagg.quantities import counted, size
from logagg.tail.stats import Tally

if TYPE_CHECKING:
    from rich.progress import Progress


class StatusLine:
    """Redraws one line on a terminal; writes nothing anywhere else."""

    def __init__(self, tally: Tally, clock: Clock, enabled: bool, stream: TextIO | None = None) -> None:
        self._tally, self._clock = tally, clock
        self._stream = stream or sys.stderr
        self._live = enabled and self._stream.isatty()
        self._seen = (clock.monotonic(), 0)

    def refresh(self, backlog: int, merging: str = "") -> None:
        if not self._live:
            return
        then, lines = self._seen
        self._seen = (self._clock.monotonic(), self._tally.lines)
        rate = (self._tally.lines - lines) / max(self._seen[0] - then, 1e-3)
        rejects = sum(self._tally.rejects.values())
        behind = f", {size(backlog)} behind" if backlog else ""
        text = f"{counted(self._tally.lines, 'line')}, {rate:,.0f}/s, {counted(rejects, 'reject')}{behind}"
        text += f", {merging}" if merging else ""
        show(text[: self._width() - 1], self._stream)

    def _width(self) -> int:
        """Return the terminal's width: a longer line would wrap, and could not be cleared."""
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or 80
        except (OSError, ValueError):
            return 80

    def close(self) -> None:
        if self._live:
            show("", self._stream)


class CatchUpBar:
    """A progress bar over the bytes to be read, on a terminal only."""

    def __init__(self, tally: Tally, enabled: bool) -> None:
        self._tally, self._total = tally, 0
        self._bar: Progress | None = None
        if enabled and sys.stderr.isatty():
            self._bar = _new_bar()
            self._task = self._bar.add_task("", total=None, lines=0)
            self._bar.start()

    def refresh(self, backlog: int, merging: str = "") -> None:  # the bar is about reading
        if self._bar:
            done = self._tally.bytes
            # Bytes in the pipeline are in neither; and the bar forgets the speed whenever its total changes.
            self._total = max(self._total, done + backlog)
            self._bar.update(self._task, completed=done, total=self._total or None, lines=self._tally.lines)

    def close(self) -> None:
        if self._bar:
            self._bar.stop()


def _new_bar() -> Progress:
    # Imported only for a terminal: the import takes as long as reading 100,000 lines.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = TextColumn("{task.fields[lines]:,} lines"), BarColumn(), TransferSpeedColumn(), TimeRemainingColumn()
    return Progress(*columns, console=Console(stderr=True), transient=True)


@contextmanager
def merge_line(merging: MergeProgress, enabled: bool) -> Iterator[None]:
    """Show the progress of long merges on a terminal in the `with` block."""
    if not enabled or not sys.stderr.isatty():
        yield
        return
    merging.watch = lambda: show(merging.text, sys.stderr)
    try:
        yield
    finally:
        merging.watch = lambda: None
        show("", sys.stderr)


def summary(tally: Tally, seconds: float, lake: Path) -> Iterable[str]:
    """Yield the lines of the summary: the counts of the run, and the commands to type next."""
    rate = tally.lines / max(seconds, 1e-3)
    yield f"{counted(tally.lines, 'line')} ({size(tally.bytes)}) in {seconds:.1f} s, {rate:,.0f} lines/s"
    if tally.kinds:
        yield "events:  " + _counts(tally.kinds.most_common())
    if tally.rejects:
        yield "rejects: " + _counts(tally.rejects.most_common())
    where = "" if lake == Path("lake") else f" --lake {lake}"
    yield f"lake:    {lake}"
    yield f"next:    logagg report overview{where}   or   logagg sql{where} 'SELECT * FROM pages LIMIT 10'"


def _counts(pairs: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in pairs)
