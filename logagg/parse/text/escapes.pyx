"""Undoes the escapes that servers and browsers write for unprintable bytes. An invalid escape stays as it is.

Values are contiguous: value i is `data[offsets[i]:offsets[i + 1]]`. An escape never reaches into the next value, and
decoded bytes are not decoded again.
"""

import numpy as np

from libc.stdint cimport int32_t, uint8_t

from logagg.columnar.bytes cimport NO_DIGIT, Ptr, control, find, first_of, hex_digit

ctypedef Ptr (*Reader)(Ptr at, Ptr stop, uint8_t* byte) noexcept nogil


def has_backslash(const uint8_t[::1] data):
    """Tell whether data may contain a server's escape."""
    cdef Ptr first = first_of(data)
    return find(first, first + data.shape[0], c"\\") < first + data.shape[0]


def unescape(const uint8_t[::1] data, const int32_t[::1] offsets):
    r"""Undo `\xHH`, `\"`, `\\`, `\n` and their like; return data and offsets."""
    return _undo(data, offsets, _backslash)


def unescape_name(const uint8_t[::1] data, const int32_t[::1] offsets):
    r"""Undo `\xHH`, `\"` and `\\` in names of users: in `DOMAIN\fred`, the backslash stands for itself."""
    return _undo(data, offsets, _backslash_in_name)


def decode_percent(const uint8_t[::1] data, const int32_t[::1] offsets):
    """Undo URL encoding: `%HH`, and `+` for a space; return data and offsets."""
    return _undo(data, offsets, _percent)


cdef _undo(const uint8_t[::1] data, const int32_t[::1] offsets, Reader reader):
    cdef Py_ssize_t values = offsets.shape[0] - 1, value
    decoded, bounds = np.empty(data.shape[0], np.uint8), np.zeros(values + 1, np.int32)
    cdef uint8_t[::1] out = decoded
    cdef int32_t[::1] bound = bounds
    cdef int32_t written = 0
    cdef Ptr first = first_of(data), at, stop
    if data.shape[0]:
        with nogil:
            for value in range(values):
                at, stop = first + offsets[value], first + offsets[value + 1]
                while at < stop:
                    at = reader(at, stop, &out[written])
                    written += 1
                bound[value + 1] = written
    return decoded[:written], bounds


cdef Ptr _backslash(Ptr at, Ptr stop, uint8_t* byte) noexcept nogil:
    """Write the byte at `at`, or the one that an escape there stands for; return the position after it."""
    cdef uint8_t meant
    byte[0] = at[0]
    if at[0] != c"\\" or stop - at < 2:
        return at + 1
    meant = _meant(at[1])
    if meant:
        byte[0] = meant
        return at + 2
    if at[1] == c"x" and stop - at >= 4 and _is_hex(at + 2):
        byte[0] = 16 * hex_digit(at[2]) + hex_digit(at[3])
        return at + 4
    return at + 1


cdef Ptr _backslash_in_name(Ptr at, Ptr stop, uint8_t* byte) noexcept nogil:
    if at[0] == c"\\" and stop - at >= 2 and at[1] not in (c"\\", c'"', c"x"):
        byte[0] = at[0]
        return at + 1
    return _backslash(at, stop, byte)


cdef Ptr _percent(Ptr at, Ptr stop, uint8_t* byte) noexcept nogil:
    byte[0] = c" " if at[0] == c"+" else at[0]
    if at[0] != c"%" or stop - at < 3 or not _is_hex(at + 1):
        return at + 1
    byte[0] = 16 * hex_digit(at[1]) + hex_digit(at[2])
    return at + 3


cdef inline uint8_t _meant(uint8_t letter) noexcept nogil:
    """Return what a letter after a backslash stands for; 0 where the backslash stands for itself."""
    if letter == c'"' or letter == c"\\":
        return letter
    return c"\v" if letter == c"v" else control(letter)


cdef inline bint _is_hex(Ptr digits) noexcept nogil:
    return hex_digit(digits[0]) < NO_DIGIT and hex_digit(digits[1]) < NO_DIGIT
