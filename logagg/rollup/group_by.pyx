"""The loops of `grouping` over rows.

Groups are `order`, the rows group by group, and `starts`, where each group begins in `order`. A mask `where` is bytes, 0
for a row that does not count; None: all rows count.
"""

import math

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

ctypedef const int32_t* KeyCodes

cdef enum:
    BLOCK = 2048  # rows
    MOST_KEYS = 64
    MOST_BITS = 11  # of a digit
    RANKED_BITS = 33  # of a hash: of a million visitors some 60 pairs agree in them

cdef extern from *:
    """
    typedef __int128 logagg_wide;
    """
    ctypedef long long wide "logagg_wide"  # 128 bits: sums of 64-bit values cannot overflow it

# A row holds less than one carry of a measure; each carry beyond becomes a row of its own.
CARRY = 1 << 62  # of integers
CARRY_NANOSECONDS = 1 << 50  # of durations: 13 days
cdef int64_t _CARRY = CARRY, _CARRY_NANOSECONDS = CARRY_NANOSECONDS

# A double holds whole nanoseconds below 2^51 exactly: the nearest number of seconds is at most 3/8 of a nanosecond off.
cdef double NANOSECONDS = 1e9, EXACT = 2.0 ** 51
cdef double ROUNDS = 3 * 2.0 ** 51  # adding it to a number below 2^51 rounds to a whole number


def sort(uint64_t[::1] numbers, int low, int high):
    """Return numbers in the order of their bits from `low` to below `high`; equal ones keep their order.

    A radix sort, digit by digit from the lowest on, takes some 5 ns a number. numpy's sort, by vector instructions, takes 6
    with AVX2, but 34 with AVX-512 on AMD's Zen 4, which writes selected elements slowly.
    """
    cdef Py_ssize_t rows = numbers.shape[0], at, place, before
    cdef int digits = (max(0, high - low) + MOST_BITS - 1) // MOST_BITS, digit, width, shift
    if rows < 2 or digits == 0:
        return np.asarray(numbers)
    width = (high - low + digits - 1) // digits
    cdef uint64_t[64] masks  # of the digits; the highest may be narrower
    cdef uint64_t mask
    for digit in range(digits):
        masks[digit] = (<uint64_t> 1 << min(width, high - low - digit * width)) - 1
    firsts, spare = np.zeros((digits, 1 << width), np.int64), np.empty(rows, np.uint64)
    cdef int64_t[:, ::1] first = firsts
    cdef uint64_t[::1] source = numbers, target = spare, swapped
    with nogil:
        for at in range(rows):
            for digit in range(digits):
                first[digit, (numbers[at] >> (low + digit * width)) & masks[digit]] += 1
    for digit in range(digits):
        shift, mask = low + digit * width, masks[digit]
        if first[digit, (source[0] >> shift) & mask] == rows:  # all are equal in this digit
            continue
        with nogil:
            before = 0
            for at in range(<Py_ssize_t> mask + 1):
                place = before
                before += first[digit, at]
                first[digit, at] = place
            for at in range(rows):
                target[first[digit, (source[at] >> shift) & mask]] = source[at]
                first[digit, (source[at] >> shift) & mask] += 1
        swapped = source
        source = target
        target = swapped
    return np.asarray(source)


def rank(const uint64_t[::1] hashes):
    """Return the rows in the order of their hashes.

    The row number replaces the lower bits of the hash, and the numbers are sorted by the upper ones; the few rows whose
    hashes differ only in the others are sorted afterwards.
    """
    cdef Py_ssize_t rows = hashes.shape[0], at, to, moved = 0
    cdef int bits = max(1, rows - 1).bit_length()
    cdef uint64_t mask = (<uint64_t> 1 << bits) - 1
    cdef int32_t row
    packed, orders = np.empty(rows, np.uint64), np.empty(rows, np.int32)
    cdef uint64_t[::1] number = packed
    cdef int32_t[::1] order = orders
    with nogil:
        for at in range(rows):
            number[at] = (hashes[at] & ~mask) | <uint64_t> at
    number = sort(packed, max(bits, 64 - RANKED_BITS), 64)
    with nogil:
        for at in range(rows):
            row, to = <int32_t> (number[at] & mask), at
            while to > 0 and hashes[order[to - 1]] > hashes[row] and moved < rows:
                order[to] = order[to - 1]
                to -= 1
                moved += 1
            order[to] = row
    return np.argsort(hashes, kind="stable").astype(np.int32) if moved >= rows > 0 else orders


def group(keys, sizes, const uint8_t[::1] where=None, const int32_t[::1] ranked=None):
    """Return the groups of the rows that count: the order of the rows, and where each group begins in it.

    `keys` are columns of codes, each less than its size; all must fit, with the row number, into 63 bits. The rows of a
    group are in the order of `ranked`, all rows in some order, or ascending.
    """
    cdef Py_ssize_t rows = len(keys[0])
    cdef int bits = max(1, rows - 1).bit_length()
    packed = _pack(keys, sizes, bits, where, ranked)
    return _unpack(sort(packed, bits, bits + (math.prod(sizes) - 1).bit_length()), bits)


cdef _pack(keys, sizes, int bits, const uint8_t[::1] where, const int32_t[::1] ranked):
    """Return, for each row that counts, one number: its keys, then its row number in the lowest `bits`."""
    cdef Py_ssize_t rows = len(keys[0]), first = 0, kept = 0, at, count
    cdef int column, columns = len(keys)
    cdef int64_t[BLOCK] number
    cdef int32_t[BLOCK] row
    cdef int64_t[MOST_KEYS] size
    cdef KeyCodes[MOST_KEYS] codes
    cdef const int32_t[::1] view
    if columns > MOST_KEYS:
        raise ValueError(f"a key has at most {MOST_KEYS} columns")
    if (where is not None and where.shape[0] != rows) or (ranked is not None and ranked.shape[0] != rows):
        raise ValueError("a mask of rows, and their ranks, are as long as their keys")
    packed = np.empty(rows, np.uint64)
    cdef uint64_t[::1] out = packed
    for column in range(columns):
        view = keys[column]
        if view.shape[0] != rows:
            raise ValueError("columns of keys are of one length")
        size[column], codes[column] = sizes[column], &view[0] if rows else NULL
    with nogil:
        while first < rows:  # a block stays in the L1 cache while the columns are added one by one
            count = 0
            for at in range(first, min(first + BLOCK, rows)):
                row[count] = <int32_t> at if ranked is None else ranked[at]
                count += where is None or where[row[count]] != 0
            for at in range(count):
                number[at] = codes[0][row[at]]
            for column in range(1, columns):
                for at in range(count):
                    number[at] = number[at] * size[column] + codes[column][row[at]]
            for at in range(count):
                out[kept + at] = (<uint64_t> number[at] << bits) | <uint64_t> row[at]
            kept += count
            first += BLOCK
    return packed[:kept]


cdef _unpack(const uint64_t[::1] packed, int bits):
    """Return the groups of sorted output of `_pack`: the order of the rows, and where each group begins."""
    cdef Py_ssize_t rows = packed.shape[0], at
    cdef int32_t groups = 0
    cdef uint64_t mask = (<uint64_t> 1 << bits) - 1
    orders, firsts = np.empty(rows, np.int32), np.empty(rows, np.int32)
    cdef int32_t[::1] order = orders, start = firsts
    with nogil:
        for at in range(rows):
            order[at] = <int32_t> (packed[at] & mask)
            if at == 0 or packed[at] >> bits != packed[at - 1] >> bits:
                start[groups] = <int32_t> at
                groups += 1
    return orders, firsts[:groups].copy()


def counts(const int32_t[::1] order, const int32_t[::1] starts, const uint8_t[::1] where):
    """Return how many rows of each group count."""
    cdef Py_ssize_t groups = starts.shape[0], group, at
    counted = np.zeros(groups, np.int64)
    cdef int64_t[::1] out = counted
    with nogil:
        for group in range(groups):
            for at in range(starts[group], _end(order, starts, group)):
                out[group] += where[order[at]] != 0
    return counted


ctypedef fused Number:
    int64_t
    double


def totals(const Number[::1] values, const int32_t[::1] order, const int32_t[::1] starts, const uint8_t[::1] where=None):
    """Add up the values of each group, exactly and in any order: integers, or durations, which are seconds.

    Return the value of each group's row, and the number of its carries; None if all are zero. Durations are added as whole
    nanoseconds; NaN stands for null and adds nothing.
    """
    cdef Py_ssize_t groups = starts.shape[0], group, at
    cdef wide total
    cdef int64_t carry = _CARRY_NANOSECONDS if Number is double else _CARRY
    cdef bint carries = False
    cdef double beyond
    held, over = np.zeros(groups, np.float64 if Number is double else np.int64), np.zeros(groups, np.int64)
    cdef Number[::1] rest = held
    cdef int64_t[::1] carried = over
    with nogil:
        for group in range(groups):
            total, beyond = 0, 0
            for at in range(starts[group], _end(order, starts, group)):
                if where is None or where[order[at]]:
                    if Number is double:
                        _add_duration(values[order[at]], &total, &beyond)
                    else:
                        total += values[order[at]]
            if beyond:
                rest[group] = <Number> (<double> total / NANOSECONDS + beyond)
                continue
            if not -carry < total < carry:
                carried[group] = <int64_t> (total / carry)
                total -= <wide> carried[group] * carry
                carries = True
            rest[group] = <Number> (<int64_t> total / NANOSECONDS) if Number is double else <Number> total
    return held, over if carries else None


cdef inline void _add_duration(double seconds, wide* total, double* beyond) noexcept nogil:
    """Add whole nanoseconds; durations of weeks, from rows of earlier versions, are added separately."""
    cdef double nanoseconds = seconds * NANOSECONDS
    if -EXACT <= nanoseconds <= EXACT:
        total[0] += <int64_t> ((nanoseconds + ROUNDS) - ROUNDS)  # the nearest whole number
    elif seconds == seconds:
        beyond[0] += seconds


def sketches(const uint64_t[::1] hashes, const int32_t[::1] order, const int32_t[::1] starts, const uint8_t[::1] where, int most):
    """Return the `most` smallest distinct hashes of each group, ascending, as offsets and hashes.

    The rows of each group are in the order of their hashes.
    """
    cdef Py_ssize_t groups = starts.shape[0], group, at
    cdef int32_t written = 0
    offsets, smallest = np.zeros(groups + 1, np.int32), np.empty(order.shape[0], np.uint64)
    cdef int32_t[::1] offset = offsets
    cdef uint64_t[::1] out = smallest
    with nogil:
        for group in range(groups):
            for at in range(starts[group], _end(order, starts, group)):
                if where is None or where[order[at]]:
                    if written == offset[group] or out[written - 1] != hashes[order[at]]:
                        if written - offset[group] == most:
                            break
                        out[written] = hashes[order[at]]
                        written += 1
            offset[group + 1] = written
    return offsets, smallest[:written].copy()


def united(
    const int32_t[::1] offsets, const uint64_t[::1] hashes, const int32_t[::1] order, const int32_t[::1] starts, int most
):
    """Return the `most` smallest hashes of the sketches of each group, as offsets and hashes; sketch i is `hashes[offsets[i]:offsets[i + 1]]`."""
    cdef Py_ssize_t groups = starts.shape[0], group, at, capacity = 0
    cdef int32_t row, written = 0, length
    for at in range(order.shape[0]):
        capacity += offsets[order[at] + 1] - offsets[order[at]]
    bounds, unions, spares = np.zeros(groups + 1, np.int32), np.empty(capacity + 1, np.uint64), np.empty(most, np.uint64)
    cdef int32_t[::1] bound = bounds
    cdef uint64_t[::1] out = unions, spare = spares
    with nogil:
        for group in range(groups):
            length = 0
            for at in range(starts[group], _end(order, starts, group)):
                row = order[at]
                length = _unite(out, written, length, hashes, offsets[row], offsets[row + 1], spare, most)
            written += length
            bound[group + 1] = written
    return bounds, unions[:written].copy()


cdef int32_t _unite(
    uint64_t[::1] out, int32_t start, int32_t length, const uint64_t[::1] hashes, int32_t at, int32_t end, uint64_t[::1] spare, int most
) noexcept nogil:
    """Unite the `length` hashes at `start` of `out` with others, both ascending; return the new length."""
    cdef int32_t number = 0, mine
    for mine in range(length):
        spare[mine] = out[start + mine]
    mine = 0
    while number < most and (mine < length or at < end):
        if at == end or (mine < length and spare[mine] <= hashes[at]):
            if at < end and spare[mine] == hashes[at]:
                at += 1
            out[start + number] = spare[mine]
            mine += 1
        else:
            out[start + number] = hashes[at]
            at += 1
        number += 1
    return number


cdef inline Py_ssize_t _end(const int32_t[::1] order, const int32_t[::1] starts, Py_ssize_t group) noexcept nogil:
    """Return where a group ends in the order of the rows."""
    return starts[group + 1] if group + 1 < starts.shape[0] else order.shape[0]
