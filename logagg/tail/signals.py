"""Signals, turned into requests that the main thread heeds when it comes to them.

A handler may interrupt anything, itself included, so it takes no lock: it puts a word into a queue made for that.
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
    """What a running tail was asked: by SIGTERM and SIGINT to stop, by SIGHUP to reload, by its own end to see that it has come."""

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
        """Heed signals of a process in its main thread; afterwards all that they could ask for is done, or has failed."""
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
        """Tell whether we were asked to stop, for those who do other things than wait for requests."""
        return self._stopped

    def _leave(self, number: int, _frame: object) -> None:
        """Ask for a last flush, a commit, the end. A second time: the end at once; nothing is lost."""
        if self._leaving:
            if self._terminal:
                with suppress(OSError):
                    os.write(sys.stderr.fileno(), _SHOW_CURSOR)
            os._exit(128 + number)
        self._leaving = True
        self.put("stop")

    def _hang_up(self, number: int, frame: object) -> None:
        """Reload; but when it is the terminal that hung up, nobody looks on any more."""
        if self._terminal and not sys.stderr.isatty():
            self._leave(number, frame)
        else:
            self.put("reload")
