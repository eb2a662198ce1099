"""Detects the format of JSON lines: a product's by its telling keys, any other by the names and values of its keys."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from dataclasses import replace

from logagg.parse.formats.format import LONGEST_KEY, REQUEST_PARTS, TIMES, UNITS, Format, PersonalFields
from logagg.parse.formats.json_keys import UNNAMEABLE, json_format, preset_format
from logagg.parse.formats.json_presets import JSON_PRESETS, JsonPreset
from logagg.parse.formats.templates import one_client
from logagg.parse.formats.variables import JSON_KEYS, JSON_TIMES, NGINX, W3C
from logagg.parse.json_units import unit_of, unit_said
from logagg.parse.lines import reference_json
from logagg.parse.lines.reference_times import reads_as_time

SAMPLE = 200  # lines

Values = Mapping[str, Sequence[bytes]]  # of each path that most lines have

_PLAIN = re.compile(r"[^a-z0-9]")
_NAMES = {
    **{_PLAIN.sub("", name): field for name, field in NGINX.items() if field and field not in TIMES},
    **JSON_KEYS,
}
# Databases and exports have the columns of W3C logs with other marks: `cs_uri_stem`.
_NAMES |= {
    plain: field
    for name, field in W3C.items()
    if (plain := _PLAIN.sub("", name)) not in _NAMES and field not in ("date", "clock", "time_taken")
}
_ORDER = {name: number for number, name in enumerate(_NAMES)}
# The fields of durations by unit.
_DURATIONS = [{unit: prefix + unit for unit in UNITS} for prefix in ("", "upstream_")]
_DURATION_NAMES = [name for name, field in _NAMES.items() if any(field == units["seconds"] for units in _DURATIONS)]
_REQUESTS = ("request", "target", "method", "path")
_TIME_NAMES = ("timeiso8601", "timelocal", "msec", *JSON_TIMES)
# Keys of objects in which a log has its fields; their own name says nothing about them.
_AROUND = frozenset(
    "request req http httprequest response res resp httpresponse headers header log fields data payload jsonpayload "
    "access accesslog nginx nginxfields attributes context ctx properties logentry proxy meta extra".split()
)
_IN_REQUEST = frozenset({"request", "req", "httprequest"})
_REQUEST = re.compile(rb"[A-Z][A-Z_-]{0,19} +[^ ].*", re.DOTALL)
_TARGET = re.compile(rb"(?:/|https?://|\*\Z).*", re.DOTALL)
_SHAPES = {
    "request": _REQUEST,
    "target": _TARGET,
    "method": re.compile(rb"[A-Z][A-Z_-]{2,19}"),
    "status": re.compile(rb"\d{3}"),
}
_UNSURE_CLIENTS = frozenset({"client", "ip", "addr", "remote"})  # names that may mean something else


def json_formats(
    lines: Sequence[bytes], now: float, personal: PersonalFields, *, timed: bool = False
) -> Iterator[Format]:
    """Yield the formats that JSON lines may have: that of a product, and one of their keys; `timed`: an envelope has their times."""
    values = _values(lines)
    if preset := _product(values, timed=timed):
        yield preset_format(preset, personal)
    if keys := chosen(values, now, personal, timed=timed):
        yield json_format(keys)


def product_of(values: Values, personal: PersonalFields) -> dict[str, str]:
    """Return the field of each column that a product's JSON has a key for; empty if these are not the columns of a product.

    Of several columns for one field, the preferred one is kept. Names are compared without regard to capitals, which databases do not keep.
    """
    names = {name.lower(): name for name in values}
    lower = [
        replace(one, telling=one.telling.lower(), keys={key: paths.lower() for key, paths in one.keys.items()})
        for one in JSON_PRESETS
    ]
    preset = next((one for one in lower if _is_of(one, names)), None)
    found = {
        next((names[path] for path in paths.split() if path in names), ""): field
        for field, paths in (preset.keys.items() if preset else ())
        if personal.wants(field)
    }
    return {name: field for name, field in found.items() if name}


def _product(values: Values, *, timed: bool) -> JsonPreset | None:
    return next((one for one in JSON_PRESETS if _is_of(one, values, timed=timed)), None)


def _is_of(preset: JsonPreset, values: Collection[str], *, timed: bool = False) -> bool:
    """Tell whether most lines have the keys that identify a product, and the fields that a request needs."""
    present = {field for field, paths in preset.keys.items() if any(path in values for path in paths.split())}
    needs_time = not timed or "time_any" in preset.keys
    return _is_enough(present, timed=not needs_time) and all(path in values for path in preset.telling.split())


def unclear_keys(lines: Sequence[bytes], fmt: Format) -> list[str]:
    """Return the keys of durations that a format does not read, since neither their names nor their values prove a unit."""
    read = set(fmt.keys.values())
    detected = fmt.name.startswith("json:")
    missing = {units["seconds"] for units in _DURATIONS if detected and not read & set(units.values())}
    known = {path: _known(_name(path)) for path in _values(lines)}
    return [path for path, (name, unit) in known.items() if unit == "" and _NAMES.get(name) in missing]


def _values(lines: Sequence[bytes]) -> Values:
    """Return the values of each path that most objects have, an array's texts as one."""
    records = [record for line in lines[:SAMPLE] if (record := _record(line))]
    common = Counter(path for record in records for path in record)
    paths = [path for path, count in common.items() if 2 * count > len(records) and _may_be_key(path)]
    return {path: [record[path] for record in records if record.get(path, b"-") != b"-"] for path in paths}


def _may_be_key(path: str) -> bool:
    """Tell whether a format can have a path: its name has it, and the scanner compares it."""
    return not UNNAMEABLE & set(path) and len(path.encode()) <= LONGEST_KEY


def _record(line: bytes) -> dict[str, bytes]:
    try:
        found = reference_json.texts(line)
    except ValueError:
        return {}
    record: dict[str, bytes] = {}
    for path, texts in found:
        record.setdefault(path.decode("utf-8", "replace"), b", ".join(texts) or b"-")
    return record


def chosen(values: Values, now: float, personal: PersonalFields, *, timed: bool = False) -> dict[str, str]:
    """Choose the key of each field; empty without a time, a status and a request. `timed`: an envelope has the time."""
    fields = _requested(_candidates(values), values)
    if time := _time_key(values, now):
        fields["time_any"] = time
    named = zip(one_client(list(fields)), fields.values(), strict=True)
    fields = {field: path for field, path in named if field and personal.wants(field)}
    if personal.user_id in values:
        fields["user_id"] = personal.user_id
    if not _is_enough(fields.keys(), timed=timed):
        return {}
    order = {path: number for number, path in enumerate(values)}
    return {path: field for field, path in sorted(fields.items(), key=lambda pair: order[pair[1]])}


def _is_enough(fields: Set[str], *, timed: bool) -> bool:
    return "status" in fields and (timed or bool(TIMES & fields)) and bool({"request", "target", "path"} & fields)


def _candidates(values: Values) -> dict[str, str]:
    """Return the preferred path of each field, by name; where a name is not enough, by the values, too."""
    named = sorted(values, key=lambda path: (_ORDER.get(_known(_name(path))[0], 0), path.count(".")), reverse=True)
    found = {field: path for path in named if (field := _field_of(path, values[path]))}
    if "host" in found and _are_addresses(values[found["host"]]):  # the server's own, perhaps: a name is preferred
        names = (path for path in named if _field_of(path, values[path]) == "host" and not _are_addresses(values[path]))
        found["host"] = next(reversed(list(names)), found["host"])
    return found


def _field_of(path: str, values: Sequence[bytes]) -> str:
    """Return the field that a key holds; empty if it is unknown."""
    name, unit = _known(_name(path))
    field = _NAMES.get(name, "")
    if unit is not None:
        unit = unit or unit_of(values, is_nginx=name in ("requesttime", "upstreamresponsetime"))
        return next((units.get(unit, "") for units in _DURATIONS if units["seconds"] == field), "")
    if field in _REQUESTS:
        return next((shape for shape in ("request", "target", "method") if _mostly(_SHAPES[shape], values)), "")
    if field == "protocol" and values and all(value in (b"http", b"https") for value in values):
        return "scheme"
    around = {_PLAIN.sub("", part.lower()) for part in path.split(".")[:-1]}
    fits = (
        _mostly(_SHAPES["status"], values)
        if field == "status"
        else not around & _IN_REQUEST
        if field == "bytes"
        else name not in _UNSURE_CLIENTS or all(map(_is_address, values))
    )
    return field if fits else ""


def _requested(fields: Mapping[str, str], values: Values) -> dict[str, str]:
    """Return the fields without those that others have in them: parts of a whole request, the query of a target."""
    if "request" in fields:
        return {field: path for field, path in fields.items() if field not in REQUEST_PARTS}
    if not {"target", "query"} <= fields.keys():
        return dict(fields)
    if any(b"?" in value for value in values[fields["target"]]):
        return {field: path for field, path in fields.items() if field != "query"}
    return {"path" if field == "target" else field: path for field, path in fields.items()}


def _known(name: str) -> tuple[str, str | None]:
    """Return the name that the tables have, and for a duration the unit that the rest of the name says, perhaps none."""
    for known in _DURATION_NAMES:
        if (unit := unit_said(name, known)) is not None:
            return known, unit
    return name, None


def _name(path: str) -> str:
    """Return a path as the tables have it: in small letters, without marks, and without the objects around the
    fields."""
    parts = [_PLAIN.sub("", part.lower()) for part in path.removeprefix("_source.").split(".")]
    while len(parts) > 1 and parts[0] in _AROUND:
        parts.pop(0)
    return "".join(parts)


def _are_addresses(values: Sequence[bytes]) -> bool:
    return all(map(_is_address, values))


def _mostly(shape: re.Pattern[bytes], values: Sequence[bytes]) -> bool:
    return 2 * sum(bool(shape.fullmatch(value)) for value in values) > len(values)


def _is_address(value: bytes) -> bool:
    text = value.decode("utf-8", "replace").split(",")[0].strip().strip("[]")
    bare = text.rpartition(":")[0] if text.count(":") == 1 else text
    try:
        ipaddress.ip_address(bare)
    except ValueError:
        return False
    return True


def _time_key(values: Values, now: float) -> str | None:
    """Return the path whose values are times, the preferred one first."""
    paths = sorted(values, key=lambda path: path.count("."))
    for name in _TIME_NAMES:
        for path in paths:
            some = values[path][:20]
            if _name(path) == name and some and all(reads_as_time("time_any", value, now) for value in some):
                return path
    return None
