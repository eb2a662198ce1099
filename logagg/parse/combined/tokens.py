"""The values of a line with blanks between them, and how each is written: bare, in quotes, in brackets, after a key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from logagg.parse.formats.shapes import has_shape, kind_of
from logagg.parse.geo.countries import known_codes

_TOKEN = re.compile(
    rb'(?P<key>(?:ms|us):(?=[0-9]++(?: |\Z))|[A-Za-z_][A-Za-z0-9_.-]*+(?:=|:(?="|-(?: |\Z)|[0-9]+\.[0-9])))?'
    rb'(?:"(?P<quoted>(?:[^"\\]|\\.)*+)"|\[(?P<bracketed>[^\[\]"]*+)\]|(?P<bare>\[[0-9A-Fa-f:.]++\]:[0-9]++(?= )|[^ "\[][^ "]*+|(?=[ ]|\Z)))(?P<blanks> ++|\Z|(?<=\])(?="))',
    re.DOTALL,
)
FAR_PORT = re.compile(rb":[0-9]{5}(?:,|\Z)")  # of a client; servers listen on lower ones
_MARKS = {"quoted": b'""', "bracketed": b"[]", "bare": b""}
_MOST = 100  # tokens of a line


@dataclass(frozen=True, slots=True)
class Token:
    """A value of a line, and how it is written."""

    value: bytes
    marks: bytes = b""  # the two that enclose it
    key: bytes = b""  # with its sign: `rt=`
    blanks: bytes = b""  # that follow it

    @property
    def style(self) -> tuple[bytes, bytes, bytes]:
        """How it is written: the same in all lines of a format."""
        return self.key, self.marks, self.blanks

    def place(self, inner: str) -> str:
        """Return how a template has it, with `inner` for the value."""
        marks = self.marks.decode()
        return f"{self.key.decode()}{marks[:1]}{inner}{marks[1:]}"

    @property
    def is_address(self) -> bool:
        return kind_of(self.value) in ("addresses", "sockets")

    @property
    def is_dash(self) -> bool:
        return self.value == b"-"

    @property
    def is_host(self) -> bool:
        return has_shape(self.value, "site") and not (self.is_dash or self.is_address)

    @property
    def is_country(self) -> bool:
        return has_shape(self.value, "country") and self.value in known_codes()


def tokens_of(line: bytes) -> list[Token] | None:
    """Return the tokens of a line; None if it has no such structure."""
    tokens, at = list[Token](), 0
    while at < len(line):
        found = _TOKEN.match(line, at)
        if not found or found.end() == at or len(tokens) == _MOST:
            return None
        kind = next(kind for kind in _MARKS if found[kind] is not None)
        tokens.append(Token(found[kind], _MARKS[kind], found["key"] or b"", found["blanks"]))
        at = found.end()
    return list(_with_lists(tokens))


def _with_lists(tokens: list[Token]) -> Iterator[Token]:
    """Join the items of lists that are not in quotes: `0.1, 0.2 : 0.3`."""
    waiting: Token | None = None
    for token in tokens:
        if waiting and _goes_on(waiting, token):
            value = waiting.value + waiting.blanks + token.key + token.value
            waiting = replace(waiting, value=value, blanks=token.blanks)
            continue
        if waiting:
            yield waiting
        waiting = token
    if waiting:
        yield waiting


def _goes_on(one: Token, after: Token) -> bool:
    if one.marks or after.marks or one.blanks != b" ":
        return False
    return one.value.endswith((b",", b" :")) or after.value == b":"
