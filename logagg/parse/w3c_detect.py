"""Detects the columns of IIS's lines without a line `#Fields:`: administrators choose the columns, but not their order.

date time [s-sitename] [s-computername] [s-ip] cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip [cs-version]
cs(User-Agent) [cs(Cookie)] [cs(Referer)] [cs-host] sc-status sc-substatus sc-win32-status [sc-bytes cs-bytes] [time-taken] [X-Forwarded-For]
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from logagg.parse.combined.response import URL
from logagg.parse.formats.columns import W3C_NAME
from logagg.parse.formats.shapes import has_shape

_MOST = 4  # layouts that are written for some lines
_LONGEST = 1 << 14  # bytes of a line that is looked at
_LINE = re.compile(
    rb"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:.]{8,15} (?P<server>(?:[^ ]+ ){0,3})"
    rb"[A-Z_-]{3,20} [/*][^ ]* [^ ]+ [0-9]{1,5} [^ ]+ (?P<client>[^ ]+) (?P<version>HTTP/[0-9.]+ )?"
    rb"[^ ]+ (?P<between>(?:[^ ]+ ){0,3}?)[1-9][0-9]{2} [0-9]{1,5} [0-9]{1,10}(?P<numbers>(?: [0-9]+)*)(?P<rest>(?: [^ ]+)*)\Z"
)
_REQUEST = "cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip"
_STATUS = "sc-status sc-substatus sc-win32-status"
_NUMBERS = {1: "time-taken", 3: "sc-bytes cs-bytes time-taken"}  # of two, nothing says which is missing
_UNUSED = "-"


@dataclass(frozen=True, slots=True)
class _Shape:
    """How many columns a line has at each place."""

    server: int
    version: int
    between: int
    numbers: int
    rest: int


def w3c_layouts(lines: Sequence[bytes]) -> Iterator[str]:
    """Yield the names of the formats that have the columns of these lines, that of most lines first."""
    found = [match for line in lines if len(line) <= _LONGEST and (match := _LINE.match(line.rstrip(b"\r ")))]
    found = [match for match in found if has_shape(match["client"], "client_or_dash")]
    shapes = Counter(map(_shape, found))
    for shape, _ in shapes.most_common(_MOST):
        yield _name(shape, [match for match in found if _shape(match) == shape])


def _shape(found: re.Match[bytes]) -> _Shape:
    between, server, numbers, rest = (len(found[name].split()) for name in ("between", "server", "numbers", "rest"))
    return _Shape(server, int(found["version"] is not None), between, numbers, rest)


def _name(shape: _Shape, found: Sequence[re.Match[bytes]]) -> str:
    between = [_between(column) for column in zip(*(match["between"].split() for match in found), strict=True)]
    rest = [_behind(column) for column in zip(*(match["rest"].split() for match in found), strict=True)]
    numbers = _NUMBERS.get(shape.numbers, " ".join([_UNUSED] * shape.numbers))
    parts = [
        "date time",
        *[_UNUSED] * shape.server,
        _REQUEST,
        *["cs-version"] * shape.version,
        "cs(User-Agent)",
        *between,
        _STATUS,
        *filter(None, [numbers]),
        *rest,
    ]
    return W3C_NAME + " ".join(parts)


def _between(column: Sequence[bytes]) -> str:
    """Return what stands between agent and status: a cookie, a referrer or a host."""
    values = [value for value in column if value != b"-"]
    if values and all(map(URL.match, values)):
        return "cs(Referer)"
    return "cs-host" if values and all(has_shape(value, "site") for value in values) else _UNUSED


def _behind(column: Sequence[bytes]) -> str:
    """Return what stands behind the numbers."""
    is_forwarded = all(has_shape(value, "addresses") for value in column) and any(value != b"-" for value in column)
    return "x-forwarded-for" if is_forwarded else _UNUSED
