"""The distinct values of a column, and each row's place among them."""

import os

import numpy as np

from libc.stdint cimport INT32_MAX, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy

ctypedef const uint8_t* Place

cdef extern from *:
    """
    /* The product of two words, folded into one (wyhash: Wang Yi, 2019). */
    static inline uint64_t logagg_mix(uint64_t a, uint64_t b) {
        __uint128_t product = (__uint128_t) a * b;
        return (uint64_t) product ^ (uint64_t) (product >> 64);
    }
    """
    uint64_t mix "logagg_mix"(uint64_t first, uint64_t second) noexcept nogil

cdef struct Slot:
    uint32_t mark  # the upper half of the hash
    int32_t code  # of a distinct value, from 1; 0 where the slot is free

# Who does not know it cannot send values whose hashes collide.
cdef uint64_t _SEED = int.from_bytes(os.urandom(8), "little") | 1
cdef uint64_t _FACTOR = int.from_bytes(os.urandom(8), "little") | 1


def encode(const uint8_t[::1] data, const int64_t[::1] start, const int64_t[::1] end):
    """Dictionary-encode values: return the code of each, and for each code the first row that has it."""
    cdef Py_ssize_t rows = start.shape[0]
    codes, firsts = np.empty(rows, np.int32), np.empty(rows, np.int32)
    cdef int32_t[::1] code = codes, first = firsts
    cdef int32_t distinct = 0
    if rows and data.shape[0]:
        with nogil:
            distinct = _encode(&data[0], &start[0], &end[0], rows, &code[0], &first[0])
        if distinct < 0:
            raise MemoryError
    elif rows:
        codes[:], firsts[0], distinct = 0, 0, 1
    return codes, firsts[:distinct]


cdef int32_t _encode(
    Place data, const int64_t* start, const int64_t* end, Py_ssize_t rows, int32_t* code, int32_t* first
) noexcept nogil:
    """Return how many distinct values there are; -1 where there is no memory."""
    cdef uint64_t size = 1024, hashed, at
    cdef int32_t distinct = 0, before = 0, other
    cdef Py_ssize_t row, length
    cdef Place value
    cdef Slot* table = <Slot*> calloc(size, sizeof(Slot))
    for row in range(rows):
        if table == NULL:
            return -1
        value, length = data + start[row], end[row] - start[row]
        if row and _equal(data, start, end, before, value, length):  # lines of one second, and runs of one status
            code[row] = code[row - 1]
            continue
        hashed = _hash(value, length)
        at = hashed & (size - 1)
        while table[at].code:
            other = first[table[at].code - 1]
            if table[at].mark == <uint32_t> (hashed >> 32) and _equal(data, start, end, other, value, length):
                break
            at = (at + 1) & (size - 1)
        if not table[at].code:
            first[distinct] = <int32_t> row
            distinct += 1
            table[at].code, table[at].mark = distinct, <uint32_t> (hashed >> 32)
        code[row] = table[at].code - 1
        before = first[code[row]]
        if 2 * <uint64_t> distinct > size:
            table, size = _grown(table, size, data, start, end, first, distinct), 4 * size
    free(table)
    return distinct


cdef Slot* _grown(
    Slot* table, uint64_t size, Place data, const int64_t* start, const int64_t* end, const int32_t* first, int32_t distinct
) noexcept nogil:
    """Return a table four times as large with the same values; NULL where there is no memory."""
    cdef Slot* larger = <Slot*> calloc(4 * size, sizeof(Slot))
    cdef uint64_t hashed, at
    cdef int32_t number
    free(table)
    if larger == NULL:
        return NULL
    for number in range(distinct):
        hashed = _hash(data + start[first[number]], end[first[number]] - start[first[number]])
        at = hashed & (4 * size - 1)
        while larger[at].code:
            at = (at + 1) & (4 * size - 1)
        larger[at].code, larger[at].mark = number + 1, <uint32_t> (hashed >> 32)
    return larger


cdef inline bint _equal(
    Place data, const int64_t* start, const int64_t* end, int32_t row, Place value, Py_ssize_t length
) noexcept nogil:
    """Tell whether the value of a row is this one."""
    return end[row] - start[row] == length and memcmp(data + start[row], value, length) == 0


cdef inline uint64_t _hash(Place value, Py_ssize_t length) noexcept nogil:
    cdef uint64_t hashed = _SEED ^ <uint64_t> length
    while length >= 16:
        hashed = mix(_word(value, 8) ^ _FACTOR, _word(value + 8, 8) ^ hashed)
        value += 16
        length -= 16
    if length > 8:
        hashed = mix(_word(value, 8) ^ _FACTOR, _word(value + 8, length - 8) ^ hashed)
    elif length:
        hashed = mix(_word(value, length) ^ _FACTOR, hashed)
    return mix(hashed, _FACTOR)


cdef inline uint64_t _word(Place value, Py_ssize_t length) noexcept nogil:
    """Return up to eight bytes as a number."""
    cdef uint64_t word = 0
    memcpy(&word, value, length)
    return word


def gather(const uint8_t[::1] data, const int64_t[::1] start, const int64_t[::1] end):
    """Return values one after the other: their bytes, and the offsets of each, one more than there are values."""
    cdef Py_ssize_t rows = start.shape[0], row
    cdef int64_t length = 0
    for row in range(rows):
        length += end[row] - start[row]
    if length > INT32_MAX:
        raise OverflowError("the values of a column have more than 2 GiB")
    gathered, offsets = np.empty(length, np.uint8), np.zeros(rows + 1, np.int32)
    cdef uint8_t[::1] out = gathered
    cdef int32_t[::1] offset = offsets
    if length:
        with nogil:
            for row in range(rows):
                offset[row + 1] = offset[row] + <int32_t> (end[row] - start[row])
                memcpy(&out[0] + offset[row], &data[0] + start[row], end[row] - start[row])
    return gathered, offsets
