"""Fills a rollup from requests: the lines that it has not counted, by the newest catalog, become parts and one pending
commit.

    requests of the uncounted ranges ──▶ events ──▶ rows ──▶ added up ──▶ parts ──▶ (a commit: they count, the ranges are gone)

It reads a snapshot and takes no lock of the lake, so a tail may run, begin and end meanwhile.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logagg.config.rules import KINDS
from logagg.errors import CHECK, LakeError
from logagg.lake import durable, merge
from logagg.lake.digests import damage, holds
from logagg.lake.durable import failing_as_commit
from logagg.lake.merge import Merge
from logagg.lake.partitions import Calendar, write_partitions
from logagg.lake.parts import Part, micros
from logagg.lake.progress import MergeProgress
from logagg.lake.state import BACKFILL, NEVER, PendingCommit, State
from logagg.lake.uncounted import Ranges, among
from logagg.rollup.definitions import Rollup
from logagg.rollup.replay import OPTIONAL, Replay, columns_of, events
from logagg.rollup.requests import NAME as REQUESTS
from logagg.rollup.requests import Requests


class PartsReplaced(Exception):
    """Parts of the snapshot were replaced, and deleted, while they were read."""


@dataclass(slots=True)
class Backfill:
    """A rollup and a snapshot; `run` writes parts, and the other fields describe their rows, and the missing ones."""

    root: Path
    rollup: Rollup
    state: State
    keys: int  # distinct keys that a bucket may have
    requests: int = 0  # that were read for it
    unknown: Counter[str] = field(default_factory=Counter)  # by column that it asks for: requests that do not have it
    first: datetime | None = None
    last: datetime | None = None

    @property
    def ranges(self) -> Ranges:
        """The ranges that the rollup has not counted."""
        return self.state.uncounted.get(self.rollup.name, {})

    @property
    def since(self) -> datetime:
        """The time from which on it is filled; requests before it are missing, or incomplete."""
        return self.state.requests_from

    @property
    def is_cut(self) -> bool:
        """Tell whether events older than that were read."""
        others = (part for part in self.state.parts if part.rollup not in (REQUESTS, self.rollup.name))
        return self.since > NEVER and any(part.min_ts < self.since for part in others)

    @property
    def kinds_left_out(self) -> list[str]:
        """Return the kinds of events that are not kept as requests."""
        return [kind for kind in KINDS if kind not in self.state.requests_kinds]

    @property
    def lacking(self) -> dict[str, datetime]:
        """Return the columns of the rollup that old requests lack, each with the time up to which they do."""
        found: dict[str, datetime] = {}
        for part in self._parts():
            for name in sorted(columns_of(self.rollup) & set(part.lacks.split(","))):
                found[name] = max(part.max_ts, found.get(name, NEVER))
        return found

    def run(self, progress: MergeProgress) -> PendingCommit:
        """Write the parts. Raises PartsReplaced, LakeError (damaged) or MergeStopped, without leaving any."""
        parts, new = self._parts(), list[Part]()
        try:
            with failing_as_commit(self.root):
                self._check(parts)
                with progress.of(self.rollup.name, sum(part.rows for part in parts), "filling"):
                    for group in merge.bounded(parts, Requests()):
                        self._write(group, new, progress)
        except BaseException as error:
            durable.remove(self.root / part.path for part in new)
            if any(not (self.root / part.path).exists() for part in parts):
                raise PartsReplaced from error
            raise
        return PendingCommit(BACKFILL, tuple(new), rollup=self.rollup.name, filled=self.ranges)

    def _parts(self) -> list[Part]:
        return [part for part in self.state.parts if part.rollup == REQUESTS and part.max_ts >= self.since]

    def _check(self, parts: list[Part]) -> None:
        """Raise LakeError for a damaged part: its requests would never be counted."""
        for part in parts:
            if damage(self.root, part):
                raise LakeError(f"{self.root / part.path}: damaged ({holds(part)})", CHECK)

    def _write(self, group: list[Part], new: list[Part], progress: MergeProgress) -> None:
        """Write the parts that the requests of some parts make."""
        rows = Merge(self.rollup, self.keys).summed(self._rows(group, progress))
        calendar = Calendar.of(max(part.max_ts for part in group))
        # By this name no other process deletes them while it runs (`Committer.clear_orphans`).
        write_partitions(self.root, self.rollup, rows, calendar, self.rollup.grain, new, BACKFILL)

    def _rows(self, group: list[Part], progress: MergeProgress) -> Iterator[pa.Table]:
        with closing(Replay(self.rollup)) as replay:
            for requests in Merge(Requests(), self.keys).tables(self.root, group, progress.read):
                wanted = requests.filter(pa.array(self._is_wanted(requests)))
                if wanted.num_rows:
                    self._note(wanted)
                    yield replay.rows(events(wanted))

    def _is_wanted(self, requests: pa.Table) -> npt.NDArray[np.bool_]:
        """Return a mask of the requests to count: those of complete kinds that the rollup has not counted."""
        columns = {name: requests[name].combine_chunks() for name in ("ts", "source", "kind", "position", "visitor")}
        kept = pc.is_in(columns["kind"].dictionary, value_set=pa.array(self.state.requests_kinds, pa.string()))
        is_kept = kept.to_numpy(zero_copy_only=False)[columns["kind"].indices.to_numpy()]
        is_recent = columns["ts"].cast(pa.int64()).to_numpy() >= micros(self.since)
        lines = columns["position"].to_numpy(), columns["visitor"].to_numpy()
        wanted: npt.NDArray[np.bool_] = is_kept & is_recent & among(self.ranges, columns["source"], *lines)
        return wanted

    def _note(self, wanted: pa.Table) -> None:
        """Note how much is counted, from when to when, and which lines are missing."""
        self.requests += wanted.num_rows
        first, last = wanted["ts"][0].as_py(), wanted["ts"][-1].as_py()
        self.first, self.last = min(self.first or first, first), max(self.last or last, last)
        for name in columns_of(self.rollup).intersection(OPTIONAL):
            self.unknown[name] += wanted[name].null_count
