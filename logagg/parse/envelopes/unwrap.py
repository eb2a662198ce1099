"""Take envelopes off the lines of a chunk, for whole columns at a time.

Headers only move the starts of lines. Lines that are strings in JSON, and lines that come in parts, are copied to the end of
the data.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from logagg.columnar import dictionary
from logagg.columnar.slices import Bytes, Mask, Slices
from logagg.parse.envelopes import headers, parts
from logagg.parse.envelopes.kinds import ENVELOPES, Envelope, named
from logagg.parse.lines import json_lines


@dataclass(frozen=True, slots=True)
class Messages:
    """The lines inside envelopes, in the order in which they begin."""

    raw: Slices  # the line of the log that each begins in
    lines: Slices
    enveloped: Mask  # other lines are whatever they are

    def within(self, inner: Inside) -> Messages:
        """Return what is inside a further envelope."""
        return Messages(self.raw, inner.lines, self.enveloped & inner.enveloped)


@dataclass(frozen=True, slots=True)
class Inside:
    """What is inside an envelope: lines, or parts of them."""

    lines: Slices
    enveloped: Mask
    stream: Bytes | None = None  # of each part; 0: it is none
    open: Mask | None = None  # goes on in the next part of the stream


def unwrap(lines: Slices, envelope: str, max_line: int) -> Messages:
    """Return what is inside the envelopes of lines; parts are joined, if the outermost envelope has parts."""
    envelopes = named(envelope)
    messages = Messages(lines, lines, np.ones(len(lines), bool))
    for number, one in enumerate(envelopes):
        inner = inside(messages.lines, one)
        if number == 0 and inner.stream is not None:
            messages = _joined(lines, inner, max_line)
        else:
            messages = messages.within(inner)
        parts.trim(*messages.lines.places)
    return messages


def unwrap_lines(lines: Sequence[bytes], envelope: str) -> list[bytes]:
    """Return what is inside an envelope of some lines, without those that do not have it."""
    messages = unwrap(_columns(lines), envelope, 1 << 62)
    return messages.lines.filter(messages.enveloped).gather().to_pylist()


def envelopes_of(lines: Sequence[bytes], *, certain: bool) -> Iterator[str]:
    """Yield the envelopes that at least half of the lines have: certain ones, or those that other lines may look like."""
    column = _columns(lines)
    for envelope in ENVELOPES.values():
        if envelope.certain is certain and 2 * int(inside(column, envelope).enveloped.sum()) >= len(lines) > 0:
            yield envelope.name


def inside(lines: Slices, envelope: Envelope) -> Inside:
    """Take one envelope off lines."""
    if envelope.key:
        return _inside_json(lines, envelope)
    start, end, enveloped, stream, open_ = headers.strip(*lines.places, envelope.name)
    inner = Slices(lines.data, start, end)
    return Inside(inner, enveloped, stream, open_) if envelope.in_parts else Inside(inner, enveloped)


def _inside_json(lines: Slices, envelope: Envelope) -> Inside:
    keys = (envelope.key, "stream") if envelope.in_parts else (envelope.key,)
    data, places, _ = json_lines.split_objects(*lines.places, {key: key for key in keys})
    start, end = places[envelope.key]
    if envelope.bytes_as_numbers and len(read := parts.read_numbers(data, start, end)):
        data = np.concatenate([data, read])
    enveloped = start < end
    if not envelope.in_parts:
        return Inside(Slices(data, start, end), enveloped)
    stream, open_ = parts.of_docker(data, start, end, *places["stream"])
    return Inside(Slices(data, start, end), enveloped, stream, open_)


def messages_of(raw: Slices, inner: Inside, max_line: int) -> npt.NDArray[np.int64]:
    """Return the number of the message that each line belongs to, in the order in which messages begin."""
    assert inner.stream is not None and inner.open is not None
    return parts.join(raw.start, raw.end, inner.stream, inner.open, max_line)


def _joined(raw: Slices, inner: Inside, max_line: int) -> Messages:
    """Join the parts of lines."""
    message = messages_of(raw, inner, max_line)
    first = np.flatnonzero(np.diff(np.maximum.accumulate(message), prepend=-1))
    raw, lines = raw.take(first), inner.lines.take(first)
    if len(first) < len(message):
        lines = _with_whole_lines(lines, inner.lines, message)
    return Messages(raw, lines, inner.enveloped[first])


def _with_whole_lines(lines: Slices, parts_: Slices, message: npt.NDArray[np.int64]) -> Slices:
    """Replace the lines that have several parts."""
    several = np.bincount(message) > 1
    rows = np.argsort(message, kind="stable")
    rows = rows[several[message[rows]]]
    joined, offsets = dictionary.gather(*parts_.take(rows).places)
    begins = np.flatnonzero(np.diff(message[rows], prepend=-1))
    bounds = offsets[np.append(begins, len(rows))].astype(np.int64) + len(parts_.data)
    start, end = lines.start.copy(), lines.end.copy()
    start[several], end[several] = bounds[:-1], bounds[1:]
    return Slices(np.concatenate([parts_.data, joined]), start, end)


def _columns(lines: Sequence[bytes]) -> Slices:
    data = np.frombuffer(b"\n".join(lines), np.uint8)
    ends = np.cumsum([len(line) + 1 for line in lines], dtype=np.int64) - 1
    return Slices(data, ends - [len(line) for line in lines], ends)
