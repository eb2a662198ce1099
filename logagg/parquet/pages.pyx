"""The values of a page: codes, differences, plain text; and the filter of a column chunk.

The encodings are those of https://github.com/apache/parquet-format, Encodings.md and BloomFilter.md.
"""

import numpy as np

from libc.stdint cimport INT32_MAX, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

cdef enum:
    GROUP = 8  # values that are packed together
    MINIBLOCK = 32  # differences of one width
    MINIBLOCKS = 4
    BLOCK = 128  # differences of MINIBLOCKS
    LONGEST_VARINT = 10  # bytes
    LENGTH = 4  # bytes of the length before a text
    WORDS = 8  # of a block of a filter


def encode_codes(const int32_t[::1] codes, Py_ssize_t values):
    """Return the page of codes of so many values, and the positions of the values that are used.

    The page has the width of a code in bits, then runs: packed codes, or one code and how often it comes. Codes are renumbered,
    since a file has the used values only. Raises IndexError for a code that is none of the values.
    """
    cdef Py_ssize_t rows = codes.shape[0], row
    cdef int32_t number = 0
    ranks, positions = np.zeros(values + 1, np.int32), np.empty(values + 1, np.int32)
    cdef int32_t[::1] rank = ranks, position = positions
    if not _mark(codes, values, &rank[0]):
        raise IndexError(f"a code beyond {values} values")
    for row in range(values):
        if rank[row]:
            position[number], rank[row] = <int32_t> row, number
            number += 1
    cdef int width = max(1, (int(number) - 1).bit_length())
    page = np.empty(1 + (rows // GROUP + 1) * width + rows + 2 * LONGEST_VARINT, np.uint8)
    cdef uint8_t[::1] out = page
    renumbered = np.empty(rows, np.int32) if number < values else np.empty(0, np.int32)
    cdef int32_t[::1] numbers = renumbered
    cdef const int32_t* used
    cdef uint8_t* end
    out[0] = <uint8_t> width
    with nogil:
        if number < values:
            for row in range(rows):
                numbers[row] = rank[codes[row]]
            used = &numbers[0] if rows else NULL
        else:
            used = &codes[0] if rows else NULL
        end = _runs(used, rows, width, &out[1])
    return page[: end - &out[0]], positions[:number]


def list_levels(const int32_t[::1] offsets, const uint8_t[::1] valid=None):
    """Return the levels in front of the values of lists, and their number: one for each value, and for each list without any.

    Of each value they tell whether it continues a list (1) or begins one (0); then, whether there is a value (3), an empty list
    (1) or no list (0). `valid` is 0 for rows without a list.
    """
    cdef Py_ssize_t rows = offsets.shape[0] - 1, row, at = 0
    cdef int32_t value
    cdef bint is_list
    most = rows + max(0, int(offsets[rows]) - int(offsets[0]))
    repeats, defined = np.empty(most + 1, np.int32), np.empty(most + 1, np.int32)
    cdef int32_t[::1] repeat = repeats, define = defined
    with nogil:
        for row in range(rows):
            is_list = valid is None or valid[row]
            repeat[at] = 0
            if not is_list or offsets[row + 1] == offsets[row]:
                define[at] = 1 if is_list else 0
                at += 1
                continue
            for value in range(offsets[row], offsets[row + 1]):
                repeat[at], define[at] = value != offsets[row], 3
                at += 1
    return b"".join(_level_runs(levels[:at], width) for levels, width in ((repeats, 1), (defined, 2))), at


def _level_runs(const int32_t[::1] levels, int width):
    """Return the runs of levels, with their length before them."""
    cdef Py_ssize_t count = levels.shape[0]
    runs = np.empty((count // GROUP + 1) * width + count + 2 * LONGEST_VARINT, np.uint8)
    cdef uint8_t[::1] out = runs
    cdef uint8_t* end
    with nogil:
        end = _runs(&levels[0] if count else NULL, count, width, &out[0])
    return int(end - &out[0]).to_bytes(LENGTH, "little") + runs[: end - &out[0]].tobytes()


def encode_deltas(const int64_t[::1] values):
    """Return the page of numbers as their differences, each 32 of which have a width of their own."""
    cdef Py_ssize_t count = values.shape[0], at
    page = np.empty(4 * LONGEST_VARINT + (count // BLOCK + 1) * (LONGEST_VARINT + MINIBLOCKS + 8 * BLOCK), np.uint8)
    cdef uint8_t[::1] out = page
    cdef uint8_t* end = &out[0]
    with nogil:
        end = _varint(_varint(_varint(end, BLOCK), MINIBLOCKS), count)
        end = _varint(end, _zigzag(values[0] if count else 0))
        at = 1
        while at < count:
            end = _delta_block(&values[at], min(<Py_ssize_t> BLOCK, count - at), end)
            at += BLOCK
    return page[: end - &out[0]]


def plain_texts(const uint8_t[::1] data, const int32_t[::1] offsets, const int32_t[::1] positions):
    """Return a page of the texts at some positions: the length of each, and its bytes."""
    cdef Py_ssize_t count = positions.shape[0], number
    cdef int64_t size = 0
    cdef int32_t start
    cdef uint32_t length
    for number in range(count):
        size += LENGTH + offsets[positions[number] + 1] - offsets[positions[number]]
    if size > INT32_MAX:
        raise OverflowError("the values of a column have more than 2 GiB")
    page = np.empty(size, np.uint8)
    cdef uint8_t[::1] out = page
    cdef uint8_t* at = &out[0] if size else NULL
    with nogil:
        for number in range(count):
            start = offsets[positions[number]]
            length = offsets[positions[number] + 1] - start
            memcpy(at, &length, LENGTH)  # little-endian, as in the file
            if length:
                memcpy(at + LENGTH, &data[start], length)
            at += LENGTH + length
    return page


def bloom_filter(const uint8_t[::1] data, const int32_t[::1] offsets, const int32_t[::1] positions, Py_ssize_t blocks):
    """Return a filter of the texts at some positions: so many blocks of 256 bits, in one of which each text sets eight bits."""
    cdef Py_ssize_t number
    cdef int32_t start
    cdef uint64_t hashed
    filled = np.zeros(blocks * WORDS, np.uint32)
    cdef uint32_t[::1] words = filled
    cdef uint32_t* block
    cdef const uint8_t* first = &data[0] if data.shape[0] else NULL
    with nogil:
        for number in range(positions.shape[0]):
            start = offsets[positions[number]]
            hashed = _xxh64(first + start, offsets[positions[number] + 1] - start)
            block = &words[0] + WORDS * (((hashed >> 32) * <uint64_t> blocks) >> 32)
            _set_bits(block, <uint32_t> hashed)
    return filled.view(np.uint8)


cdef bint _mark(const int32_t[::1] codes, Py_ssize_t values, int32_t* used) noexcept nogil:
    """Mark the values that are used; return whether all codes are of values."""
    cdef Py_ssize_t row, rows = codes.shape[0]
    cdef int32_t last = <int32_t> values - 1, beyond = 0
    cdef uint64_t few = 0
    for row in range(rows):
        beyond |= codes[row] | (last - codes[row])  # one of them is negative
    if beyond < 0:
        return False
    if values > 64:
        for row in range(rows):
            used[codes[row]] = 1
    elif values > 1:  # without a store for each row
        for row in range(rows):
            few |= <uint64_t> 1 << codes[row]
        for row in range(values):
            used[row] = few >> row & 1
    elif rows:
        used[0] = 1
    return True


cdef uint8_t* _runs(const int32_t* codes, Py_ssize_t rows, int width, uint8_t* out) noexcept nogil:
    """Write codes in runs; return where they end."""
    cdef Py_ssize_t start = 0, at, repeats = 0
    cdef Py_ssize_t least = GROUP + 64 // width  # fewer repeats take no less space as a run of their own
    cdef int byte
    while start < rows:
        at = start
        while at < rows:
            repeats = _repeats(codes + at, rows - at)
            if repeats >= least:
                break
            at += GROUP
        if at > start:
            at = min(at, rows)
            out = _varint(out, <uint64_t> ((at - start + GROUP - 1) // GROUP) << 1 | 1)
            out = _packed(codes + start, at - start, width, out)
        start = at
        if at < rows:
            out = _varint(out, <uint64_t> repeats << 1)
            for byte in range((width + 7) // 8):
                out[0] = <uint8_t> (codes[at] >> (8 * byte))
                out += 1
            start += repeats
    return out


cdef inline Py_ssize_t _repeats(const int32_t* codes, Py_ssize_t rows) noexcept nogil:
    """Return how often the first code comes in a row; 1 if it is not all of the first group."""
    cdef Py_ssize_t end = GROUP
    cdef int32_t unlike = 0
    cdef int number
    if rows < GROUP:
        return 1
    for number in range(1, GROUP):  # without a branch for each
        unlike |= codes[number] ^ codes[0]
    if unlike:
        return 1
    while end < rows and codes[end] == codes[0]:
        end += 1
    return end


cdef uint8_t* _packed(const int32_t* codes, Py_ssize_t rows, int width, uint8_t* out) noexcept nogil:
    """Write codes of so many bits, the lowest bit first, in whole groups of eight; return where they end."""
    cdef Py_ssize_t row = 0
    cdef uint64_t bits
    cdef int number
    if width <= 8:
        while row + GROUP <= rows:
            bits = 0
            for number in range(GROUP):
                bits |= <uint64_t> codes[row + number] << (number * width)
            memcpy(out, &bits, 8)  # of which the next group overwrites those beyond its own
            out += width
            row += GROUP
    return _packed_wide(codes + row, rows - row, width, out)


cdef uint8_t* _packed_wide(const int32_t* codes, Py_ssize_t rows, int width, uint8_t* out) noexcept nogil:
    cdef Py_ssize_t row, whole = (rows + GROUP - 1) // GROUP * GROUP
    cdef uint64_t bits = 0
    cdef int filled = 0
    for row in range(whole):
        if row < rows:
            bits |= <uint64_t> codes[row] << filled
        filled += width
        if filled >= 32:
            memcpy(out, &bits, 4)
            out += 4
            bits >>= 32
            filled -= 32
    memcpy(out, &bits, 4)
    return out + filled // 8


cdef uint8_t* _delta_block(const int64_t* values, Py_ssize_t count, uint8_t* out) noexcept nogil:
    """Write up to 128 differences to the values before; return where they end."""
    cdef uint64_t deltas[BLOCK]
    cdef int64_t least = 0
    cdef Py_ssize_t number
    cdef uint64_t most
    cdef int mini, width
    cdef uint8_t* widths
    for number in range(count):  # differences wrap around, as the sums of a reader do
        deltas[number] = <uint64_t> values[number] - <uint64_t> values[number - 1]
        if number == 0 or <int64_t> deltas[number] < least:
            least = <int64_t> deltas[number]
    for number in range(count):
        deltas[number] -= <uint64_t> least
    memset(deltas + count, 0, (BLOCK - count) * sizeof(uint64_t))
    out = _varint(out, _zigzag(least))
    widths = out
    out += MINIBLOCKS
    for mini in range(MINIBLOCKS):
        most = 0
        for number in range(MINIBLOCK):
            most |= deltas[mini * MINIBLOCK + number]
        width = _width(most)
        widths[mini] = <uint8_t> width
        out = _packed_miniblock(deltas + mini * MINIBLOCK, width, out)
    return out


cdef uint8_t* _packed_miniblock(const uint64_t* values, int width, uint8_t* out) noexcept nogil:
    """Write 32 numbers of so many bits, which are 4 * width bytes; return where they end."""
    cdef uint64_t bits = 0
    cdef int filled = 0, number
    if width == 0:
        return out
    for number in range(MINIBLOCK):
        bits |= values[number] << filled
        if filled + width >= 64:
            memcpy(out, &bits, 8)
            out += 8
            bits = values[number] >> (64 - filled) if filled else 0
            filled += width - 64
        else:
            filled += width
    memcpy(out, &bits, filled // 8)
    return out + filled // 8


cdef inline int _width(uint64_t value) noexcept nogil:
    """Return how many bits a number takes."""
    cdef int width = 0
    while value:
        width += 1
        value >>= 1
    return width


cdef inline uint64_t _zigzag(int64_t value) noexcept nogil:
    return (<uint64_t> value << 1) ^ <uint64_t> (value >> 63)


cdef inline uint8_t* _varint(uint8_t* out, uint64_t value) noexcept nogil:
    while value > 0x7F:
        out[0] = <uint8_t> (value & 0x7F) | 0x80
        out += 1
        value >>= 7
    out[0] = <uint8_t> value
    return out + 1


cdef inline void _set_bits(uint32_t* block, uint32_t key) noexcept nogil:
    cdef uint32_t* salts = [
        0x47B6137B, 0x44974D91, 0x8824AD5B, 0xA2B7289D, 0x705495C7, 0x2DF1424B, 0x9EFC4947, 0x5C6BFB31
    ]
    cdef int number
    for number in range(WORDS):
        block[number] |= <uint32_t> 1 << ((key * salts[number]) >> 27)


cdef uint64_t _P1 = 0x9E3779B185EBCA87
cdef uint64_t _P2 = 0xC2B2AE3D27D4EB4F
cdef uint64_t _P3 = 0x165667B19E3779F9
cdef uint64_t _P4 = 0x85EBCA77C2B2AE63
cdef uint64_t _P5 = 0x27D4EB2F165667C5


cdef uint64_t _xxh64(const uint8_t* at, Py_ssize_t length) noexcept nogil:
    """Return the XXH64 of bytes, with the seed 0. (https://github.com/Cyan4973/xxHash, doc/xxhash_spec.md)"""
    cdef const uint8_t* end = at + length
    cdef uint64_t lanes[4]
    cdef uint64_t hashed = _P5
    cdef uint64_t long_word
    cdef uint32_t short_word
    cdef int lane
    if length >= 32:
        lanes[0], lanes[1], lanes[2], lanes[3] = _P1 + _P2, _P2, 0, 0 - _P1
        while end - at >= 32:
            for lane in range(4):
                memcpy(&long_word, at + 8 * lane, 8)
                lanes[lane] = _round(lanes[lane], long_word)
            at += 32
        hashed = _turned(lanes[0], 1) + _turned(lanes[1], 7) + _turned(lanes[2], 12) + _turned(lanes[3], 18)
        for lane in range(4):
            hashed = (hashed ^ _round(0, lanes[lane])) * _P1 + _P4
    hashed += <uint64_t> length
    while end - at >= 8:
        memcpy(&long_word, at, 8)
        hashed = _turned(hashed ^ _round(0, long_word), 27) * _P1 + _P4
        at += 8
    if end - at >= 4:
        memcpy(&short_word, at, 4)
        hashed = _turned(hashed ^ (<uint64_t> short_word * _P1), 23) * _P2 + _P3
        at += 4
    while at < end:
        hashed = _turned(hashed ^ (at[0] * _P5), 11) * _P1
        at += 1
    hashed = (hashed ^ (hashed >> 33)) * _P2
    hashed = (hashed ^ (hashed >> 29)) * _P3
    return hashed ^ (hashed >> 32)


cdef inline uint64_t _round(uint64_t lane, uint64_t word) noexcept nogil:
    return _turned(lane + word * _P2, 31) * _P1


cdef inline uint64_t _turned(uint64_t value, int bits) noexcept nogil:
    return (value << bits) | (value >> (64 - bits))
