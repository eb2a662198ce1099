"""The fast parser: the same answers as `reference`, for whole chunks at a time.

Values stay where they are in the chunk until they are dictionary-encoded; text is then cleaned once per distinct value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logagg.columnar.dictionary import spread
from logagg.columnar.slices import Codes, Mask, Slices
from logagg.parse.formats.format import Format
from logagg.parse.lines import decimals, json_lines, numbers, scan
from logagg.parse.lines.decimals import Floats
from logagg.parse.schemas import BATCH_SCHEMA, MOST_BYTES, REASONS, TEXT, TEXTS, TIMESTAMP
from logagg.parse.text import decode, urls
from logagg.records import SAMPLE_BYTES, SAMPLES, Batch, Chunk, Reject, Rejects

Fields = Mapping[str, Slices]
Ints = npt.NDArray[np.int64]
Reasons = npt.NDArray[np.uint8]  # 0: accepted; otherwise the number of the reason for rejecting the line

_TOO_LONG, _FORMAT, _TIME, _STATUS, _SIZE = range(1, 1 + len(REASONS))


def parse(chunk: Chunk, fmt: Format, now: float, max_line: int = 1 << 20) -> Batch:
    """Parse the lines of a chunk; times too far beyond `now` (seconds since the epoch) are rejected."""
    lines = find_lines(chunk)
    fields, typed, reasons = _read_lines(lines, fmt, now, max_line)
    positions = lines.start[reasons == 0] + (chunk.start + chunk.skipped)
    table = _assemble(positions, fields, typed, escaped=fmt.escaped and not fmt.keys)
    return Batch(table, _rejects(chunk, lines, reasons))


def count(chunk: Chunk, fmt: Format, now: float, max_line: int = 1 << 20) -> int:
    """Return how many lines of a chunk match a format: those that parse, and those whose only fault is too large a size."""
    _, typed, _ = _read_lines(find_lines(chunk), fmt, now, max_line, np.iinfo(np.int64).max)
    return len(typed.time)


def find_lines(chunk: Chunk) -> Slices:
    """Return the lines of a chunk without line ends and leading NULs; empty lines are skipped."""
    data = np.frombuffer(chunk.data, np.uint8)
    return Slices(data, *scan.find_lines(data))


def split_fields(lines: Slices, fmt: Format) -> tuple[Fields, Mask]:
    """Return the values of each named field, and a mask of the lines that have the shape of the format.

    The values of other lines are empty.
    """
    if fmt.keys:
        data, starts, ends, fits = json_lines.split_objects(*lines.places, list(fmt.keys))
        return {name: Slices(data, starts[row], ends[row]) for row, name in enumerate(fmt.keys.values())}, fits
    places, fits = scan.split_fields(*lines.places, fmt)
    return {name: Slices(lines.data, start, end) for name, (start, end) in places.items()}, fits


def _read_lines(
    lines: Slices, fmt: Format, now: float, max_line: int, most_bytes: int = MOST_BYTES
) -> tuple[Fields, _Numbers, Reasons]:
    """Return the raw fields of the accepted lines, their numeric fields, and for each line the reason to reject it."""
    fields, fits = split_fields(lines, fmt)
    reasons = _judge((_TOO_LONG, lines.length > max_line), (_FORMAT, ~fits))
    fits = reasons == 0
    fields = _filter(fields, fits)
    typed = _read_numbers(fields, now, most_bytes)
    reasons[fits] = typed.reasons
    accepted = typed.reasons == 0
    return _filter(fields, accepted), typed.filter(accepted), reasons


def _judge(*faults: tuple[int, Mask]) -> Reasons:
    """Return for each row the first of the faults that it has, in the order given; 0 if it has none."""
    reasons = np.zeros(len(faults[0][1]), np.uint8)
    for reason, found in reversed(faults):
        reasons[found] = reason
    return reasons


def _filter(fields: Fields, mask: Mask) -> Fields:
    return fields if mask.all() else {name: values.filter(mask) for name, values in fields.items()}


@dataclass(frozen=True, slots=True)
class _Numbers:
    """The numeric fields, which decide whether a line is accepted, and the reason where it is not."""

    time: Ints
    status: Ints
    size: Ints
    reasons: Reasons

    def filter(self, mask: Mask) -> _Numbers:
        if mask.all():
            return self
        return _Numbers(self.time[mask], self.status[mask], self.size[mask], self.reasons[mask])


def _read_numbers(fields: Fields, now: float, most_bytes: int) -> _Numbers:
    time, time_valid = _read_times(fields, now)
    status, status_valid = numbers.statuses(*fields["status"].places)
    size, size_valid = _read_sizes(fields, len(time), most_bytes)
    reasons = _judge((_TIME, ~time_valid), (_STATUS, ~status_valid), (_SIZE, ~size_valid))
    return _Numbers(time, status, size, reasons)


def _read_times(fields: Fields, now: float) -> tuple[Ints, Mask]:
    name = next(name for name in numbers.TIMES if name in fields)
    return numbers.times(*fields[name].places, name, now)


def _read_sizes(fields: Fields, rows: int, most: int) -> tuple[Ints, Mask]:
    if "bytes" in fields:
        return numbers.sizes(*fields["bytes"].places, most)
    return np.zeros(rows, np.int64), np.ones(rows, bool)


def _assemble(positions: Ints, fields: Fields, typed: _Numbers, *, escaped: bool) -> pa.Table:
    rows = len(typed.time)
    method, target, protocol = _read_request(fields, rows, escaped=escaped)
    columns = {
        "position": pa.array(positions),
        "time": pa.array(typed.time).view(TIMESTAMP),
        "method": method,
        "target": target,
        "protocol": protocol,
        "status": pa.array(typed.status.astype(np.int16)),
        "bytes": pa.array(typed.size),
        "host": _read_text(fields.get("host"), rows, escaped=escaped, then=_bare_host),
        "seconds": _read_seconds(fields, rows),
        "upstream_seconds": _read_durations(fields.get("upstream_seconds"), rows, decimals.upstream_seconds),
    }
    for name in TEXTS:
        columns[name] = _read_text(fields.get(name), rows, escaped=escaped)
    return pa.table([columns[name] for name in BATCH_SCHEMA.names], schema=BATCH_SCHEMA)


def _as_text(codes: Codes, values: pa.Array) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes), values, safe=False)


@lru_cache(maxsize=1)
def _nulls(rows: int) -> pa.DictionaryArray:
    return pa.nulls(rows, TEXT)


def _read_text(
    values: Slices | None, rows: int, *, escaped: bool, then: Callable[[pa.Array], pa.Array] | None = None
) -> pa.DictionaryArray:
    if values is None:
        return _nulls(rows)
    codes, distinct = values.encode(dash=True)
    cleaned = decode.to_text(decode.unescape(distinct) if escaped else distinct)
    return _as_text(codes, then(cleaned) if then else cleaned)


def _bare_host(hosts: pa.Array) -> pa.Array:
    """Lower case, without the port."""
    return pc.replace_substring_regex(pc.utf8_lower(hosts), r"\A(\[.*|[^:]*):[0-9]+\z", r"\1")


def _read_request(fields: Fields, rows: int, *, escaped: bool) -> tuple[pa.DictionaryArray, ...]:
    """Return method, target and protocol."""
    if "request" not in fields:
        protocol = _read_text(fields.get("protocol"), rows, escaped=escaped)
        return *_read_request_parts(fields, rows, escaped=escaped), protocol
    codes, values = fields["request"].encode()
    (methods, targets, protocols) = _split_requests(decode.unescape(values) if escaped else values)
    method, protocol = (_as_text(spread(of_requests, codes), texts) for of_requests, texts in (methods, protocols))
    return method, _as_text(codes, targets), protocol


def _split_requests(requests: pa.Array) -> tuple[tuple[Codes, pa.Array], pa.Array, tuple[Codes, pa.Array]]:
    """Split `METHOD target HTTP/x` into methods (encoded), targets and protocols (encoded).

    All are empty if it is not an HTTP request. Escapes were undone before, so an escaped space separates like a plain one.
    """
    values = Slices.of(requests)
    methods, targets, protocols = (Slices(values.data, *places) for places in urls.split_requests(*values.places))
    (codes, method), (protocol_codes, protocol) = methods.encode(), protocols.encode()
    return (codes, decode.to_text(method)), decode.to_text(targets.gather()), (protocol_codes, decode.to_text(protocol))


def _read_request_parts(fields: Fields, rows: int, *, escaped: bool) -> tuple[pa.DictionaryArray, pa.DictionaryArray]:
    """Return method, if the format has one, and target from separate fields."""
    method = _rows(fields.get("method"), rows, escaped=escaped)
    target = _rows(fields.get("target") or fields.get("path"), rows, escaped=escaped)
    if "target" not in fields and "query" in fields:
        query = pc.replace_substring_regex(_rows(fields["query"], rows, escaped=escaped), r"\A\?", "")
        marked = pc.binary_join_element_wise(target, query, "?")
        target = pc.if_else(pc.equal(query, ""), target, marked)
    fits = pc.not_equal(target, "")
    if "method" not in fields:
        return _nulls(rows), pc.if_else(fits, target, "").dictionary_encode()
    fits = pc.and_(fits, pc.match_substring_regex(method, r"\A[A-Z][A-Z_-]{0,19}\z"))
    return tuple(pc.if_else(fits, part, "").dictionary_encode() for part in (method, target))


def _rows(values: Slices | None, rows: int, *, escaped: bool) -> pa.Array:
    """Return the text of every row, not encoded."""
    if values is None:
        return pa.array(np.full(rows, ""), pa.string())
    return _read_text(values, rows, escaped=escaped).cast(pa.string())


def _read_seconds(fields: Fields, rows: int) -> pa.Array:
    for name, unit in (("seconds", 1), ("milliseconds", 1_000), ("microseconds", 1_000_000)):
        if name in fields:
            return _read_durations(fields[name], rows, partial(decimals.decimals, unit=unit))
    return pa.nulls(rows, pa.float64())


def _read_durations(values: Slices | None, rows: int, read: Callable[[pa.Array], tuple[Floats, Mask]]) -> pa.Array:
    if values is None:
        return pa.nulls(rows, pa.float64())
    codes, distinct = values.encode()
    number, valid = read(distinct)
    return pa.array(spread(number, codes), mask=~spread(valid, codes))


def _rejects(chunk: Chunk, lines: Slices, reasons: Reasons) -> Rejects:
    if not chunk.too_long and not reasons.any():
        return Rejects()
    counts = np.bincount(reasons, minlength=len(REASONS) + 1)
    counts[_TOO_LONG] += chunk.too_long
    samples = [Reject(chunk.start, REASONS[0], b"")] * chunk.too_long
    base = chunk.start + chunk.skipped
    for row in np.flatnonzero(reasons)[: SAMPLES - len(samples)]:
        start, end = int(lines.start[row]), int(lines.end[row])
        line = bytes(chunk.data[start : min(end, start + SAMPLE_BYTES)])
        samples.append(Reject(base + start, REASONS[reasons[row] - 1], line))
    return Rejects({name: int(n) for name, n in zip(REASONS, counts[1:], strict=True) if n}, tuple(samples))
