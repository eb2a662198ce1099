"""What is packed comes out as it was; what was changed, cut off or made up raises WireError and nothing else."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logagg.cargo import Job, Mark, Progress, Reject, Rejects, Source
from logagg.heartbeat import LARGEST
from logagg.parse.fields import EVENT_SCHEMA
from logagg.queues import wire
from logagg.queues.wire import Answer, Known, Parcel, Question, WireError

NUMBERS = st.integers(0, (1 << 63) - 1)
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
MARKS = st.builds(Mark, NUMBERS, NUMBERS, WORDS)
SOURCES = st.builds(
    Source,
    id=WORDS,
    path=WORDS,
    device=st.integers(0, (1 << 64) - 1),
    inode=st.integers(0, (1 << 64) - 1),
    head=MARKS,
    size=NUMBERS,
    modified=st.floats(0, 1e10),
    finished=st.booleans(),
    note=WORDS,
    gone=st.floats(0, 1e10),
    tailer=WORDS,
    origin=NUMBERS,
)
REJECTS = st.builds(
    Rejects, st.dictionaries(WORDS, NUMBERS), st.lists(st.builds(Reject, NUMBERS, WORDS, st.binary(max_size=20))).map(tuple)
)


def column(draw: st.DrawFn, field: pa.Field, rows: int) -> pa.Array:
    def values(some: st.SearchStrategy[object]) -> list[object]:
        some = some if not field.nullable else st.one_of(st.none(), some)
        return draw(st.lists(some, min_size=rows, max_size=rows))

    if pa.types.is_dictionary(field.type):
        words = pa.array(values(WORDS), pa.string()).dictionary_encode()
        spare = pa.concat_arrays([words.dictionary, pa.array(["a word that no row has"])])
        return pa.DictionaryArray.from_arrays(words.indices, spare)
    if pa.types.is_boolean(field.type):
        return pa.array(values(st.booleans()), field.type)
    if pa.types.is_floating(field.type):
        return pa.array(values(st.floats(allow_nan=False)), field.type)
    if field.type == pa.uint64():
        return pa.array(values(st.integers(0, (1 << 64) - 1)), field.type)
    if field.type == pa.int16():
        return pa.array(values(st.integers(0, 999)), field.type)
    return pa.array(values(st.integers(0, 1 << 52)), pa.int64()).cast(field.type)


@st.composite
def parcels(draw: st.DrawFn) -> Parcel:
    rows = draw(st.integers(0, 6))
    events = pa.Table.from_arrays([column(draw, field, rows) for field in EVENT_SCHEMA], schema=EVENT_SCHEMA)
    origin, start, end = sorted(draw(st.sets(st.integers(0, 1 << 40), min_size=3, max_size=3)))
    shards = draw(st.integers(1, 64))
    source = draw(SOURCES)
    mark = replace(draw(MARKS), position=end)
    job = Job(draw(st.integers(0, shards - 1)), source.id, origin, start, end, mark, events, draw(REJECTS))
    return Parcel(draw(WORDS), draw(NUMBERS), shards, source, job)


KNOWN = st.builds(Known, SOURCES, st.one_of(st.none(), st.builds(Progress, NUMBERS, NUMBERS, MARKS)))
POSITIONS = st.dictionaries(WORDS, st.tuples(NUMBERS, NUMBERS))
REPORTS = st.dictionaries(WORDS, NUMBERS, max_size=3)
QUESTIONS = st.builds(
    Question, WORDS, NUMBERS, NUMBERS, st.booleans(), WORDS, st.lists(SOURCES, max_size=2).map(tuple), REPORTS, st.booleans()
)
ANSWERS = st.builds(
    Answer, st.sampled_from(wire.VERDICTS), NUMBERS, WORDS, POSITIONS, st.lists(KNOWN, max_size=2).map(tuple), WORDS,
    st.dictionaries(WORDS, REPORTS, max_size=2),
)


def plain(parcel: Parcel) -> Parcel:
    """Without the events, which are compared by their values: dictionaries may differ."""
    return replace(parcel, job=replace(parcel.job, events=None))


@given(parcels())
def test_a_parcel_comes_out_as_it_was(parcel: Parcel) -> None:
    out = wire.unpack(wire.pack(parcel), EVENT_SCHEMA)
    assert isinstance(out, Parcel)
    assert plain(out) == plain(parcel)
    assert out.job.events.schema == EVENT_SCHEMA
    assert out.job.events.to_pylist() == parcel.job.events.to_pylist()


@given(parcels(), st.binary(max_size=40))
def test_events_that_are_rejected_are_counted_and_not_looked_at(parcel: Parcel, stream: bytes) -> None:
    packed = wire.pack(parcel)
    (length,) = struct.unpack_from("!I", packed, 12)
    out = wire.unpack(forged(b"J", json.loads(packed[16 : 16 + length]), stream), EVENT_SCHEMA, rejected="quarantined")
    assert isinstance(out, Parcel)
    assert out.job.events.num_rows == 0
    assert out.job.rejects.lines == parcel.job.events.num_rows + parcel.job.rejects.lines
    assert out.job.rejects.samples == parcel.job.rejects.samples
    assert replace(plain(out), job=replace(out.job, events=None, rejects=parcel.job.rejects)) == plain(parcel)


@given(st.one_of(QUESTIONS, ANSWERS))
def test_questions_and_answers_come_out_as_they_were(message: Question | Answer) -> None:
    assert wire.unpack(wire.pack(message), EVENT_SCHEMA) == message


@given(st.one_of(parcels(), QUESTIONS, ANSWERS), st.data())
def test_what_was_changed_on_its_way_is_refused(message: wire.Wired, data: st.DataObject) -> None:
    packed = bytearray(wire.pack(message))
    at = data.draw(st.integers(0, len(packed) - 1))
    packed[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(WireError):
        wire.unpack(bytes(packed), EVENT_SCHEMA)


@given(st.one_of(parcels(), QUESTIONS, ANSWERS), st.data())
def test_what_was_cut_off_is_refused(message: wire.Wired, data: st.DataObject) -> None:
    packed = wire.pack(message)
    with pytest.raises(WireError):
        wire.unpack(packed[: data.draw(st.integers(0, len(packed) - 1))], EVENT_SCHEMA)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 1 << 70), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)


def forged(kind: bytes, header: object, stream: bytes) -> bytes:
    text = json.dumps(header).encode()
    length = struct.pack("!I", len(text))
    return b"logagg\x01" + kind + struct.pack("!I", zlib.crc32(length + text + stream)) + length + text + stream


@given(st.one_of(parcels(), QUESTIONS, ANSWERS), st.data())
def test_what_was_made_up_is_read_or_refused(message: wire.Wired, data: st.DataObject) -> None:
    """Whoever may send jobs can send any header; it never is a failure of ours."""
    packed = wire.pack(message)
    (length,) = struct.unpack_from("!I", packed, 12)
    header = json.loads(packed[16 : 16 + length])
    place = header
    while isinstance(inner := place[key := data.draw(st.sampled_from(sorted(place)))], dict) and inner:
        place = inner
    place[key] = data.draw(JSON)
    stream = data.draw(st.one_of(st.just(packed[16 + length :]), st.binary(max_size=40)))
    try:
        out = wire.unpack(forged(packed[7:8], header, stream), EVENT_SCHEMA)
    except WireError:
        return
    assert wire.unpack(wire.pack(out), EVENT_SCHEMA) is not None


def test_another_version_is_named() -> None:
    packed = bytearray(wire.pack(Question("web1", 1, 0)))
    packed[6] = 2
    with pytest.raises(WireError, match="version 2.*reads 1.*upgrade logagg"):
        wire.unpack(bytes(packed), EVENT_SCHEMA)


def test_words_that_a_shard_does_not_use_do_not_travel() -> None:
    words = pa.array([f"/page/{number}" for number in range(20_000)])
    column = pa.chunked_array([pa.DictionaryArray.from_arrays(pa.array(np.array([3, 3, 7], np.int32)), words)])
    slim = wire._slim(column)  # noqa: SLF001
    assert slim.dictionary.to_pylist() == ["/page/3", "/page/7"]
    assert slim.to_pylist() == column.to_pylist()


@pytest.mark.parametrize("over", [0, 1])
def test_how_much_a_tailer_may_say_of_itself_is_bounded(over: int) -> None:
    text = "x" * (LARGEST + 64 + over)
    for message in (Question("web1", 1, 0, heartbeat=text), Answer("taken", heartbeats=(text,))):
        if over:
            with pytest.raises(WireError, match="a heartbeat of"):
                wire.unpack(wire.pack(message), EVENT_SCHEMA)
        else:
            assert wire.unpack(wire.pack(message), EVENT_SCHEMA) == message
