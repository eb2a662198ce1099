"""Detects lines of values that one mark separates, in any order and without a header: `$remote_addr|$time_iso8601|$status|...`.

The values of a column in all lines decide its field. The columns must prove the time, the client, the status and the request;
otherwise there is no template. A number without proof of its meaning is not used.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from logagg.parse.combined.columns import Column, places
from logagg.parse.combined.response import KNOWN_STATUS, NOT_ZERO, PRODUCT, URL, size_behind
from logagg.parse.combined.tokens import Token
from logagg.parse.lines.reference_times import reads_as_time

_MARKS = ("|", "\t", ";", ",")
_LEAST = 4  # values of a line, at least
_MOST = 100
_LONGEST = 1 << 14  # bytes; longer lines are ignored
_REQUEST = re.compile(rb"[A-Z][A-Z_-]{0,19} +[^ ].* HTTP/[0-9.]+\Z", re.DOTALL)
_METHOD = re.compile(rb"(?:GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH|CONNECT|TRACE|PROPFIND|REPORT|PURGE)\Z")
_TARGET = re.compile(rb"(?:/[^ ]*|\*)\Z")
_PROTOCOL = re.compile(rb"HTTP/[0-9](?:\.[0-9])?\Z")
# Shapes but for that of "-": a column that is always "-" here may have values in other lines.
_SHAPED = re.compile(r"<([a-z_0-9]*):(?!dash)[a-z_]+>")

Numbered = Sequence[tuple[int, Column]]


def _token_of(mark: str) -> re.Pattern[bytes]:
    between = re.escape(mark) if mark == "\t" else f" *{re.escape(mark)} *"
    values = rf'"(?P<quoted>(?:[^"\\]|\\.)*+)"|\[(?P<bracketed>[^\[\]"]*+)\]|(?P<bare>[^"\[{mark}][^{mark}]*?|)'
    return re.compile(rf"(?:{values})(?P<blanks>{between}|\Z)".encode(), re.DOTALL)


_TOKENS = {mark: _token_of(mark) for mark in _MARKS}
_WRITTEN = {"quoted": b'""', "bracketed": b"[]", "bare": b""}


def separated_templates(lines: Sequence[bytes], now: float) -> Iterator[str]:
    """Yield the template that fits most lines, for each mark between values."""
    for mark in _MARKS:
        some = [line for line in lines if line.count(mark.encode()) >= _LEAST - 1 and len(line) <= _LONGEST]
        rows = [row for line in some if len(row := _tokens(line.rstrip(b"\r"), _TOKENS[mark])) >= _LEAST]
        for style, _ in Counter(map(_style, rows)).most_common(1):
            alike = [row for row in rows if _style(row) == style]
            if template := _template([Column(tokens) for tokens in zip(*alike, strict=True)], now):
                yield template


def _style(tokens: Sequence[Token]) -> tuple[object, ...]:
    return tuple(token.style for token in tokens)


def _tokens(line: bytes, form: re.Pattern[bytes]) -> list[Token]:
    """Return the values of a line; an empty list if the line has another structure."""
    tokens, at = list[Token](), 0
    while len(tokens) < _MOST and (found := form.match(line, at)):
        kind = next(kind for kind in _WRITTEN if found[kind] is not None)
        tokens.append(Token(found[kind], _WRITTEN[kind], b"", found["blanks"]))
        at = found.end()
        if not found["blanks"]:
            return tokens if at == len(line) else []
    return []


def _template(columns: Sequence[Column], now: float) -> str:
    """Return the template for lines with these values; empty if the values do not prove all fields that a request needs."""
    fields = dict(_proved(list(enumerate(columns)), now))
    if any(field == "agent" and not all(map(_is_whole, columns[number].values)) for number, field in fields.items()):
        return ""  # its values have the mark in them
    if not {"time_any", "client", "status"} <= set(fields.values()) or not {"request", "target"} & set(fields.values()):
        return ""
    status = next(number for number, field in fields.items() if field == "status")
    if size := size_behind(columns[status], _behind(columns, fields, status)):
        fields[size] = "bytes"
    found = places(columns, fields, set())
    template = "".join(place + column.tokens[0].blanks.decode() for place, column in zip(found, columns, strict=True))
    return _SHAPED.sub(r"<\1>", template)


def _is_whole(agent: bytes) -> bool:
    """Tell whether all parentheses of an agent are closed."""
    return agent.count(b"(") <= agent.count(b")")


def _behind(columns: Sequence[Column], fields: Mapping[int, str], status: int) -> Numbered:
    """Return the columns with values after the status, without those of its upstream, up to the first one with another meaning."""
    behind = list[tuple[int, Column]]()
    for number, column in list(enumerate(columns))[status + 1 :]:
        if number in fields:
            break
        is_upstream = column.share(KNOWN_STATUS) == 1 and column.values == columns[status].values
        if column.values and not is_upstream:
            behind.append((number, column))
    return behind


def _proved(columns: Numbered, now: float) -> Iterator[tuple[int, str]]:
    """Yield the columns whose values prove their field; each field is used once."""
    left = dict(columns)
    for field, proves in _proofs(now).items():
        found = [number for number, column in left.items() if column.values and proves(column)]
        if field == "client":  # an address that never varies may be the server's own
            found.sort(key=lambda number: -len(set(left[number].values)))
        if field == "status":
            found.sort(key=lambda number: -left[number].share(NOT_ZERO))
        if found:
            yield found[0], field
            del left[found[0]]


def _proofs(now: float) -> Mapping[str, Callable[[Column], bool]]:
    """Return, by field, the test of its values; the field with the strictest test comes first."""
    return {
        "time_any": lambda one: all(reads_as_time("time_any", value, now) for value in one.values),
        "client": lambda one: one.has_clients and len(one.values) == len(one.tokens) and not _are_lists(one.values),
        "request": lambda one: one.most(_REQUEST),
        "method": lambda one: one.all(_METHOD),
        "protocol": lambda one: one.all(_PROTOCOL),
        "target": lambda one: one.all(_TARGET),
        "status": lambda one: one.share(KNOWN_STATUS) >= 0.75 and all(map(bytes.isdigit, one.values)),
        "referrer": lambda one: one.all(URL),
        "agent": lambda one: one.most(PRODUCT),
    }


def _are_lists(values: Sequence[bytes]) -> bool:
    return any(b"," in value for value in values)
