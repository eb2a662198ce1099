"""The counts of a run, and the age of its commits: for the status line, the summary, heartbeats and metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from logagg.metrics import Sample
from logagg.records import Chunk
from logagg.tail.freshness import Freshness
from logagg.tail.parse_record import ParseRecord


@dataclass(slots=True)
class Tally:
    """The bytes and lines that this run has read and parsed."""

    bytes: int = 0
    lines: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    rejects: Counter[str] = field(default_factory=Counter)
    record: ParseRecord = field(default_factory=ParseRecord)

    def numbers(self) -> Iterator[Sample]:
        """Return what a scrape of a tail shows."""
        yield Sample("logagg_read_bytes_total", "Bytes of logs that were read.", self.bytes)
        for kind, lines in list(self.kinds.items()):
            yield Sample("logagg_events_total", "Lines that became events, by kind.", lines, ("kind", kind))
        for reason, lines in list(self.rejects.items()):
            yield Sample("logagg_rejects_total", "Lines that were rejected, by reason.", lines, ("reason", reason))

    def add(self, chunk: Chunk, kinds: Mapping[str, int], rejects: Mapping[str, int]) -> None:
        lines, rejected = sum(kinds.values()) + sum(rejects.values()), sum(rejects.values())
        self.bytes += chunk.end - chunk.start
        self.lines += lines
        self.record.add(chunk.source, lines, rejected)
        self.kinds.update(kinds)
        self.rejects.update(rejects)


@dataclass(frozen=True, slots=True)
class Stats:
    """The counts and the freshness of a session, which its sink updates."""

    tally: Tally
    freshness: Freshness


def kinds_of(events: pa.Table) -> dict[str, int]:
    """Return how many events there are of each kind."""
    kinds = events["kind"].combine_chunks()
    counts = np.bincount(kinds.indices.to_numpy(), minlength=len(kinds.dictionary)).tolist()
    return {kind: count for kind, count in zip(kinds.dictionary.to_pylist(), counts, strict=True) if count}
