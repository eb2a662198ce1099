"""Where to cut: after the last newline, so that a chunk holds whole lines. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cut:
    """What to take of the bytes that lie ahead: skip `skipped`, then take up to `end` (offsets into them)."""

    skipped: int = 0
    end: int = 0
    too_long: bool = False  # what lies ahead is a line over the limit, and its end is not in sight


def cut(ahead: bytes, max_line: int, limit: int | None = None) -> Cut:
    """Decide what to take of the next bytes of a source; nothing while its first line has no end.

    `limit` is an offset that the cut may not pass. NULs at the front are a hole and are skipped.
    """
    skipped = len(ahead) - len(ahead.lstrip(b"\0"))
    end = ahead.rfind(b"\n", 0, limit) + 1
    if end > skipped:
        return Cut(skipped, end)
    return Cut(too_long=len(ahead) - skipped > max_line)
