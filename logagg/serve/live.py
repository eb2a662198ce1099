"""Server-sent events: report each new commit, and each change of the tail's light, to all open pages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

LOOK = 0.2  # seconds between two looks at the lake
STATUS = 2.0  # seconds between two looks at the tail
PING = 15.0  # seconds after which a comment keeps the connection alive
MOST = 1_000  # open pages at a time


@dataclass(frozen=True, slots=True)
class Event:
    """An event for the pages: its kind, `commit` or `status`, and its data."""

    kind: str
    commit: int
    data: dict[str, Any]

    def encoded(self) -> bytes:
        return f"event: {self.kind}\nid: {self.commit}\ndata: {json.dumps(self.data)}\n\n".encode()


class Announcer:
    """Watches the lake for all open pages, and sends them events; runs only while a page is open."""

    def __init__(self, commit: Callable[[], dict[str, Any]], status: Callable[[], dict[str, Any]]) -> None:
        """`commit` returns the newest commit, `status` the state of the light; both block, so threads call them.

        Every change of their data becomes an event, so the data must have no ages, which change all the time.
        """
        self._commit, self._status = commit, status
        self._pages: set[asyncio.Queue[Event]] = set()
        self._task: asyncio.Task[None] | None = None
        self._last: dict[str, Event] = {}

    @property
    def pages(self) -> int:
        return len(self._pages)

    @property
    def is_full(self) -> bool:
        return len(self._pages) >= MOST

    async def events(self) -> AsyncIterator[bytes]:
        """Yield the events for one page until it closes: first the present state, then each change."""
        queue: asyncio.Queue[Event] = asyncio.Queue(maxsize=8)
        self._pages.add(queue)
        try:
            if self._task is None or self._task.done():
                self._last.clear()
                self._task = asyncio.create_task(self._look())
            yield b"retry: 2000\n\n"
            for event in list(self._last.values()):
                yield event.encoded()
            while True:
                try:
                    event = await asyncio.wait_for(queue.get(), PING)
                    yield event.encoded()
                except TimeoutError:
                    yield b": still here\n\n"
        finally:
            self._pages.discard(queue)

    async def _look(self) -> None:
        """Look again and again, until no page is open."""
        elapsed = STATUS
        while self._pages:
            await self._tell("commit", self._commit)
            if elapsed >= STATUS:
                elapsed = 0.0
                await self._tell("status", self._status)
            await asyncio.sleep(LOOK)
            elapsed += LOOK

    async def _tell(self, kind: str, look: Callable[[], dict[str, Any]]) -> None:
        data = await asyncio.to_thread(look)
        event = Event(kind, data.get("commit") or 0, data)
        if event == self._last.get(kind):
            return
        self._last[kind] = event
        for queue in self._pages:
            if queue.full():  # a page that does not read gets only the newest event
                queue.get_nowait()
            queue.put_nowait(event)
