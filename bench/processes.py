"""What a program takes, with all the processes that it has started: processor time and memory, as Linux tells."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

from logagg import proc

TICKS = os.sysconf("SC_CLK_TCK")  # a second


def family(pid: int) -> Iterator[int]:
    """Yield a process and its descendants that are running."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in _read(task).split():
            yield from family(int(child))


def memory(pid: int) -> int:
    """Return the bytes in memory of a program now, what its processes share counted once (Pss, proc(5)); 0 when unknown."""
    return sum(map(proc.memory, family(pid)))


def resident(pid: int) -> int:
    """Return the bytes resident of a program now, what its processes share counted for each: quickly told."""
    pages = [_read(Path(f"/proc/{one}/statm")).split() for one in family(pid)]
    return sum(int(found[1]) for found in pages if found) * resource.getpagesize()


def cpu(pid: int) -> float:
    """Return the seconds of processor time that a program's running processes have used."""
    return sum(map(_used, family(pid)))


def _used(pid: int) -> float:
    fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS if fields else 0.0


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it has ended meanwhile, or this is no Linux
        return ""
