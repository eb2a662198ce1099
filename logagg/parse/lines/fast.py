"""The fast parser: the same answers as `reference`, for whole chunks at a time.

Values stay where they are in the chunk until they are dictionary-encoded; text is then cleaned once per distinct value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logagg.columnar.dictionary import spread
from logagg.columnar.slices import Mask, Slices
from logagg.parse.envelopes.unwrap import Messages, Wrapped
from logagg.parse.formats.compile import enveloped
from logagg.parse.formats.format import UNITS, UPSTREAM_PARTS, UPSTREAM_UNITS, ZONELESS, Format
from logagg.parse.lines import decimals, headers, json_lines, numbers, scan, zones
from logagg.parse.lines.columns import split_columns
from logagg.parse.lines.decimals import Floats
from logagg.parse.lines.texts import Fields, Texts
from logagg.parse.schemas import BATCH_SCHEMA, LONGEST, MOST_BYTES, OF_ANOTHER_FORMAT, REASONS, TEXTS, TIMESTAMP
from logagg.records import SAMPLE_BYTES, SAMPLES, Batch, Chunk, Reject, Rejects

Ints = npt.NDArray[np.int64]
Reasons = npt.NDArray[np.uint8]  # 0: accepted; otherwise the number of the reason for rejecting the line

_TOO_LONG, _FORMAT, _TIME, _STATUS, _SIZE = range(1, 1 + len(REASONS))
_OF_ANOTHER_FORMAT = [REASONS.index(reason) + 1 for reason in OF_ANOTHER_FORMAT]

_DAYS = ("date", "date_american")
MOST_FOUND = 4  # formats that are found in a chunk
SAMPLE = 200  # lines that a format is detected from


def no_more(lines: Sequence[bytes]) -> None:
    """Find no further format."""


def parse(
    chunk: Chunk,
    fmt: Format,
    now: float,
    max_line: int = 1 << 20,
    detect: Callable[[Sequence[bytes]], Format | None] = no_more,
) -> Batch:
    """Parse the lines of a chunk; times too far beyond `now` (seconds since the epoch) are rejected.

    `detect` is asked for the format of lines that have none of the known ones; those that it finds are in the batch's `formats`.
    """
    parts = headers.sections(find_lines(chunk), fmt)
    batches = [_parse(chunk, lines, one, now, max_line, detect) for lines, one in parts]
    batch = batches[0] if len(batches) == 1 else _joined(batches)
    return replace(batch, rejects=_too_long(chunk) + batch.rejects) if chunk.too_long else batch


def _parse(
    chunk: Chunk,
    lines: Slices,
    fmt: Format,
    now: float,
    max_line: int,
    detect: Callable[[Sequence[bytes]], Format | None],
) -> Batch:
    first, *others = fmt.each
    reading = _Reading(Wrapped(lines, first.envelope, max_line), chunk.start + chunk.skipped, now, max_line)
    reading.read(first)
    for other in others:
        reading.read_rest(other)
    for _ in range(MOST_FOUND):
        if not (found := reading.further(detect)):
            break
        reading.read_rest(found, new=True)
    return Batch(reading.table(), _rejects(chunk, reading.wrapped.raw, reading.reasons), tuple(reading.found))


def _joined(batches: Sequence[Batch]) -> Batch:
    """Return one batch of the parts of a chunk."""
    table = pa.concat_tables([batch.table for batch in batches]).unify_dictionaries().combine_chunks()
    table = table.take(pc.sort_indices(table["position"]))  # tables of CSV are among one another
    formats = dict.fromkeys(name for batch in batches for name in batch.formats)
    counts = sum((Rejects(batch.rejects.counts) for batch in batches), Rejects()).counts
    samples = sorted((one for batch in batches for one in batch.rejects.samples), key=attrgetter("position"))
    return Batch(table, Rejects(counts, tuple(samples[:SAMPLES])), tuple(formats))


def count(chunk: Chunk, fmt: Format, now: float, max_line: int = 1 << 20) -> int:
    """Return how many lines of a chunk match a format: those that parse, and those whose only fault is too large a size."""
    parts = headers.sections(find_lines(chunk), fmt)
    return sum(int(matching(lines, one, now, max_line).sum()) for lines, one in parts)


def matching(lines: Slices, fmt: Format, now: float, max_line: int = 1 << 20) -> Mask:
    """Return a mask of the lines that match a format: those that parse, and those whose only fault is too large a size."""
    wrapped = Wrapped(lines, fmt.envelope, max_line)
    fits = np.zeros(len(wrapped.raw), bool)
    for one in fmt.each:
        _, _, reasons = _read_lines(_messages(wrapped, one), one, now, max_line, np.iinfo(np.int64).max)
        fits |= reasons == 0
    return fits[wrapped.message]


class _Reading:
    """The lines of a chunk, read in one format after another until each has been read."""

    def __init__(self, wrapped: Wrapped, base: int, now: float, max_line: int) -> None:
        self.wrapped, self._base, self._now, self._max_line = wrapped, base, now, max_line
        self.reasons = np.full(len(wrapped.raw), _FORMAT, np.uint8)
        self.found: list[str] = []  # names of formats that were not known before
        self._tables: list[pa.Table] = []

    def read(self, fmt: Format) -> None:
        """Read all lines in a format."""
        table, self.reasons = self._read(_messages(self.wrapped, fmt), fmt)
        self._tables.append(table)

    def read_rest(self, fmt: Format, *, new: bool = False) -> None:
        """Read the lines that may be of another format than those before."""
        rows = self._rest()
        if len(rows):
            table, reasons = self._read(_messages(self.wrapped, fmt).take(rows), fmt)
            if table.num_rows:
                self.reasons[rows[reasons == 0]] = 0
                self._tables.append(table)
                self.found += [fmt.name] if new else []

    def further(self, detect: Callable[[Sequence[bytes]], Format | None]) -> Format | None:
        """Return the format of most lines that have none of the known ones: inside the envelope of the first format, or outside.

        No other envelope whose lines come in parts is taken off: the log was not cut for it.
        """
        rows, first = self._rest(), self.wrapped.inside(self.wrapped.first)
        if not len(rows):
            return None
        inside = first.enveloped[rows]
        if 2 * int(inside.sum()) >= len(rows):
            found = detect(_sample(first.lines.take(rows[inside])))
            fmt = enveloped(found, self.wrapped.first) if found else None
        else:
            fmt = detect(_sample(self.wrapped.raw.take(rows[~inside])))
        return fmt if fmt and self.wrapped.is_cut_for(fmt.envelope) else None

    def table(self) -> pa.Table:
        """Return the columns of the lines in the order of their positions."""
        if len(self._tables) == 1:
            return self._tables[0]
        table = pa.concat_tables(self._tables).unify_dictionaries().combine_chunks()
        return table.take(pc.sort_indices(table["position"]))

    def _rest(self) -> Ints:
        rows = np.flatnonzero(self.reasons)
        return rows[np.isin(self.reasons[rows], _OF_ANOTHER_FORMAT)] if len(rows) else rows

    def _read(self, messages: Messages, fmt: Format) -> tuple[pa.Table, Reasons]:
        fields, typed, reasons = _read_lines(messages, fmt, self._now, self._max_line)
        positions = messages.raw.start[reasons == 0] + self._base
        return _assemble(positions, fields, typed, fmt), reasons


def _messages(wrapped: Wrapped, fmt: Format) -> Messages:
    return wrapped.inside_with_times(fmt.envelope) if fmt.outer_time else wrapped.inside(fmt.envelope)


def _sample(lines: Slices) -> list[bytes]:
    """Return some lines, evenly spread."""
    rows = np.arange(0, len(lines), max(1, -(-len(lines) // SAMPLE)))
    data, starts, ends = lines.take(rows).places
    return [data[start:end].tobytes() for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]


def find_lines(chunk: Chunk) -> Slices:
    """Return the lines of a chunk without line ends and leading NULs; empty and blank lines are skipped."""
    data = np.frombuffer(chunk.data, np.uint8)
    return Slices(data, *scan.find_lines(data))


def split_fields(lines: Slices, fmt: Format) -> tuple[Fields, Mask]:
    """Return the values of each named field, and a mask of the lines that have the shape of the format.

    The values of other lines are empty.
    """
    data = lines.data
    if fmt.keys:
        data, places, fits = json_lines.split_objects(*lines.places, fmt.keys)
    elif fmt.separator:
        places, fits = split_columns(*lines.places, fmt, scan.SHAPES)
    else:
        places, fits = scan.split_fields(*lines.places, fmt)
    return {name: Slices(data, start, end) for name, (start, end) in places.items()}, fits


def _read_lines(
    messages: Messages, fmt: Format, now: float, max_line: int, most_bytes: int = MOST_BYTES
) -> tuple[Fields, _Numbers, Reasons]:
    """Return the raw fields of the accepted lines, their numeric fields, and for each line the reason to reject it."""
    fields, fits = split_fields(messages.lines, fmt)
    if messages.times:
        fields = {**fields, "time_any": messages.times}
    reasons = _judge((_TOO_LONG, messages.raw.length > max_line), (_FORMAT, ~(fits & messages.enveloped)))
    fits = reasons == 0
    fields = _filter(fields, fits)
    typed = _read_numbers(fields, int(fits.sum()), fmt.zone, now, most_bytes)
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


def _read_numbers(fields: Fields, rows: int, zone: str, now: float, most_bytes: int) -> _Numbers:
    time, time_valid = _read_times(fields, rows, zone, now)
    status, status_valid = numbers.statuses(*fields["status"].places) if "status" in fields else _zeros(rows)
    size, size_valid = _read_sizes(fields, rows, most_bytes)
    reasons = _judge((_TIME, ~time_valid), (_STATUS, ~status_valid), (_SIZE, ~size_valid))
    return _Numbers(time, status, size, reasons)


def _read_sizes(fields: Fields, rows: int, most: int) -> tuple[Ints, Mask]:
    if "bytes_so_far" in fields:
        values = fields["bytes_so_far"]
        sizes = Slices(values.data, values.start + headers.begin_with(values, b"+"), values.end)
        return numbers.sizes(*sizes.places, most)
    return numbers.sizes(*fields["bytes"].places, most) if "bytes" in fields else _zeros(rows)


def _zeros(rows: int) -> tuple[Ints, Mask]:
    return np.zeros(rows, np.int64), np.ones(rows, bool)


def _read_times(fields: Fields, rows: int, zone: str, now: float) -> tuple[Ints, Mask]:
    name = next((name for name in (*numbers.TIMES, *_DAYS) if name in fields), "")
    if not name:  # a header without a time, below which no line fits
        return _zeros(rows)
    if name in _DAYS:
        clock = fields["clock"].places[1:]
        time, valid = numbers.dated_times(*fields[name].places, *clock, now, name == "date_american")
    else:
        time, valid = numbers.times(*fields[name].places, name, now)
    return (zones.from_local(time, zone) if zone and name in ZONELESS else time), valid


def _assemble(positions: Ints, fields: Fields, typed: _Numbers, fmt: Format) -> pa.Table:
    texts = Texts(fields, len(typed.time), fmt)
    method, target, protocol = texts.request()
    columns = {
        "position": pa.array(positions),
        "time": pa.array(typed.time).view(TIMESTAMP),
        "method": method,
        "target": target,
        "protocol": protocol,
        "status": pa.array(typed.status.astype(np.int16)),
        "bytes": pa.array(typed.size),
        "seconds": _read_seconds(fields, texts.rows),
        "upstream_seconds": _read_durations(fields, texts.rows, UPSTREAM_UNITS, decimals.upstream_seconds),
    }
    for name in ("host", *TEXTS):
        columns[name] = texts.column(name)
    return pa.table([columns[name] for name in BATCH_SCHEMA.names], schema=BATCH_SCHEMA)


def _read_seconds(fields: Fields, rows: int) -> pa.Array:
    """Read the time to serve a request, or add it up."""
    if UPSTREAM_PARTS[0] in fields:
        parts = [_read_durations(fields, rows, {name: 1}, decimals.decimals) for name in UPSTREAM_PARTS]
        total = pc.add(pc.add(parts[0], parts[1]), parts[2])
        return pc.if_else(pc.less_equal(total, LONGEST), total, pa.scalar(None, pa.float64()))
    if "time_taken" in fields:
        return _read_durations(fields, rows, {"time_taken": 1_000}, decimals.time_taken)
    return _read_durations(fields, rows, UNITS, decimals.decimals)


def _read_durations(
    fields: Fields, rows: int, units: Mapping[str, int], read: Callable[[pa.Array, int], tuple[Floats, Mask]]
) -> pa.Array:
    """Read the durations of whichever units the format has; of several, the first that a line has counts."""
    columns = [pa.nulls(rows, pa.float64())]
    for name in units:
        if name in fields and fields[name].length.any():
            codes, distinct = fields[name].encode()
            number, valid = read(distinct, units[name])
            columns.append(pa.array(spread(number, codes), mask=~spread(valid, codes)))
    return pc.coalesce(*columns) if len(columns) > 2 else columns[-1]


def _too_long(chunk: Chunk) -> Rejects:
    """Return the rejects of lines over the length limit, which are not in the data."""
    return Rejects({REASONS[0]: chunk.too_long}, (Reject(chunk.start, REASONS[0], b""),) * chunk.too_long)


def _rejects(chunk: Chunk, lines: Slices, reasons: Reasons) -> Rejects:
    if not reasons.any():
        return Rejects()
    counts = np.bincount(reasons, minlength=len(REASONS) + 1)
    samples = []
    base = chunk.start + chunk.skipped
    for row in np.flatnonzero(reasons)[:SAMPLES]:
        start, end = int(lines.start[row]), int(lines.end[row])
        line = bytes(chunk.data[start : min(end, start + SAMPLE_BYTES)])
        samples.append(Reject(base + start, REASONS[reasons[row] - 1], line))
    return Rejects({name: int(n) for name, n in zip(REASONS, counts[1:], strict=True) if n}, tuple(samples))
