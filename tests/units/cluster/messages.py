"""A strategy for any message of the cluster."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
from hypothesis import strategies as st

from logagg.cluster import protocol
from logagg.cluster.protocol import JobMessage, OwnerRequest, PositionsRequest, Reply, SourcePosition, StatusRequest
from logagg.parse.schemas import EVENT_SCHEMA
from logagg.records import Fingerprint, Job, Progress, Reject, Rejects, Source

NUMBERS = st.integers(0, (1 << 63) - 1)
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
MARKS = st.builds(Fingerprint, NUMBERS, NUMBERS, WORDS)
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
    Rejects,
    st.dictionaries(WORDS, NUMBERS),
    st.lists(st.builds(Reject, NUMBERS, WORDS, st.binary(max_size=20))).map(tuple),
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
def job_messages(draw: st.DrawFn) -> JobMessage:
    rows = draw(st.integers(0, 6))
    events = pa.Table.from_arrays([column(draw, field, rows) for field in EVENT_SCHEMA], schema=EVENT_SCHEMA)
    origin, start, end = sorted(draw(st.sets(st.integers(0, 1 << 40), min_size=3, max_size=3)))
    shards = draw(st.integers(1, 64))
    source = draw(SOURCES)
    mark = replace(draw(MARKS), position=end)
    job = Job(draw(st.integers(0, shards - 1)), source.id, origin, start, end, mark, events, draw(REJECTS))
    return JobMessage(draw(WORDS), draw(NUMBERS), shards, source, job, draw(WORDS))


KNOWN = st.builds(SourcePosition, SOURCES, st.one_of(st.none(), st.builds(Progress, NUMBERS, NUMBERS, MARKS)))
POSITIONS = st.dictionaries(WORDS, st.tuples(NUMBERS, NUMBERS))
REPORTS = st.dictionaries(WORDS, NUMBERS, max_size=3)
POSITIONS_REQUESTS = st.builds(
    PositionsRequest,
    WORDS,
    NUMBERS,
    NUMBERS,
    st.booleans(),
    st.lists(SOURCES, max_size=2).map(tuple),
    REPORTS,
    WORDS,
    NUMBERS,
)
REQUESTS = st.one_of(
    POSITIONS_REQUESTS, st.builds(OwnerRequest, WORDS, NUMBERS, st.booleans()), st.builds(StatusRequest, NUMBERS)
)
TOKENS = st.one_of(st.just(""), st.binary(min_size=16, max_size=16).map(bytes.hex))
REPLIES = st.builds(
    Reply,
    st.sampled_from(protocol.OUTCOMES),
    NUMBERS,
    TOKENS,
    POSITIONS,
    st.lists(KNOWN, max_size=2).map(tuple),
    WORDS,
    st.dictionaries(WORDS, REPORTS, max_size=2),
    NUMBERS,
    NUMBERS,
)
