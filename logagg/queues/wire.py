"""Messages <-> bytes: the open format in which jobs travel from machine to machine (`docs/cluster.md`).

    at  bytes
     0  6      "logagg"
     6  1      version, 1
     7  1      what it is: "J" a parcel with a job, "Q" a question, "A" an answer
     8  4      CRC-32 of all that follows, big-endian
    12  4      length of the header, big-endian
    16         the header, JSON in UTF-8, then the events as an Arrow IPC stream; no stream where there are none

What was changed on its way, and what another version wrote, is refused with `WireError`; nothing else is raised.
"""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
import pyarrow as pa

from logagg import heartbeat
from logagg.cargo import Job, Mark, Progress, Reject, Rejects, Source
from logagg.errors import LogaggError

MAGIC, VERSION = b"logagg", 1
JOB, QUESTION, ANSWER = b"J", b"Q", b"A"
_FRAME = struct.Struct("!6sBcII")
_NUMBER = 1 << 63  # no number of a header is as large, but for those of devices and inodes
_LONG_AGO, _SOON, _FAR = 0.0, 1e10, 1e11  # seconds since the epoch: of an event, and of a file


class WireError(LogaggError):
    """Bytes that are no message, or not one that this version reads."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A job, and who sends it."""

    tailer: str
    epoch: int  # of the tailer's process: a later one knows better where chunks end
    shards: int  # that the events were dealt to
    source: Source
    job: Job


@dataclass(frozen=True, slots=True)
class Question:
    """How far has a shard come with the sources of a tailer?"""

    tailer: str
    epoch: int
    shard: int
    begins: bool = False  # commit first, take no more from earlier epochs, and tell of each source all that is known
    proof: str = ""  # that the tailer has the lake's secret
    sources: tuple[Source, ...] = ()  # of which there is something to say that came with no job
    report: Mapping[str, int] = field(default_factory=dict)  # how the tailer does, for those who look
    looks: bool = False  # asked by one who only looks: how do the shard and its tailers do?
    heartbeat: str = ""  # of the tailer (`logagg.heartbeat`)


@dataclass(frozen=True, slots=True)
class Known:
    """A source as a lake knows it, and how far one shard has committed it; None: it has not met it yet."""

    source: Source
    progress: Progress | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a shard says to a job or a question."""

    verdict: str  # of VERDICTS
    shards: int = 0  # of the lake
    owner: str = ""  # changes when another process takes the shard over, which has only what was committed
    positions: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # by source: committed, applied
    known: tuple[Known, ...] = ()
    reason: str = ""
    reports: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # to one who looks: by tailer; "" is the shard
    heartbeats: tuple[str, ...] = ()  # to one who looks: of the tailers


VERDICTS = (
    "taken",  # the job counts; and so says the answer to a question
    "duplicate",  # it counted before
    "gap",  # jobs before it are missing
    "overlap",  # part of it counted before: the sender cuts chunks in other places than it did
    "superseded",  # a later process of this tailer has spoken
    "refused",  # for the reason given
)

Wired = Parcel | Question | Answer


def pack(message: Wired) -> bytes:
    """Return a message as bytes."""
    if isinstance(message, Parcel):
        return _framed(JOB, _parcel_header(message), _stream(message.job.events))
    if isinstance(message, Question):
        return _framed(QUESTION, asdict(message))
    return _framed(ANSWER, asdict(message))


def unpack(data: bytes, events: pa.Schema, *, rejected: str = "") -> Wired:
    """Return the message that bytes hold; the events of a job have this schema. Raises WireError.

    With a reason why they are `rejected`, events are left packed, and only counted.
    """
    kind, header, stream = _unframed(data)
    try:
        if kind == JOB:
            return _parcel(header, stream, events, rejected)
        return _question(header) if kind == QUESTION else _answer(header)
    except WireError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, OSError, pa.ArrowException) as error:
        what = f"lacks {error}" if isinstance(error, KeyError) else str(error).splitlines()[0] if str(error) else "is wrong"
        raise WireError(f"a message of {len(data):,} bytes: its header or its events cannot be read: {what}") from error


# the frame


def _framed(kind: bytes, header: dict[str, Any], stream: bytes = b"") -> bytes:
    text = json.dumps(header, separators=(",", ":")).encode()
    length = struct.pack("!I", len(text))
    check = zlib.crc32(stream, zlib.crc32(text, zlib.crc32(length)))
    return b"".join((_FRAME.pack(MAGIC, VERSION, kind, check, len(text)), text, stream))


def _unframed(data: bytes) -> tuple[bytes, dict[str, Any], memoryview]:
    """Take a frame apart. Raises WireError."""
    if len(data) < _FRAME.size or not data.startswith(MAGIC):
        raise WireError(f"{len(data):,} bytes that are no message of logagg")
    _, version, kind, check, length = _FRAME.unpack_from(data)
    if version != VERSION or kind not in (JOB, QUESTION, ANSWER):
        raise WireError(f"a message of version {version}, kind {kind!r}; this logagg reads {VERSION}", "upgrade logagg")
    if zlib.crc32(memoryview(data)[12:]) != check:
        raise WireError(f"a message of {len(data):,} bytes was changed on its way: its check sum is wrong")
    try:
        header = json.loads(data[_FRAME.size : _FRAME.size + length])
    except (ValueError, RecursionError) as error:
        raise WireError(f"a message of {len(data):,} bytes: its header is no JSON: {error}") from error
    if not isinstance(header, dict):
        raise WireError(f"a message of {len(data):,} bytes: its header is no object")
    return kind, header, memoryview(data)[_FRAME.size + length :]


# parcels


def _parcel_header(parcel: Parcel) -> dict[str, Any]:
    job = parcel.job
    return {
        "tailer": parcel.tailer,
        "epoch": parcel.epoch,
        "shards": parcel.shards,
        "shard": job.shard,
        "source": asdict(parcel.source),
        "origin": job.origin,
        "start": job.start,
        "end": job.end,
        "mark": asdict(job.mark),
        "rows": job.events.num_rows,
        "rejects": {
            "counts": dict(job.rejects.counts),
            "samples": [[one.position, one.reason, base64.b64encode(one.line).decode()] for one in job.rejects.samples],
        },
    }


def _parcel(header: dict[str, Any], stream: memoryview, schema: pa.Schema, rejected: str) -> Parcel:
    source, shards = _source(header["source"]), _number(header["shards"])
    shard, origin, start, end = (_number(header[name]) for name in ("shard", "origin", "start", "end"))
    mark = _mark(header["mark"])
    if not (origin <= start < end == mark.position and shard < shards):
        raise WireError(f"a job [{start}, {end}) from {origin}, shard {shard} of {shards}, cannot be")
    rows, rejects = _number(header["rows"]), _rejects(header["rejects"])
    if rejected:
        counts = {**rejects.counts, rejected: rejects.counts.get(rejected, 0) + rows}
        rows, rejects = 0, Rejects(counts, rejects.samples)
    job = Job(shard, source.id, origin, start, end, mark, _events(stream, rows, schema), rejects)
    return Parcel(_text(header["tailer"]), _number(header["epoch"]), shards, source, job)


def _rejects(found: dict[str, Any]) -> Rejects:
    samples = (Reject(_number(position), _text(reason), base64.b64decode(line)) for position, reason, line in found["samples"])
    return Rejects({_text(reason): _number(lines) for reason, lines in found["counts"].items()}, tuple(samples))


# events


def _stream(events: pa.Table) -> bytes:
    if not events.num_rows:
        return b""
    slim = pa.Table.from_arrays([_slim(column) for column in events.columns], schema=events.schema)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, slim.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(slim)
    return sink.getvalue().to_pybytes()


def _slim(column: pa.ChunkedArray) -> pa.Array:
    """Return a column without the words of its dictionary that it does not use: a chunk's shards share theirs."""
    array = column.combine_chunks()
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    if not pa.types.is_dictionary(array.type):
        return array
    indices = array.indices.fill_null(0).to_numpy(zero_copy_only=False)
    valid = array.is_valid().to_numpy(zero_copy_only=False)
    used = np.zeros(max(1, len(array.dictionary)), np.bool_)
    used[indices[valid]] = True
    codes = (np.cumsum(used, dtype=np.int32) - 1)[indices].astype(np.int32)
    words = array.dictionary.take(pa.array(np.flatnonzero(used[: len(array.dictionary)])))
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=~valid), words)


def _events(stream: memoryview, rows: int, schema: pa.Schema) -> pa.Table:
    """Read events, and look at each value that others will rely on: what is sent may be forged."""
    if not rows:
        return schema.empty_table()
    with pa.ipc.open_stream(pa.py_buffer(stream)) as reader:
        table = reader.read_all()
    if not table.schema.equals(schema):
        raise WireError("a job with other columns than this logagg's", "run the same version everywhere")
    table.validate(full=True)
    if table.num_rows != rows or any(_has_nulls(table[one.name]) for one in schema if not one.nullable):
        raise WireError(f"a job of {table.num_rows:,} events, {rows:,} of them announced, or with values missing")
    seconds = table["time"].cast(pa.int64()).to_numpy() / 1e6
    if not _LONG_AGO <= seconds.min() <= seconds.max() < _SOON:
        raise WireError("a job with events at times that cannot be meant")
    return table


def _has_nulls(column: pa.ChunkedArray) -> bool:
    words = column.chunks if pa.types.is_dictionary(column.type) else ()
    return bool(column.null_count or any(chunk.dictionary.null_count for chunk in words))


# questions and answers


def _question(header: dict[str, Any]) -> Question:
    sources = tuple(map(_source, header["sources"]))
    tailer, epoch, shard = _text(header["tailer"]), _number(header["epoch"]), _number(header["shard"])
    begins, looks = header["begins"] is True, header["looks"] is True
    report, beat = _report(header["report"]), _heartbeat(header["heartbeat"])
    return Question(tailer, epoch, shard, begins, _text(header["proof"]), sources, report, looks, beat)


def _answer(header: dict[str, Any]) -> Answer:
    if header["verdict"] not in VERDICTS:
        raise WireError(f"an answer {header['verdict']!r}, which this logagg does not know", "run the same version everywhere")
    positions = {_text(id_): (_number(one), _number(other)) for id_, (one, other) in header["positions"].items()}
    known = tuple(Known(_source(one["source"]), one["progress"] and _progress(one["progress"])) for one in header["known"])
    owner, reason = _text(header["owner"]), _text(header["reason"])
    reports = {_text(name): _report(report) for name, report in header["reports"].items()}
    heartbeats = tuple(map(_heartbeat, header["heartbeats"]))
    return Answer(header["verdict"], _number(header["shards"]), owner, positions, known, reason, reports, heartbeats)


def _report(found: dict[str, Any]) -> dict[str, int]:
    return {_text(name): _number(value) for name, value in found.items()}


def _heartbeat(value: object) -> str:
    found = _text(value)
    if len(found) > heartbeat.LARGEST + 64:  # it may have got the time at which it was heard
        raise WireError(f"a heartbeat of {len(found):,} bytes")
    return found


# values


def _number(value: object, limit: int = _NUMBER) -> int:
    if type(value) is not int or not 0 <= value < limit:
        raise WireError(f"{value!r} where a number should be")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise WireError(f"{value!r} where a text should be")
    value.encode()  # half a character is a ValueError
    return value


def _mark(found: dict[str, Any]) -> Mark:
    return Mark(_number(found["position"]), _number(found["length"]), _text(found["digest"]))


def _progress(found: dict[str, Any]) -> Progress:
    return Progress(_number(found["position"]), _number(found["lines"]), _mark(found["mark"]))


_TYPES = {one.name: one.type for one in fields(Source)}


def _source(found: dict[str, Any]) -> Source:
    return Source(**{name: _value(name, kind, found[name]) for name, kind in _TYPES.items()})


def _value(name: str, kind: object, value: Any) -> Any:
    """Return the value of a field of `Source`, whose type is written as text."""
    if kind == "Mark":
        return _mark(value)
    if kind == "bool" and isinstance(value, bool):
        return value
    if kind == "float" and type(value) in (int, float) and _LONG_AGO <= value < _FAR:
        return float(value)
    return _text(value) if kind == "str" else _number(value, 1 << 64 if name in ("device", "inode") else _NUMBER)
