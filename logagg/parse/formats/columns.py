"""Formats whose lines are values in an order: columns that are written down, or named by a line `#Fields:` (W3C extended).

A spec of columns is a list of fields: `-` is an unused value, `[field]` stands in brackets, the columns after `|` may be
missing, and `*` at the end accepts others.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from logagg.errors import FormatError
from logagg.parse.formats.format import MOST_VALUES, Column, Format, PersonalFields, missing_of
from logagg.parse.formats.templates import prefer
from logagg.parse.formats.variables import FIELDS, W3C

HEADER = b"#Fields:"
_NAME = re.compile(r"[\w().-]{1,64}", re.ASCII)
W3C_NAME = "w3c:"
_URI = "cs-uri"  # a whole URI, of which some servers leave the scheme out; the other names are those of paths
_SHAPES = {"client": "client_or_dash"}
_SHAPES_OF_IIS = {**_SHAPES, "status": "digits", "time_taken": "digits"}

# The columns of IIS and CloudFront, for a file without a header.
IIS = (
    "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status "
    "sc-substatus sc-win32-status time-taken | x-forwarded-for"
)
IIS_ALL = (
    "date time s-sitename s-computername s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs-version "
    "cs(User-Agent) cs(Cookie) cs(Referer) cs-host sc-status sc-substatus sc-win32-status sc-bytes cs-bytes time-taken | x-forwarded-for"
)
IIS_AZURE = (
    "date time s-sitename cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Cookie) "
    "cs(Referer) cs-host sc-status sc-substatus sc-win32-status sc-bytes cs-bytes time-taken | x-forwarded-for"
)
CLOUDFRONT = (
    "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) "
    "cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken "
    "x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status "
    "fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len "
    "sc-range-start sc-range-end"
)


def columns_format(name: str, spec: str, personal: PersonalFields, **details: Any) -> Format:
    """Compile a spec of columns."""
    words, open_end = spec.split(), spec.endswith("*")
    words = words[:-1] if open_end else words
    needed = words.index("|") if "|" in words else len(words)
    columns = [_column(name, word, personal) for word in words if word != "|"]
    return Format(name, columns=_preferred(columns), needed=needed, open_end=open_end, **details)


def _column(name: str, word: str, personal: PersonalFields) -> Column:
    bracketed = word.startswith("[")
    field = word.strip("[]")
    if field not in FIELDS and field != "-":
        raise FormatError(f"log format {name!r}: there is no field {field!r}")
    used = field if field in FIELDS and personal.wants(field) else ""
    return Column(used, bracketed, _SHAPES.get(used, ""))


def w3c_format(name: str, spec: str, personal: PersonalFields) -> Format:
    """Compile the names of a line `#Fields:`; without names, no line matches before such a line."""
    names, optional = spec.partition("|")[0].split(), spec.partition("|")[2].split()
    needed, names = len(names), names + optional
    wanted = [W3C.get(one.lower(), "") for one in names]
    fields = [field if personal.wants(field) else "" for field in _by_rank(names, wanted)]
    if personal.user_id in names:
        fields[names.index(personal.user_id)] = "user_id"
    shapes = (
        _SHAPES_OF_IIS if name.startswith("iis") else _SHAPES
    )  # without a header, the values have to prove the layout
    columns = _preferred([Column(field, shape=shapes.get(field, "")) for field in fields])
    columns = (*columns[:needed], *(replace(one, shape="client_or_dash") for one in columns[needed:]))
    if missing_of({one.field for one in columns}):
        columns = ()
    return Format(
        name,
        columns=columns,
        separator=b" ",
        needed=needed,
        comment=b"#",
        headed=True,
        personal=personal,
        escaped=False,
        doubled=True,
        encoded=frozenset({"agent", "forwarded", "user"}),
        whole=frozenset({"path"} if _URI in map(str.lower, _names_of("path", names, fields)) else ()),
    )


def _names_of(wanted: str, names: Sequence[str], fields: Sequence[str]) -> list[str]:
    return [name for name, field in zip(names, fields, strict=True) if field == wanted]


def _by_rank(names: Sequence[str], fields: Sequence[str]) -> list[str]:
    """Where several columns give one field, keep the one that comes first in the table of names."""
    ranks = {name: rank for rank, name in enumerate(W3C)}
    best: dict[str, int] = {}
    for name, field in zip(names, fields, strict=True):
        if field:
            best[field] = min(best.get(field, len(ranks)), ranks[name.lower()])
    return [
        field if field and ranks[name.lower()] == best[field] else "" for name, field in zip(names, fields, strict=True)
    ]


def _preferred(columns: Sequence[Column]) -> tuple[Column, ...]:
    fields = prefer([one.field for one in columns])
    return tuple(replace(one, field=field) for field, one in zip(fields, columns, strict=True))


def header_name(line: bytes) -> str:
    """Return the name of the format that a line `#Fields:` begins; below a header of too many names no line matches."""
    names = line[len(HEADER) :].decode("utf-8", "replace").split()
    return W3C_NAME + " ".join(
        [name if _NAME.fullmatch(name) else "-" for name in names] if len(names) <= MOST_VALUES else []
    )
