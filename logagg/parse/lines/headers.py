"""Lines that are not requests: comments, and among them the headers that name the columns of the lines below them."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator

import numpy as np

from logagg.columnar.slices import Mask, Slices
from logagg.parse.envelopes.unwrap import each_inside
from logagg.parse.formats.columns import HEADER, header_name
from logagg.parse.formats.compile import compile_format, enveloped, joined
from logagg.parse.formats.format import Format
from logagg.parse.lines import scan


def sections(lines: Slices, fmt: Format) -> Iterator[tuple[Slices, Format]]:
    """Yield runs of lines of one format each, without the comments between them; without comments there is one run.

    A server writes the same header again whenever it starts; a run takes 1 ms, however few its lines are.
    """
    inside, comments = _comments(lines, fmt) if fmt.passes_over else (lines, None)
    if comments is None or not comments.any():
        yield lines, fmt
        return
    start, header = 0, b""
    for row in np.flatnonzero(comments & begin_with(inside, HEADER)) if fmt.headed else ():
        found = inside.data[inside.start[row] : inside.end[row]].tobytes()
        if found != header and (below := under(fmt, found)) != fmt:
            yield _between(lines, comments, start, int(row)), fmt
            start, fmt = int(row), below
        header = found
    yield _between(lines, comments, start, len(comments)), fmt


def _comments(lines: Slices, fmt: Format) -> tuple[Slices, Mask]:
    """Return the content of the envelope of each line, and which lines are comments."""
    inside, enveloped = each_inside(lines, fmt.envelope)
    found = begin_with(inside, fmt.comment) if fmt.comment else np.zeros(len(inside), bool)
    if fmt.comment:  # files that were joined may begin with a mark
        found |= begin_with(inside, BOM_UTF8 + fmt.comment)
    for ending in fmt.noise:
        found |= _end_with(inside, ending)
    return inside, enveloped & found


def last_header(lines: Slices, fmt: Format) -> bytes:
    """Return the last of the lines that names columns; empty if there is none."""
    inside, comments = _comments(lines, fmt)
    rows = np.flatnonzero(comments & begin_with(inside, HEADER))
    return inside.data[inside.start[rows[-1]] : inside.end[rows[-1]]].tobytes() if len(rows) else b""


def begin_with(lines: Slices, beginning: bytes) -> Mask:
    """Return which lines begin with some bytes."""
    return scan.begin_with(*lines.places, beginning)


def _end_with(lines: Slices, ending: bytes) -> Mask:
    """Return which lines end with some bytes."""
    long = np.flatnonzero(lines.length >= len(ending))
    last = Slices(lines.data, lines.end[long] - len(ending), lines.end[long])
    found = np.zeros(len(lines), bool)
    found[long[begin_with(last, ending)]] = True
    return found


def _between(lines: Slices, comments: Mask, start: int, end: int) -> Slices:
    return lines.take(start + np.flatnonzero(~comments[start:end]))


def is_comment(line: bytes, fmt: Format) -> bool:
    """Tell whether a line is a comment or is passed over."""
    return (bool(fmt.comment) and line.removeprefix(BOM_UTF8).startswith(fmt.comment)) or line.endswith(fmt.noise)


def after(fmt: Format, comment: bytes) -> Format:
    """Return the format of the lines after a comment, which may be a header."""
    return under(fmt, comment) if fmt.headed and comment.startswith(HEADER) else fmt


def under(fmt: Format, header: bytes) -> Format:
    """Return the format of the lines below a header."""
    zone = f"@{fmt.zone}" if fmt.zone else ""
    below = compile_format(header_name(header) + zone, fmt.personal)
    return joined([enveloped(below, fmt.envelope), *fmt.others])
