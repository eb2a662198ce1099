"""What a process that tails sets for itself, before it starts threads: less memory, a quicker start."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import sys
import threading
from collections.abc import Callable

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # of glibc's malloc.h
ARENAS = 2
OWN_MAPPING = 32 << 20  # bytes that are worth asking the system for; what is smaller comes from the heap
LOOK = 0.05  # seconds between looks at how much memory the process has
STEP = 16 << 20  # bytes more than it could return last time, before it tries again


def settle() -> None:
    """Make this process a frugal one; call it before numpy and Arrow are imported. It can make no data frames afterwards."""
    os.environ.setdefault(
        "OPENBLAS_NUM_THREADS", "1"
    )  # nothing here multiplies matrices, but its threads spin at the start
    gc.set_threshold(100_000, 50, 100)  # few objects, all of them columns: looking for cycles among them is a waste
    _share_one_heap()
    _do_without_pandas()
    _meet_numpy()


def _share_one_heap() -> None:
    """Have numpy and Arrow use one heap of few arenas.

    Otherwise each thread gets an arena, and Arrow a pool of its own, and all of them keep what they once needed
    (1 million lines on 2 cores: 790 MB at most instead of 540 MB, and a third of the page faults). What is freed stays with
    the heap, which the stages need again at once, until `Heap.tidy` returns it (a quarter fewer page faults). The variable
    rather than `pa.set_memory_pool`, which Parquet's writers do not ask (60 MB less, half of the system's time).
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc's; others have one heap anyway
    if mallopt:
        mallopt(_M_ARENA_MAX, ARENAS)
        mallopt(_M_MMAP_THRESHOLD, OWN_MAPPING)
        mallopt(_M_TRIM_THRESHOLD, 1 << 30)


class Heap:
    """What the heap keeps of memory that was freed, for the next time. That is quick; but what one stage has freed is in
    pieces that the next cannot use, and a log of lines that have nothing in common makes every stage need much.
    """

    def __init__(self, limit: int) -> None:
        self._limit = self._allowed = limit
        found = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's; others return it by themselves
        self._trim: Callable[[int], int] = found or (lambda pad: pad)

    def tidy(self) -> None:
        """Return it to the system, if the process has more memory than it may."""
        if resident() > self._allowed:
            self._trim(0)
            self._allowed = max(self._limit, resident() + STEP)


class HeapTrimmer:
    """Keeps the heap tidy while stages are at work."""

    def __init__(self, limit: int) -> None:
        self._heap, self._stopped = Heap(limit), threading.Event()
        self._thread = threading.Thread(target=self._keep, name="heap", daemon=True)

    def __enter__(self) -> HeapTrimmer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _keep(self) -> None:
        while not self._stopped.wait(LOOK):
            self._heap.tidy()


def resident() -> int:
    """Return the bytes that this process has in memory; 0 where the system does not say."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        return 0


def _do_without_pandas() -> None:
    """Keep pyarrow from importing pandas, as it does to look at the first list that it makes an array of."""
    if "pandas" in sys.modules:
        return
    import pyarrow as pa

    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    pa.array([0])  # asks for pandas, and remembers that there is none
    sys.meta_path.remove(finder)


def _meet_numpy() -> None:
    """Have pyarrow import what it looks at the first array of numpy's with, once for all processes that are forked."""
    import numpy as np
    import pyarrow as pa

    pa.array(np.zeros(0))


class _NoPandas:
    def find_spec(self, name: str, path: object, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)
