"""Detects the formats of a log from lines of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from logagg.parse.combined.write import open_template, templates
from logagg.parse.formats.compile import compile_format, joined, named
from logagg.parse.formats.format import NO_PERSONAL_FIELDS, REQUEST_PARTS, TIMES, Format, PersonalFields
from logagg.parse.formats.json_keys import json_format
from logagg.parse.formats.presets import COMBINED, NAMED
from logagg.parse.formats.templates import one_client
from logagg.parse.formats.variables import JSON_KEYS, JSON_TIMES, NGINX
from logagg.parse.lines import fast
from logagg.records import Chunk, Fingerprint

_TIME_SHAPES = ("time_local", "time_iso8601", "time_epoch_us", "time_epoch_ms", "time_epoch")
_KEYS = {**{name: field for name, field in NGINX.items() if field and field not in TIMES}, **JSON_KEYS}
MOST_TOGETHER = 4  # formats of one log's first lines
SOME = 60  # lines from which formats are written, and of which one at least must match


@dataclass(frozen=True, slots=True)
class Detector:
    """Detects formats, for one configuration."""

    personal: PersonalFields = NO_PERSONAL_FIELDS
    names: tuple[str, ...] | None = None  # of the formats to choose from; None: all

    def first(self, lines: Sequence[bytes], now: float, likely: Sequence[Format] = ()) -> Format | None:
        """Return the formats that parse the most of a log's first lines together, if that is at least half of them.

        `likely` are formats that are preferred to others which parse as many.
        """
        left, found = list(lines), list[Format]()
        while left and len(found) < MOST_TOGETHER and (fmt := self.next(left, now, likely)):
            left = _without(left, fmt, now)
            found.append(fmt)
        return joined(found) if found and 2 * len(left) <= len(lines) else None

    def next(self, lines: Sequence[bytes], now: float, likely: Sequence[Format] = ()) -> Format | None:
        """Return the format that parses the most of some lines, and of equals the one with the most fields; None if none does."""
        best, most = None, (0, 0)
        some = spread(lines, SOME)
        for fmt in (*likely, *self._candidates(some, now)):
            parsed = count(lines, fmt, now) if count(some, fmt, now) else 0
            if parsed and (parsed, len(fmt.fields)) > most:
                best, most = fmt, (parsed, len(fmt.fields))
        return best or self._open(some, now)

    def _candidates(self, lines: Sequence[bytes], now: float) -> Iterable[Format]:
        for name in NAMED if self.names is None else self.names:
            if name not in COMBINED and name != "json":
                yield compile_format(name, self.personal)
        if (self.names is None or "json" in self.names) and (fmt := _json(lines, now, self.personal)):
            yield fmt
        if self.names is None:
            yield from (compile_format(text, self.personal) for text in map(named, templates(lines, now)))

    def _open(self, lines: Sequence[bytes], now: float) -> Format | None:
        """Return a format for lines with anything behind the agent."""
        text = open_template(lines, now) if self.names is None else None
        fmt = compile_format(text, self.personal) if text else None
        return fmt if fmt and count(lines, fmt, now) else None


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
    return sum(_fit(lines, fmt, now))


def spread(lines: Sequence[bytes], most: int) -> Sequence[bytes]:
    """Return some lines, evenly spread."""
    return lines[:: -(-len(lines) // most)] if lines else lines


def _without(lines: Sequence[bytes], fmt: Format, now: float) -> list[bytes]:
    """Return the lines that a format does not parse."""
    return [line for line, fits in zip(lines, _fit(lines, fmt, now), strict=True) if not fits]


def _fit(lines: Sequence[bytes], fmt: Format, now: float) -> list[bool]:
    """Tell of each line whether a format parses it."""
    data = b"\n".join(lines)
    found = fast.find_lines(Chunk("", 0, 0, len(data), data, Fingerprint(0, 0, "")))
    starts = np.cumsum([0, *(len(line) + 1 for line in lines[:-1])])
    fits = np.zeros(len(lines), bool)
    fits[np.searchsorted(starts, found.start, "right") - 1] = fast.matching(found, fmt, now)
    return fits.tolist()


def _json(lines: Sequence[bytes], now: float, personal: PersonalFields) -> Format | None:
    """Choose the key of each field among the keys that most objects have."""
    records = [record for record in map(_object, lines) if record]
    if not records:
        return None
    common = Counter(key for record in records for key in record)
    present = [key for key, count in common.items() if 2 * count > len(records) and not set(key) & set(',="\\')]
    keys = {field: key for key, field in reversed(_KEYS.items()) if key in present and personal.wants(field)}
    keys |= dict(_time_keys(present, records, now))
    keys = {field: key for field, key in zip(one_client(list(keys)), keys.values(), strict=True) if field}
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
