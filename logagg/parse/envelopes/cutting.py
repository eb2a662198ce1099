"""The ends of lines that may come in parts, with lines of another stream between the parts.

A line is complete with its last part, or where the rest of its parts would be too far away (`parts`).
"""

from __future__ import annotations

import numpy as np

from logagg.columnar.slices import Bytes, Mask, Slices
from logagg.parse.envelopes import parts
from logagg.parse.envelopes.kinds import Envelope, in_parts, split
from logagg.parse.envelopes.unwrap import inside, messages_of
from logagg.parse.lines import scan


def whole_lines(log_format: str, ahead: memoryview, end: int, max_line: int) -> int:
    """Return how many of the first `end` bytes of a log to take, which are lines, so that no line in parts is cut.

    That place depends on nothing but the bytes that follow the place before: it does not matter where a log was cut.
    """
    envelope = in_parts(split(log_format)[0])
    if envelope is None:
        return end
    lines = _lines(ahead)
    rows = int(np.searchsorted(lines.start, end))
    closed = parts.count_closed(lines.start, lines.end, *_parts(lines, envelope), max_line, rows)
    if closed == rows:
        return end
    before = int(lines.end[closed - 1]) if closed else 0
    return before + bytes(ahead[before : int(lines.start[closed])]).rfind(b"\n") + 1


def first_line(log_format: str, data: bytes, max_line: int, *, ended: bool) -> bytes | None:
    """Return the line that the bytes of a log begin with, as the log has it; None if its end is not among them.

    A line in parts is all its parts, without the bytes between them. `ended`: the log has no more bytes.
    """
    newline = data.find(b"\n")
    line = data[:newline] if newline >= 0 else data if ended else None
    envelope = in_parts(split(log_format)[0])
    if line is None or envelope is None:
        return line
    lines = _lines(memoryview(data)[: len(data) if ended else data.rfind(b"\n") + 1])
    inner = inside(lines, envelope)
    assert inner.open is not None
    rows = np.flatnonzero(messages_of(lines, inner, max_line) == 0)
    if len(rows) and inner.open[rows[-1]] and not ended:
        return None
    return line if len(rows) < 2 else b"\n".join(data[lines.start[row] : lines.end[row]] for row in rows)


def _parts(lines: Slices, envelope: Envelope) -> tuple[Bytes, Mask]:
    """Return the stream of each line, and which ones go on in the next one of their stream."""
    if not envelope.key:
        return _read_parts(lines, envelope)
    streams, opens, others = parts.as_docker_writes(*lines.places)
    if others.any():
        streams[others], opens[others] = _read_parts(lines.filter(others), envelope)
    return streams, opens


def _read_parts(lines: Slices, envelope: Envelope) -> tuple[Bytes, Mask]:
    inner = inside(lines, envelope)
    assert inner.stream is not None and inner.open is not None
    return inner.stream, inner.open


def _lines(data: memoryview) -> Slices:
    array = np.frombuffer(data, np.uint8)
    return Slices(array, *scan.find_lines(array))
