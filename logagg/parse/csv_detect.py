"""Detects CSV by its header: the names of columns suggest the fields, like keys of JSON, and the values must prove them."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Collection, Iterator, Mapping, Sequence

from logagg.parse.formats.csv_header import SEPARATORS, cells, csv_name, names_of, separator_of
from logagg.parse.formats.format import UNITS, UPSTREAM_PARTS, PersonalFields
from logagg.parse.json_detect import Values, chosen, product_of
from logagg.parse.lines.reference_times import dated_time

_LEAST = 3  # columns, at least
_SAMPLE = 200  # lines that must prove the fields
_HEADERS = 3  # lines at the beginning that are tried as a header
_LONGEST = 1 << 14  # bytes; longer lines are ignored
_DAYS, _CLOCKS = ("date", "date-local", "date_local", "day"), ("time", "time-local", "time_local", "clock")
# The names of times in Athena's tables of load balancers.
_PARTS = dict(
    zip(("request_processing_time", "target_processing_time", "response_processing_time"), UPSTREAM_PARTS, strict=True)
)
_NO_HOST_BESIDE = {"sourcetype", "host_header", "x_host_header"}  # Splunk's machine, CloudFront's distribution
_MOMENT = "datetime"  # the name of a day and a clock together, which may not be that of a column


def csv_formats(lines: Sequence[bytes], now: float, personal: PersonalFields) -> Iterator[str]:
    """Yield the format names of lines below the headers that are found."""
    short = [line.removeprefix(BOM_UTF8) for line in lines if len(line) <= _LONGEST]  # of files that were joined
    headers = dict.fromkeys(line.rstrip(b"\r") for line in short if _may_be_header(line))
    if not headers:
        return
    others = [line.decode("utf-8", "replace") for line in short if line.rstrip(b"\r") not in headers]
    for header in list(headers)[:_HEADERS]:
        if name := _below(header.decode("utf-8", "replace"), others, now, personal):
            yield name


def _may_be_header(line: bytes) -> bool:
    return max(line.count(one.encode()) for one in SEPARATORS) + 1 >= _LEAST and bool(names_of(line))


def _below(header: str, lines: Sequence[str], now: float, personal: PersonalFields) -> str:
    """Return the format name of most lines below a header; empty if they lack a field that a request needs."""
    separator = separator_of(header)
    names = next(cells([header], separator))
    texts = [line.rstrip("\r") for line in lines[:_SAMPLE]]
    rows = [row for row in cells(texts, separator) if len(row) == len(names)]
    values = {
        name: [row[number].encode() for row in rows if row[number] not in ("", "-")]
        for number, name in reversed(list(enumerate(names)))  # of equal names, the first counts
    }
    fields = _fields({name: values[name] for name in dict.fromkeys(names)}, now, personal)
    return csv_name([fields.pop(name, "") for name in names], header) if fields else ""


def _fields(values: Values, now: float, personal: PersonalFields) -> dict[str, str]:
    """Return the fields of columns, by name; columns without a field are left out."""
    values = {name: found for name, found in values.items() if name.lower() not in _worthless(values)}
    fields = product_of(values, personal) or chosen(values, now, personal) or _in_two(values, now, personal)
    if fields and values.keys() >= _PARTS.keys():
        return {**{name: field for name, field in fields.items() if field not in UNITS}, **_PARTS}
    return fields


def _worthless(names: Collection[str]) -> Collection[str]:
    """Return the columns that are no site despite their names: Splunk's machine, CloudFront's distribution."""
    lower = {name.lower() for name in names}
    return {"host", "cs_host"} if lower & _NO_HOST_BESIDE else ()


def _in_two(values: Values, now: float, personal: PersonalFields) -> dict[str, str]:
    """Return the fields of columns, by name, if the time is divided into two columns."""
    day, clock = (next((name for name in values if name.lower() in known), "") for known in (_DAYS, _CLOCKS))
    if not (day and clock and _are_moments(values, day, clock)):
        return {}
    moments = [one + b" " + other for one, other in zip(values[day], values[clock], strict=True)]
    rest = {name: found for name, found in values.items() if name not in (day, clock)}
    fields = chosen({**rest, _MOMENT: moments}, now, personal)
    if fields.get(_MOMENT) != "time_any":
        return {}
    return {**{name: field for name, field in fields.items() if name != _MOMENT}, day: "date", clock: "clock"}


def _are_moments(values: Mapping[str, Sequence[bytes]], day: str, clock: str) -> bool:
    try:
        return bool([dated_time(*pair) for pair in zip(values[day], values[clock], strict=True)])
    except (ValueError, OverflowError):
        return False
