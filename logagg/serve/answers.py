"""Computes each answer once for all clients that ask for it, and keeps it until the next commit, within a limit of memory."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from logagg.explore.snapshots import Left

KEPT = 32 << 20  # bytes of answers that are kept, at most


@dataclass(slots=True)
class _Computation:
    """An answer that is being computed, and the number of clients that wait for it."""

    answer: Future[bytes] = field(default_factory=Future)
    left: Left = field(default_factory=Future)
    waiting: int = 0


class Answers:
    """Computes an answer once for all clients that ask for it at the same commit, and keeps it; stops if all of them leave."""

    def __init__(self, most: int = KEPT) -> None:
        self._most, self._bytes = most, 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[object, bytes] = OrderedDict()
        self._computing: dict[object, _Computation] = {}
        self.computed = self.reused = 0

    def get(self, key: object, compute: Callable[[Left], bytes], left: Left) -> bytes:
        """Return the kept answer, else wait for the thread that computes it, else compute it.

        `left` is done when the client no longer waits.
        """
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                self.reused += 1
                return self._kept[key]
            is_first = key not in self._computing
            running = self._computing.setdefault(key, _Computation())
            running.waiting += 1
        left.add_done_callback(lambda _: self._leave(key, running))
        if is_first:
            return self._compute(key, compute, running)
        self.reused += 1
        return running.answer.result()

    def _leave(self, key: object, running: _Computation) -> None:
        with self._lock:
            running.waiting -= 1
            if running.waiting:
                return
            self._end(key, running)  # from now on, a client that asks for it starts a new computation
        running.left.set_result(None)

    def _end(self, key: object, running: _Computation) -> None:
        if self._computing.get(key) is running:
            del self._computing[key]

    def _compute(self, key: object, compute: Callable[[Left], bytes], running: _Computation) -> bytes:
        try:
            found = compute(running.left)
        except BaseException as error:
            running.answer.set_exception(error)
            raise
        else:
            self.computed += 1
            running.answer.set_result(found)
            self._keep(key, found)
            return found
        finally:
            with self._lock:
                self._end(key, running)

    def _keep(self, key: object, found: bytes) -> None:
        with self._lock:
            self._kept[key] = found
            self._bytes += len(found)
            while self._bytes > self._most and self._kept:
                _, dropped = self._kept.popitem(last=False)
                self._bytes -= len(dropped)


class Remembered:
    """Keeps values that change seldom and take long to compute; computes an old one again, once for all threads that ask."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._found: dict[str, tuple[float, Any]] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def get(self, name: str, compute: Callable[[], Any]) -> Any:
        """Return the value; call `compute` for a new one if it is too old."""
        with self._locks[name]:
            at, value = self._found.get(name, (float("-inf"), None))
            if self._clock() - at > self._seconds:
                value = compute()
                self._found[name] = self._clock(), value
            return value
