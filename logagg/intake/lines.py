"""Where to cut: after the last newline, so that a chunk holds whole lines; earlier, where a line may come in parts. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

WholeLines = Callable[[memoryview, int], int]  # bytes ahead, how many of them are lines -> how many to take

_PIECE = 1 << 16  # bytes searched at a time; most likely they hold a newline


@dataclass(frozen=True, slots=True)
class Cut:
    """The number of bytes to take after a position, or the reason to take none."""

    end: int = 0  # take this many: whole lines
    hole: bool = False  # the next bytes are NUL
    too_long: bool = False  # the next line is over the limit, and its end was not read yet


def all_lines(_ahead: memoryview, end: int) -> int:
    return end


def cut(ahead: memoryview, max_line: int, stop: int | None = None, whole: WholeLines = all_lines) -> Cut:
    """Decide how many of the next bytes of a source to take; none while its first line has no end.

    A cut does not pass `stop`, where an earlier run has cut, nor what `whole` says. NULs count as a hole only where a line
    should begin: there a writer leaves them that continues at its old offset in a truncated file, or that has not filled a
    preallocated one.
    """
    if bytes(ahead[:1]) == b"\0":
        return Cut(hole=True)
    if stop is not None and stop <= len(ahead):
        ahead = ahead[:stop]
    if before_hole := bytes(ahead).find(b"\n\0") + 1 if _has_nul(ahead) else 0:
        return Cut(before_hole)
    lines = after_last_newline(lambda at, size: bytes(ahead[at : at + size]), len(ahead))
    end = whole(ahead, lines) if lines else 0
    end = end or (len(ahead) if len(ahead) == stop else 0)
    return Cut(end, too_long=not end and not lines and len(ahead) > max_line)


def _has_nul(data: memoryview) -> bool:
    return bool(np.frombuffer(data, np.uint8).min(initial=1) == 0)  # megabytes, not copied


def after_last_newline(read: Callable[[int, int], bytes], size: int) -> int:
    """Return the position after the last newline of `size` bytes; `read(position, size)` returns bytes."""
    for end in range(size, 0, -_PIECE):
        start = max(0, end - _PIECE)
        if found := read(start, end - start).rfind(b"\n") + 1:
            return start + found
    return 0
