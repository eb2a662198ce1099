"""The JSON of the reference parser: one object, read as leniently as `json_lines` says, and the texts at its paths."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping

from logagg.parse.lines.json_lines import DEEPEST

Value = (
    bytes | list["Value"] | dict[int, tuple[bytes, "Value"]]
)  # a text as written; an array; an object's keys and values, by number

_STRING = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_BARE = {
    b"}": re.compile(rb'(?:[^"{}\[\]\\,]|,(?![ \t\r\n]*"))*'),  # a comma before a key ends it
    b"]": re.compile(rb'[^"{}\[\]\\,]*'),
}
_BLANKS = re.compile(rb"[ \t\r\n]*")
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[\"\\/bfnrtv])"
)
_LETTERS = dict(zip(b'"\\/bfnrtv', b'"\\/\b\f\n\r\t\v', strict=True))


def texts(line: bytes) -> list[tuple[bytes, list[bytes]]]:
    """Return the path of each value of a line's object, and its texts, as written: none for an object, several for an array.

    Raises ValueError for anything else than one object.
    """
    reader = _Reader(line)
    found = reader.object(1)
    reader.end()
    return list(_flat(found, None))


def values(line: bytes, keys: Mapping[str, str]) -> dict[str, bytes]:
    """Return the value of each field, from the first of its paths that has one. Raises ValueError as `texts` does."""
    found = texts(line)
    raw = dict.fromkeys(keys.values(), b"")
    for key, field in reversed(list(keys.items())):  # the preferred ones come first
        path = os.fsencode(key)
        wanted = next((some for at, some in found if at == path and some not in ([], [b"-"])), None)
        if wanted:
            raw[field] = b", ".join(map(unescape, wanted))
    return raw


def unescape(text: bytes) -> bytes:
    """Undo the escapes of a string."""
    return _ESCAPE.sub(lambda found: _meant(found[0][1:]), text)


def _meant(escape: bytes) -> bytes:
    if escape[:1] == b"x":
        return bytes.fromhex(escape[1:].decode())
    if escape[:1] == b"u":
        units = re.findall(rb"u(....)", escape)
        return bytes.fromhex(b"".join(units).decode()).decode("utf-16-be", "replace").encode()
    return bytes([_LETTERS[escape[0]]])


def _flat(value: Value, path: bytes | None) -> Iterator[tuple[bytes, list[bytes]]]:
    if isinstance(value, dict):
        pairs = list(value.values())
    else:
        pairs = [(b"%d" % number, one) for number, one in enumerate(value)] if isinstance(value, list) else []
    for key, inner in pairs:
        whole = key if path is None else path + b"." + key
        yield (
            whole,
            [text for text in (inner if isinstance(inner, list) else [inner]) if isinstance(text, bytes) and text],
        )
        yield from _flat(inner, whole)


class _Reader:
    def __init__(self, line: bytes) -> None:
        self._line, self._at = line, 0

    def object(self, depth: int) -> Value:
        pairs: dict[int, tuple[bytes, Value]] = {}
        self._take(b"{")
        while not self._takes(b"}"):
            key = unescape(self._string())
            self._take(b":")
            pairs[len(pairs)] = key, self._value(b"}", depth)
            if not self._takes(b","):
                self._take(b"}")
                break
        return pairs

    def end(self) -> None:
        if not self._comes(b""):
            raise ValueError(self._at)

    def _array(self, depth: int) -> Value:
        values: list[Value] = []
        self._take(b"[")
        if self._takes(b"]"):
            return values
        values.append(self._value(b"]", depth))
        while self._takes(b","):
            values.append(self._value(b"]", depth))
        self._take(b"]")
        return values

    def _value(self, closing: bytes, depth: int) -> Value:
        for opening, read in ((b"{", self.object), (b"[", self._array)):
            if self._comes(opening):
                if depth == DEEPEST:
                    raise ValueError(self._at)
                return read(depth + 1)
        return self._string() if self._comes(b'"') else self._bare(closing)

    def _string(self) -> bytes:
        self._comes(b'"')
        found = _STRING.match(self._line, self._at)
        if not found:
            raise ValueError(self._at)
        self._at = found.end()
        return found[1]

    def _bare(self, closing: bytes) -> bytes:
        found = _BARE[closing].match(self._line, self._at)
        assert found, "it matches nothing, too"
        self._at = found.end()
        text = found[0].rstrip(b" \t\r\n,")
        return b"" if text == b"null" else text

    def _comes(self, byte: bytes) -> bool:
        """Skip blanks, and tell whether a byte comes next; without a byte, the end."""
        blanks = _BLANKS.match(self._line, self._at)
        assert blanks, "it matches nothing, too"
        self._at = blanks.end()
        return self._line[self._at : self._at + 1] == byte

    def _takes(self, byte: bytes) -> bool:
        came = self._comes(byte)
        self._at += came
        return came

    def _take(self, byte: bytes) -> None:
        if not self._takes(byte):
            raise ValueError(self._at)
