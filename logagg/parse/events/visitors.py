"""The visitor of a request: a 64-bit keyed hash, which reveals nothing about the person without the lake's secret."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from logagg.columnar.encoded import EncodedText
from logagg.columnar.slices import Column
from logagg.parse.events import siphash

Hashes = npt.NDArray[np.uint64]

_LONGEST = 512  # bytes of a value that are hashed; later bytes do not distinguish visitors


def hashed(who: Sequence[EncodedText], secret: bytes) -> Hashes:
    """Hash the identity of each row: the configured one if the row has it, otherwise address and agent."""
    client, agent, known = who
    hashes = siphash.combined(_hash(client, secret, 0), client.codes, _hash(agent, secret, 1), agent.codes)
    if not Column.of(known.values).lengths.any():
        return hashes
    return np.where(known.equal(""), hashes, _hash(known, secret, 2)[known.codes])


def hashed_by_period(
    who: Sequence[EncodedText], periods: npt.NDArray[np.int64], key_of: Callable[[int], bytes]
) -> Hashes:
    """Hash likewise, with a key for each period."""
    hashes = np.empty(len(periods), np.uint64)
    order = np.argsort(periods, kind="stable")
    distinct, starts = np.unique(periods[order], return_index=True)
    for period, rows in zip(distinct.tolist(), np.split(order, starts[1:]), strict=False):
        hashes[rows] = hashed([texts.take(rows) for texts in who], key_of(period))
    return hashes


def _hash(texts: EncodedText, secret: bytes, field: int) -> Hashes:
    """Return the hash of each distinct value."""
    key = bytes(byte ^ field for byte in secret[:16])
    column = Column.of(texts.values)
    return siphash.siphash(column.data, column.offsets, key, _LONGEST)
