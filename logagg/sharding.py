"""Events -> one job per shard."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from logagg.records import Chunk, Job, Rejects

REJECTS_SHARD = 0  # a line that did not parse has no visitor; one shard counts them all


def shard_jobs(chunk: Chunk, events: pa.Table, rejects: Rejects, shards: int) -> list[Job]:
    """Divide the events of a chunk among the shards that own their visitors.

    Every shard gets a job, if only to advance its position to the end of the chunk.
    """
    return [
        Job(
            shard,
            chunk.source,
            chunk.origin,
            chunk.start,
            chunk.end,
            chunk.fingerprint,
            own,
            rejects if shard == REJECTS_SHARD else Rejects(),
        )
        for shard, own in enumerate(_dealt(events, shards))
    ]


def _dealt(events: pa.Table, shards: int) -> list[pa.Table]:
    """Return the events of each shard."""
    if shards == 1:
        return [events]
    owner = events["visitor"].to_numpy() % np.uint64(shards)
    return [events.filter(pa.array(owner == shard)) for shard in range(shards)]
