"""Packed messages are unpacked unchanged; cut or invented ones raise only WireError, within a bound of memory."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logagg.cluster import event_stream, protocol
from logagg.cluster.protocol import FRAME, JobMessage, PositionsRequest, Reply
from logagg.errors import OtherVersion, TooLarge, WireError
from logagg.heartbeat import LARGEST
from logagg.parse.schemas import EVENT_SCHEMA
from logagg.records import Fingerprint, Job, Rejects, Source
from tests.units.cluster.messages import REPLIES, REQUESTS, job_messages


def plain(job_message: JobMessage) -> JobMessage:
    """Return the job_message without its events, which are compared by value: dictionaries may differ."""
    return replace(job_message, job=replace(job_message.job, events=None))


@given(job_messages())
@pytest.mark.slow
def test_a_parcel_is_unpacked_unchanged(job_message: JobMessage) -> None:
    out = protocol.unpack(protocol.pack(job_message), EVENT_SCHEMA)
    assert isinstance(out, JobMessage)
    assert plain(out) == plain(job_message)
    assert out.job.events.schema == EVENT_SCHEMA
    assert out.job.events.to_pylist() == job_message.job.events.to_pylist()


@given(job_messages(), st.binary(max_size=40))
@pytest.mark.slow
def test_rejected_events_are_counted_and_not_unpacked(job_message: JobMessage, stream: bytes) -> None:
    out = protocol.unpack(made(b"J", taken_apart(job_message)[0], stream), EVENT_SCHEMA, rejected="quarantined")
    assert isinstance(out, JobMessage)
    assert out.job.events.num_rows == 0
    assert out.job.rejects.lines == job_message.job.events.num_rows + job_message.job.rejects.lines
    assert out.job.rejects.samples == job_message.job.rejects.samples
    assert replace(plain(out), job=replace(out.job, events=None, rejects=job_message.job.rejects)) == plain(job_message)


@given(st.one_of(REQUESTS, REPLIES))
def test_requests_and_replies_are_unpacked_unchanged(message: protocol.Request | Reply) -> None:
    assert protocol.unpack(protocol.pack(message), EVENT_SCHEMA) == message


@given(st.one_of(job_messages(), REQUESTS, REPLIES), st.data())
@pytest.mark.slow
def test_a_message_that_was_cut_off_is_refused(message: protocol.Wired, data: st.DataObject) -> None:
    packed = protocol.pack(message)
    with pytest.raises(WireError):
        protocol.unpack(packed[: data.draw(st.integers(0, len(packed) - 1))], EVENT_SCHEMA)


@given(st.binary(max_size=200))
def test_junk_is_refused(junk: bytes) -> None:
    for data in (junk, b"logagg" + junk, b"logagg\x02J" + junk):
        with pytest.raises(WireError):
            protocol.unpack(data, EVENT_SCHEMA)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 1 << 70), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)


def made(kind: bytes, header: object, stream: bytes, size: int = 0) -> bytes:
    text = json.dumps(header).encode()
    return FRAME.pack(b"logagg", 2, kind, b"", b"", b"", len(text), size) + text + stream


def taken_apart(message: protocol.Wired) -> tuple[dict[str, Any], bytes, int]:
    """Return the header, the stream and its size."""
    envelope = protocol.opened(protocol.pack(message))
    return envelope.header, bytes(envelope.stream), envelope.size


@given(st.one_of(job_messages(), REQUESTS, REPLIES), st.data())
@pytest.mark.slow
def test_an_invented_message_is_read_or_refused(message: protocol.Wired, data: st.DataObject) -> None:
    """A sender with the secret may send invalid messages; they must not cause any other exception."""
    header, sent, size = taken_apart(message)
    place = header
    while isinstance(inner := place[key := data.draw(st.sampled_from(sorted(place)))], dict) and inner:
        place = inner
    place[key] = data.draw(JSON)
    stream = data.draw(st.one_of(st.just(sent), st.binary(max_size=40)))
    try:
        out = protocol.unpack(made(protocol.pack(message)[7:8], header, stream, size), EVENT_SCHEMA)
    except WireError:
        return
    assert protocol.unpack(protocol.pack(out), EVENT_SCHEMA) is not None


def test_another_version_is_named() -> None:
    packed = bytearray(protocol.pack(PositionsRequest("web1", 1, 0)))
    packed[6] = 3
    with pytest.raises(OtherVersion, match="version 3.*reads version 2.*same version everywhere"):
        protocol.unpack(bytes(packed), EVENT_SCHEMA)


def test_version_1_is_refused_in_its_own_format() -> None:
    """In the format that the reader of version 1 expects: frame, checksum, verdict, reason."""
    data = protocol.refusal_of_version_1("misfit: upgrade")
    magic, version, kind, check, length = struct.unpack_from("!6sBcII", data)
    assert (magic, version, kind, check) == (b"logagg", 1, b"A", zlib.crc32(data[12:]))
    header = json.loads(data[16 : 16 + length])
    assert (header["verdict"], header["reason"], len(data)) == ("refused", "misfit: upgrade", 16 + length)
    assert {"shards", "owner", "positions", "known", "reports"} <= set(header)


# decompression bombs


ROWS = 1 << 16


def some_events(rows: int = ROWS) -> pa.Table:
    """Return events that compress to almost nothing."""

    def array(kind: pa.DataType) -> pa.Array:
        if pa.types.is_dictionary(kind):
            return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array(["x"]))
        zeros: np.ndarray[Any, Any] = np.zeros(rows, np.bool_ if pa.types.is_boolean(kind) else np.int64)
        return pa.array(zeros) if pa.types.is_boolean(kind) else pa.array(zeros).cast(kind)

    return pa.Table.from_arrays([array(field.type) for field in EVENT_SCHEMA], schema=EVENT_SCHEMA)


def a_parcel(events: pa.Table) -> JobMessage:
    source = Source("id", "a.log", 1, 2, Fingerprint(0, 0, ""))
    return JobMessage("web1", 1, 1, source, Job(0, "id", 0, 0, 10, Fingerprint(10, 0, ""), events, Rejects()), "run")


POOLS: list[pa.MemoryPool] = []  # buffers must be returned to the pool that allocated them


@contextmanager
def counted() -> Iterator[Callable[[], int]]:
    """Measure the most bytes that Arrow has allocated at a time in the block."""
    before = pa.default_memory_pool()
    counting = pa.proxy_memory_pool(before)
    POOLS.append(counting)
    pa.set_memory_pool(counting)
    try:
        yield lambda: counting.max_memory() or 0
    finally:
        pa.set_memory_pool(before)


def test_a_job_within_the_limit_is_read_without_a_copy() -> None:
    packed = protocol.pack(a_parcel(some_events()))
    size = protocol.opened(packed).size
    with counted() as most:
        out = protocol.unpack(packed, EVENT_SCHEMA, limit=size)
    assert isinstance(out, JobMessage) and out.job.events.num_rows == ROWS
    assert len(packed) < size // 100
    assert size <= most() < 1.5 * size


@pytest.mark.parametrize("claimed", [0, 1, 1000, 100_000])
def test_a_bomb_takes_no_more_than_the_size_in_its_frame(claimed: int) -> None:
    """A small message, 6 MB unpacked, that claims less: it gets only the claimed memory."""
    header, stream, size = taken_apart(a_parcel(some_events()))
    bomb = made(b"J", header, stream, claimed)
    with counted() as most, pytest.raises(WireError):
        protocol.unpack(bomb, EVENT_SCHEMA)
    assert most() <= claimed + 4096 < size


def test_a_bomb_is_refused_by_the_size_in_its_frame() -> None:
    header, stream, size = taken_apart(a_parcel(some_events()))
    bombs = [made(b"J", header, stream, announced) for announced in (size, (1 << 32) - 1)]
    with counted() as most:
        for bomb in bombs:
            with pytest.raises(
                TooLarge, match="are allowed; give the workers more --memory, or the tails a smaller tail.chunk"
            ):
                protocol.unpack(bomb, EVENT_SCHEMA, limit=size - 1)
    assert most() <= 4096


def test_separately_compressed_buffers_are_refused_before_they_are_unpacked() -> None:
    """In the stream Arrow would allocate the size that each buffer claims."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, EVENT_SCHEMA, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(some_events())
    plain = sink.getvalue()
    stream = pa.Codec("zstd").compress(plain, asbytes=True)
    bomb = made(b"J", taken_apart(a_parcel(some_events()))[0], stream, plain.size)
    with counted() as most, pytest.raises(WireError, match="compressed buffers"):
        protocol.unpack(bomb, EVENT_SCHEMA)
    assert most() <= plain.size + (1 << 16) < protocol.opened(protocol.pack(a_parcel(some_events()))).size // 10


def overlaid(plain: bytes) -> bytes:
    """Return an Arrow stream in which all buffers of the record batch overlap, and the body is as long as one."""
    out, at = bytearray(), 0
    while True:
        _, length = struct.unpack_from("<Ii", plain, at)
        metadata = bytearray(plain[at + 8 : at + 8 + length])
        before = bytes(metadata)
        (root,) = struct.unpack_from("<I", metadata)
        (kind,) = struct.unpack_from("<B", metadata, event_stream._field(before, root, 1))
        where = event_stream._field(before, root, 3)
        (body,) = struct.unpack_from("<q", metadata, where) if where else (0,)
        if kind == 3:
            vector = event_stream._table_at(before, event_stream._table_at(before, root, 2), 2)
            (count,) = struct.unpack_from("<I", metadata, vector)
            for number in range(count):
                struct.pack_into("<q", metadata, vector + 4 + 16 * number, 0)
            struct.pack_into("<q", metadata, where, 8 * ROWS)
            return bytes(out) + plain[at : at + 8] + metadata + bytes(8 * ROWS) + plain[at + 8 + length + body :]
        out += plain[at : at + 8 + length + body]
        at += 8 + length + body


def test_overlapping_buffers_are_refused() -> None:
    """They are small in the stream, but large when each is copied."""
    header, stream, size = taken_apart(a_parcel(some_events()))
    plain = overlaid(pa.Codec("zstd").decompress(stream, size).to_pybytes())
    with pa.ipc.open_stream(plain) as reader:
        assert reader.read_all().nbytes > 5 * len(plain)
    with pytest.raises(TooLarge, match="of them announced"):
        protocol.unpack(made(b"J", header, pa.Codec("zstd").compress(plain, asbytes=True), len(plain)), EVENT_SCHEMA)


def test_dictionary_entries_that_a_shard_does_not_use_are_not_sent() -> None:
    words = pa.array([f"/page/{number}" for number in range(20_000)])
    column = pa.chunked_array([pa.DictionaryArray.from_arrays(pa.array(np.array([3, 3, 7], np.int32)), words)])
    slim = event_stream._as_one_array(column)
    assert slim.dictionary.to_pylist() == ["/page/3", "/page/7"]
    assert slim.to_pylist() == column.to_pylist()


@pytest.mark.parametrize("over", [0, 1])
def test_the_size_of_a_tailers_heartbeat_is_bounded(over: int) -> None:
    text = "x" * (LARGEST + 64 + over)
    for message in (PositionsRequest("web1", 1, 0, heartbeat=text), Reply("taken", heartbeats=(text,))):
        if over:
            with pytest.raises(WireError, match="a heartbeat of"):
                protocol.unpack(protocol.pack(message), EVENT_SCHEMA)
        else:
            assert protocol.unpack(protocol.pack(message), EVENT_SCHEMA) == message
