"""The picture in a terminal, by Textual: it passes keys and the mouse to the actions, and shows answers and new commits.

This module knows nothing of the picture's content: it only draws lines, and only those that have changed.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping
from typing import Any

from rich.segment import Segment
from textual import events
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from logagg.errors import LogaggError
from logagg.top import screen
from logagg.top.actions import Actions
from logagg.top.feed import Feed
from logagg.top.pointer import Pointer
from logagg.top.presses import pressed
from logagg.top.source import Source
from logagg.top.spans import Line, Picture
from logagg.top.state import State
from logagg.top.styles import style_of

LOOK = 0.5  # seconds between two looks for a commit
STATUS = 5.0  # seconds between two readings of the tails' state
RIGHT = 3  # the number of the right mouse button
NARROWEST, LOWEST = 20, 4  # cells and lines of the picture, at least; a smaller terminal shows a part of it
_ENDS = (signal.SIGTERM, signal.SIGHUP)


class Canvas(Widget, can_focus=True):
    """Draws the whole screen, line by line, and receives all events of the terminal."""

    ALLOW_SELECT = False

    def __init__(self, top: Top) -> None:
        super().__init__()
        self._top = top
        self.picture = Picture([])

    def show(self, picture: Picture) -> None:
        """Show a picture; write only the lines that differ from the last one."""
        before, self.picture = self.picture, picture
        if before.height != picture.height:
            self.refresh()
            return
        pairs = zip(before.lines, picture.lines, strict=True)
        changed = [place for place, (old, new) in enumerate(pairs) if old != new]
        if changed:
            self.refresh(*(Region(0, place, self.size.width, 1) for place in changed))

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        return strip_of(self.picture.lines[y]).crop(0, width) if y < self.picture.height else Strip.blank(width)

    def on_resize(self, event: events.Resize) -> None:
        self._top.resized(event.size.width, event.size.height)

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        text = event.character if event.is_printable and event.character else ""
        self._top.act(lambda: self._top.press(event.key if text in ("", " ") else text, text))

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        if self._top.state.prompt:
            self._top.act(lambda: self._top.press("", " ".join(event.text.split())))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        self._top.mouse.down(event.x, event.y)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        self._top.act(lambda: self._top.mouse.up(self.picture.hits, event.x, event.y))

    def on_click(self, event: events.Click) -> None:
        hits, also, not_ = self.picture.hits, event.ctrl, event.meta or event.button == RIGHT
        self._top.act(
            lambda: self._top.mouse.click(hits, event.x, event.y, also=also, not_=not_, twice=event.chain == 2)
        )

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._top.act(lambda: self._top.mouse.wheel(1))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._top.act(lambda: self._top.mouse.wheel(-1))


def strip_of(line: Line) -> Strip:
    """Return a line as Textual's strip. Each text becomes a segment unchanged, so markup in it has no effect."""
    return Strip([Segment(span.text, style_of(span.style)) for span in line if span.text])


class Top(App[None], inherit_bindings=False):
    """Runs the command while it has a terminal."""

    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    CSS = "Screen, Canvas { background: ansi_default; color: ansi_default; } Canvas { width: 100%; height: 100%; }"

    def __init__(self, state: State, source: Source) -> None:
        super().__init__(ansi_color=True)
        self.state = state
        self.feed = Feed(state, source, self.renew)
        self.actions = Actions(state, self)
        self.mouse = Pointer(state, self.actions)
        self.canvas = Canvas(self)
        state.colored = not self.no_color

    def compose(self) -> ComposeResult:
        yield self.canvas

    def on_mount(self) -> None:
        for number in _ENDS:
            asyncio.get_running_loop().add_signal_handler(number, self.end_by, number)
        self.set_interval(LOOK, self.look)
        self.set_interval(STATUS, self.feed.look_at_tails)
        self.feed.look_at_tails()

    def renew(self) -> None:
        """Show the state as it is now, and ask for what is missing."""
        self.canvas.show(screen.drawn(self.state))
        self.feed.want()

    def look(self) -> None:
        """Look for a commit, and show the age of the data."""
        self.feed.follow()
        self.canvas.show(screen.with_head(self.state, self.canvas.picture))

    def resized(self, width: int, height: int) -> None:
        self.state.width, self.state.height = max(NARROWEST, width), max(LOWEST, height)
        for table in list(self.state.cursors):
            self.state.place(table)
        screen.reveal(self.state)
        self.renew()

    def press(self, key: str, text: str) -> None:
        pressed(self.state, self.actions, key, text)

    def act(self, do: Callable[[], None]) -> None:
        """Run an action, and show its result."""
        try:
            do()
        except LogaggError as error:
            self.state.message = str(error)
        self.renew()

    # The methods of the host of actions

    def leave(self) -> None:
        self.feed.stop()
        self.exit()

    def end_by(self, number: int) -> None:
        """End with the exit status of a process that this signal ends, but restore the terminal first."""
        self.feed.stop()
        self.exit(return_code=128 + number)

    def copy(self, text: str) -> None:
        self.copy_to_clipboard(text)

    def read_line(self, row: Mapping[str, Any]) -> None:
        self.feed.read_line(row)
