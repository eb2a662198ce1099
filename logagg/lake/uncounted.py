"""Lines that rollups have not counted, since they were read before the rollup was defined, as ranges of positions.

`logagg backfill` counts them from requests. A range names the lines of one shard, so it stays exact where shards commit
apart; ranges only shrink by a commit that counts them, so they are counted once.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from logagg.records import Delta, Progress, Source


@dataclass(frozen=True, slots=True)
class Range:
    """Lines of a source: those at `start` <= position < `end` whose visitor, modulo `shards`, is `shard`."""

    start: int
    end: int
    shards: int = 1
    shard: int = 0

    def has(self, positions: npt.NDArray[Any], visitors: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Return a mask of the lines of the source that are in this range."""
        among: npt.NDArray[np.bool_] = (positions >= self.start) & (positions < self.end)
        return among if self.shards == 1 else among & (visitors % np.uint64(self.shards) == self.shard)


Ranges = Mapping[str, tuple[Range, ...]]  # by source
Uncounted = Mapping[str, Ranges]  # by rollup; a rollup that has counted all is absent


def all_read(sources: Mapping[str, Source], progress: Mapping[str, Mapping[int, Progress]], shards: int) -> Ranges:
    """Return the ranges of all lines read; `shards` is the number of shards, 0 if they have never committed apart."""
    found = {
        id_: _read(sources[id_].origin, of_shards, shards or len(of_shards)) for id_, of_shards in progress.items()
    }
    return {id_: ranges for id_, ranges in found.items() if ranges}


def _read(origin: int, progress: Mapping[int, Progress], shards: int) -> tuple[Range, ...]:
    ends = {shard: one.position for shard, one in progress.items() if one.position > origin}
    if len(ends) == shards and len(set(ends.values())) == 1:
        return (Range(origin, next(iter(ends.values()))),)
    return tuple(Range(origin, end, shards, shard) for shard, end in sorted(ends.items()))


def extended(uncounted: Uncounted, rollups: Iterable[str], deltas: Sequence[Delta], shards: int) -> Uncounted:
    """Return the same after a flush, whose writer may not know of some of the rollups yet, or no longer."""
    missing = [(name, delta) for name in rollups for delta in deltas if name not in delta.counted]
    if not missing:
        return uncounted
    changed = {name: dict(ranges) for name, ranges in uncounted.items()}
    for name, delta in missing:
        for source, start in delta.starts.items():
            more = Range(start, delta.progress[source].position, shards, delta.shard)
            if more.start < more.end:
                ranges = changed.setdefault(name, {})
                ranges[source] = _appended(ranges.get(source, ()), more)
    return changed


def _appended(ranges: tuple[Range, ...], more: Range) -> tuple[Range, ...]:
    joined = next((one for one in ranges if one == replace(more, start=one.start, end=more.start)), None)
    if joined is None:
        return (*ranges, more)
    return tuple(replace(one, end=more.end) if one is joined else one for one in ranges)


def among(
    ranges: Ranges, sources: pa.DictionaryArray, positions: npt.NDArray[Any], visitors: npt.NDArray[Any]
) -> npt.NDArray[np.bool_]:
    """Return a mask of the lines that are in some of the ranges."""
    found = np.zeros(len(positions), np.bool_)
    codes = sources.indices.to_numpy(zero_copy_only=False)
    order = np.argsort(codes, kind="stable")
    bounds = np.searchsorted(codes[order], np.arange(len(sources.dictionary) + 1))
    for code, source in enumerate(sources.dictionary.to_pylist()):
        rows = order[bounds[code] : bounds[code + 1]]
        for one in ranges.get(source, ()):
            found[rows] |= one.has(positions[rows], visitors[rows])
    return found


def holds(ranges: Ranges, some: Ranges) -> bool:
    """Return whether all of some ranges are in others, which may have grown since."""
    return all(_containing(ranges.get(source, ()), one) for source, wanted in some.items() for one in wanted)


def touches(ranges: Ranges, some: Ranges) -> bool:
    """Return whether any of some ranges is in others."""
    return any(_containing(ranges.get(source, ()), one) for source, wanted in some.items() for one in wanted)


def without(uncounted: Uncounted, rollup: str, some: Ranges) -> Uncounted:
    """Return the same after a rollup has counted some ranges."""
    left = {source: _left(ranges, some.get(source, ())) for source, ranges in uncounted.get(rollup, {}).items()}
    left = {source: ranges for source, ranges in left.items() if ranges}
    return {
        **{name: ranges for name, ranges in uncounted.items() if name != rollup},
        **({rollup: left} if left else {}),
    }


def without_sources(uncounted: Uncounted, gone: Container[str]) -> Uncounted:
    """Return the same without some sources, whose lines can no longer be counted."""
    left = {
        name: {source: some for source, some in ranges.items() if source not in gone}
        for name, ranges in uncounted.items()
    }
    return {name: ranges for name, ranges in left.items() if ranges}


def _left(ranges: Iterable[Range], counted: Iterable[Range]) -> tuple[Range, ...]:
    found = list(ranges)
    for one in counted:
        if (whole := _containing(found, one)) is not None:
            found[found.index(whole)] = replace(whole, start=one.end)
    return tuple(one for one in found if one.start < one.end)


def _containing(ranges: Iterable[Range], one: Range) -> Range | None:
    """Return the range that begins where another does, and has grown since."""
    like = (of for of in ranges if (of.start, of.shards, of.shard) == (one.start, one.shards, one.shard))
    return next((of for of in like if of.end >= one.end), None)
