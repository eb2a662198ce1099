"""Fetches the answers that the screen needs, in threads, from an event loop: one question at a time, the newest one.

A new question interrupts the running one. A new commit does not: otherwise a slow answer would never arrive.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Thread
from typing import Any, TypeVar

from logagg.errors import LogaggError
from logagg.explore.snapshots import Left
from logagg.top import texts
from logagg.top.live import Live
from logagg.top.source import Part, Source
from logagg.top.state import CHART, TOTALS, State

AGAIN = 3.0  # seconds after which failed parts are asked for again

T = TypeVar("T")


async def in_thread(work: Callable[..., T], *arguments: object) -> T:
    """Run a function that blocks, and return its result; its thread does not keep the process alive."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def tell(act: Callable[[Any], None], value: object) -> None:
        if not future.done():
            act(value)

    def run() -> None:
        act: Callable[[Any], None]
        try:
            act, value = future.set_result, work(*arguments)
        except BaseException as error:
            act, value = future.set_exception, error  # type: ignore[assignment]
        with suppress(RuntimeError):  # the loop is closed: the result is no longer needed
            loop.call_soon_threadsafe(tell, act, value)

    Thread(target=run, daemon=True, name="ask").start()
    return await future


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, LogaggError) else f"internal error: {type(error).__name__}: {error}"


@dataclass(slots=True)
class _Question:
    """A running question: the parts that it asks for."""

    parts: Sequence[Part]
    revision: int
    stop: Left = field(default_factory=Left)

    @property
    def keys(self) -> Mapping[str, object]:
        return {part.name: part.key for part in self.parts}

    def end(self) -> None:
        if not self.stop.done():
            self.stop.set_result(None)


class Feed:
    """Keeps a state supplied, and calls `show` when there is something new."""

    def __init__(self, state: State, source: Source, show: Callable[[], None]) -> None:
        self._state, self._source, self._show = state, source, show
        self.live = Live(state, source)
        self._question: _Question | None = None
        self._failed: Mapping[str, object] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_settled(self) -> bool:
        """Whether no part is missing."""
        return self._question is None and not self._tasks and not self._state.parts()

    def want(self) -> None:
        """Ask for the missing parts; interrupt a question about parts that the screen no longer needs."""
        if self._question:
            wanted = {part.name: part.key for part in self._state.parts()}
            if not self._question.keys.items() <= wanted.items():
                self._question.end()
        elif (parts := self._next()) and {part.name: part.key for part in parts} != self._failed:
            self._question = _Question(parts, self._state.revision)
            self._state.busy = True
            self._start(self._load(self._question))

    def _next(self) -> list[Part]:
        """Return the parts of the next question: first the numbers and the chart, then the panels."""
        parts = self._state.parts()
        first = [part for part in parts if part.name in (TOTALS, CHART) and part.name not in self._state.got]
        return first or parts

    async def _load(self, question: _Question) -> None:
        try:
            loaded = await in_thread(self._source.load, self._state.view, question.parts, question.stop)
        except Exception as error:  # shown to the user, even if unexpected: the command goes on
            if not question.stop.done():
                self._state.error, self._failed = _said(error), question.keys
                asyncio.get_running_loop().call_later(AGAIN, self.retry)
        else:
            self._failed = None
            if not question.stop.done():
                self._state.put(question.parts, loaded, question.revision)
        self._question, self._state.busy = None, False
        self._show()

    def retry(self) -> None:
        """Ask again for the failed parts."""
        self._failed = None
        self.want()

    def follow(self) -> None:
        """Look for a new commit, which takes microseconds; if there is one, read what the lake has now."""
        if self.live.is_due():
            self._start(self._told(in_thread(self.live.look)))

    def look_at_tails(self) -> None:
        self._start(self._told(in_thread(self.live.look_at_tails)))

    def read_line(self, row: Mapping[str, Any]) -> None:
        """Search for the log line of a request, and show it in a dialog."""
        waiting = self._state.dialog = texts.line_of(row, None, self._state.width, self._state.zone)

        async def read() -> None:
            found = await in_thread(self._source.line, row)
            if self._state.dialog is waiting:
                self._state.dialog = texts.line_of(row, found, self._state.width, self._state.zone)

        self._start(self._told(read()))

    def stop(self) -> None:
        """Interrupt the running questions."""
        if self._question:
            self._question.end()

    async def _told(self, work: Coroutine[Any, Any, None]) -> None:
        await work
        self._show()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
