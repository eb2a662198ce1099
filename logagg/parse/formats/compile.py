"""The names and strings of log formats, compiled to what the parsers use."""

from __future__ import annotations

import os

from logagg.errors import FormatError
from logagg.parse.formats.format import LONGEST_KEY, MOST_VALUES, NO_PERSONAL_FIELDS, TIMES, Format, PersonalFields
from logagg.parse.formats.json_keys import json_template, named_json
from logagg.parse.formats.presets import NAMED
from logagg.parse.formats.templates import assemble, parts_of, unwrap


def compile_format(text: str, personal: PersonalFields = NO_PERSONAL_FIELDS) -> Format:
    """Compile a format's name or string.

    Raises FormatError, which names the unknown part of the format and its position.
    """
    if text in NAMED:
        return _compile(text, NAMED[text], personal)
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
        wanted = [part if isinstance(part, bytes) or personal.wants(part) else "" for part in parts]
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
