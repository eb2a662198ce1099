"""Templates of JSON, as nginx and Apache are given them: `{"time":"$time_iso8601","request":{"uri":"$uri"}}`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from logagg.errors import FormatError
from logagg.parse.formats.format import PersonalFields
from logagg.parse.formats.goaccess import field_of_json, is_goaccess
from logagg.parse.formats.templates import parts_of, prefer
from logagg.parse.formats.variables import CLIENTS

_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_BARE = re.compile(r"(?:\$\{\w+\}|%[!\d,]*[<>]?\{[^}]*\}\^?\w+|[^,}\]])*")
_TIME = re.compile(r"%\{([^}]*)\}t")
_FRACTIONS = {
    "msec_frac": "123",
    "usec_frac": "123456",
    "sec": "1795780800",
    "msec": "1795780800123",
    "usec": "1795780800123456",
}
_SOME_TIME = datetime(2026, 11, 27, 12, tzinfo=UTC)
_READ_AS_TIMES = re.compile(
    r"\d{10}(?:\d{3}){0,2}|(?:\d{4}[-/]\d\d[-/]\d\d[T ]|\d\d/\w{3}/\d{4}:)[\d:]{8}([.,]\d+)?( ?(Z|UTC|[+-]\d\d:?\d\d))?"
)


def json_template(text: str, personal: PersonalFields) -> Mapping[str, str]:
    """Return the paths of the values in a template, and the field that each one holds."""
    plain = text.replace(r"\"", '"') if re.match(r'\s*\{\s*\\"', text) else text
    values = list(_Template(plain).values())
    field_of = field_of_json if is_goaccess(plain) else lambda value: _field(value, personal.user_id)
    chosen = prefer([field_of(value) for _, value in values])
    return {path: name for (path, _), name in zip(values, chosen, strict=True) if name and personal.wants(name)}


class _Template:
    """Reads the values of a template, which is JSON but for values without quotes."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def values(self) -> Iterator[tuple[str, str]]:
        """Yield the path of each value, and the value."""
        yield from self._object("")
        if self._text[self._at :].strip():
            raise self._error()

    def _object(self, path: str) -> Iterator[tuple[str, str]]:
        self._take("{")
        while not self._takes("}"):
            key = self._string()
            self._take(":")
            yield from self._value(f"{path}.{key}" if path else key)
            if not self._takes(","):
                self._take("}")
                return

    def _array(self, path: str) -> Iterator[tuple[str, str]]:
        self._take("[")
        number = 0
        while not self._takes("]"):
            yield from self._value(f"{path}.{number}")
            number += 1
            if not self._takes(","):
                self._take("]")
                return

    def _value(self, path: str) -> Iterator[tuple[str, str]]:
        if self._comes("{"):
            yield from self._object(path)
        elif self._comes("["):
            yield from self._array(path)
        elif self._comes('"'):
            yield path, self._string()
        else:
            yield path, self._match(_BARE)[0].strip()

    def _string(self) -> str:
        self._comes('"')
        return str(self._match(_STRING)[1])

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        found = pattern.match(self._text, self._at)
        if not found:
            raise self._error()
        self._at = found.end()
        return found

    def _comes(self, mark: str) -> bool:
        self._at += len(self._text[self._at :]) - len(self._text[self._at :].lstrip())
        return self._text.startswith(mark, self._at)

    def _takes(self, mark: str) -> bool:
        came = self._comes(mark)
        self._at += came
        return came

    def _take(self, mark: str) -> None:
        if not self._takes(mark):
            raise self._error()

    def _error(self) -> FormatError:
        rest = self._text[self._at : self._at + 10]
        return FormatError(f"log format {self._text!r}: it is not a JSON object at {self._at}, {rest!r}")


def _field(value: str, user_id: str) -> str:
    """Return the field that a value of a template is; empty if none is known for it."""
    if _TIME.search(value) and not _TIME.sub("", value).count("%"):
        return "time_any" if _READ_AS_TIMES.fullmatch(_TIME.sub(_example, value)) else ""
    parts = [part if isinstance(part, bytes) else part.field for part in parts_of(value, user_id)]
    parts = [part for part in parts if part not in (b"[", b"]")]
    if len(parts) == 1:
        return parts[0] if isinstance(parts[0], str) else ""
    return _joined(parts)


def _example(directive: re.Match[str]) -> str:
    name = directive[1].removeprefix("begin:").removeprefix("end:")
    return _FRACTIONS.get(name) or _SOME_TIME.strftime(name).replace("%z", "+0000").replace("%Z", "UTC")


def _joined(parts: Sequence[bytes | str]) -> str:
    """Return what several fields with text between them are together."""
    if not parts:
        return ""
    first, second, last = parts[0], parts[1], parts[-1]
    if first == "method" and second == b" " and last in ("target", "path", "query", "protocol"):
        return "request"
    if last in ("target", "path", "query") and any(isinstance(part, bytes) and part.endswith(b"://") for part in parts):
        return "target"
    if first == "path" and last == "query":
        return "target"
    return str(first) if second == b":" and first in CLIENTS else ""
