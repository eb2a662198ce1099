r"""GoAccess's format strings: `%h %^[%d:%t %^] "%r" %s %b "%R" "%u"`.

Some letters mean something else to Apache (`%u`, `%h %t`). A string is GoAccess's if it has a specifier that Apache does not
have: each string of GoAccess needs a date, `%d` or `%x`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from logagg.errors import FormatError
from logagg.parse.formats.templates import Part, Value, unescaped

LISTED = "client,"  # the field of a list of addresses
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
_TOGETHER = (
    (r"%d:%t %\^(?=\])", "time_any"),
    (r"%d[:T]%t(?:[.,]%\^)?", "time_any"),
    (r"%x[.,]%\^", "time_any"),
    (r"%h:%\^", "client_port"),
    (r"%v:%\^", "host"),
    (r"%?~h\{[^}]*\}", LISTED),
)
_TOKENS = re.compile("|".join([*(f"({pattern})" for pattern, _ in _TOGETHER), r"%~|%(.)"]), re.DOTALL)


def is_goaccess(text: str) -> bool:
    """Return whether a format string is GoAccess's, instead of Apache's or nginx's."""
    return "$" not in text and bool(_OURS.search(_BRACED.sub("", text)))


def parts_of(text: str) -> Iterator[Part]:
    """Return the literals and fields of a string, in order. A `%~`, for any number of blanks, is left out."""
    text, at, literal = unescaped(text, '"t'), 0, ""
    for found in _TOKENS.finditer(text):
        literal += text[at : found.start()]
        at = found.end()
        if found[0] in ("%~", "%%"):
            literal += found[0][1:].replace("~", "")
            continue
        if literal:
            yield literal.encode()
        literal = ""
        field = _field(found, text)
        yield Value(field.removesuffix(","), listed=field == LISTED)
    if literal + text[at:]:
        yield (literal + text[at:]).encode()


def _field(found: re.Match[str], text: str) -> str:
    for group, (_, field) in enumerate(_TOGETHER, 1):
        if found[group]:
            return field
    letter = found[len(_TOGETHER) + 1]
    if letter not in SPECIFIERS:
        raise FormatError(f"log format {text!r}: {found[0]!r} at {found.start()} is not a specifier of GoAccess")
    return SPECIFIERS[letter]
