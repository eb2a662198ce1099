"""The reference parser: one line at a time, strict, and obviously right. The fast parser must agree with it on every input."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import accumulate
from operator import add

import pyarrow as pa

from logagg.parse.formats.format import Format, Step
from logagg.parse.lines.json_lines import DEEPEST
from logagg.parse.lines.reference_times import DIGITS, EPOCH, TIME_READERS, digits
from logagg.parse.schemas import BATCH_SCHEMA, DURATION, DURATION_LENGTH, LONGEST, MOST_BYTES, TEXTS
from logagg.records import SAMPLE_BYTES, SAMPLES, Batch, Chunk, Reject, Rejects

EARLIEST = datetime(1995, 1, 1, tzinfo=UTC)
AHEAD = timedelta(days=1)

CONTROLS = dict(zip(b'"\\nrtbfv', b'"\\\n\r\t\b\f\v', strict=True))
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
    at = chunk.start + chunk.skipped
    for whole in bytes(chunk.data).split(b"\n"):
        line = whole.rstrip(b"\r").lstrip(b"\0")
        if line:
            outcome = parse_line(line, fmt, now) if len(line) <= max_line else "too_long"
            position = at + len(whole.rstrip(b"\r")) - len(line)
            if isinstance(outcome, str):
                rejected.append(Reject(position, outcome, line[:SAMPLE_BYTES]))
            else:
                records.append(outcome | {"position": position})
        at += len(whole) + 1
    counts = Counter(reject.reason for reject in rejected)
    columns = [pa.array([record[name] for record in records], _plain(name)) for name in BATCH_SCHEMA.names]
    table = pa.table(columns, names=BATCH_SCHEMA.names).cast(BATCH_SCHEMA)
    return Batch(table, Rejects(dict(counts), tuple(rejected[:SAMPLES])))


def parse_line(line: bytes, fmt: Format, now: float) -> Record | str:
    """Return the fields of a line (`BATCH_SCHEMA`, without its position), or the reason for rejecting it."""
    try:
        raw = _split_json(line, fmt) if fmt.keys else _split(line, fmt)
        return _record(raw, fmt, now)
    except Rejected as reject:
        return str(reject)


def _plain(name: str) -> pa.DataType:
    type_ = BATCH_SCHEMA.field(name).type
    return type_.value_type if pa.types.is_dictionary(type_) else type_


# A line as raw fields.


def _split(line: bytes, fmt: Format) -> Raw:
    if not line.startswith(fmt.prefix):
        raise Rejected("format")
    at, raw = len(fmt.prefix), {}
    for step in fmt.steps:
        end = _find_end(line, at, step)
        if step.field:
            raw[step.field] = line[at:end]
        at = end + len(step.until)
    if at != len(line):
        raise Rejected("format")
    return raw


def _find_end(line: bytes, start: int, step: Step) -> int:
    if not step.until:
        return len(line)
    at = start
    while at < len(line):
        if step.quoted and line[at : at + 1] == b"\\":
            at += 2
        elif line.startswith(step.until, at):
            return at
        else:
            at += 1
    raise Rejected("format")


def _split_json(line: bytes, fmt: Format) -> Raw:
    try:
        text = line.decode("utf-8", "replace")
        record = json.loads(
            text,
            object_pairs_hook=_first_of_each,
            parse_int=str,
            parse_float=str,
            parse_constant=_no_constant,
        )
    except (ValueError, RecursionError):
        raise Rejected("format") from None
    if not isinstance(record, dict) or _depth(text) > DEEPEST:
        raise Rejected("format")
    raw = {}
    for key, field in fmt.keys.items():
        value = record.get(key)
        raw[field] = _encode(value) if isinstance(value, str) else b""
    return raw


def _depth(text: str) -> int:
    """Return the depth of nested objects and arrays in valid JSON."""
    steps = ((byte in "[{") - (byte in "]}") for byte in re.sub(r'"(?:[^"\\]|\\.)*"', "", text))
    return max(accumulate(steps))


def _first_of_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    return dict(reversed(pairs))


def _no_constant(name: str) -> object:
    raise ValueError(name)


def _encode(value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        raise Rejected("format") from None


# Raw fields as a record.


def _record(raw: Raw, fmt: Format, now: float) -> Record:
    escaped = fmt.escaped and not fmt.keys
    time = _time(raw, now)
    status = _status(raw.get("status", b""))
    size = _size(raw["bytes"]) if "bytes" in raw else 0
    method, target, protocol = _request(raw, escaped)
    return {
        "time": time,
        "status": status,
        "bytes": size,
        "method": method,
        "target": target,
        "protocol": protocol,
        "host": _host(_text(raw["host"], escaped)) if "host" in raw else None,
        "seconds": _seconds(raw),
        "upstream_seconds": _upstream_seconds(raw["upstream_seconds"]) if "upstream_seconds" in raw else None,
        **{name: _text(raw[name], escaped) if name in raw else None for name in TEXTS},
    }


def _time(raw: Raw, now: float) -> datetime:
    for field, read in TIME_READERS.items():
        if field in raw:
            try:
                time = read(raw[field])
            except (ValueError, OverflowError):
                raise Rejected("time") from None
            if not EARLIEST <= time <= EPOCH + timedelta(seconds=int(now)) + AHEAD:
                raise Rejected("time")
            return time
    raise Rejected("time")


def reads_as_time(field: str, value: bytes, now: float) -> bool:
    """Tell whether a value can be read as this kind of time."""
    try:
        _time({field: value}, now)
    except Rejected:
        return False
    return True


def _status(value: bytes) -> int:
    if len(value) != 3 or any(byte not in DIGITS for byte in value) or value[:1] == b"0":
        raise Rejected("status")
    return int(value)


def _size(value: bytes) -> int:
    if value in (b"-", b""):
        return 0
    whole, point, zeros = value.partition(b".")
    try:
        size = digits(whole)
    except ValueError:
        raise Rejected("size") from None
    if len(whole) > 18 or size > MOST_BYTES or (point and not re.fullmatch(rb"0{1,18}", zeros)):
        raise Rejected("size")
    return size


def _text(value: bytes, escaped: bool) -> str:
    return _bytes(value, escaped).decode("utf-8", "replace")


def _bytes(value: bytes, escaped: bool) -> bytes:
    if value == b"-":
        return b""
    return _unescape(value) if escaped else value


def _unescape(value: bytes) -> bytes:
    out, at = bytearray(), 0
    while at < len(value):
        after = value[at + 1 : at + 4]
        if value[at] != ord("\\") or not after:
            out.append(value[at])
            at += 1
        elif after[0] in CONTROLS:
            out.append(CONTROLS[after[0]])
            at += 2
        elif after[:1] == b"x" and len(after) == 3 and after[1] in HEX and after[2] in HEX:
            out.append(int(after[1:], 16))
            at += 4
        else:
            out.append(value[at])
            at += 1
    return bytes(out)


def _request(raw: Raw, escaped: bool) -> tuple[str | None, str, str | None]:
    """Return method, target and protocol; the method, and the protocol, are None if the format does not have one."""
    if "request" in raw:
        return _whole_request(_bytes(raw["request"], escaped))
    protocol = _text(raw["protocol"], escaped) if "protocol" in raw else None
    return *_request_parts(raw, escaped), protocol


def _whole_request(request: bytes) -> tuple[str, str, str]:
    method, _, target = request.partition(b" ")
    before, space, last = target.rpartition(b" ")
    protocol = last if space and last.startswith(b"HTTP/") else b""
    target = before if protocol else target
    if not _is_method(method) or not target:
        return "", "", ""
    return method.decode("utf-8", "replace"), target.decode("utf-8", "replace"), protocol.decode("utf-8", "replace")


def _request_parts(raw: Raw, escaped: bool) -> tuple[str | None, str]:
    method, target = (_bytes(raw.get(name, b""), escaped) for name in ("method", "target"))
    if "target" not in raw:
        target = _bytes(raw.get("path", b""), escaped)
        query = _bytes(raw.get("query", b""), escaped).removeprefix(b"?")
        target += b"?" + query if query else b""
    if "method" not in raw:
        return None, target.decode("utf-8", "replace")
    if not _is_method(method) or not target:
        return "", ""
    return method.decode("utf-8", "replace"), target.decode("utf-8", "replace")


def _is_method(value: bytes) -> bool:
    return 1 <= len(value) <= 20 and value[0] in METHOD_FIRST and all(byte in METHOD_REST for byte in value[1:])


def _host(host: str) -> str:
    host = host.lower()
    name, colon, port = host.rpartition(":")
    if colon and port.isascii() and port.isdigit() and (name.startswith("[") or ":" not in name):
        return name
    return host


def _seconds(raw: Raw) -> float | None:
    for field, unit in (("seconds", 1), ("milliseconds", 1_000), ("microseconds", 1_000_000)):
        if field in raw:
            number = _decimal(raw[field])
            return None if number is None else _bounded(number / unit)
    return None


def _upstream_seconds(value: bytes) -> float | None:
    numbers = [_decimal(part.strip(b" ")) for part in value.replace(b":", b",").split(b",")]
    known = [number for number in numbers if number is not None]
    return _bounded(reduce(add, known)) if known else None


def _decimal(value: bytes) -> float | None:
    return float(value) if len(value) <= DURATION_LENGTH and re.fullmatch(DURATION.encode(), value) else None


def _bounded(seconds: float) -> float | None:
    return seconds if seconds <= LONGEST else None
