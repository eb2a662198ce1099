"""Signals, turned into control requests that the main thread handles.

A handler may interrupt anything, even itself, so it takes no lock: it puts a request into a `SimpleQueue`, which is reentrant.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Literal

ControlRequest = Literal["stop", "reload", "ended"]

_SHOW_CURSOR = b"\x1b[?25h\n"


class ControlRequests:
    """The control requests to a run: SIGTERM and SIGINT stop it, SIGHUP reloads, and its own end wakes the main thread."""

    def __init__(self, *, reloads: bool = True) -> None:
        self._leaving = self._stopped = False
        self._queue: queue.SimpleQueue[ControlRequest] = queue.SimpleQueue()
        self._handlers: dict[int, Callable[[int, object], None]] = {
            signal.SIGTERM: self._leave,
            signal.SIGINT: self._leave,
        }
        if reloads:
            self._handlers[signal.SIGHUP] = self._hang_up
        self._terminal = sys.stderr.isatty()

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """Handle signals in the `with` block, in the main thread; afterwards they are ignored, since the run has ended."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        try:
            yield
        finally:
            for number in self._handlers:
                signal.signal(number, signal.SIG_IGN)

    def put(self, request: ControlRequest) -> None:
        self._stopped = self._stopped or request == "stop"
        self._queue.put(request)

    def wait(self, seconds: float) -> ControlRequest | None:
        """Return the next request; None if none comes within these seconds."""
        try:
            return self._queue.get(timeout=seconds)
        except queue.Empty:
            return None

    @property
    def leaving(self) -> bool:
        """Return whether the run is to stop, for threads that do not wait for requests."""
        return self._stopped

    def _leave(self, number: int, _frame: object) -> None:
        """Request a last flush and the end; at a second signal, exit at once. Nothing is lost."""
        if self._leaving:
            if self._terminal:
                with suppress(OSError):
                    os.write(sys.stderr.fileno(), _SHOW_CURSOR)
            os._exit(128 + number)
        self._leaving = True
        self.put("stop")

    def _hang_up(self, number: int, frame: object) -> None:
        """Request a reload; if the signal means that the terminal was closed, stop instead."""
        if self._terminal and not sys.stderr.isatty():
            self._leave(number, frame)
        else:
            self.put("reload")
