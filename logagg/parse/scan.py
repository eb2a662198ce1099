"""Find the lines of a chunk and the fields of every line, all lines at once.

A text format is a row of literals with values between them (`formats.Step`). The scanner keeps a cursor per line and
moves all cursors over one step together. Most values are short, so the literal is looked for in the next few words of
all lines at once; for the others, one binary search in the sorted places of its rarest byte gives the first candidate of
each line, and the few lines whose candidate is none try the next one. No regular expression, no loop over lines,
nothing is copied.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from logagg.cargo import Chunk
from logagg.parse.convert import Mask, Slices
from logagg.parse.formats import Format, Step
from logagg.parse.text import BACKSLASH, NEWLINE, Bytes, Offsets

NUL, RETURN, QUOTE, SPACE = b'\0\r" '

_WORD = 8  # bytes
_WORDS = 4  # ahead of a cursor that are looked at first
_ONES = np.uint64(0x0101010101010101)
_BLOCK = 8192  # lines that are split together
_TRIES = 8  # candidates that a line may try before all false ones of the chunk are sorted out


def find_lines(chunk: Chunk) -> Slices:
    """Return the lines of a chunk without their line ends and leading NULs; empty lines are none."""
    data = np.frombuffer(chunk.data, np.uint8)
    newlines = np.flatnonzero(data == NEWLINE)
    if len(data) and data[-1] != NEWLINE:
        newlines = np.append(newlines, len(data))
    start = np.concatenate([newlines[:0], [0], newlines[:-1] + 1])[: len(newlines)]
    lines = Slices(data, _skip_nuls(data, start, newlines), _drop_returns(data, start, newlines))
    solid = lines.start < lines.end
    return lines if solid.all() else lines.filter(solid)


def split_fields(lines: Slices, fmt: Format) -> tuple[dict[str, Slices], Mask]:
    """Return the values of each named field, and which lines have the shape of the format.

    The values of lines that have not are of no meaning, and may overlap those of other lines.
    """
    names = [step.field for step in fmt.steps if step.field]
    fields = {name: Slices(lines.data, np.empty(len(lines), np.int64), np.empty(len(lines), np.int64)) for name in names}
    fits = np.empty(len(lines), bool)
    for first in range(0, len(lines), _BLOCK):
        rows = slice(first, first + _BLOCK)
        base = int(lines.start[first])
        found, fits[rows] = _split_block(_block(lines, rows, base), fmt)
        for name, (start, end) in found.items():
            np.add(start, base, out=fields[name].start[rows])
            np.add(end, base, out=fields[name].end[rows])
    return fields, fits


def _block(lines: Slices, rows: slice, base: int) -> Slices:
    """Return some lines in data of their own, which begins at `base`: so little that it stays in the processor's cache."""
    start, end = lines.start[rows], lines.end[rows]
    return Slices(lines.data[base : int(end[-1]) + _WORD], start - base, end - base)


def _split_block(lines: Slices, fmt: Format) -> tuple[dict[str, tuple[Offsets, Offsets]], Mask]:
    """Return where the values of each named field begin and end, and which lines have the shape of the format."""
    places = _Places(lines.data)
    cursor, fits = _skip_literal(lines, fmt.prefix)
    fields: dict[str, tuple[Offsets, Offsets]] = {}
    for step in fmt.steps:
        end = places.next_after(step, cursor, lines.end)
        fits &= end + len(step.until) <= lines.end
        end = np.minimum(end, lines.end)
        if step.field:
            fields[step.field] = cursor, end
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
    """Where literals occur in the data."""

    data: Bytes
    of_byte: dict[int, Offsets] = field(default_factory=dict)
    of_step: dict[Step, Offsets] = field(default_factory=dict)

    def next_after(self, step: Step, cursor: Offsets, end: Offsets) -> Offsets:
        """Return where the value that begins at each cursor ends; beyond `end` where nothing ends it."""
        if not step.until:
            return end
        if step.quoted or len(self.data) < _WORD:
            return self._far(step, cursor, end)
        found, missing = self._near(step, cursor)
        if len(missing):
            found[missing] = self._far(step, cursor[missing], end[missing])
        return found

    def _near(self, step: Step, cursor: Offsets) -> tuple[Offsets, Offsets]:
        """Look at the next words from each cursor; return where the literal is, and the rows that have it further on."""
        rarest = _rarest(step.until)
        at = cursor + rarest
        offset = self._in_word(step.until[rarest], at)
        rows = np.arange(len(at))
        for _ in range(_WORDS):
            at[rows] += offset
            rows = rows[offset == _WORD]
            if not len(rows):
                break
            offset = self._in_word(step.until[rarest], at[rows])
        found = at - rarest
        if len(step.until) > 1:
            false = ~self._holds(step, found)
            false[rows] = True
            rows = np.flatnonzero(false)
        return found, rows

    def _in_word(self, byte: int, at: Offsets) -> Offsets:
        """Return at which of the 8 bytes from each place a byte is first; 8 if at none, or if they go beyond the data.

        (The lowest zero byte of a word: Warren, "Hacker's Delight", 6-1.)
        """
        last = len(self.data) - _WORD
        beyond = at > last if at.max(initial=0) > last else None
        words = np.ndarray(last + 1, "<u8", self.data, strides=(1,))[at if beyond is None else np.minimum(at, last)]
        words ^= np.uint64(byte) * _ONES
        zero = words - _ONES
        zero &= np.invert(words, out=words)
        zero &= _ONES << np.uint64(7)
        zero &= np.negative(zero, out=words)
        zero -= np.uint64(1)
        first = (np.bitwise_count(zero) >> 3).astype(np.int64)
        return first if beyond is None else np.where(beyond, _WORD, first)

    def _far(self, step: Step, cursor: Offsets, end: Offsets) -> Offsets:
        """Try the places of the literal's rarest byte, one after the other."""
        rarest = _rarest(step.until)
        places = self._find_byte(step.until[rarest])
        index = np.searchsorted(places, cursor + rarest)
        found = places[index] - rarest
        rows = self._false(step, found, end, np.arange(len(found)))
        for _ in range(_TRIES):
            if not len(rows):
                return found
            index[rows] += 1
            found[rows] = places[index[rows]] - rarest
            rows = self._false(step, found, end, rows)
        true = self._find_all(step)
        found[rows] = true[np.searchsorted(true, cursor[rows])]
        return found

    def _false(self, step: Step, found: Offsets, end: Offsets, rows: Offsets) -> Offsets:
        """Return those of the rows whose candidate within the line is not the literal."""
        place = found[rows]
        within = place + len(step.until) <= end[rows]
        return rows[within & ~self._holds(step, np.where(within, place, 0))]

    def _holds(self, step: Step, places: Offsets) -> Mask:
        """Tell which places hold a step's literal, all of it within the data."""
        held = np.ones(len(places), bool)
        for at, byte in enumerate(step.until):
            held &= self.data.take(places + at, mode="clip") == byte
        return held & ~self._is_escaped(places) if step.quoted else held

    def _find_all(self, step: Step) -> Offsets:
        """Return all places of a step's literal, and one beyond."""
        if step not in self.of_step:
            rarest = _rarest(step.until)
            places = self._find_byte(step.until[rarest])[:-1] - rarest
            places = places[(places >= 0) & (places + len(step.until) <= len(self.data))]
            self.of_step[step] = np.append(places[self._holds(step, places)], self._beyond)
        return self.of_step[step]

    def _find_byte(self, byte: int) -> Offsets:
        """Return all places of a byte, and one beyond."""
        if byte not in self.of_byte:
            self.of_byte[byte] = np.append(np.flatnonzero(self.data == byte), self._beyond)
        return self.of_byte[byte]

    @property
    def _beyond(self) -> int:
        return 2 * len(self.data) + 1024

    def _is_escaped(self, places: Offsets) -> Mask:
        """Tell which places follow an odd run of backslashes."""
        escaped = np.zeros(len(places), bool)
        at = places - 1
        running = np.flatnonzero((at >= 0) & (self.data[at] == BACKSLASH))
        while len(running):
            escaped[running] ^= True
            at[running] -= 1
            running = running[(at[running] >= 0) & (self.data[at[running]] == BACKSLASH)]
        return escaped


def _rarest(literal: bytes) -> int:
    """Return where in a literal its rarest byte is."""
    return min(range(len(literal)), key=lambda at: _frequency(literal[at]))


def _frequency(byte: int) -> int:
    """Rank a byte by how often log lines hold it: brackets and quotes least, spaces, then letters and digits most."""
    if byte == SPACE:
        return 2
    return 3 if chr(byte).isalnum() else 0 if byte != QUOTE else 1
