"""CSV: lines of separated values, below a header with the names of the columns.

The name of such a format has the field of each column, `-` for an unused one, and the header: `csv:time_any,client,-,status:"time","ip","id","status"`.
The header determines the separator. Lines that begin with the header are skipped, since joined exports have it several times. Without a header,
`csv:` separates values by commas, and `tsv:` by tabs.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from logagg.errors import FormatError
from logagg.parse.formats.format import MOST_VALUES, UNITS, UPSTREAM_UNITS, Column, Format, PersonalFields, missing_of
from logagg.parse.formats.templates import prefer
from logagg.parse.formats.variables import FIELDS, JSON_KEYS, JSON_TIMES

CSV_NAMES = ("csv:", "tsv:")
SEPARATORS = ("\t", ";", "|", ",")
UNUSED = "-"
VALUE = "value"
LONGEST_HEADER = 1 << 14  # bytes of a header, at most
_NAME = re.compile(r"[A-Za-z_@][\w@ .:()/-]{0,63}\Z")
# Names of columns with whole lines, in exports; the preferred one first.
_MESSAGES = ("_raw", "@message", "line", "message", "log", "msg", "body", "textpayload")


def csv_format(name: str, personal: PersonalFields) -> Format:
    """Compile the name of a CSV format."""
    family, _, rest = name.partition(":")
    spec, _, header = rest.partition(":")
    fields = [one.strip() for one in spec.split(",")]
    unknown = next((one for one in fields if one not in (*FIELDS, UNUSED)), None)
    if unknown is not None:
        raise FormatError(
            f"log format {name!r}: there is no field {unknown!r}", "write - for a column that is not used"
        )
    if len(fields) > MOST_VALUES:
        raise FormatError(f"log format {name[:60]!r}...: it has more than {MOST_VALUES} columns")
    used = prefer([one if one != UNUSED and personal.wants(one) else "" for one in fields])
    separator = separator_of(header) if header else "\t" if family == "tsv" else ","
    return Format(
        name,
        columns=tuple(map(Column, used)),
        separator=separator.encode(),
        needed=len(fields),
        comment=header.encode("utf-8", "surrogateescape"),
        escaped=False,
        doubled=True,
        personal=personal,  # for another header
        encoded=frozenset({"agent"}),  # CloudFront encodes agents; an agent with a blank is not encoded
    )


def csv_name(fields: Sequence[str], header: str) -> str:
    """Return the format name of lines below a header."""
    return f"csv:{','.join(one or UNUSED for one in fields)}:{header}"


def csv_below(name: str, line: bytes) -> str:
    """Return the format name of lines below another header, where files of other columns were joined; empty if this is no header.

    A column has the field that the first header gives its name, or else the one that JSON has under that name. Durations of
    another name are not read: their unit is unknown.
    """
    names = names_of(line)
    known = dict(zip(names_of(_header_of(name).encode("utf-8", "surrogateescape")), _fields_of(name), strict=False))
    fields = [known.get(one) or _by_name(one) for one in names]
    fields = [field if field not in fields[:number] else UNUSED for number, field in enumerate(fields)]
    return "" if missing_of(set(fields)) else csv_name(fields, line.decode("utf-8", "surrogateescape"))


def _fields_of(name: str) -> list[str]:
    return [one.strip() for one in name.split(":", 2)[1].split(",")]


def _header_of(name: str) -> str:
    return name.split(":", 2)[2] if name.count(":") > 1 else ""


def _by_name(column: str) -> str:
    plain = re.sub("[^a-z0-9]", "", column.lower())
    field = "time_any" if plain in JSON_TIMES else JSON_KEYS.get(plain, UNUSED)
    return UNUSED if field in (*UNITS, *UPSTREAM_UNITS, "request") else field


def separator_of(header: str) -> str:
    """Return the separator of a header: the one that occurs most often in it."""
    return max(SEPARATORS, key=header.count)


def cells(lines: Sequence[str], separator: str) -> Iterator[list[str]]:
    """Yield the values of each line; an empty list for a line that is not CSV."""
    for line in lines:
        with suppress(csv.Error, StopIteration):
            yield next(csv.reader([line], delimiter=separator))


def csv_value(number: int) -> Format:
    """Return the format that reads one value of a line of CSV, and ignores the others."""
    columns = (*[Column("")] * (number - 1), Column(VALUE))
    return Format("", columns=columns, separator=b",", needed=number, open_end=True, escaped=False, doubled=True)


def names_of(line: bytes) -> list[str]:
    """Return the names of the columns in a header; an empty list for any other line."""
    text = line.decode("utf-8", "replace").rstrip("\r") if len(line) <= LONGEST_HEADER else ""
    names = next(cells([text], separator_of(text)), [])
    return names if len(names) > 1 and all(_NAME.match(name) for name in names) else []


def message_column(lines: Iterable[bytes]) -> int:
    """Return the number of the column that holds whole lines, by its name in a header; 0 without such a header."""
    for line in lines:
        names = [name.lower() for name in names_of(line)]
        if found := next((name for name in _MESSAGES if name in names), ""):
            return names.index(found) + 1
    return 0
