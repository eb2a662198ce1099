"""The counts of a run, and the age of its commits: for the status line, the summary, heartbeats and metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from logagg.config.rules import KINDS
from logagg.metrics import EVENTS, READ, REJECTS, Sample
from logagg.parse.schemas import REASONS
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
        yield READ.of(self.bytes)
        yield from EVENTS.each(self.kinds, KINDS)
        yield from REJECTS.each(self.rejects, REASONS)

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
