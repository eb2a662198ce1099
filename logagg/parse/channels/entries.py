"""Entries among the rows of a batch, and their channel, source and medium.

An entry is a page view or a click that no page of its own site led to. Three values decide on its arrival: the site, the host of the
referring page, and the tags of the link. The decision is made once for each combination of them; a row has the number of its combination.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from logagg.columnar.dictionary import spread
from logagg.columnar.slices import Codes
from logagg.parse.channels.arrivals import UNTAGGED, Arrival, Channels, Tags

Numbers = npt.NDArray[np.int64]
# With at most so many possible combinations, plus four for each row, a table of all of them is faster than a sort.
_SPARSE = 1 << 16


@dataclass(frozen=True, slots=True)
class Entries:
    """The rows of a batch that may be entries, and the values that decide on their arrivals."""

    referrers: Codes  # the number of each row's referrer; -1: the row is not an entry
    host_of: Codes  # the number of each referrer's host
    hosts: Sequence[str]
    site: Codes  # the number of each row's site
    sites: Sequence[str]

    def arrivals(self, channels: Channels, tagged: Codes | None, tags: Sequence[Tags]) -> dict[str, pa.Array]:
        """Return the columns of entries, null for other rows. `tagged` has the number of each row's tags; None: no row has tags."""
        if tagged is None and len(self.sites) == 1:
            found = [channels.arrival(self.sites[0], host, UNTAGGED) for host in self.hosts]
            return _columns(found, self.host_of, self.referrers)
        rows = np.flatnonzero(self.referrers >= 0)
        if not rows.size:
            return {}
        sides = [
            (self.site[rows], len(self.sites)),
            (self.host_of[self.referrers[rows]], len(self.hosts)),
            (tagged[rows] if tagged is not None else np.zeros(rows.size, np.int32), len(tags)),
        ]
        chosen, numbers = _combined(sides)
        found = [channels.arrival(self.sites[s], self.hosts[h], tags[t]) for s, h, t in zip(*chosen, strict=True)]
        codes = np.full(len(self.referrers), -1, np.int32)
        codes[rows] = numbers
        return _columns(found, np.arange(len(found), dtype=np.int32), codes)


def _columns(found: Sequence[Arrival], number_of: Codes, codes: Codes) -> dict[str, pa.Array]:
    """Return a column for each field of an arrival; `number_of` has the number of the arrival for each code; -1 is null.

    The columns share the buffer with the bits for nulls.
    """
    valid = pa.py_buffer(np.packbits(codes >= 0, bitorder="little"))
    columns = {}
    for name, texts in zip(Arrival._fields, zip(*found, strict=True), strict=True):
        numbers = {text: number for number, text in enumerate(dict.fromkeys(texts))}
        of_arrivals = np.array([numbers[text] for text in texts], np.int32)
        of_rows = spread(np.append(of_arrivals[number_of], np.int32(0)), codes)
        indices = pa.Array.from_buffers(pa.int32(), len(codes), [valid, pa.py_buffer(of_rows)])
        columns[name] = pa.DictionaryArray.from_arrays(indices, pa.array(numbers, pa.string()), safe=False)
    return columns


def _combined(sides: Sequence[tuple[Codes, int]]) -> tuple[list[Numbers], Codes]:
    """Return the distinct combinations of some columns of numbers, as columns, and the number of each row's combination."""
    keys = np.zeros(len(sides[0][0]), np.int64)
    for codes, size in sides:
        keys = keys * size + codes
    distinct, numbers = _numbered(keys, int(np.prod([size for _, size in sides], dtype=object)))
    columns = []
    for _, size in reversed(sides):
        distinct, column = np.divmod(distinct, size)
        columns.append(column)
    return columns[::-1], numbers


def _numbered(keys: Numbers, size: int) -> tuple[Numbers, Codes]:
    """Return the distinct keys, all below `size`, and for each row the number of its key."""
    if size > 4 * len(keys) + _SPARSE:
        distinct, numbers = np.unique(keys, return_inverse=True)
        return distinct, numbers.astype(np.int32)
    used = np.zeros(size, np.bool_)
    used[keys] = True
    return np.flatnonzero(used), spread(np.cumsum(used, dtype=np.int32) - np.int32(1), keys.astype(np.int32))
