"""The names and strings of log formats, compiled to what the parsers use."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from difflib import get_close_matches
from functools import cache
from zoneinfo import ZoneInfo

from logagg.errors import FormatError
from logagg.parse.envelopes.kinds import join, split, timed
from logagg.parse.formats import goaccess
from logagg.parse.formats.columns import W3C_NAME, columns_format, w3c_format
from logagg.parse.formats.csv_header import CSV_NAMES, csv_format
from logagg.parse.formats.format import (
    LONGEST_KEY,
    MOST_VALUES,
    NO_PERSONAL_FIELDS,
    OR,
    ZONELESS,
    Format,
    PersonalFields,
    missing_of,
)
from logagg.parse.formats.json_keys import named_json
from logagg.parse.formats.json_keys import preset_format as json_preset_format
from logagg.parse.formats.json_presets import BY_NAME, JSON_PRESETS
from logagg.parse.formats.json_template import json_template
from logagg.parse.formats.presets import NAMED, PRESETS, Preset, all_names, preset_of
from logagg.parse.formats.templates import OWN, Part, Value, assemble, parts_of, unwrap

DETECTED = ("json", "ltsv", "csv", "tsv")  # names whose keys, labels or columns are detected
MOST_FORMATS = 6  # of a source
_ZONED = re.compile(r"([\w-]+|w3c:.*|.*<time_zoneless>.*)@([A-Za-z][A-Za-z0-9_+/-]*)")  # haproxy@Europe/Berlin
_WORD = re.compile(r"[\w-]+")


def compile_format(text: str, personal: PersonalFields = NO_PERSONAL_FIELDS) -> Format:
    """Compile a format's name or string, perhaps within an envelope: `cri+combined`; or several, with `OR` between them.

    Raises FormatError, which names the unknown part of the format and its position.
    """
    names = text.split(OR)
    with suppress(FormatError):
        if len(names) > 1:
            return joined([_one(name, personal) for name in names])
    return _one(text, personal)


def joined(formats: Sequence[Format]) -> Format:
    """Return the format of lines that may have any of these formats."""
    each = list({one.name: one for fmt in formats for one in fmt.each}.values())[:MOST_FORMATS]
    return replace(each[0], name=OR.join(one.name for one in each), others=tuple(each[1:])) if each[1:] else each[0]


def named(template: str) -> str:
    """Return the name of a template, if it has one; otherwise itself."""
    return next((one.name for one in PRESETS if one.spec == template), template)


def enveloped(fmt: Format, envelope: str) -> Format:
    """Return a format whose lines are in a further envelope."""
    return joined([_within(envelope, one) for one in fmt.each]) if envelope else fmt


def outside(envelope: str, formats: Sequence[Format]) -> list[Format]:
    """Return the formats that are in an envelope, without it."""
    return [
        replace(
            fmt,
            name=fmt.name.removeprefix(f"{envelope}+"),
            envelope=fmt.envelope.removeprefix(envelope).removeprefix("+"),
        )
        for fmt in formats
        if fmt.envelope.split("+")[0] == envelope
    ]


def _within(envelope: str, fmt: Format) -> Format:
    around = "+".join(name for name in (envelope, fmt.envelope) if name)
    return replace(fmt, name=join(envelope, fmt.name), envelope=around)


def _one(text: str, personal: PersonalFields) -> Format:
    envelope, inside = split(text)
    fmt = compile_inside(inside, personal)
    if fmt.outer_time and not timed(envelope):
        raise FormatError(
            f"log format {text!r}: its lines have no time",
            f"say the envelope that has one, as in docker+{fmt.name} or cri+{fmt.name}, or log JSON",
        )
    return enveloped(fmt, envelope)


def compile_inside(text: str, personal: PersonalFields) -> Format:
    """Compile the name or string of a format without its envelope, which may have the times of the lines."""
    if zoned := _ZONED.fullmatch(text):
        return _in_zone(compile_inside(zoned[1], personal), zoned[2])
    if preset := preset_of(text):
        return preset_format(preset, personal)
    if text.lower() in BY_NAME:
        return json_preset_format(BY_NAME[text.lower()], personal)
    if text.startswith(W3C_NAME):
        return w3c_format(text, text.removeprefix(W3C_NAME), personal)
    if text.startswith("json:"):
        fmt = named_json(text, personal)
    elif text.startswith(CSV_NAMES):
        fmt = csv_format(text, personal)
    elif _WORD.fullmatch(text):
        raise _unknown(text)
    else:
        fmt = _string(text, personal)
        if OWN.search(text) and missing_of(fmt.fields) == "time":
            fmt = replace(fmt, outer_time=True)
    _check(fmt)
    return fmt


def _in_zone(fmt: Format, name: str) -> Format:
    """Return a format whose times are those of a zone."""
    if not fmt.headed and not fmt.fields & set(ZONELESS):
        raise FormatError(f"log format {fmt.name!r}: its times say their offset", f"leave out @{name}")
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise FormatError(
            f"log format '{fmt.name}@{name}': there is no time zone {name}", "write Europe/Berlin, say"
        ) from None
    return replace(fmt, name=f"{fmt.name}@{name}", zone=name)


def _unknown(text: str) -> FormatError:
    """Name the formats that there are, those nearest to what was written first."""
    near = get_close_matches(text.lower(), [*all_names(), *BY_NAME, *DETECTED], 3, 0.5)
    others = (name for name in (*NAMED, *(one.name for one in JSON_PRESETS), *DETECTED) if name not in near)
    return FormatError(
        f"log format {text!r}: neither a name nor a string", f"the names are {', '.join([*near, *others])}"
    )


@cache
def preset_format(preset: Preset, personal: PersonalFields) -> Format:
    """Compile a row of the table."""
    if preset.family == "w3c":
        return w3c_format(preset.name, preset.spec, personal)
    if preset.family == "columns":
        return columns_format(
            preset.name,
            preset.spec,
            personal,
            separator=preset.separator,
            comment=preset.comment,
            escaped=preset.escaped,
            doubled=preset.doubled,
        )
    parts = [
        replace(part, shape="user") if isinstance(part, Value) and part.field == "user" and not part.shape else part
        for part in parts_of(preset.spec, personal.user_id)
    ]
    return assemble(
        preset.name,
        _wanted(parts, personal),
        spaces=preset.spaces,
        open_end=preset.open_end,
        escaped=preset.escaped,
        outer_time=preset.outer_time,
        noise=preset.noise,
    )


def _wanted(parts: Iterable[Part], personal: PersonalFields) -> list[Part]:
    return [
        part if isinstance(part, bytes) or personal.wants(part.field) else replace(part, field="") for part in parts
    ]


def _string(text: str, personal: PersonalFields) -> Format:
    body, escape = unwrap(text)
    if body.lstrip().startswith("{"):
        return Format(text, keys=json_template(body, personal))
    if goaccess.is_goaccess(body):
        parts, encoded = _wanted(goaccess.parts_of(body), personal), frozenset({"agent"})
        return assemble(text, parts, spaces=goaccess.spaces_of(body), open_end=True, encoded=encoded)
    return assemble(text, _wanted(parts_of(body, personal.user_id), personal), escaped=escape != "none")


def _check(fmt: Format) -> None:
    if missing := missing_of(fmt.fields | ({"time_any"} if fmt.outer_time else set())):
        raise FormatError(
            f"log format {fmt.name!r}: there is no {missing} in it", "see `logagg tail --help` for the formats"
        )
    if len(fmt.keys) + len(fmt.steps) > MOST_VALUES or any(len(os.fsencode(key)) > LONGEST_KEY for key in fmt.keys):
        raise FormatError(
            f"log format {fmt.name[:60]!r}...: it has more than {MOST_VALUES} values, or a key of more than {LONGEST_KEY} bytes"
        )
