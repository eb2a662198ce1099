"""Events, divided among shards by visitor."""

from __future__ import annotations

import pyarrow as pa
import pytest

from logagg.records import Chunk, Fingerprint, Rejects
from logagg.sharding import shard_jobs

CHUNK = Chunk("s", 10, 20, 90, b"", Fingerprint(90, 0, ""))
REJECTS = Rejects({"format": 3})


@pytest.mark.parametrize("shards", [1, 2, 7])
def test_each_event_goes_to_the_shard_that_owns_its_visitor(shards: int) -> None:
    visitors = [0, 1, 2**63, 2**64 - 1, 12345, 1]
    events = pa.table({"visitor": pa.array(visitors, pa.uint64()), "n": list(range(6))})
    jobs = shard_jobs(CHUNK, events, REJECTS, shards)
    assert [job.shard for job in jobs] == list(range(shards))
    for job in jobs:
        assert (job.source, job.origin, job.start, job.end, job.fingerprint) == ("s", 10, 20, 90, CHUNK.fingerprint)
        assert job.events["n"].to_pylist() == [n for n, visitor in enumerate(visitors) if visitor % shards == job.shard]
    assert sum(job.rejects.lines for job in jobs) == 3


def test_a_shard_without_events_gets_the_end_of_the_chunk() -> None:
    jobs = shard_jobs(CHUNK, pa.table({"visitor": pa.array([], pa.uint64())}), REJECTS, 3)
    assert [(job.end, job.events.num_rows) for job in jobs] == [(90, 0)] * 3
