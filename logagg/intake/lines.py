"""Where to cut: after the last newline, so that a chunk holds whole lines. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cut:
    """What to take of the bytes that lie ahead of a position."""

    end: int = 0  # take this many: whole lines
    hole: bool = False  # what lies ahead begins with NUL bytes
    too_long: bool = False  # what lies ahead is a line over the limit, and its end is not in sight


def cut(ahead: bytes, max_line: int, stop: int | None = None) -> Cut:
    """Decide what to take of the next bytes of a source; nothing while its first line has no end.

    A cut does not pass `stop`, where an earlier run has cut. NULs are a hole where a line should begin, and only there:
    what a writer leaves that goes on at its old place in a file that was truncated, or what it has not filled yet.
    """
    if ahead.startswith(b"\0"):
        return Cut(hole=True)
    if stop is not None and stop <= len(ahead):
        ahead = ahead[:stop]
    end = ahead.find(b"\n\0") + 1 if b"\0" in ahead else 0
    end = end or ahead.rfind(b"\n") + 1 or (len(ahead) if len(ahead) == stop else 0)
    return Cut(end, too_long=not end and len(ahead) > max_line)
