"""JSON formats: paths of keys in a line's object, and the field that each one holds."""

from __future__ import annotations

from collections.abc import Mapping

from logagg.errors import FormatError
from logagg.parse.formats.format import TIMES, Format, PersonalFields
from logagg.parse.formats.json_presets import JsonPreset

UNNAMEABLE = frozenset(',="\\')  # characters of keys that the name of a format cannot have


def named_json(name: str, personal: PersonalFields) -> Format:
    """Compile the name of a JSON format again: `json:time_any=time,status=status,request=line`."""
    pairs = [pair.split("=", 1) for pair in name.removeprefix("json:").split(",")]
    if any(len(pair) < 2 for pair in pairs):
        raise FormatError(
            f"log format {name!r}: not a list of fields and their keys", "write json, and the keys are detected"
        )
    return json_format({key: field for field, key in pairs if personal.wants(field)})


def json_format(keys: Mapping[str, str]) -> Format:
    """Return the JSON format that takes fields from these keys."""
    name = "json:" + ",".join(f"{field}={key}" for key, field in keys.items())
    return Format(name, keys=dict(keys), outer_time=not TIMES & set(keys.values()))


def preset_format(preset: JsonPreset, personal: PersonalFields) -> Format:
    """Compile a product's format."""
    keys = {path: field for field, paths in preset.keys.items() for path in paths.split() if personal.wants(field)}
    if personal.user_id:
        keys[personal.user_id] = "user_id"
    return Format(preset.name, keys=keys, encoded=preset.encoded, outer_time=not TIMES & set(keys.values()))
