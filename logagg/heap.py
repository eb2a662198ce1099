"""Process-wide settings of a tail or worker, made before it starts threads: less memory, a quicker start."""

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
OWN_MAPPING = 32 << 20  # bytes; larger allocations are mapped separately, smaller ones come from the heap
LOOK = 0.05  # seconds between checks of the process's memory
STEP = 16 << 20  # bytes by which memory must grow after a trim before the next one


def tune_process() -> None:
    """Reduce the memory of this process; call it before numpy and Arrow are imported. Data frames cannot be made afterwards."""
    # Matrices are never multiplied here, but OpenBLAS's threads spin at the start.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.set_threshold(100_000, 50, 100)  # few objects, nearly all of them columns: collecting cycles often is wasteful
    _share_one_heap()
    _skip_pandas()
    _import_numpy()


def _share_one_heap() -> None:
    """Have numpy and Arrow use one heap of few arenas.

    Otherwise each thread gets an arena, and Arrow a pool of its own, and none of them returns memory (peak for 1 million
    lines on 2 cores: 790 MB instead of 540 MB). Freed memory stays with the heap, since the stages need it again at once,
    until `Heap.trim` returns it (a quarter fewer page faults). The environment variable is used rather than
    `pa.set_memory_pool`, which Parquet's writers ignore (60 MB less, half of the system time).
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc's; others have one heap anyway
    if mallopt:
        mallopt(_M_ARENA_MAX, ARENAS)
        mallopt(_M_MMAP_THRESHOLD, OWN_MAPPING)
        mallopt(_M_TRIM_THRESHOLD, 1 << 30)


class Heap:
    """The freed memory that the allocator keeps. Reusing it is fast, but the fragments of one stage may not fit the next:
    a log of lines that have little in common makes every stage need much memory.
    """

    def __init__(self, limit: int) -> None:
        self._limit = self._allowed = limit
        found = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's; others return it by themselves
        self._trim: Callable[[int], int] = found or (lambda pad: pad)

    def trim(self) -> None:
        """Return freed memory to the system, if the process has more memory than it may."""
        if resident() > self._allowed:
            self._trim(0)
            self._allowed = max(self._limit, resident() + STEP)


class HeapTrimmer:
    """Trims the heap regularly while stages are at work."""

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
            self._heap.trim()


def resident() -> int:
    """Return the bytes that this process has in memory; 0 where the system does not say."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        return 0


def _skip_pandas() -> None:
    """Keep pyarrow from importing pandas, as it does when it first converts a list (60 MB)."""
    if "pandas" in sys.modules:
        return
    import pyarrow as pa

    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    pa.array([0])  # looks for pandas, and remembers that it is missing
    sys.meta_path.remove(finder)


def _import_numpy() -> None:
    """Trigger pyarrow's lazy numpy imports now, so that forked parsers inherit them."""
    import numpy as np
    import pyarrow as pa

    pa.array(np.zeros(0))


class _NoPandas:
    def find_spec(self, name: str, path: object, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)
