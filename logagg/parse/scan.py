"""Find the lines of a chunk and the fields of every line, all lines at once.

A text format is a row of literals with values between them (`formats.Step`). The scanner keeps a cursor per line and
moves all cursors over one step together: the ends of all values of a step are one binary search in the sorted places
where its literal occurs. No regular expression, no loop over lines, nothing is copied.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from logagg.cargo import Chunk
from logagg.parse.convert import Mask, Slices
from logagg.parse.formats import Format, Step
from logagg.parse.text import BACKSLASH, NEWLINE, Bytes, Offsets

NUL, RETURN, QUOTE, SPACE = b'\0\r" '


def find_lines(chunk: Chunk) -> Slices:
    """Return the lines of a chunk without their line ends and leading NULs; empty lines are none."""
    data = np.frombuffer(chunk.data, np.uint8)
    newlines = np.flatnonzero(data == NEWLINE)
    if len(data) and data[-1] != NEWLINE:
        newlines = np.append(newlines, len(data))
    start = np.concatenate([newlines[:0], [0], newlines[:-1] + 1])[: len(newlines)]
    lines = Slices(data, _skip_nuls(data, start, newlines), _drop_returns(data, start, newlines))
    return lines.filter(lines.start < lines.end)


def split_fields(lines: Slices, fmt: Format) -> tuple[dict[str, Slices], Mask]:
    """Return the values of each named field, and which lines have the shape of the format.

    The values of lines that have not are of no meaning, and may overlap those of other lines.
    """
    places = _Places(lines.data)
    cursor, fits = _skip_literal(lines, fmt.prefix)
    fields: dict[str, Slices] = {}
    for step in fmt.steps:
        end = places.next_after(step, cursor, lines.end)
        fits &= end + len(step.until) <= lines.end
        end = np.minimum(end, lines.end)
        if step.field:
            fields[step.field] = Slices(lines.data, cursor, end)
        cursor = np.minimum(end + len(step.until), lines.end)
    return fields, fits & (cursor == lines.end)


def _skip_nuls(data: Bytes, start: Offsets, end: Offsets) -> Offsets:
    """Move past the NULs that a truncated, then appended file begins with."""
    holed = (start < end) & (data[np.minimum(start, len(data) - 1)] == NUL) if len(data) else np.zeros(0, bool)
    if not holed.any():
        return start
    solid = np.append(np.flatnonzero(data != NUL), len(data))
    first = solid[np.searchsorted(solid, start)]
    return np.where(holed, np.minimum(first, end), start)


def _drop_returns(data: Bytes, start: Offsets, end: Offsets) -> Offsets:
    """Leave out the carriage returns before the newline."""
    while (returned := (end > start) & (data[np.maximum(end - 1, 0)] == RETURN) if len(data) else end < 0).any():
        end = end - returned
    return end


def _skip_literal(lines: Slices, literal: bytes) -> tuple[Offsets, Mask]:
    held = np.ones(len(lines), bool)
    for at, byte in enumerate(literal):
        held &= lines.byte(at) == byte
    return np.minimum(lines.start + len(literal), lines.end), held


@dataclass(slots=True)
class _Places:
    """Where literals occur in the data, looked up once each."""

    data: Bytes
    of_byte: dict[int, Offsets] = field(default_factory=dict)
    of_literal: dict[tuple[bytes, bool], Offsets] = field(default_factory=dict)

    def next_after(self, step: Step, cursor: Offsets, end: Offsets) -> Offsets:
        """Return where the value that begins at each cursor ends; beyond `end` where nothing ends it."""
        if not step.until:
            return end
        key = step.until, step.quoted
        if key not in self.of_literal:
            self.of_literal[key] = np.append(self._find(*key), 2 * len(self.data) + len(step.until))
        places = self.of_literal[key]
        return places[np.searchsorted(places, cursor)]

    def _find(self, literal: bytes, quoted: bool) -> Offsets:
        """Find a literal by its rarest byte, so that few places are looked at."""
        rarest = min(range(len(literal)), key=lambda at: _frequency(literal[at]))
        places = self._find_byte(literal[rarest]) - rarest
        if len(literal) > 1:
            places = places[(places >= 0) & (places + len(literal) <= len(self.data))]
        for at, byte in enumerate(literal):
            if at != rarest:
                places = places[self.data[places + at] == byte]
        return places[~self._is_escaped(places)] if quoted else places

    def _find_byte(self, byte: int) -> Offsets:
        if byte not in self.of_byte:
            self.of_byte[byte] = np.flatnonzero(self.data == byte)
        return self.of_byte[byte]

    def _is_escaped(self, places: Offsets) -> Mask:
        """Tell which places follow an odd run of backslashes."""
        escaped = np.zeros(len(places), bool)
        at = places - 1
        running = (at >= 0) & (self.data[at] == BACKSLASH)
        while running.any():
            escaped ^= running
            at = at - 1
            running &= (at >= 0) & (self.data[at] == BACKSLASH)
        return escaped


def _frequency(byte: int) -> int:
    """Rank a byte by how often log lines hold it: brackets and quotes least, spaces, then letters and digits most."""
    if byte == SPACE:
        return 2
    return 3 if chr(byte).isalnum() else 0 if byte != QUOTE else 1
