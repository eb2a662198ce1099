"""Messages <-> bytes: the open format of the messages between machines (`docs/cluster.md`).

    at  bytes
     0  6      "logagg"
     6  1      version, 2
     7  1      kind: "J" a job, "Q" a request, "A" a reply
     8  32     MAC of everything else, by a key of the lake's secret (`cluster.auth`); zeros if there is none
    40  16     nonce: drawn for each job and request; a reply repeats the nonce of its message
    56  16     token of the shard's owner that it is for; zeros in a reply, and while the owner is not known
    72  4      length of the header, big-endian
    76  4      bytes of the events, unpacked, big-endian
    80         the header, JSON in UTF-8, then the events: an Arrow IPC stream, compressed with zstd as a whole

The MAC is not checked here: `cluster.auth` checks it first. A message of another version, or one that cannot be read, is
refused with `WireError`, and no other exception is raised. Memory is bounded by the size that the frame states, which has
a limit.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

import pyarrow as pa

from logagg import codec, heartbeat
from logagg.cluster import event_stream
from logagg.errors import OtherVersion, TooLarge, WireError
from logagg.quantities import counted
from logagg.records import Job, Progress, Rejects, Source

MAGIC, VERSION = b"logagg", 2
JOB, REQUEST, REPLY = b"J", b"Q", b"A"
KINDS = (JOB, REQUEST, REPLY)
FRAME = struct.Struct("!6sBc32s16s16sII")
MAC, REST = slice(8, 40), 72  # the bytes of the MAC; the offset of the fields after nonce and token
TOKEN = 16  # bytes of a nonce, and of a token
NO_OWNER = bytes(TOKEN)  # the token while the owner of a shard is not known
LARGEST = 1 << 28  # bytes of unpacked events, unless another limit is given
_OUTCOME = "verdict"  # the name of a reply's outcome in its header; logagg 0.1.0 writes and reads it, so it stays
_OLD_FRAME = struct.Struct("!6sBcII")  # of version 1: magic, version, kind, CRC-32 of the rest, length of the header


@dataclass(frozen=True, slots=True)
class JobMessage:
    """A job and its sender."""

    tailer: str
    epoch: int  # of the tailer's process; a later one supersedes it
    shards: int  # the number by which the events were divided
    source: Source
    job: Job
    run: str = ""  # a random id of the tailer's process: two processes may take the same epoch

    @property
    def name(self) -> str:
        """Return the name of the job, the same each time it is sent."""
        return f"{self.source.id}-{self.epoch:x}-{self.job.start}"


@dataclass(frozen=True, slots=True)
class OwnerRequest:
    """Asks for the owner of a shard, and the last epoch of a tailer; changes nothing."""

    tailer: str
    shard: int
    for_status: bool = False  # the token will be used for a `StatusRequest`


@dataclass(frozen=True, slots=True)
class PositionsRequest:
    """Asks for the positions of a shard in the sources of a tailer; carries news of the tailer."""

    tailer: str
    epoch: int
    shard: int
    begins: bool = False  # commit first, refuse earlier epochs from now on, and return the records of all sources
    sources: tuple[Source, ...] = ()  # those whose record has changed since their last job
    report: Mapping[str, int] = field(default_factory=dict)  # the tailer's numbers for `logagg status`
    run: str = ""
    count: int = 0  # of the requests of one run: a shard accepts each once
    heartbeat: str = ""  # of the tailer (`logagg.heartbeat`)


@dataclass(frozen=True, slots=True)
class StatusRequest:
    """Asks for the state of a shard and of its tailers, for `logagg status`."""

    shard: int


@dataclass(frozen=True, slots=True)
class SourcePosition:
    """A source as a lake knows it, and the committed progress of one shard; None: the shard has no events of it yet."""

    source: Source
    progress: Progress | None


@dataclass(frozen=True, slots=True)
class Reply:
    """The reply of a shard to a job or a request."""

    outcome: str  # of OUTCOMES
    shards: int = 0  # of the lake
    owner: str = ""  # its token, in hexadecimal; a new owner of the shard has another token
    positions: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # by source: committed, applied
    known: tuple[SourcePosition, ...] = ()
    reason: str = ""
    reports: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # by tailer; "" is the shard
    epoch: int = 0  # to an OwnerRequest: the last one of the tailer
    limit: int = 0  # to an OwnerRequest: bytes that a job may unpack to
    heartbeats: tuple[str, ...] = ()  # to a StatusRequest: of the tailers


_NO_REQUEST = PositionsRequest("", 0, 0)
OUTCOMES = (
    "taken",  # the job was counted; or the request was accepted
    "duplicate",  # the job was counted before
    "gap",  # an earlier job of the source is missing
    "overlap",  # part of the job was counted before: the sender has cut its chunks at other positions
    "superseded",  # a later process of this tailer has begun
    "moved",  # the shard has another owner, whose token is in the reply
    "refused",  # see the reason
)

Request = OwnerRequest | PositionsRequest | StatusRequest
Wired = JobMessage | Request | Reply


@dataclass(frozen=True)
class Envelope:
    """A message split into its fields, not yet parsed."""

    kind: bytes
    nonce: bytes
    owner: bytes  # the token of the owner that it is for
    size: int  # of the unpacked stream
    text: memoryview
    stream: memoryview

    @cached_property
    def header(self) -> dict[str, Any]:
        """Return the header. Raises WireError."""
        try:
            return codec.read_header(bytes(self.text))
        except ValueError as error:
            raise WireError(f"a message with {error}") from error


def pack(message: Wired) -> bytes:
    """Return a message as bytes, without a MAC."""
    if isinstance(message, JobMessage):
        stream, size = event_stream.pack(message.job.events)
        return _framed(JOB, _job_fields(message), stream, size)
    if isinstance(message, Reply):
        return _framed(REPLY, _reply_fields(message))
    return _framed(REQUEST, _request_fields(message))


def opened(data: bytes) -> Envelope:
    """Split a message into its fields. Raises WireError."""
    if len(data) < _OLD_FRAME.size or not data.startswith(MAGIC):
        raise WireError(f"{counted(len(data), 'byte that is', 'bytes that are')} not a message of logagg")
    if data[len(MAGIC)] != VERSION:
        raise OtherVersion(data[len(MAGIC)], VERSION)
    if len(data) < FRAME.size:
        raise WireError(f"{counted(len(data), 'byte that is', 'bytes that are')} not a message of logagg")
    _, _, kind, _, nonce, owner, length, size = FRAME.unpack_from(data)
    if kind not in KINDS or len(data) < FRAME.size + length:
        raise WireError(
            f"a message of {counted(len(data), 'byte')}, kind {kind!r}, that is cut off or of an unknown kind"
        )
    rest = memoryview(data)[FRAME.size :]
    return Envelope(kind, nonce, owner, size, rest[:length], rest[length:])


def read(envelope: Envelope, events: pa.Schema) -> Wired:
    """Return the message in an envelope; a job without its events, which `with_events` unpacks. Raises WireError."""
    with codec.failing_as(_unreadable):
        if envelope.kind == JOB:
            return _job_message(envelope.header, events)
        return _request(envelope.header) if envelope.kind == REQUEST else _reply(envelope.header)


def with_events(message: JobMessage, envelope: Envelope, *, rejected: str = "", limit: int = LARGEST) -> JobMessage:
    """Return a job message with the events of its envelope, which may unpack to `limit` bytes. Raises WireError.

    If a reason is given why they are `rejected`, the events are not unpacked, but counted as rejects.
    """
    job = message.job
    with codec.failing_as(_unreadable):
        rows = codec.number(envelope.header["rows"])
        if rejected:
            counts = {**job.rejects.counts, rejected: job.rejects.counts.get(rejected, 0) + rows}
            return replace(message, job=replace(job, rejects=Rejects(counts, job.rejects.samples)))
        if envelope.size > limit:
            hint = "give the workers more --memory, or the tails a smaller tail.chunk"
            raise TooLarge(f"a job that unpacks to {counted(envelope.size, 'byte')}, where {limit:,} are allowed", hint)
        events = event_stream.unpack(envelope.stream, envelope.size, rows, job.events.schema)
        return replace(message, job=replace(job, events=events))


def unpack(data: bytes, events: pa.Schema, *, rejected: str = "", limit: int = LARGEST) -> Wired:
    """Return the message in bytes; the events of a job have this schema. Raises WireError."""
    envelope = opened(data)
    message = read(envelope, events)
    return (
        with_events(message, envelope, rejected=rejected, limit=limit) if isinstance(message, JobMessage) else message
    )


def refusal_of_version_1(reason: str) -> bytes:
    """Return a refusal in version 1 of the protocol: a tail of that version ends with the reason."""
    text = json.dumps(_reply_fields(Reply("refused", reason=reason))).encode()
    check = zlib.crc32(struct.pack("!I", len(text)) + text)
    return _OLD_FRAME.pack(MAGIC, 1, REPLY, check, len(text)) + text


def _unreadable(reason: str) -> WireError:
    return WireError(f"a message whose header or events cannot be read: {reason}")


def _framed(kind: bytes, header: dict[str, Any], stream: bytes = b"", size: int = 0) -> bytes:
    written = codec.write_header(header)
    frame = FRAME.pack(MAGIC, VERSION, kind, b"", b"", NO_OWNER, len(written), size)
    return b"".join((frame, written, stream))


# jobs


def _job_fields(message: JobMessage) -> dict[str, Any]:
    job = message.job
    return {
        "tailer": message.tailer,
        "epoch": message.epoch,
        "run": message.run,
        "shards": message.shards,
        "shard": job.shard,
        "source": asdict(message.source),
        "origin": job.origin,
        "start": job.start,
        "end": job.end,
        "fingerprint": asdict(job.fingerprint),
        "rows": job.events.num_rows,
        "rejects": codec.fields_of_rejects(job.rejects),
    }


def _job_message(header: dict[str, Any], schema: pa.Schema) -> JobMessage:
    """Return a job message without its events."""
    source, shards = codec.source(header["source"]), codec.number(header["shards"])
    shard, origin, start, end = (codec.number(header[name]) for name in ("shard", "origin", "start", "end"))
    fingerprint, rejects = codec.fingerprint(header["fingerprint"]), codec.rejects(header["rejects"])
    lines = codec.number(header["rows"]) + rejects.lines
    if not (origin <= start <= end == fingerprint.position and shard < shards) or (start == end and lines):
        raise WireError(
            f"a job [{start}, {end}) from {origin} of {counted(lines, 'line')}, shard {shard} of {shards}, is not valid"
        )
    job = Job(shard, source.id, origin, start, end, fingerprint, schema.empty_table(), rejects)
    return JobMessage(
        codec.text(header["tailer"]), codec.number(header["epoch"]), shards, source, job, codec.text(header["run"])
    )


# requests and replies


def _request_fields(request: Request) -> dict[str, Any]:
    """Return the header of a request, which has the same fields for all three."""
    fields = asdict(_NO_REQUEST) | asdict(request)
    for_status = fields.pop("for_status", False) or isinstance(request, StatusRequest)
    return fields | {"looks": for_status, "greets": isinstance(request, OwnerRequest)}


def _request(header: dict[str, Any]) -> Request:
    begins, looks, greets = (header[name] is True for name in ("begins", "looks", "greets"))
    request = PositionsRequest(
        codec.text(header["tailer"]),
        codec.number(header["epoch"]),
        codec.number(header["shard"]),
        begins,
        tuple(map(codec.source, header["sources"])),
        _report(header["report"]),
        codec.text(header["run"]),
        codec.number(header["count"]),
        _heartbeat(header["heartbeat"]),
    )
    if greets:
        return OwnerRequest(request.tailer, request.shard, looks)
    return StatusRequest(request.shard) if looks else request


def _reply_fields(reply: Reply) -> dict[str, Any]:
    fields = asdict(reply)
    return {_OUTCOME: fields.pop("outcome"), **fields}


def _reply(header: dict[str, Any]) -> Reply:
    if header[_OUTCOME] not in OUTCOMES:
        raise WireError(
            f"a reply {header[_OUTCOME]!r}, which this logagg does not know", "run the same version everywhere"
        )
    positions = {
        codec.text(id_): (codec.number(one), codec.number(other)) for id_, (one, other) in header["positions"].items()
    }
    known = tuple(map(_position, header["known"]))
    owner, reason = _token(header["owner"]), codec.text(header["reason"])
    reports = {codec.text(name): _report(report) for name, report in header["reports"].items()}
    shards, epoch, limit = (codec.number(header[name]) for name in ("shards", "epoch", "limit"))
    beats = tuple(map(_heartbeat, header["heartbeats"]))
    return Reply(header[_OUTCOME], shards, owner, positions, known, reason, reports, epoch, limit, beats)


def _position(found: dict[str, Any]) -> SourcePosition:
    progress = found["progress"]
    return SourcePosition(codec.source(found["source"]), None if progress is None else codec.progress(progress))


def _report(found: dict[str, Any]) -> dict[str, int]:
    return {codec.text(name): codec.number(value) for name, value in found.items()}


def _heartbeat(value: object) -> str:
    found = codec.text(value)
    if len(found) > heartbeat.LARGEST + 64:  # a worker may have added the time at which it was received
        raise WireError(f"a heartbeat of {counted(len(found), 'byte')}")
    return found


def _token(value: object) -> str:
    if len(bytes.fromhex(codec.text(value))) not in (0, TOKEN):
        raise WireError(f"{value!r} where a token should be")
    return codec.text(value)
