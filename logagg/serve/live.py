"""Server-sent events: tell all open pages of each new commit, and of what the tail's light shows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

LOOK = 0.2  # seconds between two looks at the lake
STATUS = 2.0  # seconds between two looks at the tail
PING = 15.0  # seconds after which a comment keeps the connection alive
MOST = 1_000  # pages at a time


@dataclass(frozen=True, slots=True)
class Event:
    """An event for the pages: `commit` or `status`, and its data."""

    kind: str
    commit: int
    data: dict[str, Any]

    def encoded(self) -> bytes:
        return f"event: {self.kind}\nid: {self.commit}\ndata: {json.dumps(self.data)}\n\n".encode()


class Announcer:
    """Looks at the lake for all pages, and wakes them; runs while there is a page."""

    def __init__(self, commit: Callable[[], dict[str, Any]], status: Callable[[], dict[str, Any]]) -> None:
        """`commit` gives the newest commit, `status` what the light shows; both block, and are called in threads.

        Their data must not change while nothing happens, as an age would: each change is told.
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
        """Yield the events of one page until it goes away: first the present state, then each change."""
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
        """Look until no page is left."""
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
