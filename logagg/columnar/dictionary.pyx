"""Dictionary encoding: the code of a row is the index of its value among the distinct values of a column."""

import os

import numpy as np

from libc.stdint cimport INT32_MAX, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memcpy

from logagg.columnar.bytes cimport ROWS_AHEAD, WORD, Ptr, first_of, prefetch, word

cdef extern from *:
    """
    /* The product of two words, folded into one (wyhash: Wang Yi, 2019). */
    static inline uint64_t logagg_mix(uint64_t a, uint64_t b) {
        __uint128_t product = (__uint128_t) a * b;
        return (uint64_t) product ^ (uint64_t) (product >> 64);
    }
    """
    uint64_t mix "logagg_mix"(uint64_t first, uint64_t second) noexcept nogil

cdef enum:
    FEW = 4096  # slots to begin with
    SHORT = 16  # bytes that are copied without a call

cdef struct Slot:
    uint32_t tag  # the upper half of the hash
    int32_t code  # of a distinct value, from 1; 0 where the slot is free

cdef struct Table:
    Slot* slots
    uint64_t size  # a power of two, more than twice as many as there are distinct values
    int32_t distinct
    uint64_t* hashes  # of the distinct values
    uint8_t* values  # one after the other
    int32_t* offsets

# Random, so that clients cannot construct values whose hashes collide.
cdef uint64_t _SEED = int.from_bytes(os.urandom(8), "little")
cdef uint64_t _FACTOR = int.from_bytes(os.urandom(8), "little") | 1


def encode(const uint8_t[::1] data, const int64_t[::1] start, const int64_t[::1] end, bint dash=False):
    """Dictionary-encode values: return the code of each, and the distinct values as bytes and offsets.

    Distinct values are in the order of first occurrence. With `dash`, the value "-" counts as empty.
    """
    cdef Py_ssize_t rows = start.shape[0]
    cdef int64_t length = _length(start, end)
    codes, values, offsets = np.empty(rows, np.int32), np.empty(length + 1, np.uint8), np.empty(rows + 1, np.int32)
    cdef int32_t[::1] code = codes, offset = offsets
    cdef uint8_t[::1] value = values
    cdef Ptr first = first_of(data)
    cdef Table table = _new_table(rows, &value[0], &offset[0])
    cdef bint is_done = False
    if rows and _has_memory(&table):
        with nogil:
            is_done = _encode(first, &start[0], &end[0], rows, dash, &table, &code[0])
    _free(&table)
    if rows and not is_done:
        raise MemoryError
    return codes, values[: offset[table.distinct]], offsets[: table.distinct + 1]


def encode_numbers(const uint64_t[::1] numbers):
    """Dictionary-encode numbers: return the code of each, and the distinct numbers in the order of first occurrence."""
    cdef Py_ssize_t rows = numbers.shape[0], row
    codes, values, offsets = np.empty(rows, np.int32), np.empty(rows + 1, np.uint64), np.empty(rows + 1, np.int32)
    cdef int32_t[::1] code = codes, offset = offsets
    cdef uint64_t[::1] value = values
    cdef Table table = _new_table(rows, <uint8_t*> &value[0], &offset[0])
    cdef bint is_done = _has_memory(&table)
    with nogil:
        for row in range(rows if is_done else 0):
            code[row] = _look_up(&table, <Ptr> &numbers[row], WORD)
            if code[row] < 0:
                is_done = False
                break
    _free(&table)
    if not is_done:
        raise MemoryError
    return codes, values[: table.distinct]


def gather(const uint8_t[::1] data, const int64_t[::1] start, const int64_t[::1] end):
    """Copy values into contiguous bytes; return these, and the offsets of the values (one more than values)."""
    cdef Py_ssize_t rows = start.shape[0], row
    cdef int64_t length = _length(start, end), bytes_ = data.shape[0]
    gathered, offsets = np.empty(length + SHORT, np.uint8), np.zeros(rows + 1, np.int32)
    cdef uint8_t[::1] out = gathered
    cdef int32_t[::1] offset = offsets
    cdef uint8_t* at = &out[0]
    if length:
        with nogil:
            for row in range(rows):
                if end[row] - start[row] <= SHORT and start[row] + SHORT <= bytes_:
                    memcpy(at, &data[0] + start[row], SHORT)  # the next value overwrites what is beyond this one
                else:
                    memcpy(at, &data[0] + start[row], end[row] - start[row])
                at += end[row] - start[row]
                offset[row + 1] = offset[row] + <int32_t> (end[row] - start[row])
    return gathered[:length], offsets


def spread(values, const int32_t[::1] codes):
    """Return the value of each row, like `values[codes]`: -1 addresses the last one."""
    rows = np.empty(codes.shape[0], values.dtype)
    plain = np.ascontiguousarray(values)
    if values.itemsize == 1:
        _spread[uint8_t](plain.view(np.uint8), codes, rows.view(np.uint8))
    elif values.itemsize == 2:
        _spread[uint16_t](plain.view(np.uint16), codes, rows.view(np.uint16))
    elif values.itemsize == 4:
        _spread[uint32_t](plain.view(np.uint32), codes, rows.view(np.uint32))
    elif values.itemsize == 8:
        _spread[uint64_t](plain.view(np.uint64), codes, rows.view(np.uint64))
    else:
        raise TypeError(f"values of {values.itemsize} bytes cannot be spread")
    return rows


ctypedef fused Value:
    uint8_t
    uint16_t
    uint32_t
    uint64_t


cdef void _spread(const Value[::1] values, const int32_t[::1] codes, Value[::1] rows) except *:
    cdef Py_ssize_t row, count = values.shape[0]
    cdef int32_t code
    _check(codes, count)
    with nogil:
        for row in range(codes.shape[0]):
            code = codes[row]
            rows[row] = values[code if code >= 0 else code + count]


def masked(const int32_t[::1] codes, mask, int32_t other):
    """Return the codes of the rows of a mask, and `other` for the other rows."""
    cdef Py_ssize_t row
    cdef const uint8_t[::1] holds = mask.view(np.uint8)
    rows = np.empty(codes.shape[0], np.int32)
    cdef int32_t[::1] out = rows
    if holds.shape[0] != codes.shape[0]:
        raise ValueError("codes and their mask are of one length")
    with nogil:
        for row in range(codes.shape[0]):
            out[row] = other ^ ((codes[row] ^ other) & -<int32_t> holds[row])  # a branch takes ten times as long
    return rows


cdef void _check(const int32_t[::1] codes, Py_ssize_t count) except *:
    """Raise IndexError unless every code addresses one of `count` values."""
    cdef Py_ssize_t row
    cdef int32_t least = 0, most = -1
    with nogil:
        for row in range(codes.shape[0]):
            least, most = min(least, codes[row]), max(most, codes[row])
    if most >= count or least < -count:
        raise IndexError(f"a code beyond {count} values")


cdef int64_t _length(const int64_t[::1] start, const int64_t[::1] end) except -1:
    """Return the total length of values."""
    cdef int64_t length = 0
    cdef Py_ssize_t row
    for row in range(start.shape[0]):
        length += end[row] - start[row]
    if length > INT32_MAX:
        raise OverflowError("the values of a column have more than 2 GiB")
    return length


cdef Table _new_table(Py_ssize_t rows, uint8_t* values, int32_t* offsets) noexcept:
    """Return an empty table for at most as many distinct values as there are rows. Its memory is that of `_free`."""
    cdef uint64_t* hashes = <uint64_t*> malloc((rows + 1) * sizeof(uint64_t))
    offsets[0] = 0
    return Table(<Slot*> calloc(FEW, sizeof(Slot)), FEW, 0, hashes, values, offsets)


cdef bint _has_memory(const Table* table) noexcept:
    return table.slots != NULL and table.hashes != NULL


cdef void _free(Table* table) noexcept:
    free(table.hashes)
    free(table.slots)


cdef bint _encode(
    Ptr data, const int64_t* start, const int64_t* end, Py_ssize_t rows, bint dash, Table* table, int32_t* codes
) noexcept nogil:
    cdef Py_ssize_t row, length
    cdef int32_t code
    cdef Ptr value
    for row in range(rows):
        if row + ROWS_AHEAD < rows:
            prefetch(data + start[row + ROWS_AHEAD])
        if row and start[row] == start[row - 1] and end[row] == end[row - 1]:  # one slice
            codes[row] = codes[row - 1]
            continue
        value, length = data + start[row], end[row] - start[row]
        if dash and length == 1 and value[0] == c"-":
            length = 0
        code = _look_up(table, value, length)
        if code < 0:
            return False
        codes[row] = code
    return True


cdef inline int32_t _look_up(Table* table, Ptr value, Py_ssize_t length) noexcept nogil:
    """Return the code of a value, a new one if it is not in the table yet; -1 if memory is exhausted."""
    cdef uint64_t hashed = _hash(value, length)
    cdef uint64_t at = hashed & (table.size - 1)
    cdef uint32_t tag = hashed >> 32
    while table.slots[at].code:
        if table.slots[at].tag == tag and _equal(table, table.slots[at].code - 1, value, length):
            return table.slots[at].code - 1
        at = (at + 1) & (table.size - 1)
    memcpy(table.values + table.offsets[table.distinct], value, length)
    table.offsets[table.distinct + 1] = table.offsets[table.distinct] + <int32_t> length
    table.hashes[table.distinct] = hashed
    table.distinct += 1
    table.slots[at].code, table.slots[at].tag = table.distinct, tag
    if 2 * <uint64_t> table.distinct >= table.size and not _grow(table):
        return -1
    return table.distinct - 1


cdef bint _grow(Table* table) noexcept nogil:
    """Quadruple the slots of a table; return whether there was memory."""
    cdef int32_t number
    cdef uint64_t at
    free(table.slots)
    table.size *= 4
    table.slots = <Slot*> calloc(table.size, sizeof(Slot))
    if table.slots == NULL:
        return False
    for number in range(table.distinct):
        at = table.hashes[number] & (table.size - 1)
        while table.slots[at].code:
            at = (at + 1) & (table.size - 1)
        table.slots[at].code, table.slots[at].tag = number + 1, <uint32_t> (table.hashes[number] >> 32)
    return True


cdef inline bint _equal(const Table* table, int32_t code, Ptr value, Py_ssize_t length) noexcept nogil:
    """Tell whether this is the value of a code."""
    cdef Ptr other = table.values + table.offsets[code]
    if table.offsets[code + 1] - table.offsets[code] != length:
        return False
    if length < WORD:
        return _short_word(other, length) == _short_word(value, length)
    if length <= 2 * WORD:
        return word(other) == word(value) and word(other + length - WORD) == word(value + length - WORD)
    return memcmp(other, value, length) == 0


cdef inline uint64_t _hash(Ptr value, Py_ssize_t length) noexcept nogil:
    cdef uint64_t hashed = _SEED ^ <uint64_t> length
    cdef Ptr last
    if length < WORD:
        return mix(mix(_short_word(value, length) ^ _FACTOR, hashed), _FACTOR)
    last = value + length - WORD  # may overlap with the words before: hashing a byte twice does no harm
    while last - value > WORD:
        hashed = mix(word(value) ^ _FACTOR, word(value + WORD) ^ hashed)
        value += 2 * WORD
    return mix(mix(word(value if value < last else last) ^ _FACTOR, word(last) ^ hashed), _FACTOR)


cdef inline uint64_t _short_word(Ptr value, Py_ssize_t length) noexcept nogil:
    """Return fewer than eight bytes as a number, distinct for distinct values of one length."""
    cdef uint32_t head, tail
    if length >= 4:
        memcpy(&head, value, 4)
        memcpy(&tail, value + length - 4, 4)
        return (<uint64_t> head << 32) | tail
    if length == 0:
        return 0
    return (<uint64_t> value[0] << 16) | (<uint64_t> value[length // 2] << 8) | value[length - 1]
