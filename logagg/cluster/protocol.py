"""Messages <-> bytes: the open format in which jobs travel from machine to machine (`docs/cluster.md`).

    at  bytes
     0  6      "logagg"
     6  1      version, 2
     7  1      what it is: "J" a parcel with a job, "Q" a question, "A" an answer
     8  32     MAC of everything else, by a key of the lake's secret (`queues.auth`); zeros where there is none
    40  16     nonce: drawn for each parcel and question; an answer repeats that of what it answers
    56  16     token of the shard's owner that it is for; zeros in an answer, and where it is not known yet
    72  4      length of the header, big-endian
    76  4      bytes of the events, unpacked, big-endian
    80         the header, JSON in UTF-8, then the events: an Arrow IPC stream, compressed with zstd as a whole

Nothing here looks at the MAC: `queues.auth` checks it first. What another version wrote, or what cannot be read, is refused
with `WireError`; nothing else is raised. No more memory is taken than the frame says the events unpack to, and that has a limit.
"""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import pyarrow as pa

from logagg import heartbeat
from logagg.columnar.encoded import without_unused
from logagg.errors import OtherVersion, TooLarge, WireError
from logagg.records import Fingerprint, Job, Progress, Reject, Rejects, Source

MAGIC, VERSION = b"logagg", 2
JOB, QUESTION, ANSWER = b"J", b"Q", b"A"
KINDS = (JOB, QUESTION, ANSWER)
FRAME = struct.Struct("!6sBc32s16s16sII")
MAC, REST = slice(8, 40), 72  # where the MAC is, and what comes after nonce and token
TOKEN = 16  # bytes of a nonce, and of a token
NOBODY = bytes(TOKEN)  # the token where the owner of a shard is not known yet
LARGEST = 1 << 28  # bytes of events, unpacked, where no other limit is given
_OLD_FRAME = struct.Struct("!6sBcII")  # of version 1: magic, version, kind, CRC-32 of the rest, length of the header
_NUMBER = 1 << 63  # no number of a header is as large, but for those of devices and inodes
_LONG_AGO, _SOON, _FAR = 0.0, 1e10, 1e11  # seconds since the epoch: of an event, and of a file


@dataclass(frozen=True, slots=True)
class JobMessage:
    """A job, and who sends it."""

    tailer: str
    epoch: int  # of the tailer's process: a later one knows better where chunks end
    shards: int  # that the events were dealt to
    source: Source
    job: Job
    run: str = ""  # of the tailer's process, drawn at random: two processes may take the same epoch

    @property
    def name(self) -> str:
        """Return what the job is known by, however often it comes."""
        return f"{self.source.id}-{self.epoch:x}-{self.job.start}"


@dataclass(frozen=True, slots=True)
class Question:
    """How far has a shard come with the sources of a tailer?"""

    tailer: str
    epoch: int
    shard: int
    begins: bool = False  # commit first, take no more from earlier epochs, and tell of each source all that is known
    sources: tuple[Source, ...] = ()  # of which there is something to say that came with no job
    report: Mapping[str, int] = field(default_factory=dict)  # how the tailer does, for `logagg status`
    looks: bool = False  # asked by `logagg status`: how do the shard and its tailers do?
    greets: bool = False  # who owns the shard, and which epoch of the tailer was the last? Changes nothing
    run: str = ""
    count: int = 0  # of the questions of one run: a shard hears each once
    heartbeat: str = ""  # of the tailer (`logagg.heartbeat`)


@dataclass(frozen=True, slots=True)
class SourcePosition:
    """A source as a lake knows it, and how far one shard has committed it; None: it has not met it yet."""

    source: Source
    progress: Progress | None


@dataclass(frozen=True, slots=True)
class Reply:
    """What a shard says to a job or a question."""

    verdict: str  # of VERDICTS
    shards: int = 0  # of the lake
    owner: str = (
        ""  # a token, in hexadecimal; another where another process has the shard, with only what was committed
    )
    positions: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # by source: committed, applied
    known: tuple[SourcePosition, ...] = ()
    reason: str = ""
    reports: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # to `status`: by tailer; "" is the shard
    epoch: int = 0  # the last one of the tailer that the shard knows of, to one that greets
    limit: int = 0  # bytes that a job may unpack to, to one that greets
    heartbeats: tuple[str, ...] = ()  # to `status`: of the tailers


VERDICTS = (
    "taken",  # the job counts; and so says the answer to a question
    "duplicate",  # it counted before
    "gap",  # jobs before it are missing
    "overlap",  # part of it counted before: the sender cuts chunks in other places than it did
    "superseded",  # a later process of this tailer has spoken
    "moved",  # the shard has another owner than the message is for: see its token, and ask it
    "refused",  # for the reason given
)

Wired = JobMessage | Question | Reply


@dataclass(frozen=True)
class Envelope:
    """A message taken apart, not yet read."""

    kind: bytes
    nonce: bytes
    owner: bytes  # that it is for
    size: int  # of the stream, unpacked
    text: memoryview
    stream: memoryview

    @cached_property
    def header(self) -> dict[str, Any]:
        """Return the header. Raises WireError."""
        try:
            header = json.loads(bytes(self.text))
        except (ValueError, RecursionError) as error:
            raise WireError(f"a message with a header of {len(self.text):,} bytes that is no JSON: {error}") from error
        if not isinstance(header, dict):
            raise WireError(f"a message with a header of {len(self.text):,} bytes that is no object")
        return header


def pack(message: Wired) -> bytes:
    """Return a message as bytes, without a MAC."""
    if isinstance(message, JobMessage):
        stream, size = _stream(message.job.events)
        return _framed(JOB, _parcel_header(message), stream, size)
    return _framed(QUESTION if isinstance(message, Question) else ANSWER, asdict(message))


def opened(data: bytes) -> Envelope:
    """Take a message apart. Raises WireError."""
    if len(data) < _OLD_FRAME.size or not data.startswith(MAGIC):
        raise WireError(f"{len(data):,} bytes that are no message of logagg")
    if data[len(MAGIC)] != VERSION:
        raise OtherVersion(data[len(MAGIC)], VERSION)
    if len(data) < FRAME.size:
        raise WireError(f"{len(data):,} bytes that are no message of logagg")
    _, _, kind, _, nonce, owner, length, size = FRAME.unpack_from(data)
    if kind not in KINDS or len(data) < FRAME.size + length:
        raise WireError(f"a message of {len(data):,} bytes, kind {kind!r}, that is cut off or none of ours")
    rest = memoryview(data)[FRAME.size :]
    return Envelope(kind, nonce, owner, size, rest[:length], rest[length:])


def read(envelope: Envelope, events: pa.Schema) -> Wired:
    """Return the message in an envelope; a job without its events, which `with_events` unpacks. Raises WireError."""
    with _failing_as_wire_error():
        if envelope.kind == JOB:
            return _parcel(envelope.header, events)
        return _question(envelope.header) if envelope.kind == QUESTION else _answer(envelope.header)


def with_events(parcel: JobMessage, envelope: Envelope, *, rejected: str = "", limit: int = LARGEST) -> JobMessage:
    """Return a parcel with the events that its envelope holds, which may unpack to `limit` bytes. Raises WireError.

    With a reason why they are `rejected`, events are left packed, and only counted.
    """
    job = parcel.job
    with _failing_as_wire_error():
        rows = _number(envelope.header["rows"])
        if rejected:
            counts = {**job.rejects.counts, rejected: job.rejects.counts.get(rejected, 0) + rows}
            return replace(parcel, job=replace(job, rejects=Rejects(counts, job.rejects.samples)))
        if envelope.size > limit:
            hint = "give the workers more --memory, or the tails a smaller tail.chunk"
            raise TooLarge(f"a job that unpacks to {envelope.size:,} bytes, where {limit:,} are allowed", hint)
        events = _events(envelope.stream, envelope.size, rows, job.events.schema)
        return replace(parcel, job=replace(job, events=events))


def unpack(data: bytes, events: pa.Schema, *, rejected: str = "", limit: int = LARGEST) -> Wired:
    """Return the whole message that bytes hold; the events of a job have this schema. Raises WireError."""
    envelope = opened(data)
    message = read(envelope, events)
    return (
        with_events(message, envelope, rejected=rejected, limit=limit) if isinstance(message, JobMessage) else message
    )


def refusal_of_version_1(reason: str) -> bytes:
    """Return an answer that a logagg of version 1 reads: it ends, and says the reason."""
    text = json.dumps(asdict(Reply("refused", reason=reason))).encode()
    check = zlib.crc32(struct.pack("!I", len(text)) + text)
    return _OLD_FRAME.pack(MAGIC, 1, ANSWER, check, len(text)) + text


@contextmanager
def _failing_as_wire_error() -> Iterator[None]:
    try:
        yield
    except WireError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, OSError, struct.error, pa.ArrowException) as error:
        what = (
            f"lacks {error}"
            if isinstance(error, KeyError)
            else str(error).splitlines()[0]
            if str(error)
            else "is wrong"
        )
        raise WireError(f"a message whose header or events cannot be read: {what}") from error


def _framed(kind: bytes, header: dict[str, Any], stream: bytes = b"", size: int = 0) -> bytes:
    text = json.dumps(header, separators=(",", ":")).encode()
    frame = FRAME.pack(MAGIC, VERSION, kind, b"", b"", NOBODY, len(text), size)
    return b"".join((frame, text, stream))


# parcels


def _parcel_header(parcel: JobMessage) -> dict[str, Any]:
    job = parcel.job
    return {
        "tailer": parcel.tailer,
        "epoch": parcel.epoch,
        "run": parcel.run,
        "shards": parcel.shards,
        "shard": job.shard,
        "source": asdict(parcel.source),
        "origin": job.origin,
        "start": job.start,
        "end": job.end,
        "fingerprint": asdict(job.fingerprint),
        "rows": job.events.num_rows,
        "rejects": {
            "counts": dict(job.rejects.counts),
            "samples": [[one.position, one.reason, base64.b64encode(one.line).decode()] for one in job.rejects.samples],
        },
    }


def _parcel(header: dict[str, Any], schema: pa.Schema) -> JobMessage:
    """Return a parcel without its events."""
    source, shards = _source(header["source"]), _number(header["shards"])
    shard, origin, start, end = (_number(header[name]) for name in ("shard", "origin", "start", "end"))
    fingerprint, rejects = _fingerprint(header["fingerprint"]), _rejects(header["rejects"])
    lines = _number(header["rows"]) + rejects.lines
    if not (origin <= start <= end == fingerprint.position and shard < shards) or (start == end and lines):
        raise WireError(
            f"a job [{start}, {end}) from {origin} of {lines:,} lines, shard {shard} of {shards}, cannot be"
        )
    job = Job(shard, source.id, origin, start, end, fingerprint, schema.empty_table(), rejects)
    return JobMessage(_text(header["tailer"]), _number(header["epoch"]), shards, source, job, _text(header["run"]))


def _rejects(found: dict[str, Any]) -> Rejects:
    samples = (
        Reject(_number(position), _text(reason), base64.b64decode(line)) for position, reason, line in found["samples"]
    )
    return Rejects({_text(reason): _number(lines) for reason, lines in found["counts"].items()}, tuple(samples))


# events


def _stream(events: pa.Table) -> tuple[bytes, int]:
    """Return events as they travel, and their size unpacked.

    Compressed as a whole, not buffer by buffer as Arrow can: so the size is known, and checked, before anything is unpacked.
    """
    if not events.num_rows:
        return b"", 0
    slim = pa.Table.from_arrays([_whole(column) for column in events.columns], schema=events.schema)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, slim.schema) as writer:
        writer.write_table(slim)
    plain = sink.getvalue()
    return pa.Codec("zstd").compress(plain, asbytes=True), plain.size


def _whole(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as one array, without the dictionary entries of other shards: those of a chunk share theirs."""
    array = column.combine_chunks()
    return without_unused(array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array)


def _events(stream: memoryview, size: int, rows: int, schema: pa.Schema) -> pa.Table:
    """Read events, and look at each value that others will rely on: a sender may be wrong."""
    if not rows:
        return schema.empty_table()
    table = _table(pa.Codec("zstd").decompress(pa.py_buffer(stream), size), schema)
    if table.nbytes > size:  # buffers that lie over one another become more when they are copied
        raise TooLarge(f"a job of {table.nbytes:,} bytes of events, {size:,} of them announced")
    table.validate(full=True)
    if table.num_rows != rows or any(_has_nulls(table[one.name]) for one in schema if not one.nullable):
        raise WireError(f"a job of {table.num_rows:,} events, {rows:,} of them announced, or with values missing")
    seconds = table["time"].cast(pa.int64()).to_numpy() / 1e6
    if not _LONG_AGO <= seconds.min() <= seconds.max() < _SOON:
        raise WireError("a job with events at times that cannot be meant")
    return table


def _table(plain: pa.Buffer, schema: pa.Schema) -> pa.Table:
    """Return the table in an Arrow stream, without a copy."""
    if any(_is_compressed(message.metadata.to_pybytes()) for message in pa.ipc.MessageReader.open_stream(plain)):
        raise WireError("a job with compressed buffers: only the whole stream may be")
    with pa.ipc.open_stream(plain) as reader:
        if not reader.schema.equals(schema):
            raise WireError("a job with other columns than this logagg's", "run the same version everywhere")
        return reader.read_all()


def _is_compressed(metadata: bytes) -> bool:
    """Tell whether the buffers of an Arrow message are compressed: whatever size they claim would be allocated.

    Reads the one field of the flatbuffer that says so: Message.header, then RecordBatch.compression; a dictionary's batch
    is in DictionaryBatch.data.
    """
    (root,) = struct.unpack_from("<I", metadata)
    (kind,) = struct.unpack_from("<B", metadata, at) if (at := _field(metadata, root, 1)) else (0,)
    table = _table_at(metadata, root, 2)
    if kind == _DICTIONARY_BATCH and table:
        table = _table_at(metadata, table, 1)
    return kind in (_DICTIONARY_BATCH, _RECORD_BATCH) and bool(table and _field(metadata, table, 3))


_DICTIONARY_BATCH, _RECORD_BATCH = 2, 3  # of MessageHeader in Arrow's Message.fbs


def _field(data: bytes, table: int, number: int) -> int:
    """Return where a field of a flatbuffer's table is; 0 where it is absent."""
    (back,) = struct.unpack_from("<i", data, table)
    vtable = table - back
    (length,) = struct.unpack_from("<H", data, vtable)
    entry = 4 + 2 * number
    (offset,) = struct.unpack_from("<H", data, vtable + entry) if entry < length else (0,)
    return table + offset if offset else 0


def _table_at(data: bytes, table: int, number: int) -> int:
    """Return where the table is that a field points to; 0 where it is absent."""
    at = _field(data, table, number)
    return at + int(struct.unpack_from("<I", data, at)[0]) if at else 0


def _has_nulls(column: pa.ChunkedArray) -> bool:
    words = column.chunks if pa.types.is_dictionary(column.type) else ()
    return bool(column.null_count or any(chunk.dictionary.null_count for chunk in words))


# questions and answers


def _question(header: dict[str, Any]) -> Question:
    begins, looks, greets = (header[name] is True for name in ("begins", "looks", "greets"))
    return Question(
        _text(header["tailer"]),
        _number(header["epoch"]),
        _number(header["shard"]),
        begins,
        tuple(map(_source, header["sources"])),
        _report(header["report"]),
        looks,
        greets,
        _text(header["run"]),
        _number(header["count"]),
        _heartbeat(header["heartbeat"]),
    )


def _answer(header: dict[str, Any]) -> Reply:
    if header["verdict"] not in VERDICTS:
        raise WireError(
            f"an answer {header['verdict']!r}, which this logagg does not know", "run the same version everywhere"
        )
    positions = {_text(id_): (_number(one), _number(other)) for id_, (one, other) in header["positions"].items()}
    known = tuple(
        SourcePosition(_source(one["source"]), one["progress"] and _progress(one["progress"]))
        for one in header["known"]
    )
    owner, reason = _token(header["owner"]), _text(header["reason"])
    reports = {_text(name): _report(report) for name, report in header["reports"].items()}
    shards, epoch, limit = (_number(header[name]) for name in ("shards", "epoch", "limit"))
    beats = tuple(map(_heartbeat, header["heartbeats"]))
    return Reply(header["verdict"], shards, owner, positions, known, reason, reports, epoch, limit, beats)


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


def _token(value: object) -> str:
    if len(bytes.fromhex(_text(value))) not in (0, TOKEN):
        raise WireError(f"{value!r} where a token should be")
    return _text(value)


def _fingerprint(found: dict[str, Any]) -> Fingerprint:
    return Fingerprint(_number(found["position"]), _number(found["length"]), _text(found["digest"]))


def _progress(found: dict[str, Any]) -> Progress:
    return Progress(_number(found["position"]), _number(found["lines"]), _fingerprint(found["fingerprint"]))


_TYPES = {one.name: one.type for one in fields(Source)}


def _source(found: dict[str, Any]) -> Source:
    return Source(**{name: _value(name, kind, found[name]) for name, kind in _TYPES.items()})


def _value(name: str, kind: object, value: Any) -> Any:
    """Return the value of a field of `Source`, whose type is written as text."""
    if kind == "Fingerprint":
        return _fingerprint(value)
    if kind == "bool" and isinstance(value, bool):
        return value
    if kind == "float" and type(value) in (int, float) and _LONG_AGO <= value < _FAR:
        return float(value)
    return _text(value) if kind == "str" else _number(value, 1 << 64 if name in ("device", "inode") else _NUMBER)
