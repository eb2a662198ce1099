"""JSON formats: keys of a line's object, and the field that each one holds."""

from __future__ import annotations

import re
from collections.abc import Mapping

from logagg.errors import FormatError
from logagg.parse.formats.format import Format, PersonalFields
from logagg.parse.formats.templates import prefer
from logagg.parse.formats.variables import nginx_field


def named_json(name: str, personal: PersonalFields) -> Format:
    """Compile the name of a JSON format again: `json:time_iso8601=time,status=status,request=line`."""
    pairs = [pair.split("=", 1) for pair in name.removeprefix("json:").split(",")]
    if any(len(pair) < 2 for pair in pairs):
        raise FormatError(
            f"log format {name!r}: not a list of fields and their keys", "write json, and the keys are detected"
        )
    fmt = json_format({key: field for field, key in pairs if personal.wants(field)})
    return fmt


def json_format(keys: Mapping[str, str]) -> Format:
    """Return the JSON format that takes fields from these keys."""
    name = "json:" + ",".join(f"{field}={key}" for key, field in keys.items())
    return Format(name, keys=dict(keys))


def json_template(text: str, personal: PersonalFields) -> Mapping[str, str]:
    """Read an nginx `escape=json` template: `{"time":"$time_iso8601","status":$status}`."""
    pairs = re.findall(r'"((?:[^"\\]|\\.)+)"\s*:\s*"?\$\{?(\w+)\}?"?\s*(?=[,}])', text)
    named = [(key, "user_id" if variable == personal.user_id else nginx_field(variable)) for key, variable in pairs]
    chosen = prefer([name for _, name in named])
    return {key: name for (key, _), name in zip(named, chosen, strict=True) if name and personal.wants(name)}
