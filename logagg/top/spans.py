"""Lines of a picture: texts with the names of their styles, measured in the cells of a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from logagg.notice_log import printable
from logagg.query.shorten import shorten, width

SELECTED = "selected"  # the style of the row that the keys act upon
# Characters that are printable in Unicode, and yet invisible: fillers, and variation selectors, whose width differs between terminals.
_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
LONGEST = 2_000  # characters of a value that are kept: more than any screen shows


class Span(NamedTuple):
    """A text without control characters, and the name of its style."""

    text: str
    style: str = ""


Line = tuple[Span, ...]
EMPTY: Line = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """A part of a picture that reacts to the mouse: cells of one line, and the action of a click there."""

    line: int
    start: int
    end: int
    action: str
    argument: object = None

    def moved(self, lines: int, cells: int) -> Hit:
        return Hit(self.line + lines, self.start + cells, self.end + cells, self.action, self.argument)


@dataclass(frozen=True, slots=True)
class Picture:
    """Lines, and the effects of clicks on them."""

    lines: Sequence[Line]
    hits: Sequence[Hit] = ()
    head: int = 0  # lines of the head, at the top

    @property
    def height(self) -> int:
        return len(self.lines)


def text_of(value: object) -> str:
    """Return a value from a log as text without effect on a terminal; a missing value is a dash."""
    text = "" if value is None else str(value)
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]}…{text[-LONGEST // 2 :]}"
    return _UNSEEN.sub(_escape, printable(text)) or "–"


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode-escape").decode()


def cells(line: Iterable[Span]) -> int:
    return sum(width(span.text) for span in line)


def plain(line: Iterable[Span]) -> str:
    return "".join(span.text for span in line)


def clipped(line: Iterable[Span], limit: int) -> Line:
    """Return as much of a line as fits; the last text is shortened."""
    found: list[Span] = []
    for span in line:
        wide = width(span.text)
        if wide > limit:
            if limit > 0:
                found.append(Span(shorten(span.text, limit), span.style))
            break
        found.append(span)
        limit -= wide
    return tuple(found)


def is_empty(line: Iterable[Span]) -> bool:
    return not plain(line).strip()


def cropped(line: Iterable[Span], limit: int) -> Line:
    """Return the first cells of a line, without an ellipsis; half a wide character becomes a space."""
    found: list[Span] = []
    for span in line:
        text = span.text if width(span.text) <= limit else _beginning(span.text, limit)
        found.append(Span(text, span.style))
        limit -= width(text)
        if text != span.text:
            break
    return (*found, Span(" " * limit))


def _beginning(text: str, limit: int) -> str:
    place = limit
    while width(text[:place]) > limit:
        place -= 1
    return text[:place]


def filled(line: Iterable[Span], limit: int, style: str = "") -> Line:
    """Return a line of exactly this width."""
    fit = clipped(line, limit)
    return (*fit, Span(" " * (limit - cells(fit)), style))


def restyled(line: Iterable[Span], style: str) -> Line:
    return tuple(Span(span.text, style) for span in line)


def between(left: Line, right: Line, limit: int) -> Line:
    """Return one line with `left` at its start and `right` at its end; the left one is shortened to fit."""
    right = clipped(right, limit)
    return (*filled(left, limit - cells(right)), *right)


def stacked(pictures: Iterable[Picture]) -> Picture:
    """Return pictures joined, one below the other."""
    lines: list[Line] = []
    hits: list[Hit] = []
    for one in pictures:
        hits += (hit.moved(len(lines), 0) for hit in one.hits)
        lines += one.lines
    return Picture(lines, hits)


def beside(pictures: Sequence[Picture], widths: Sequence[int], gap: int) -> Picture:
    """Return pictures side by side, each of its width."""
    height = max((one.height for one in pictures), default=0)
    lines, hits, start = [EMPTY] * height, [], 0
    for number, (one, wide) in enumerate(zip(pictures, widths, strict=True)):
        space = gap if number else 0
        start += space
        for place in range(height):
            line = one.lines[place] if place < one.height else EMPTY
            lines[place] = (*lines[place], Span(" " * space), *filled(line, wide))
        hits += [hit.moved(0, start) for hit in one.hits]
        start += wide
    return Picture(lines, hits)
