"""Entries among the rows of a batch, and what is known of each: channel, source, medium, campaign.

An entry is a page view or a click that no page of its own site led to. Few things decide where it comes from: the site, the host of the
referring page, and the tags in the query. Each combination of them is looked at once; rows take the number of theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from logagg.columnar.dictionary import spread
from logagg.columnar.encoded import EncodedText
from logagg.columnar.slices import Codes, Mask
from logagg.parse.channels.arrivals import Arrival, Channels

Rows = npt.NDArray[np.int64]
_SPARSE = 1 << 16  # possible combinations beside four for each row, up to which a table of all is faster than a sort


@dataclass(frozen=True, slots=True)
class Side:
    """One of the things that decide: the number of each row's value, and what the values are."""

    codes: Codes
    values: Sequence[str]


def described(entry: Mask, channels: Channels, site: Side, host: Side) -> dict[str, EncodedText]:
    """Return the columns of entries, null for other rows; empty if there are no entries."""
    rows = np.flatnonzero(entry)
    if not rows.size:
        return {}
    sides = [one for one in (site, host) if len(one.values) > 1]
    keys = np.zeros(rows.size, np.int64)
    for side in sides:
        keys = keys * len(side.values) + side.codes[rows]
    found, numbers = _numbered(keys, int(np.prod([len(side.values) for side in sides], dtype=np.int64)))
    chosen: dict[int, list[str]] = {}
    for side in reversed(sides):
        found, codes = np.divmod(found, len(side.values))
        chosen[id(side)] = [side.values[code] for code in codes]
    count = int(numbers.max()) + 1
    sites, hosts = (chosen.get(id(side), list(side.values) * count) for side in (site, host))
    arrivals = [channels.arrival(*one) for one in zip(sites, hosts, strict=True)]
    codes = np.full(len(entry), -1, np.int32)
    codes[rows] = numbers
    return {name: _column(codes, [getattr(one, name) for one in arrivals]) for name in Arrival._fields}


def _column(codes: Codes, texts: Sequence[str]) -> EncodedText:
    return EncodedText(codes, pa.array(texts, pa.string()), nulls=True)


def _numbered(keys: Rows, size: int) -> tuple[Rows, Codes]:
    """Return the distinct keys below `size`, and for each row the number of its key."""
    if size > 4 * len(keys) + _SPARSE:
        distinct, numbers = np.unique(keys, return_inverse=True)
        return distinct, numbers.astype(np.int32)
    used = np.zeros(size, np.bool_)
    used[keys] = True
    return np.flatnonzero(used), spread(np.cumsum(used, dtype=np.int32) - np.int32(1), keys.astype(np.int32))
