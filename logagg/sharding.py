"""Which shard owns a visitor; events -> one job per shard; the progress of shards that have had no job of a source."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from logagg.records import Chunk, Fingerprint, Job, Progress, Rejects, Source

REJECTS_SHARD = 0  # a line that did not parse has no visitor; one shard counts them all


def owners(visitors: pa.ChunkedArray, shards: int) -> npt.NDArray[np.uint64]:
    """Return the shard that owns each visitor."""
    return visitors.to_numpy() % np.uint64(shards)


def start_of(source: Source) -> Progress:
    """Return the progress of a shard before the first job of a source: its position is where reading began."""
    return Progress(source.origin, 0, Fingerprint.blank(source.origin))


def of_all_shards(source: Source, progress: Mapping[int, Progress], shards: int) -> dict[int, Progress]:
    """Return the progress of every shard in a source; a shard that has had no job of it is at its start."""
    start = start_of(source)
    return {shard: progress.get(shard, start) for shard in range(shards)}


def shard_jobs(chunk: Chunk, events: pa.Table, rejects: Rejects, shards: int) -> list[Job]:
    """Split the events of a chunk among the shards that own their visitors.

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
        for shard, own in enumerate(_split(events, shards))
    ]


def _split(events: pa.Table, shards: int) -> list[pa.Table]:
    """Return the events of each shard."""
    if shards == 1:
        return [events]
    owner = owners(events["visitor"], shards)
    return [_rows(events, owner == shard) for shard in range(shards)]


def _rows(events: pa.Table, mask: npt.NDArray[np.bool_]) -> pa.Table:
    """Return some rows. Columns without a value, a third of them in most formats, are not looked at."""
    valued = [name for name in events.schema.names if events[name].null_count < events.num_rows]
    rows = events.select(valued).filter(pa.array(mask))
    columns = [
        rows[field.name] if field.name in valued else pa.nulls(rows.num_rows, field.type) for field in events.schema
    ]
    return pa.table(columns, schema=events.schema)
