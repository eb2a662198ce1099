"""The picture in a terminal, by Textual: keys and the mouse to actions, answers from threads, new commits.

Nothing here knows what is in the picture: Textual's part is the terminal, its events and what changes of its lines.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Thread
from typing import Any, TypeVar

from rich.segment import Segment
from textual import events
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from logagg.errors import LogaggError
from logagg.explore.snapshots import Left
from logagg.top import screen, texts
from logagg.top.actions import Actions
from logagg.top.live import Live
from logagg.top.pointer import Pointer
from logagg.top.presses import pressed
from logagg.top.source import Part, Source
from logagg.top.spans import Line, Picture
from logagg.top.state import CHART, TOTALS, State
from logagg.top.styles import style_of

LOOK = 0.5  # seconds between two looks for a commit
STATUS = 5.0  # seconds between two looks at the tails
AGAIN = 3.0  # seconds after which what failed is asked for again
RIGHT = 3  # button of the mouse
NARROWEST, LOWEST = 20, 4  # of what is drawn; a smaller terminal shows a part of it
_ENDS = (signal.SIGTERM, signal.SIGHUP)

T = TypeVar("T")


class Canvas(Widget, can_focus=True):
    """The whole screen, line by line, and all that the terminal reports."""

    ALLOW_SELECT = False

    def __init__(self, top: Top) -> None:
        super().__init__()
        self._top = top
        self.picture = Picture([])

    def show(self, picture: Picture) -> None:
        """Show a picture; only lines that differ are written."""
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
        self._top.pointer.down(event.x, event.y)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        self._top.act(lambda: self._top.pointer.up(self.picture.hits, event.x, event.y))

    def on_click(self, event: events.Click) -> None:
        hits, also, not_ = self.picture.hits, event.ctrl, event.meta or event.button == RIGHT
        self._top.act(
            lambda: self._top.pointer.click(hits, event.x, event.y, also=also, not_=not_, twice=event.chain == 2)
        )

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._top.act(lambda: self._top.pointer.wheel(1))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._top.act(lambda: self._top.pointer.wheel(-1))


def strip_of(line: Line) -> Strip:
    """Return a line as Textual has it. Texts are segments as they are: nothing in them is markup."""
    return Strip([Segment(span.text, style_of(span.style)) for span in line if span.text])


async def in_thread(work: Callable[..., T], *arguments: object) -> T:
    """Return what a function returns that blocks; its thread does not keep the process from ending."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def tell(act: Callable[[Any], None], value: object) -> None:
        if not future.done():
            act(value)

    def run() -> None:
        try:
            act, value = future.set_result, work(*arguments)
        except BaseException as error:
            act, value = future.set_exception, error  # type: ignore[assignment]
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell, act, value)

    Thread(target=run, daemon=True, name="ask").start()
    return await future


@dataclass(slots=True)
class _Running:
    """Parts that are being asked for."""

    parts: Sequence[Part]
    revision: int
    stop: Left = field(default_factory=Left)

    @property
    def names(self) -> Mapping[str, object]:
        return {part.name: part.key for part in self.parts}

    def end(self) -> None:
        if not self.stop.done():
            self.stop.set_result(None)


class Top(App[None], inherit_bindings=False):
    """The command's process while there is a terminal."""

    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    CSS = "Screen, Canvas { background: ansi_default; color: ansi_default; } Canvas { width: 100%; height: 100%; }"

    def __init__(self, state: State, source: Source) -> None:
        super().__init__(ansi_color=True)
        self.state, self.source = state, source
        self.actions = Actions(state, self)
        self.pointer = Pointer(state, self.actions)
        self.live = Live(state, source)
        state.colored = not self.no_color
        self.canvas = Canvas(self)
        self._running: _Running | None = None
        self._failed: Mapping[str, object] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def compose(self) -> ComposeResult:
        yield self.canvas

    def on_mount(self) -> None:
        for number in _ENDS:
            asyncio.get_running_loop().add_signal_handler(number, self._end, number)
        self.set_interval(LOOK, self._look)
        self.set_interval(STATUS, self._ask_status)
        self._ask_status()

    # Drawing

    def renew(self) -> None:
        """Show the state as it is now, and ask for what is missing."""
        self.canvas.show(screen.drawn(self.state))
        self._want()

    @property
    def is_settled(self) -> bool:
        """Whether all that is wanted is there."""
        return self._running is None and not self._tasks and not self.state.parts()

    # Asking

    def _want(self) -> None:
        """Ask for what is not there; what nobody wants any more is interrupted."""
        parts = self._next()
        if self._running:
            wanted = {part.name: part.key for part in self.state.parts()}
            if not self._running.names.items() <= wanted.items():
                self._running.end()
        elif parts and {part.name: part.key for part in parts} != self._failed:
            self._running = _Running(parts, self.state.revision)
            self._start(self._load(self._running))

    def _next(self) -> list[Part]:
        """Return what is asked for next: at first the numbers and the chart, then the panels."""
        parts = self.state.parts()
        first = [part for part in parts if part.name in (TOTALS, CHART) and part.name not in self.state.got]
        return first or parts

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _load(self, running: _Running) -> None:
        try:
            loaded = await in_thread(self.source.load, self.state.view, running.parts, running.stop)
        except LogaggError as error:
            self._fail(running, error)
        else:
            self._failed = None
            if not running.stop.done():
                self.state.put(running.parts, loaded.answers, loaded.scope, running.revision)
        self._running = None
        self.renew()

    def _fail(self, running: _Running, error: LogaggError) -> None:
        if not running.stop.done():
            self.state.error, self._failed = str(error), running.names
            self.set_timer(AGAIN, self._retry)

    def _retry(self) -> None:
        self._failed = None
        self._want()

    # Following

    def _look(self) -> None:
        """Look for a commit, which takes microseconds, and show the age of the data."""
        if self.live.is_due():
            self._start(self._follow())
        self.canvas.show(screen.with_head(self.state, self.canvas.picture))

    async def _follow(self) -> None:
        await in_thread(self.live.look)
        self.renew()

    def _ask_status(self) -> None:
        self._start(self._status())

    async def _status(self) -> None:
        await in_thread(self.live.look_at_tails)
        self.canvas.show(screen.drawn(self.state))

    # Keys and mouse

    def resized(self, width: int, height: int) -> None:
        self.state.width, self.state.height = max(NARROWEST, width), max(LOWEST, height)
        for table in list(self.state.cursors):
            self.state.place(table)
        screen.reveal(self.state)
        self.renew()

    def press(self, key: str, text: str) -> None:
        pressed(self.state, self.actions, key, text)

    def act(self, do: Callable[[], None]) -> None:
        """Do something, and show what came of it."""
        try:
            do()
        except LogaggError as error:
            self.state.message = str(error)
        self.renew()

    # What actions ask of their host

    def leave(self) -> None:
        if self._running:
            self._running.end()
        self.exit()

    def _end(self, number: int) -> None:
        self.exit(return_code=128 + number)

    def copy(self, text: str) -> None:
        self.copy_to_clipboard(text)

    def read_line(self, row: Mapping[str, Any]) -> None:
        waiting = self.state.dialog = texts.line_of(row, None, self.state.width, self.state.zone)
        self._start(self._read_line(row, waiting))

    async def _read_line(self, row: Mapping[str, Any], waiting: object) -> None:
        found = await in_thread(self.source.line, row)
        if self.state.dialog is waiting:
            self.state.dialog = texts.line_of(row, found, self.state.width, self.state.zone)
        self.renew()
