"""SipHash-2-4 (Aumasson and Bernstein, 2012) of a column of values."""

import numpy as np

from libc.stdint cimport int32_t, uint8_t, uint64_t
from libc.string cimport memcpy

from logagg.columnar.bytes cimport WORD, Ptr, first_of, word

cdef struct State:
    uint64_t a, b, c, d


def siphash(const uint8_t[::1] data, const int32_t[::1] offsets, bytes key, Py_ssize_t longest):
    """Hash the first `longest` bytes of each value with a key of 16 bytes; value i is `data[offsets[i]:offsets[i + 1]]`."""
    if len(key) != 16:
        raise ValueError("the key of a hash has 16 bytes")
    cdef Py_ssize_t values = offsets.shape[0] - 1, value
    hashes = np.empty(values, np.uint64)
    cdef uint64_t[::1] hashed = hashes
    cdef Ptr first = first_of(data)
    cdef uint64_t low = word(<Ptr> <char*> key), high = word(<Ptr> <char*> key + WORD)
    with nogil:
        for value in range(values):
            hashed[value] = _siphash(first + offsets[value], min(offsets[value + 1] - offsets[value], longest), low, high)
    return hashes


def combined(const uint64_t[::1] first, const int32_t[::1] code, const uint64_t[::1] second, const int32_t[::1] other):
    """Mix two keyed hashes into one, row by row: `first[code]` and `second[other]` (the finalizer of MurmurHash3)."""
    cdef Py_ssize_t rows = code.shape[0], row
    mixed = np.empty(rows, np.uint64)
    cdef uint64_t[::1] out = mixed
    cdef uint64_t hashed
    with nogil:
        for row in range(rows):
            hashed = first[code[row]] ^ (second[other[row]] * <uint64_t> 0x9E3779B97F4A7C15)
            hashed = (hashed ^ (hashed >> 33)) * <uint64_t> 0xFF51AFD7ED558CCD
            hashed = (hashed ^ (hashed >> 33)) * <uint64_t> 0xC4CEB9FE1A85EC53
            out[row] = hashed ^ (hashed >> 33)
    return mixed


cdef uint64_t _siphash(Ptr value, Py_ssize_t length, uint64_t low, uint64_t high) noexcept nogil:
    cdef State v = State(
        low ^ <uint64_t> 0x736F6D6570736575, high ^ <uint64_t> 0x646F72616E646F6D,
        low ^ <uint64_t> 0x6C7967656E657261, high ^ <uint64_t> 0x7465646279746573,
    )
    cdef Py_ssize_t left = length
    while left >= WORD:
        _take(&v, word(value))
        value += WORD
        left -= WORD
    _take(&v, _last_word(value, left) | (<uint64_t> length << 56))
    v.c ^= 0xFF
    _round(&v)
    _round(&v)
    _round(&v)
    _round(&v)
    return v.a ^ v.b ^ v.c ^ v.d


cdef inline void _take(State* v, uint64_t word) noexcept nogil:
    v.d ^= word
    _round(v)
    _round(v)
    v.a ^= word


cdef inline void _round(State* v) noexcept nogil:
    v.a += v.b
    v.c += v.d
    v.b = _rotated(v.b, 13) ^ v.a
    v.d = _rotated(v.d, 16) ^ v.c
    v.a = _rotated(v.a, 32)
    v.c += v.b
    v.a += v.d
    v.b = _rotated(v.b, 17) ^ v.c
    v.d = _rotated(v.d, 21) ^ v.a
    v.c = _rotated(v.c, 32)


cdef inline uint64_t _rotated(uint64_t word, int bits) noexcept nogil:
    return (word << bits) | (word >> (64 - bits))


cdef inline uint64_t _last_word(Ptr value, Py_ssize_t length) noexcept nogil:
    """Return fewer than eight bytes as a number, the first one lowest."""
    cdef uint64_t bits = 0
    memcpy(&bits, value, length)
    return bits
