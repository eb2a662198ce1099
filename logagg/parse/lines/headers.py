"""Lines that are not requests: comments, and among them the headers that name the columns of the lines below them."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import suppress

import numpy as np

from logagg.columnar.slices import Mask, Slices
from logagg.errors import FormatError
from logagg.parse.envelopes.kinds import split
from logagg.parse.envelopes.unwrap import each_inside
from logagg.parse.formats.columns import HEADER, header_name
from logagg.parse.formats.compile import compile_format, enveloped, joined
from logagg.parse.formats.csv_header import CSV_NAMES, LONGEST_HEADER, csv_below
from logagg.parse.formats.format import OR, Format
from logagg.parse.lines import scan

_HAS_DIGIT = re.compile(rb"[0-9]")


def sections(lines: Slices, fmt: Format) -> Iterator[tuple[Slices, Format]]:
    """Yield runs of lines of one format each, without the comments between them; without comments there is one run.

    A server writes the same header again whenever it starts; a run takes 1 ms, however few its lines are.
    """
    if is_csv(fmt):
        yield from _tables(lines, fmt)
        return
    inside, comments = _comments(lines, fmt) if fmt.passes_over else (lines, None)
    if comments is None or not comments.any():
        yield lines, fmt
        return
    start, header = 0, b""
    for row in np.flatnonzero(comments & begin_with(inside, HEADER)) if fmt.headed else ():
        found = inside.data[inside.start[row] : inside.end[row]].tobytes()
        if found != header and (below := after(fmt, found)) != fmt:
            yield _between(lines, comments, start, int(row)), fmt
            start, fmt = int(row), below
        header = found
    yield _between(lines, comments, start, len(comments)), fmt


def is_csv(fmt: Format) -> bool:
    """Tell whether lines are CSV below a header."""
    return bool(fmt.comment) and split(fmt.name.split(OR)[0])[1].startswith(CSV_NAMES)


def _tables(lines: Slices, fmt: Format) -> Iterator[tuple[Slices, Format]]:
    """Yield the lines of CSV below headers, those of equal columns together: files that were joined have many headers."""
    inside, comments = _comments(lines, fmt)
    tables, order = {fmt.name: fmt}, [fmt.name]
    starts = [0]
    known = dict[tuple[str, bytes], Format | None]()
    for row in _without_digits(inside):
        found = inside.data[inside.start[row] : inside.end[row]].tobytes()
        if (fmt.name, found) not in known:
            known[fmt.name, found] = below_header(fmt, found)
        if below := known[fmt.name, found]:
            comments[row] = True
            fmt = tables.setdefault(below.name, below)
            starts.append(row)
            order.append(fmt.name)
    numbers = {name: number for number, name in enumerate(tables)}
    table_of = np.repeat([numbers[name] for name in order], np.diff([*starts, len(comments)]))
    for name, one in tables.items():
        rows = np.flatnonzero(~comments & (table_of == numbers[name]))
        if len(rows) or len(tables) == 1:
            yield lines.take(rows), one
    if len(tables) > 1 and comments.all():
        yield lines.take(np.empty(0, np.int64)), fmt


def _without_digits(lines: Slices) -> Iterator[int]:
    """Yield the lines that have no digit in them, as headers have none, unlike lines with a time."""
    yield from np.flatnonzero(scan.have_no_digits(*lines.places)).tolist()


def below_header(fmt: Format, line: bytes) -> Format | None:
    """Return the format of the lines below a header, which may be that of the lines before; None if the line is no header."""
    if is_csv(fmt):
        return _below_csv(fmt, line.removeprefix(BOM_UTF8))
    if not (fmt.headed and line.startswith(HEADER)):
        return None
    return _compiled(header_name(line), fmt)


def _below_csv(fmt: Format, line: bytes) -> Format | None:
    if line.startswith(fmt.comment):
        return fmt
    if len(line) > LONGEST_HEADER or _HAS_DIGIT.search(line):
        return None
    name = csv_below(split(fmt.each[0].name)[1].removesuffix(_zone_of(fmt)), line)
    with suppress(FormatError):  # too many columns
        return _compiled(name, fmt) if name else None
    return None


def _compiled(name: str, before: Format) -> Format:
    """Compile the name of a format, in the envelope and the zone of the lines before it."""
    below = compile_format(name + _zone_of(before), before.personal)
    return joined([enveloped(below, before.envelope), *before.others])


def _zone_of(fmt: Format) -> str:
    return f"@{fmt.zone}" if fmt.zone else ""


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
    if is_csv(fmt):
        return _last_table(inside, fmt)
    rows = np.flatnonzero(comments & begin_with(inside, HEADER))
    return inside.data[inside.start[rows[-1]] : inside.end[rows[-1]]].tobytes() if len(rows) else b""


def _last_table(inside: Slices, fmt: Format) -> bytes:
    last = b""
    for row in _without_digits(inside):
        found = inside.data[inside.start[row] : inside.end[row]].tobytes()
        if below := below_header(fmt, found):
            fmt, last = below, found
    return last


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
    """Tell whether a line is a comment, a header, or is passed over."""
    is_marked = bool(fmt.comment) and line.removeprefix(BOM_UTF8).startswith(fmt.comment)
    return is_marked or line.endswith(fmt.noise) or below_header(fmt, line) is not None


def after(fmt: Format, comment: bytes) -> Format:
    """Return the format of the lines after a comment, which may be a header."""
    return below_header(fmt, comment) or fmt
