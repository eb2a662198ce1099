"""Lines of JSON -> raw fields, where a line is as servers write it: one flat object, no backslash, no control character.

It is sure of what it takes. Any other line, be it valid or not, is left to a real parser of JSON.
"""

import numpy as np

from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memchr, memcmp

ctypedef const uint8_t* Place

cdef enum:
    MOST_KEYS = 256

cdef struct Key:
    Place text
    Py_ssize_t length

cdef struct Row:
    int64_t* starts  # one place below the other for each key, `stride` apart
    int64_t* ends
    Py_ssize_t stride
    Py_ssize_t next  # of the keys, which most likely comes now


def split_objects(const uint8_t[::1] data, const int64_t[::1] start, const int64_t[::1] end, keys):
    """Return the places of the values of each key (starts and ends, a row for each key), and which lines were understood.

    A value is a string without its quotes, or a number as it is written. Of a key that is there twice the first counts; `true`,
    `false`, `null` and what is not there are empty, and so is all of a line that was not understood.
    """
    cdef Py_ssize_t lines = start.shape[0], count = len(keys), line, number
    cdef Key[MOST_KEYS] table
    if count > MOST_KEYS:
        raise ValueError(f"a log format has at most {MOST_KEYS} keys")
    held = [key.encode() for key in keys]  # as long as the table points to them
    for number, key in enumerate(held):
        table[number] = Key(<Place> <char*> <bytes> key, len(key))
    starts, ends, understood = np.empty((count, lines), np.int64), np.empty((count, lines), np.int64), np.zeros(lines, np.bool_)
    cdef int64_t[:, ::1] starts_of = starts, ends_of = ends
    cdef uint8_t[::1] known = understood.view(np.uint8)
    cdef Place first
    cdef Row row
    if lines and count:
        first = &data[0]
        row.stride, row.next = lines, 0
        with nogil:
            for line in range(lines):
                row.starts, row.ends = &starts_of[0, line], &ends_of[0, line]
                _forget(&row, count)
                known[line] = _is_plain(first + start[line], first + end[line]) and _read_object(
                    first, first + start[line], first + end[line], table, count, &row
                )
                if not known[line]:
                    _forget(&row, count)
                for number in range(count):
                    if starts_of[number, line] < 0:
                        starts_of[number, line] = ends_of[number, line] = start[line]
    return starts, ends, understood


cdef inline void _forget(Row* row, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t number
    for number in range(count):
        row.starts[number * row.stride] = -1


cdef inline bint _is_plain(Place at, Place stop) noexcept nogil:
    """Tell whether there is neither a backslash nor a control character."""
    cdef uint8_t odd = 0
    while at < stop:
        odd |= (at[0] < 0x20) | (at[0] == c"\\")
        at += 1
    return odd == 0


cdef bint _read_object(Place first, Place at, Place stop, const Key* keys, Py_ssize_t count, Row* row) noexcept nogil:
    """Read an object and note the values of its keys; return whether it was understood."""
    cdef Place name, value
    cdef Py_ssize_t number
    at = _after(at, stop, c"{")
    if at == NULL:
        return False
    row.next = 0
    while True:
        name = _after(at, stop, c'"')
        if name == NULL:
            return False
        at = <Place> memchr(name, c'"', stop - name)
        if at == NULL or not _is_ascii(name, at):
            return False
        number = _number_of(name, at - name, keys, count, row)
        at = _after(at + 1, stop, c":")
        if at == NULL:
            return False
        value = _skip_spaces(at, stop)
        at = _after_value(&value, stop)
        if at == NULL:
            return False
        if number >= 0 and row.starts[number * row.stride] < 0:
            row.starts[number * row.stride] = value - first
            row.ends[number * row.stride] = _end_of_value(value, at) - first
        value = _after(at, stop, c",")
        if value == NULL:
            at = _after(at, stop, c"}")
            return at != NULL and _skip_spaces(at, stop) == stop
        at = value


cdef inline Place _after(Place at, Place stop, uint8_t byte) noexcept nogil:
    """Return where a byte ends that comes next, but for spaces, or NULL."""
    at = _skip_spaces(at, stop)
    return at + 1 if at < stop and at[0] == byte else NULL


cdef inline Place _skip_spaces(Place at, Place stop) noexcept nogil:
    while at < stop and at[0] == c" ":
        at += 1
    return at


cdef inline bint _is_ascii(Place at, Place stop) noexcept nogil:
    """Tell whether a key can be compared by its bytes: no invalid UTF-8 is in it."""
    cdef uint8_t bits = 0
    while at < stop:
        bits |= at[0]
        at += 1
    return bits < 0x80


cdef inline Py_ssize_t _number_of(Place name, Py_ssize_t length, const Key* keys, Py_ssize_t count, Row* row) noexcept nogil:
    """Return which of the keys it is, or -1."""
    cdef Py_ssize_t tried, number = row.next
    for tried in range(count):
        if number >= count:
            number = 0
        if keys[number].length == length and memcmp(keys[number].text, name, length) == 0:
            row.next = number + 1
            return number
        number += 1
    return -1


cdef inline Place _after_value(Place* value, Place stop) noexcept nogil:
    """Return where a value ends, quotes and all, or NULL; of a string, move `value` behind its first quote."""
    cdef Place at = value[0], text
    if at == stop:
        return NULL
    if at[0] == c'"':
        text = at + 1
        value[0] = text
        at = <Place> memchr(text, c'"', stop - text)
        return NULL if at == NULL else at + 1
    if at[0] == c"-" or c"0" <= at[0] <= c"9":
        return _after_number(at, stop)
    if stop - at >= 4 and (memcmp(at, b"true", 4) == 0 or memcmp(at, b"null", 4) == 0):
        return at + 4
    if stop - at >= 5 and memcmp(at, b"false", 5) == 0:
        return at + 5
    return NULL


cdef inline Place _end_of_value(Place value, Place after) noexcept nogil:
    """Return where the text of a value ends: before the quote of a string, after a number, at once for a word."""
    if (after - 1)[0] == c'"':
        return after - 1
    return value if value[0] in (c"t", c"f", c"n") else after


cdef inline Place _after_number(Place at, Place stop) noexcept nogil:
    """Return where a number ends, or NULL where it is none by JSON's grammar."""
    cdef Place digits
    if at[0] == c"-":
        at += 1
    digits = at
    at = _skip_digits(at, stop)
    if at == digits or (digits[0] == c"0" and at - digits > 1):
        return NULL
    if at < stop and at[0] == c".":
        digits = at + 1
        at = _skip_digits(digits, stop)
        if at == digits:
            return NULL
    if at < stop and at[0] in (c"e", c"E"):
        at += 1
        if at < stop and at[0] in (c"+", c"-"):
            at += 1
        digits = at
        at = _skip_digits(at, stop)
        if at == digits:
            return NULL
    return at


cdef inline Place _skip_digits(Place at, Place stop) noexcept nogil:
    while at < stop and c"0" <= at[0] <= c"9":
        at += 1
    return at
