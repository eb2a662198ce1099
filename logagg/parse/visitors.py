"""Who made a request: a 64-bit keyed hash that says nothing about the person to those without the lake's secret.

SipHash-2-4 (Aumasson and Bernstein, 2012) over whole columns of values, one numpy operation per step of the algorithm.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from logagg.parse.text import Column

Hashes = npt.NDArray[np.uint64]

_LONGEST = 512  # bytes of a value that are hashed; nobody is told apart by what comes after
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def siphash(values: pa.Array, key: bytes) -> Hashes:
    """Hash each value (binary or string) with a 16-byte key; equals SipHash-2-4 of its first 512 bytes."""
    column = Column.of(values)
    lengths = np.minimum(np.diff(column.offsets), _LONGEST)
    hashes = np.empty(len(values), np.uint64)
    # Values of as many 8-byte words take as many rounds, and go together.
    words = lengths // 8
    for count in np.unique(words):
        rows = np.flatnonzero(words == count)
        hashes[rows] = _siphash_words(_blocks(column, rows, lengths[rows], int(count)), key)
    return hashes


def combine(first: Hashes, second: Hashes) -> Hashes:
    """Mix two keyed hashes into one, row by row (the finalizer of MurmurHash3)."""
    mixed = first ^ (second * _GOLDEN)
    for factor in (np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)):
        mixed = (mixed ^ (mixed >> np.uint64(33))) * factor
    return mixed ^ (mixed >> np.uint64(33))


def _blocks(column: Column, rows: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64], words: int) -> Hashes:
    """Lay values out as rows of little-endian words, the last one ending in the value's length."""
    width = 8 * words + 8
    at = column.offsets[rows][:, None] + np.arange(width)
    inside = np.arange(width) < lengths[:, None]
    data = column.data if len(column.data) else np.zeros(1, np.uint8)
    table = np.where(inside, data[np.where(inside, at, 0)], np.uint8(0))
    table[:, -1] = lengths % 256
    return table.view("<u8")


def _siphash_words(blocks: Hashes, key: bytes) -> Hashes:
    k0, k1 = np.frombuffer(key, "<u8")
    start = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
    v = [np.full(len(blocks), np.uint64(word) ^ k) for word, k in zip(start, (k0, k1, k0, k1), strict=True)]
    for block in blocks.T:
        v[3] ^= block
        _rounds(v, 2)
        v[0] ^= block
    v[2] ^= np.uint64(0xFF)
    _rounds(v, 4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def _rounds(v: list[Hashes], count: int) -> None:
    for _ in range(count):
        _half_round(v, 0, 1, 2, 3, 13, 16)
        _half_round(v, 2, 1, 0, 3, 17, 21)


def _half_round(v: list[Hashes], a: int, b: int, c: int, d: int, s: int, t: int) -> None:
    v[a] += v[b]
    v[c] += v[d]
    v[b] = _rotate(v[b], s) ^ v[a]
    v[d] = _rotate(v[d], t) ^ v[c]
    v[a] = _rotate(v[a], 32)


def _rotate(word: Hashes, bits: int) -> Hashes:
    return (word << np.uint64(bits)) | (word >> np.uint64(64 - bits))
