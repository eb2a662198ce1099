"""Who made a request: a 64-bit keyed hash that says nothing about the person to those without the lake's secret.

SipHash-2-4 (Aumasson and Bernstein, 2012) over whole columns of values, one numpy operation per step of the algorithm.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from logagg.parse.text import Column

Hashes = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]

_LONGEST = 512  # bytes of a value that are hashed; nobody is told apart by what comes after
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def siphash(values: pa.Array, key: bytes) -> Hashes:
    """Hash each value (binary or string) with a 16-byte key; equals SipHash-2-4 of its first 512 bytes."""
    column = Column.of(values)
    lengths = np.minimum(np.diff(column.offsets), _LONGEST)
    # The longest first: each round is over a shrinking head of the values, all of those that have a word left.
    order = np.argsort(-lengths, kind="stable")
    hashes = np.empty(len(values), np.uint64)
    hashes[order] = _siphash(column, order, lengths[order], key)
    return hashes


def combine(first: Hashes, second: Hashes) -> Hashes:
    """Mix two keyed hashes into one, row by row (the finalizer of MurmurHash3)."""
    mixed = first ^ (second * _GOLDEN)
    for factor in (np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)):
        mixed = (mixed ^ (mixed >> np.uint64(33))) * factor
    return mixed ^ (mixed >> np.uint64(33))


def _siphash(column: Column, rows: Ints, lengths: Ints, key: bytes) -> Hashes:
    """Hash the values of some rows, the longest first."""
    k0, k1 = np.frombuffer(key, "<u8")
    start = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
    v = [np.full(len(rows), np.uint64(word) ^ k) for word, k in zip(start, (k0, k1, k0, k1), strict=True)]
    spare = np.empty(len(rows), np.uint64)
    words = lengths // 8 + 1  # the last one ends in the length
    for number in range(int(words.max(initial=0))):
        some = np.searchsorted(-words, -number)  # how many have a word of this number
        head = [word[:some] for word in v]
        block = _block(column, column.offsets[rows[:some]], lengths[:some], number)
        head[3] ^= block
        _rounds(head, spare[:some], 2)
        head[0] ^= block
    v[2] ^= np.uint64(0xFF)
    _rounds(v, spare, 4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def _block(column: Column, start: Ints, lengths: Ints, number: int) -> Hashes:
    """Return word `number` of each value, little-endian; the last of a value ends in its length."""
    places = np.arange(8 * number, 8 * number + 8)
    inside = places < lengths[:, None]
    at = np.where(inside, start[:, None] + places, 0)
    data = column.data if len(column.data) else np.zeros(1, np.uint8)
    block = np.where(inside, data[at], np.uint8(0))
    last = lengths // 8 == number
    block[last, 7] = lengths[last] % 256
    return block.view("<u8").ravel()


def _rounds(v: list[Hashes], spare: Hashes, count: int) -> None:
    for _ in range(count):
        _half_round(v, spare, 0, 1, 2, 3, 13, 16)
        _half_round(v, spare, 2, 1, 0, 3, 17, 21)


def _half_round(v: list[Hashes], spare: Hashes, a: int, b: int, c: int, d: int, s: int, t: int) -> None:
    v[a] += v[b]
    v[c] += v[d]
    _rotate(v[b], s, spare)
    v[b] ^= v[a]
    _rotate(v[d], t, spare)
    v[d] ^= v[c]
    _rotate(v[a], 32, spare)


def _rotate(word: Hashes, bits: int, spare: Hashes) -> None:
    """Rotate in place."""
    np.right_shift(word, np.uint64(64 - bits), out=spare)
    np.left_shift(word, np.uint64(bits), out=word)
    np.bitwise_or(word, spare, out=word)
