"""Take envelopes off the lines of a chunk, for whole columns at a time.

Headers only move the starts of lines. Lines that are strings in JSON are copied to the end of the data; where some come in
parts, all are copied.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from logagg.columnar import dictionary
from logagg.columnar.slices import Bytes, Mask, Slices
from logagg.parse.envelopes import headers, parts
from logagg.parse.envelopes.kinds import COLOURS, ENVELOPES, Envelope, in_parts, named, timed
from logagg.parse.formats.csv_header import VALUE, csv_value, message_column
from logagg.parse.lines import json_lines
from logagg.parse.lines.columns import split_columns
from logagg.parse.lines.scan import SHAPES

_BARRED, _BARS = "compose", 3
_HEADERS = 3  # lines of a log that may be the header of an export


@dataclass(frozen=True, slots=True)
class Messages:
    """The lines inside envelopes, in the order in which they begin."""

    raw: Slices  # the line of the log that each begins in
    lines: Slices
    enveloped: Mask  # other lines are whatever they are
    times: Slices | None = None  # of writing, by an envelope

    def take(self, rows: npt.NDArray[np.integer]) -> Messages:
        times = self.times.take(rows) if self.times else None
        return Messages(self.raw.take(rows), self.lines.take(rows), self.enveloped[rows], times)


@dataclass(frozen=True, slots=True)
class Inside:
    """The content of an envelope: lines, or parts of them."""

    lines: Slices
    enveloped: Mask
    stream: Bytes | None = None  # of each part; 0: not a part
    open: Mask | None = None  # goes on in the next part of the stream


class Wrapped:
    """The lines of a log, which formats find in different envelopes; parts are joined if those of the first format come in parts."""

    def __init__(self, lines: Slices, first: str, max_line: int) -> None:
        self.first = first
        self._in_parts = in_parts(first)
        self.message = np.arange(len(lines))  # the number of the message that each line belongs to
        self.raw = lines  # that each message begins in
        self._whole: Messages | None = None  # inside the envelope whose lines come in parts
        if self._in_parts:
            inner = inside(lines, self._in_parts)
            self.message = messages_of(lines, inner, max_line)
            self._whole = _joined(lines, inner, self.message)
            self.raw = self._whole.raw
        self._inside = {"": Messages(self.raw, self.raw, np.ones(len(self.raw), bool))}

    def inside(self, envelope: str) -> Messages:
        """Return the content of envelopes."""
        if envelope not in self._inside:
            envelopes = named(envelope)
            if self._whole and envelopes[0] is self._in_parts:
                self._inside[envelope] = _within(self._whole, envelopes[1:])
            else:
                self._inside[envelope] = _within(self._inside[""], envelopes)
        return self._inside[envelope]

    def inside_with_times(self, envelope: str) -> Messages:
        """Return the content of envelopes, and when the lines were written, by the first envelope that has a time."""
        found = timed(envelope)
        if not found:
            return self.inside(envelope)
        around, one = found
        return replace(self.inside(envelope), times=_times(self.inside(around).lines, one))

    def is_cut_for(self, envelope: str) -> bool:
        """Tell whether lines in an envelope are whole."""
        return in_parts(envelope) in (None, self._in_parts)


def unwrap(lines: Slices, envelope: str, max_line: int) -> Messages:
    """Return the content of the envelopes of lines; parts are joined, if the outermost envelope has parts."""
    return Wrapped(lines, envelope, max_line).inside(envelope)


def each_inside(lines: Slices, envelope: str) -> tuple[Slices, Mask]:
    """Return the content of the envelopes of each line, even if it is a part, and which lines have them."""
    messages = _within(Messages(lines, lines, np.ones(len(lines), bool)), named(envelope))
    return messages.lines, messages.enveloped


def _times(lines: Slices, envelope: Envelope) -> Slices:
    if envelope.begins_with_time:
        return Slices(lines.data, *headers.times(*lines.places))
    data, places, _ = json_lines.split_objects(*lines.places, dict.fromkeys(envelope.times, "time_any"))
    return Slices(data, *places["time_any"])


def unwrap_lines(lines: Sequence[bytes], envelope: str) -> list[bytes]:
    """Return the content of an envelope of some lines, without lines that do not have it."""
    messages = unwrap(_columns(lines), envelope, 1 << 62)
    return messages.lines.filter(messages.enveloped).gather().to_pylist()


def envelopes_of(lines: Sequence[bytes], *, certain: bool) -> Iterator[str]:
    """Yield the envelopes that at least half of the lines have: certain ones, or those that other lines may look like."""
    column, named_column = _columns(lines), 0 if certain else message_column(lines[:_HEADERS])
    for envelope in ENVELOPES.values():
        if envelope.column and envelope.column != named_column:
            continue
        is_missing = envelope.name == COLOURS and not any(b"\x1b[" in line for line in lines)  # any line has it
        if envelope.certain is not certain or not lines or is_missing:
            continue
        inner = inside(column, envelope)
        if 2 * int(inner.enveloped.sum()) >= len(lines) and not (envelope.name == _BARRED and _has_bars(inner.lines)):
            yield envelope.name


def _has_bars(lines: Slices) -> bool:
    """Tell whether bars separate the values of most lines: then a first value looks like the name of a service."""
    bars = pc.count_substring(lines.gather(), b"|")
    return 2 * int(pc.sum(pc.greater_equal(bars, _BARS)).as_py() or 0) >= len(lines)


def inside(lines: Slices, envelope: Envelope) -> Inside:
    """Take one envelope off lines."""
    if envelope.name == COLOURS:
        return Inside(Slices(*parts.without_colours(*lines.places)), np.ones(len(lines), bool))
    if envelope.key:
        return _inside_json(lines, envelope)
    if envelope.column:
        return _inside_csv(lines, envelope)
    start, end, enveloped, stream, open_ = headers.strip(*lines.places, envelope.name)
    inner = Slices(lines.data, start, end)
    return Inside(inner, enveloped, stream, open_) if envelope.in_parts else Inside(inner, enveloped)


def _inside_json(lines: Slices, envelope: Envelope) -> Inside:
    keys = (envelope.key, "stream") if envelope.in_parts else (envelope.key,)
    data, places, _ = json_lines.split_objects(*lines.places, {key: key for key in keys})
    start, end = places[envelope.key]
    if envelope.bytes_as_numbers and len(read := parts.read_numbers(data, start, end)):
        data = np.concatenate([data, read])
    if not envelope.in_parts:
        return Inside(Slices(data, start, end), start < end)
    stream, open_ = parts.of_docker(data, start, end, *places["stream"])
    return Inside(Slices(data, start, end), stream > 0, stream, open_)


def _inside_csv(lines: Slices, envelope: Envelope) -> Inside:
    places, fits = split_columns(*lines.places, csv_value(envelope.column), SHAPES)
    written = Slices(lines.data, *places[VALUE]).gather()
    found = Slices.of(pc.replace_substring(written, b'""', b'"'))
    return Inside(found, fits & (found.length > 0))


def messages_of(raw: Slices, inner: Inside, max_line: int) -> npt.NDArray[np.int64]:
    """Return the number of the message that each line belongs to, in the order in which messages begin."""
    assert inner.stream is not None and inner.open is not None
    return parts.join(raw.start, raw.end, inner.stream, inner.open, max_line)


def _within(messages: Messages, envelopes: Sequence[Envelope]) -> Messages:
    """Return the content of further envelopes."""
    for envelope in envelopes:
        inner = inside(messages.lines, envelope)
        parts.trim(*inner.lines.places)
        messages = Messages(messages.raw, inner.lines, messages.enveloped & inner.enveloped)
    return messages


def _joined(raw: Slices, inner: Inside, message: npt.NDArray[np.int64]) -> Messages:
    """Join the parts of lines."""
    first = np.flatnonzero(np.diff(np.maximum.accumulate(message), prepend=-1))
    lines = inner.lines.take(first) if len(first) == len(message) else _whole_lines(inner.lines, message)
    parts.trim(*lines.places)
    return Messages(raw.take(first), lines, inner.enveloped[first])


def _whole_lines(parts_: Slices, message: npt.NDArray[np.int64]) -> Slices:
    """Return the lines, each with its parts joined. All lines are copied: that takes less than a copy of the data with its envelopes."""
    rows = np.argsort(message, kind="stable")
    joined, offsets = dictionary.gather(*parts_.take(rows).places)
    begins = np.flatnonzero(np.diff(message[rows], prepend=-1))
    bounds = offsets[np.append(begins, len(rows))].astype(np.int64)
    return Slices(joined, bounds[:-1].copy(), bounds[1:].copy())


def _columns(lines: Sequence[bytes]) -> Slices:
    lengths = np.fromiter(map(len, lines), np.int64, len(lines))
    starts = np.cumsum(lengths + 1) - lengths - 1
    return Slices(np.frombuffer(b"\n".join(lines), np.uint8), starts, starts + lengths)
