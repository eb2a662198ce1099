"""Detects the formats of a log from lines of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from logagg.errors import FormatError
from logagg.parse.captures import capture_templates
from logagg.parse.combined.templates import open_template, templates
from logagg.parse.csv_detect import csv_formats
from logagg.parse.envelopes.kinds import DEEPEST, timed
from logagg.parse.envelopes.kinds import named as named_envelopes
from logagg.parse.envelopes.unwrap import envelopes_of, unwrap_lines
from logagg.parse.formats.columns import HEADER
from logagg.parse.formats.compile import (
    compile_format,
    compile_inside,
    enveloped,
    joined,
    named,
    outside,
    preset_format,
)
from logagg.parse.formats.format import NO_PERSONAL_FIELDS, Format, PersonalFields
from logagg.parse.formats.ltsv import ltsv_templates
from logagg.parse.formats.presets import COMBINED, NAMED, PRESETS
from logagg.parse.json_detect import json_formats
from logagg.parse.lines import fast
from logagg.parse.lines.headers import is_comment, sections
from logagg.parse.logfmt import logfmt_templates
from logagg.parse.separated import separated_templates
from logagg.parse.w3c_detect import w3c_layouts
from logagg.records import Chunk, Fingerprint

GLANCE = 16  # lines that decide whether a format is worth an attempt
MOST_TOGETHER = 4  # formats of one log's first lines
SOME = 60  # lines from which formats are written; at least one of them must match
FEW = 10  # of that many lines in an envelope, one must have the format: other programs write into such a log, too


@dataclass(frozen=True, slots=True)
class _Some:
    """Lines without their envelopes."""

    lines: Sequence[bytes]
    likely: Sequence[Format] = ()  # formats that are preferred to others which parse as many
    least: int = 1  # how many must have the formats that are chosen
    timed: bool = False  # the envelopes say when they were written


_Choose = Callable[[_Some], Format | None]


@dataclass(frozen=True, slots=True)
class Detector:
    """Detects formats, for one configuration."""

    personal: PersonalFields = NO_PERSONAL_FIELDS
    names: tuple[str, ...] | None = None  # of the formats to choose from; None: all

    def first(self, lines: Sequence[bytes], now: float, likely: Sequence[Format] = ()) -> Format | None:
        """Return the formats that together parse the most of a log's first lines, if these are at least half of them.

        `likely` are formats that are preferred to others which parse as many.
        """
        if headed := self._headed(lines, now):
            return headed

        def choose(some: _Some) -> Format | None:
            if headed := self._headed(some.lines, now):
                return headed
            left, found = some, list[Format]()
            while left.lines and len(found) < MOST_TOGETHER and (fmt := self._best(left, now)):
                left = replace(left, lines=_without(left.lines, fmt, now))
                found.append(fmt)
            return joined(found) if found and len(some.lines) - len(left.lines) >= some.least else None

        return _with_times(_unwrapped(lines, likely, choose), lines, now)

    def next(self, lines: Sequence[bytes], now: float, likely: Sequence[Format] = ()) -> Format | None:
        """Return the format that parses the most of some lines, and of equals the one with the most fields; None if none does."""
        return _with_times(_unwrapped(lines, likely, lambda some: self._best(some, now)), lines, now)

    def _headed(self, lines: Sequence[bytes], now: float) -> Format | None:
        """Return the format of lines below headers, if there are any, and at least half of the lines match."""
        if not (self._may_be("w3c") and any(line.startswith(HEADER) for line in lines)):
            return None
        fmt = compile_format("w3c", self.personal)
        requests = sum(not line.startswith(fmt.comment) for line in lines)
        return fmt if 2 * count(lines, fmt, now) >= requests else None

    def _may_be(self, name: str) -> bool:
        return self.names is None or name in self.names

    def _best(self, some: _Some, now: float) -> Format | None:
        best, most = None, (0, False, 0)
        few = spread(some.lines, SOME)
        for fmt in (*some.likely, *self._candidates(some, few, now)):
            parsed = count(some.lines, fmt, now) if count(few, fmt, now) else 0
            rank = (parsed, fmt.outer_time and fmt.name in NAMED, len(fmt.fields))  # a name says more than keys
            if parsed and rank > most:
                best, most = fmt, rank
        return best or self._open(few, now)

    def _candidates(self, some: _Some, few: Sequence[bytes], now: float) -> Iterable[Format]:
        yield from self._presets(some, now)
        yield from self._written(some, few, now)

    def _presets(self, some: _Some, now: float) -> Iterable[Format]:
        glance = spread(some.lines, GLANCE)
        for preset in PRESETS:
            if preset.name not in COMBINED and self._may_be(preset.name) and (some.timed or not preset.outer_time):
                fmt = preset_format(preset, self.personal)
                if has_literals(glance, fmt) and count(
                    glance, fmt, now
                ):  # an attempt costs as much as parsing the lines
                    yield fmt

    def _written(self, some: _Some, few: Sequence[bytes], now: float) -> Iterable[Format]:
        lines, timed = some.lines, some.timed
        glance = spread(lines, GLANCE)
        if self.names is None:
            yield from self._compiled(capture_templates(lines))
            yield from self._compiled(logfmt_templates(glance, now, self.personal, timed=timed), timed=timed)
            yield from self._compiled(separated_templates(few, now))
        if self._may_be("w3c"):
            yield from self._compiled(w3c_layouts(few))
        if self._may_be("ltsv"):
            yield from self._compiled(ltsv_templates(glance))
        if self._may_be("csv") or self._may_be("tsv"):
            yield from self._compiled(csv_formats(lines, now, self.personal))
        if self._may_be("json"):
            yield from json_formats(lines, now, self.personal, timed=timed)
        if self.names is None:
            yield from self._compiled(map(named, templates(few, now)))

    def _compiled(self, texts: Iterable[str], *, timed: bool = False) -> Iterable[Format]:
        """Yield the formats of templates that lines suggested; `timed`: their envelope has the times of the lines.

        A template that does not compile, such as one with too many fields, is left out.
        """
        for text in texts:
            with suppress(FormatError):
                yield (compile_inside if timed else compile_format)(text, self.personal)

    def _open(self, lines: Sequence[bytes], now: float) -> Format | None:
        """Return a format for lines with anything behind the agent."""
        text = open_template(lines, now) if self.names is None else None
        fmt = next(iter(self._compiled([text])), None) if text else None
        return fmt if fmt and count(lines, fmt, now) else None


def _unwrapped(lines: Sequence[bytes], likely: Sequence[Format], choose: _Choose, around: str = "") -> Format | None:
    """Choose formats inside the envelopes of lines, if there is one: certain ones come off first.

    An envelope that plain lines may resemble is used only if they have no format without it.
    """

    def in_envelope(*, certain: bool) -> Format | None:
        for envelope in envelopes_of(lines, certain=certain) if len(named_envelopes(around)) < DEEPEST else ():
            inside = unwrap_lines(lines, envelope)
            if found := _unwrapped(
                inside, outside(envelope, likely), choose, "+".join(filter(None, (around, envelope)))
            ):
                return enveloped(found, envelope)
        return None

    requests = sum(map(may_be_request, lines))
    bare, least = [fmt for fmt in likely if not fmt.envelope], max(1, least_of(requests, around))
    return (
        in_envelope(certain=True)
        or choose(_Some(lines, bare, least, timed(around) is not None))
        or in_envelope(certain=False)
    )


def _with_times(fmt: Format | None, lines: Sequence[bytes], now: float) -> Format | None:
    """Return a format, unless its lines need the time of an envelope whose times have no year."""
    needed = fmt and any(one.outer_time for one in fmt.each)
    return fmt if fmt and (not needed or count(lines, fmt, now)) else None


def may_be_request(line: bytes) -> bool:
    """Tell whether a line is neither blank nor a comment: those are no reason to refuse a log."""
    return not (line.lstrip(b" \t\0").rstrip() == b"" or line.startswith(b"#"))


def least_of(lines: int, in_envelope: object) -> int:
    """Return how many of a log's first lines must match a format for it to be the log's."""
    return lines // FEW if in_envelope else (lines + 1) // 2


def detect(
    lines: Sequence[bytes],
    now: float,
    personal: PersonalFields = NO_PERSONAL_FIELDS,
    *,
    names: Iterable[str] | None = None,
) -> Format | None:
    """Return the formats that parse the most of these lines, if that is at least half of them; otherwise None."""
    return Detector(personal, None if names is None else tuple(names)).first(lines, now)


def count(lines: Sequence[bytes], fmt: Format, now: float) -> int:
    """Return how many of these lines a format parses."""
    data = b"\n".join(lines)
    return fast.count(Chunk("", 0, 0, len(data), data, Fingerprint(0, 0, "")), fmt, now)


def has_literals(lines: Sequence[bytes], fmt: Format) -> bool:
    """Tell whether a line has the literals between a format's values: without them, it cannot match."""
    if fmt.columns:
        return any(max(line.count(fmt.separator), line.count(b"\t")) >= fmt.needed - 1 for line in lines)
    return not fmt.steps or any(line.startswith(fmt.prefix, _begin(line)) and _in_order(line, fmt) for line in lines)


def _begin(line: bytes) -> int:
    return len(line) - len(line.lstrip(b"\0"))


def _in_order(line: bytes, fmt: Format) -> bool:
    at = 0
    for step in fmt.steps:
        found = line.find(step.until, at)
        if found < 0:
            return False
        at = found + len(step.until)
    return True


def spread(lines: Sequence[bytes], most: int) -> Sequence[bytes]:
    """Return some lines, evenly spread."""
    return lines[:: -(-len(lines) // most)] if lines else lines


def _without(lines: Sequence[bytes], fmt: Format, now: float) -> list[bytes]:
    """Return the lines that a format does not parse, and does not pass over."""
    fit = zip(lines, _fit(lines, fmt, now), strict=True)
    return [line for line, fits in fit if not fits and not is_comment(line, fmt)]


def _fit(lines: Sequence[bytes], fmt: Format, now: float) -> list[bool]:
    """Tell of each line whether a format parses it."""
    data = b"\n".join(lines)
    found = fast.find_lines(Chunk("", 0, 0, len(data), data, Fingerprint(0, 0, "")))
    starts = np.cumsum([0, *(len(line) + 1 for line in lines[:-1])])
    fits = np.zeros(len(lines), bool)
    for some, one in sections(found, fmt):
        fits[np.searchsorted(starts, some.start, "right") - 1] = fast.matching(some, one, now)
    return fits.tolist()
