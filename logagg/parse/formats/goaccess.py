r"""GoAccess's format strings: `%h %^[%d:%t %^] "%r" %s %b "%R" "%u"`.

Some letters mean something else to Apache (`%u`, `%h %t`). A string is GoAccess's if it has a specifier that Apache does not
have: each string of GoAccess needs a date, `%d` or `%x`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from logagg.errors import FormatError
from logagg.parse.formats.templates import Part, Value, unescaped

LISTED = "client,"  # the field of a list of addresses
_TIMES = ("time_any", "date", "clock")
_BRACED = re.compile(r"%[<>]?\{[^}]*\}")  # a directive of Apache, which may contain letters of a time
_OURS = re.compile(r"%[dx~]|%\^(?!FB|t[io])|~h\{")
SPECIFIERS: Mapping[str, str] = {
    "x": "time_any",
    "d": "date",
    "t": "clock",
    "v": "host",
    "e": "user",
    "C": "cache",
    "h": "client",
    "r": "request",
    "m": "method",
    "U": "path",
    "q": "query",
    "H": "protocol",
    "s": "status",
    "b": "bytes",
    "R": "referrer",
    "u": "agent",
    "K": "tls",
    "k": "",
    "M": "",
    "D": "microseconds",
    "T": "seconds",
    "L": "milliseconds",
    "n": "nanoseconds",
    "^": "",
}
# Several specifiers that are read as one value, with the parts that GoAccess skips: a port, a fraction of a second, an offset from UTC.
_MOMENT = r"%d[:T ]%t(?:[.,]%\^)?"
_TIME = "time_any"
ZONED = "time_any "  # a time whose offset a blank precedes, and another one follows
_TOGETHER = (
    (rf"(?<=\[){_MOMENT}(?: ?%\^)?(?=\])", _TIME),
    (rf"{_MOMENT}[+-]%\^", _TIME),
    (r"%d:%t %\^(?= %)", ZONED),
    (r"%d:%t %\^(?=\Z|[^% ]| [^% ])", _TIME),
    (r"%d[:T]%t(?:[.,]%\^)?", _TIME),
    (r"%x(?:[.,]%\^)?(?: %\^(?=\]))?", _TIME),
    (r"%h:%\^(?=\Z|[\s\])}|,;])", "client_port"),
    (r"%v:%\^", "host"),
    (r"%?~h\{[^}]*\}", LISTED),
)
_TOKENS = re.compile("|".join([*(f"({pattern})" for pattern, _ in _TOGETHER), r"%~|%(.)"]), re.DOTALL)


def is_goaccess(text: str) -> bool:
    """Return whether a format string is GoAccess's, instead of Apache's or nginx's."""
    return "$" not in text and bool(_OURS.search(_BRACED.sub("", text)))


def parts_of(text: str) -> Iterator[Part]:
    """Return the literals and fields of a string, in order. A `%~`, for any number of blanks, is left out; so are blanks after a blank.

    GoAccess compares only the first character of a literal. We compare all of them, except before a value that is not
    used: `%^[ %^[` skips to the second bracket. Of several times, the last counts.
    """
    parts = list(_parts(re.sub(r" {2,}", " ", unescaped(text, '"t'))))
    times = [number for number, part in enumerate(parts) if isinstance(part, Value) and part.field in _TIMES]
    last = {parts[number].field: number for number in times}  # type: ignore[union-attr]
    kept = {last.pop(_TIME)} if _TIME in last else set(last.values())
    for number, part in enumerate(parts):
        if isinstance(part, Value):
            yield replace(part, field="") if number in set(times) - kept else part
        else:
            yield part[:1] if _may_be_cut(parts, number) else part


def spaces_of(text: str) -> bool:
    """Tell whether a blank of a string stands for several."""
    return "%~" in text or "  " in text


def _may_be_cut(parts: Sequence[Part], number: int) -> bool:
    """Tell whether only the first byte of a literal counts: an unused value follows, and the literal cannot end that."""
    literal, *after = parts[number : number + 3]
    if not number or not after or not isinstance(after[0], Value) or after[0].field or not isinstance(literal, bytes):
        return False
    until = after[1] if len(after) > 1 else b""
    return isinstance(until, bytes) and until[:1] != b" " and (not until or until[:1] not in literal[1:])


def _parts(text: str) -> Iterator[Part]:
    at, literal = 0, ""
    for found in _TOKENS.finditer(text):
        literal += text[at : found.start()]
        at = found.end()
        if found[0] in ("%~", "%%"):
            literal += found[0][1:].replace("~", "")
            continue
        if literal:
            yield literal.encode()
        literal = ""
        yield value_of(_field(found, text))
    if literal + text[at:]:
        yield (literal + text[at:]).encode()


def value_of(field: str) -> Value:
    """Return the place for a field. GoAccess takes only addresses for clients; we take names, too."""
    listed = field in (LISTED, ZONED)
    field = field.rstrip(", ")
    return Value(field, "client" if field in ("client", "client_port") else "", listed)


def field_of_json(value: str) -> str:
    """Return the field that a value of a template in JSON is: `"%dT%t+%^"`."""
    parts = [part for part in parts_of(value) if isinstance(part, Value) or part.strip(b' []"')]
    fields = [part.field for part in parts if isinstance(part, Value)]
    if fields[:1] == ["method"] and set(fields[1:]) & {"path", "protocol"}:
        return "request"
    named = [field for field in fields if field]
    return named[0] if len(named) == 1 and isinstance(parts[0], Value) and parts[0].field else ""


def _field(found: re.Match[str], text: str) -> str:
    for group, (_, field) in enumerate(_TOGETHER, 1):
        if found[group]:
            return field
    letter = found[len(_TOGETHER) + 1]
    if letter not in SPECIFIERS:
        raise FormatError(f"log format {text!r}: {found[0]!r} at {found.start()} is not a specifier of GoAccess")
    return SPECIFIERS[letter]
