"""The names and strings of log formats, compiled to what the parsers use."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from logagg.errors import FormatError
from logagg.parse.envelopes.kinds import join, split
from logagg.parse.formats.format import LONGEST_KEY, MOST_VALUES, NO_PERSONAL_FIELDS, OR, TIMES, Format, PersonalFields
from logagg.parse.formats.json_keys import named_json, preset_format
from logagg.parse.formats.json_presets import BY_NAME
from logagg.parse.formats.json_template import json_template
from logagg.parse.formats.presets import NAMED
from logagg.parse.formats.templates import assemble, parts_of, unwrap

MOST_FORMATS = 6  # of a source


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
    return next((name for name, text in NAMED.items() if text == template), template)


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
    return enveloped(_naked(inside, personal), envelope)


def _naked(text: str, personal: PersonalFields) -> Format:
    if text in NAMED:
        return _compile(text, NAMED[text], personal)
    if text in BY_NAME:
        return preset_format(BY_NAME[text], personal)
    if text.startswith("json:"):
        fmt = named_json(text, personal)
        _check(fmt)
        return fmt
    return _compile(text, text, personal)


def _compile(name: str, text: str, personal: PersonalFields) -> Format:
    body, escape = unwrap(text)
    if body.lstrip().startswith("{"):
        fmt = Format(name, keys=json_template(body, personal))
    else:
        parts = list(parts_of(body, personal.user_id))
        wanted = [
            part if isinstance(part, bytes) or personal.wants(part.field) else replace(part, field="") for part in parts
        ]
        fmt = assemble(name, wanted, escaped=escape != "none")
    _check(fmt)
    return fmt


def _check(fmt: Format) -> None:
    fields = set(fmt.keys.values()) or {step.field for step in fmt.steps}
    wanted = {"a time": TIMES, "a status": {"status"}, "a request": {"request", "target", "path"}}
    for what, names in wanted.items():
        if not fields & names:
            raise FormatError(
                f"log format {fmt.name!r}: there is no {what.split()[1]} in it",
                "see `logagg tail --help` for the formats",
            )
    if len(fmt.keys) + len(fmt.steps) > MOST_VALUES or any(len(os.fsencode(key)) > LONGEST_KEY for key in fmt.keys):
        raise FormatError(
            f"log format {fmt.name[:60]!r}...: it has more than {MOST_VALUES} values, or a key of more than {LONGEST_KEY} bytes"
        )
