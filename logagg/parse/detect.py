"""Detects the format of a log from its first lines."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence

from logagg.parse.formats.compile import compile_format
from logagg.parse.formats.format import NO_PERSONAL_FIELDS, REQUEST_PARTS, TIMES, Format, PersonalFields
from logagg.parse.formats.json_keys import json_format
from logagg.parse.formats.presets import NAMED
from logagg.parse.formats.variables import JSON_KEYS, JSON_TIMES, NGINX
from logagg.parse.lines import fast
from logagg.records import Chunk, Fingerprint

_TIME_SHAPES = ("time_local", "time_iso8601", "time_epoch_us", "time_epoch_ms", "time_epoch")
_KEYS = {**{name: field for name, field in NGINX.items() if field and field not in TIMES}, **JSON_KEYS}


def detect(
    lines: Sequence[bytes],
    now: float,
    personal: PersonalFields = NO_PERSONAL_FIELDS,
    *,
    names: Iterable[str] | None = None,
) -> Format | None:
    """Return the format that parses the most of these lines, if that is at least half of them; otherwise None.

    `names` are the formats to choose from, most specific first; by default all named formats.
    """
    best, most = None, (len(lines) + 1) // 2 - 1
    for fmt in _candidates(lines, now, personal, tuple(NAMED) + ("json",) if names is None else names):
        parsed = count(lines, fmt, now)
        if parsed > most:
            best, most = fmt, parsed
        if most == len(lines):  # no other can do better, and each attempt costs as much as parsing a thousand lines
            break
    return best


def count(lines: Sequence[bytes], fmt: Format, now: float) -> int:
    """Return how many of these lines a format parses."""
    data = b"\n".join(lines)
    return fast.count(Chunk("", 0, 0, len(data), data, Fingerprint(0, 0, "")), fmt, now)


def _candidates(lines: Sequence[bytes], now: float, personal: PersonalFields, names: Iterable[str]) -> Iterable[Format]:
    for name in names:
        if name != "json":
            yield compile_format(name, personal)
        elif fmt := _json(lines, now, personal):
            yield fmt


def _json(lines: Sequence[bytes], now: float, personal: PersonalFields) -> Format | None:
    """Choose the key of each field among the keys that most objects have."""
    records = [record for record in map(_object, lines) if record]
    if not records:
        return None
    common = Counter(key for record in records for key in record)
    present = [key for key, count in common.items() if 2 * count > len(records) and not set(key) & set(',="\\')]
    keys = {field: key for key, field in reversed(_KEYS.items()) if key in present and personal.wants(field)}
    keys |= dict(_time_keys(present, records, now))
    if personal.user_id in present:
        keys["user_id"] = personal.user_id
    if "request" in keys:
        keys = {field: key for field, key in keys.items() if field not in REQUEST_PARTS}
    if not {"status"} <= keys.keys() or not {"request", "target", "path"} & keys.keys() or not TIMES & keys.keys():
        return None
    return json_format({key: field for field, key in keys.items()})


def _time_keys(present: Sequence[str], records: Sequence[dict[str, str]], now: float) -> Iterable[tuple[str, str]]:
    """Find the one key that holds a time, and which field its values read as."""
    from logagg.parse.lines import reference  # only JSON needs it

    for key in ("time_iso8601", "time_local", "msec", *JSON_TIMES):
        values = [record[key].encode("utf-8", "replace") for record in records if key in record]
        for field in _TIME_SHAPES if key in present else ():
            if values and all(reference.reads_as_time(field, value, now) for value in values[:20]):
                return [(field, key)]
    return []


def _object(line: bytes) -> dict[str, str] | None:
    """Return the plain values of a JSON object by key, as text."""
    try:
        record = json.loads(line, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    return {key: value for key, value in record.items() if isinstance(value, str)}
