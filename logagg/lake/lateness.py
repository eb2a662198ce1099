"""Late requests: they are committed after the watermark has passed their time, so rollups count them, but visits do not."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from logagg.lake.parts import FLUSH, Part
from logagg.lake.state import PendingCommit, State
from logagg.rollup.definitions import TIMESTAMP
from logagg.rollup.requests import NAME as REQUESTS


def late_rows(root: Path, state: State, pending: PendingCommit) -> int:
    """Return how many requests a commit makes late: those it brings, or those that came during the step it commits.

    Raises OSError or pa.ArrowException for parts that cannot be read.
    """
    if not any(mark.digest for mark in state.derived.values()):
        return 0
    if pending.kind == FLUSH:
        brought = (part for part in pending.parts if part.rollup == REQUESTS)
        return _between(root, brought, None, state.watermark)
    if pending.derived:
        derived, since = pending.derived, max(pending.derived.since, state.watermark)
        found = state.requests_in(since, derived.until)
        others = (part for part in found if part.level == FLUSH and part.path not in derived.read)
        return _between(root, others, since, derived.until)
    return 0


def _between(root: Path, parts: Iterable[Part], since: datetime | None, until: datetime) -> int:
    found = 0
    for part in parts:
        if part.min_ts < until and not part.damaged:
            found += _count(root / part.path, since, until)
    return found


def _count(path: Path, since: datetime | None, until: datetime) -> int:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, pre_buffer=False) as file:
        times = file.read(["ts"])["ts"].cast(TIMESTAMP)
    late = pc.less(times, pa.scalar(until, TIMESTAMP))
    if since is not None:
        late = pc.and_(late, pc.greater_equal(times, pa.scalar(since, TIMESTAMP)))
    return int(pc.sum(late).as_py() or 0)
