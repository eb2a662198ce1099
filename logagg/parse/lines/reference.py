"""The reference parser: one line at a time, strict, and obviously right. The fast parser must agree with it on every input."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime

import pyarrow as pa

from logagg.parse.envelopes.kinds import split
from logagg.parse.envelopes.reference import Message, RawLine, inside_of, messages
from logagg.parse.formats.columns import W3C_NAME
from logagg.parse.formats.csv_header import CSV_NAMES, names_of
from logagg.parse.formats.format import Format, Step
from logagg.parse.formats.shapes import has_shape, is_between
from logagg.parse.lines import reference_json
from logagg.parse.lines.headers import below_header, is_comment
from logagg.parse.lines.reference_columns import split_columns, values_of
from logagg.parse.lines.reference_durations import seconds, upstream_seconds
from logagg.parse.lines.reference_text import host_and_path, tidy
from logagg.parse.lines.reference_times import DIGITS, digits, time_of
from logagg.parse.schemas import BATCH_SCHEMA, MOST_BYTES, OF_ANOTHER_FORMAT, TEXTS
from logagg.records import SAMPLE_BYTES, SAMPLES, Batch, Chunk, Reject, Rejects

NO_STATUS = (b"0", b"000", b"-1")  # the value of proxies for a request that was given up without an answer
CONTROLS = dict(zip(b'"\\nrtbfv', b'"\\\n\r\t\b\f\v', strict=True))
_IN_NAMES = {byte: byte for byte in b'"\\'}  # in a user's DOMAIN\\fred, a backslash stands for itself
HEX = frozenset(b"0123456789abcdefABCDEF")
METHOD_FIRST = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")
METHOD_REST = METHOD_FIRST | frozenset(b"_-")

Record = dict[str, object]
Raw = dict[str, bytes]


class Rejected(Exception):
    """The line does not parse; the argument is the reason."""


def parse(chunk: Chunk, fmt: Format, now: float, max_line: int = 1 << 20) -> Batch:
    """Parse the lines of a chunk; times too far beyond `now` (seconds since the epoch) are rejected."""
    records: list[Record] = []
    rejected = [Reject(chunk.start, "too_long", b"")] * chunk.too_long
    for raw, outcome in outcomes(chunk, fmt, now, max_line):
        if isinstance(outcome, str):
            rejected.append(Reject(raw.start, outcome, raw.text[:SAMPLE_BYTES]))
        else:
            records.append(outcome | {"position": raw.start})
    counts = Counter(reject.reason for reject in rejected)
    columns = [pa.array([record[name] for record in records], _plain(name)) for name in BATCH_SCHEMA.names]
    table = pa.table(columns, names=BATCH_SCHEMA.names).cast(BATCH_SCHEMA)
    return Batch(table, Rejects(dict(counts), tuple(rejected[:SAMPLES])))


def outcomes(chunk: Chunk, fmt: Format, now: float, max_line: int = 1 << 20) -> Iterator[tuple[RawLine, Record | str]]:
    """Yield the fields of each line, or the reason for rejecting it, with what the log has; of a line in parts the first."""
    for lines, one in _sections(chunk, fmt):
        for message in messages(lines, one.envelope, max_line):
            yield message.raw, _outcome(message, one, now, max_line)


def _sections(chunk: Chunk, fmt: Format) -> Iterator[tuple[list[RawLine], Format]]:
    """Yield runs of lines of one format each, without the comments between them."""
    lines = list[RawLine]()
    for line in _lines(chunk):
        inside = inside_of(line.text, fmt.envelope) if fmt.passes_over else None
        if inside is None or not is_comment(inside, fmt):
            lines.append(line)
        elif below := below_header(fmt, inside):
            yield lines, fmt
            lines, fmt = [], below
    yield lines, fmt


def _lines(chunk: Chunk) -> Iterator[RawLine]:
    at = chunk.start + chunk.skipped
    for whole in bytes(chunk.data).split(b"\n"):
        line = whole.rstrip(b"\r").lstrip(b"\0")
        if line.strip(b" \t\r"):
            yield RawLine(at + len(whole.rstrip(b"\r")) - len(line), line)
        at += len(whole) + 1


def parse_line(line: bytes, fmt: Format, now: float) -> Record | str:
    """Return the fields of a line (`BATCH_SCHEMA`, without its position), or the reason for rejecting it."""
    return _outcome(_message(line, fmt), fmt, now, len(line))


def _message(line: bytes, fmt: Format) -> Message:
    [message] = messages([RawLine(0, line)], fmt.envelope, len(line))
    return message


def _outcome(message: Message, fmt: Format, now: float, max_line: int) -> Record | str:
    """Return the fields of a line, or the reason for rejecting it.

    A line that is not of the format is tried with the others, and rejected for what the first finds wrong with it.
    """
    if len(message.raw.text) > max_line:
        return "too_long"
    outcomes = [_outcome_in(message, one, now) for one in fmt.each]
    if outcomes[0] in OF_ANOTHER_FORMAT:
        return next((outcome for outcome in outcomes if not isinstance(outcome, str)), outcomes[0])
    return outcomes[0]


def _outcome_in(message: Message, fmt: Format, now: float) -> Record | str:
    outer = {"time_any": message.time(fmt.envelope)} if fmt.outer_time else {}
    return _parse_line(message.inside(fmt.envelope), fmt, now, outer)


def _parse_line(line: bytes | None, fmt: Format, now: float, outer: Raw) -> Record | str:
    """Return the fields of a line inside its envelopes; `outer` are those of the envelopes."""
    if line is None:
        return "format"
    try:
        return _record(_fields(line, fmt) | outer, fmt, now)
    except Rejected as reject:
        return str(reject)


def unused(line: bytes, fmt: Format, now: float) -> list[bytes]:
    """Return what a line has that its format does not use: values of a template, keys of JSON."""
    message = _message(line, fmt)
    one = next((one for one in fmt.each if not isinstance(_outcome_in(message, one, now), str)), None)
    inside = message.inside(one.envelope) if one else None
    if one is None or inside is None:
        return []
    line = inside
    if one.columns:
        return _unused_columns(line, one)
    if one.keys:
        return [
            path
            for path, texts in reference_json.texts(line)
            if texts and path.decode(errors="replace") not in one.keys
        ]
    places = zip(one.steps, _places(line, one), strict=True)
    values = [line[start:end] for step, (start, end) in places if not step.field and step.shape != "ident"]
    return [value for value in values if value not in (b"", b"-")]


def _unused_columns(line: bytes, fmt: Format) -> list[bytes]:
    """Return the columns of a line that have a value, and no field: their names if a header has them, else the values."""
    values = values_of(line, fmt) or []
    named = [name.encode() for name in _names(fmt)] or values
    unused = zip(fmt.columns, values, named, strict=False)
    return [name for column, value, name in unused if not column.field and value not in (b"", b"-")]


def _names(fmt: Format) -> list[str]:
    """Return what a header calls the columns of a format; nothing if it has none."""
    name = split(fmt.name)[1]
    if name.startswith(CSV_NAMES):
        return names_of(fmt.comment)
    return name.removeprefix(W3C_NAME).replace("|", " ").split() if name.startswith(W3C_NAME) else []


def _plain(name: str) -> pa.DataType:
    type_ = BATCH_SCHEMA.field(name).type
    return type_.value_type if pa.types.is_dictionary(type_) else type_


# A line as raw fields.


def _fields(line: bytes, fmt: Format) -> Raw:
    if fmt.keys:
        return _split_json(line, fmt)
    if not fmt.separator:
        return _split(line, fmt)
    raw = split_columns(line, fmt)
    if raw is None:
        raise Rejected("format")
    return raw


def _split(line: bytes, fmt: Format) -> Raw:
    if not line.startswith(fmt.prefix):
        raise Rejected("format")
    raw = {}
    for step, (start, end) in zip(fmt.steps, _places(line, fmt), strict=True):
        if step.field:
            raw[step.field] = line[start:end]
    return raw


def _places(line: bytes, fmt: Format) -> list[tuple[int, int]]:
    """Return where the value of each step is."""
    at, places = len(fmt.prefix), []
    for step in fmt.steps:
        end = _find_end(line, at, step, is_last=step is fmt.steps[-1] and not fmt.open_end)
        if not has_shape(line[at:end], step.shape):
            raise Rejected("format")
        places.append((at, end))
        at = end + len(step.until)
        while step.spaces and line[at : at + 1] == b" ":
            at += 1
    if line[at:].strip(b" ") and not fmt.open_end:
        raise Rejected("format")
    return places


def _find_end(line: bytes, start: int, step: Step, *, is_last: bool) -> int:
    if not step.until:
        return start + len(line[start:].rstrip(b" "))
    if step.until == b'"' and step.quoted and is_last:
        return _find_last_quote(line, start, step)
    at = start
    while at < len(line):
        if step.quoted and line[at : at + 1] == b"\\":
            at += 2
        elif not line.startswith(step.until, at):
            at += 1
        elif step.listed and is_between(line, start, at):
            at += 1
        else:
            return at
    raise Rejected("format")


def _find_last_quote(line: bytes, start: int, step: Step) -> int:
    """Find the quote that ends the last value of a line; others may be a part of it that the server has not escaped.

    A quote ends the value at the end of the line, and where further values follow: a blank, and quotes in pairs.
    """
    quotes = [found.start() for found in re.finditer(rb'(?s)\\.|"', line[start:]) if found[0] == b'"']
    for left, place in zip(reversed(range(len(quotes))), quotes, strict=True):
        end = start + place
        after = line[end + 1 : end + 2]
        if line.startswith(step.until, end) and (not after or (after == b" " and left % 2 == 0)):
            return end
    raise Rejected("format")


def _split_json(line: bytes, fmt: Format) -> Raw:
    try:
        return reference_json.values(line, fmt.keys)
    except ValueError:
        raise Rejected("format") from None


# Raw fields as a record.


def _record(raw: Raw, fmt: Format, now: float) -> Record:
    time = _time(raw, now, fmt.zone)
    status = _status(raw["status"]) if "status" in raw else 0
    size = _size(raw.get("bytes", raw.get("bytes_so_far", b"").removeprefix(b"+")))
    method, target, protocol = _request(raw, fmt)
    named = _host(raw, fmt)
    return {
        "time": time,
        "status": status,
        "bytes": size,
        "method": method,
        "target": target,
        "protocol": protocol,
        "seconds": seconds(raw),
        "upstream_seconds": upstream_seconds(raw),
        "host": named,
        **{name: _text(raw, name, fmt) if name in raw else None for name in TEXTS},
        **({"client": _text(raw, "client_port", fmt)} if "client_port" in raw else {}),
    }


def _time(raw: Raw, now: float, zone: str = "") -> datetime:
    try:
        return time_of(raw, now, zone)
    except (ValueError, OverflowError):
        raise Rejected("time") from None


def _status(value: bytes) -> int:
    if value in NO_STATUS:
        return 0
    if len(value) != 3 or any(byte not in DIGITS for byte in value) or value[:1] == b"0":
        raise Rejected("status")
    return int(value)


_GROUPED = re.compile(rb"[0-9]{1,3}(?:,[0-9]{3})+")


def _size(value: bytes) -> int:
    if value in (b"-", b"", b"-1"):
        return 0
    if _GROUPED.fullmatch(value):
        value = value.replace(b",", b"")
    whole, point, zeros = value.partition(b".")
    try:
        size = digits(whole)
    except ValueError:
        raise Rejected("size") from None
    if len(whole) > 18 or size > MOST_BYTES or (point and not re.fullmatch(rb"0{1,18}", zeros)):
        raise Rejected("size")
    return size


def _text(raw: Raw, field: str, fmt: Format) -> str:
    return tidy(field, _unescaped(raw, field, fmt), encoded=field in fmt.encoded)


def _unescaped(raw: Raw, field: str, fmt: Format) -> str:
    controls = _IN_NAMES if field == "user" else CONTROLS
    text = _bytes(raw.get(field, b""), fmt, controls).decode("utf-8", "replace")
    return text.replace('""', '"') if fmt.doubled else text


def _bytes(value: bytes, fmt: Format, controls: Mapping[int, int] = CONTROLS) -> bytes:
    if value == b"-":
        return b""
    return _unescape(value, controls) if fmt.escaped and not fmt.keys else value


def _unescape(value: bytes, controls: Mapping[int, int]) -> bytes:
    out, at = bytearray(), 0
    while at < len(value):
        after = value[at + 1 : at + 4]
        if value[at] != ord("\\") or not after:
            out.append(value[at])
            at += 1
        elif after[0] in controls:
            out.append(controls[after[0]])
            at += 2
        elif after[:1] == b"x" and len(after) == 3 and after[1] in HEX and after[2] in HEX:
            out.append(int(after[1:], 16))
            at += 4
        else:
            out.append(value[at])
            at += 1
    return bytes(out)


def _request(raw: Raw, fmt: Format) -> tuple[str | None, str, str | None]:
    """Return method, target and protocol; the method, and the protocol, are None if the format does not have one."""
    if "request" in raw:
        return _whole_request(_bytes(raw["request"], fmt))
    protocol = _text(raw, "protocol", fmt) if "protocol" in raw else None
    return *_request_parts(raw, fmt), protocol


def _whole_request(request: bytes) -> tuple[str, str, str]:
    method, _, target = request.partition(b" ")
    before, space, last = target.rpartition(b" ")
    is_version = re.fullmatch(rb"[1-3](?:\.[0-9])?", last) and before and b" " not in before
    protocol = last if space and (last.startswith(b"HTTP/") or is_version) else b""
    target = (before if protocol else target).strip(b" ")
    if not _is_method(method) or not target:
        return "", "", ""
    return (
        method.decode("utf-8", "replace"),
        target.decode("utf-8", "replace"),
        tidy("protocol", protocol.decode("utf-8", "replace")),
    )


def _request_parts(raw: Raw, fmt: Format) -> tuple[str | None, str]:
    target = _without_host(raw, "target", fmt)[1]
    if not target:
        query = _text(raw, "query", fmt).removeprefix("?")
        path = _without_host(raw, "path", fmt)[1]
        target = f"{path}?{query}" if query and "?" not in path else path
    if "method" not in raw:
        return None, target
    method = _text(raw, "method", fmt)
    if not _is_method(method.encode()) or not target:
        return "", ""
    return method, target


def _host(raw: Raw, fmt: Format) -> str | None:
    """Return the virtual host, or that which the target begins with; None if the line has neither."""
    asked = [_without_host(raw, name, fmt)[0] for name in ("path", "target") if name in raw and "request" not in raw]
    named = _text(raw, "host", fmt) if "host" in raw else None
    return next(filter(None, asked), named)


def _without_host(raw: Raw, name: str, fmt: Format) -> tuple[str, str]:
    """Return the host that a target begins with, if the line has no other one, and the rest of it."""
    if name in fmt.whole:
        host, path = host_and_path(_unescaped(raw, name, fmt))
        if host and _text(raw, "host", fmt) in ("", host):
            return host, path
    return "", _text(raw, name, fmt)


def _is_method(value: bytes) -> bool:
    return 1 <= len(value) <= 20 and value[0] in METHOD_FIRST and all(byte in METHOD_REST for byte in value[1:])
