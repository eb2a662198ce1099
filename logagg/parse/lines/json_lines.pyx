"""Lines of JSON -> raw fields (RFC 8259, read as strictly as Python's `json` does, and no deeper than `DEEPEST`).

Values are slices of the line; only a string that contains escapes is copied. Every pointer here lies within
`[line, end of line]`, and every loop ends there.
"""

import os

import numpy as np

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp

from logagg.columnar.bytes cimport NO_DIGIT, Ptr, control, first_of, hex_digit

DEEPEST = 64  # nesting depth of objects and arrays, including the line's own object

cdef enum:
    MOST_KEYS = 256
    LONGEST_KEY = 256  # bytes, escapes undone; longer keys are ignored
    INNER = 63  # nesting levels within a value; one bit each: object or array

cdef struct Key:
    Ptr text
    Py_ssize_t length

cdef struct Line:
    Ptr at
    Ptr stop
    bint plain  # neither a backslash nor a control character is in it


def split_objects(const uint8_t[::1] data, const int64_t[::1] start, const int64_t[::1] end, keys, bint arrays=False):
    """Return data, the slices in it of the values of each key (starts and ends, a row for each key), and a mask of the objects.

    A value is the text of a string, or a number as written; other values, and missing ones, are empty, and so are all
    values of a line that is not an object. The first of duplicate keys counts. The data returned are the data given,
    perhaps followed by unescaped strings. With `arrays`, the value of an array is its text, from bracket to bracket.
    """
    cdef Py_ssize_t lines = start.shape[0], count = len(keys), row, number
    cdef int64_t written = 0
    cdef Key[MOST_KEYS] table
    held = [os.fsencode(key) for key in keys]  # keeps the bytes alive that the table points to
    if count > MOST_KEYS or any(len(key) > LONGEST_KEY for key in held):
        raise ValueError(f"a log format has at most {MOST_KEYS} keys of at most {LONGEST_KEY} bytes")
    for number, key in enumerate(held):
        table[number] = Key(<Ptr> <char*> <bytes> key, len(key))
    starts, ends, objects = np.empty((count, lines), np.int64), np.empty((count, lines), np.int64), np.empty(lines, np.bool_)
    undone = np.empty(data.shape[0], np.uint8)  # unescaped values, which are shorter
    cdef int64_t[:, ::1] starts_of = starts, ends_of = ends
    cdef uint8_t[::1] fits = objects.view(np.uint8), spare = undone
    cdef Ptr first
    cdef Line line
    if lines and count:
        first = first_of(data)
        with nogil:
            for row in range(lines):
                line = Line(first + start[row], first + end[row], False)
                line.plain = _is_plain(line.at, line.stop)
                fits[row] = _read(&line, first, table, count, arrays, starts_of, ends_of, row)
                for number in range(count):
                    if not fits[row] or starts_of[number, row] < 0:
                        starts_of[number, row] = ends_of[number, row] = start[row]
                    elif not line.plain and not _undo(first, data.shape[0], &starts_of[number, row], &ends_of[number, row], &spare[0], &written):
                        fits[row] = False
    return (np.concatenate([data, undone[:written]]) if written else np.asarray(data)), starts, ends, objects


cdef bint _read(
    Line* line, Ptr first, const Key* keys, Py_ssize_t count, bint arrays, int64_t[:, ::1] starts, int64_t[:, ::1] ends, Py_ssize_t row
) noexcept nogil:
    """Read an object and record where the values of its keys are, -1 for missing ones; return whether it is valid."""
    cdef Ptr name, value
    cdef Py_ssize_t number, expected = 0
    for number in range(count):
        starts[number, row] = -1
    if not _take(line, c"{"):
        return False
    if _take(line, c"}"):
        return _is_over(line)
    while True:
        _skip_spaces(line)
        name = line.at
        if not _skip_string(line):
            return False
        number = _number_of(name + 1, line.at - 1, line.plain, keys, count, expected)
        if not _take(line, c":"):
            return False
        _skip_spaces(line)
        value = line.at
        if not _skip_value(line):
            return False
        if number >= 0:
            expected = number + 1
            if starts[number, row] < 0:
                starts[number, row], ends[number, row] = value - first, line.at - first
                _strip(value, arrays, &starts[number, row], &ends[number, row])
        if not _take(line, c","):
            return _take(line, c"}") and _is_over(line)


cdef inline void _strip(Ptr value, bint arrays, int64_t* start, int64_t* end) noexcept nogil:
    """Reduce a value to the text between its quotes, or a number, or an array; anything else becomes empty."""
    if value[0] == c'"':
        start[0] += 1
        end[0] -= 1
    elif value[0] != c"-" and not c"0" <= value[0] <= c"9" and not (arrays and value[0] == c"["):
        end[0] = start[0]


cdef inline Py_ssize_t _number_of(Ptr name, Ptr stop, bint plain, const Key* keys, Py_ssize_t count, Py_ssize_t expected) noexcept nogil:
    """Return which of the keys it is, or -1; the expected one is tried first."""
    cdef uint8_t[LONGEST_KEY] undone
    cdef Py_ssize_t tried, number = expected, length = stop - name
    if not plain and memchr(name, c"\\", length) != NULL:
        if length > 6 * LONGEST_KEY:
            return -1
        length = _unescape(name, stop, undone, LONGEST_KEY)
        name = undone
    for tried in range(count):
        if number >= count:
            number = 0
        if keys[number].length == length and memcmp(keys[number].text, name, length) == 0:
            return number
        number += 1
    return -1


# over a line


cdef inline bint _is_plain(Ptr at, Ptr stop) noexcept nogil:
    cdef uint8_t odd = 0
    while at < stop:
        odd |= (at[0] < 0x20) | (at[0] == c"\\")
        at += 1
    return odd == 0


cdef inline void _skip_spaces(Line* line) noexcept nogil:
    while line.at < line.stop and line.at[0] in (c" ", c"\t", c"\r", c"\n"):
        line.at += 1


cdef inline bint _take(Line* line, uint8_t byte) noexcept nogil:
    """Skip spaces and the given byte, if it comes next."""
    _skip_spaces(line)
    if line.at == line.stop or line.at[0] != byte:
        return False
    line.at += 1
    return True


cdef inline bint _is_over(Line* line) noexcept nogil:
    _skip_spaces(line)
    return line.at == line.stop


cdef bint _skip_value(Line* line) noexcept nogil:
    """Skip a value with everything in it; return whether it is valid."""
    cdef uint64_t objects = 0  # one bit for each open level, the innermost lowest: 1 for an object
    cdef int depth = 0
    while True:
        _skip_spaces(line)
        if line.at == line.stop:
            return False
        if line.at[0] == c"{" or line.at[0] == c"[":
            if depth == INNER:
                return False
            depth += 1
            objects = (objects << 1) | (line.at[0] == c"{")
            line.at += 1
            if not _take(line, c"}" if objects & 1 else c"]"):
                if objects & 1 and not _skip_name(line):
                    return False
                continue
            depth -= 1
            objects >>= 1
        elif not _skip_scalar(line):
            return False
        while depth and _take(line, c"}" if objects & 1 else c"]"):
            depth -= 1
            objects >>= 1
        if depth == 0:
            return True
        if not _take(line, c",") or (objects & 1 and not _skip_name(line)):
            return False


cdef inline bint _skip_name(Line* line) noexcept nogil:
    """Skip a key and its colon."""
    _skip_spaces(line)
    return _skip_string(line) and _take(line, c":")


cdef inline bint _skip_scalar(Line* line) noexcept nogil:
    if line.at[0] == c'"':
        return _skip_string(line)
    if line.at[0] == c"-" or c"0" <= line.at[0] <= c"9":
        return _skip_number(line)
    return _skip_word(line, b"true", 4) or _skip_word(line, b"null", 4) or _skip_word(line, b"false", 5)


cdef inline bint _skip_word(Line* line, const char* word, Py_ssize_t length) noexcept nogil:
    if line.stop - line.at < length or memcmp(line.at, word, length) != 0:
        return False
    line.at += length
    return True


cdef inline bint _skip_number(Line* line) noexcept nogil:
    cdef Ptr digits
    if line.at[0] == c"-":
        line.at += 1
    digits = line.at
    if not _skip_digits(line) or (digits[0] == c"0" and line.at - digits > 1):
        return False
    if line.at < line.stop and line.at[0] == c".":
        line.at += 1
        if not _skip_digits(line):
            return False
    if line.at < line.stop and line.at[0] in (c"e", c"E"):
        line.at += 1
        if line.at < line.stop and line.at[0] in (c"+", c"-"):
            line.at += 1
        return _skip_digits(line)
    return True


cdef inline bint _skip_digits(Line* line) noexcept nogil:
    cdef Ptr digits = line.at
    while line.at < line.stop and c"0" <= line.at[0] <= c"9":
        line.at += 1
    return line.at > digits


cdef inline bint _skip_string(Line* line) noexcept nogil:
    """Skip a string, from quote to quote; return whether it is valid."""
    cdef Ptr found
    if line.at == line.stop or line.at[0] != c'"':
        return False
    line.at += 1
    if line.plain:
        found = <Ptr> memchr(line.at, c'"', line.stop - line.at)
        if found == NULL:
            return False
        line.at = found + 1
        return True
    while line.at < line.stop and line.at[0] >= 0x20:
        if line.at[0] == c'"':
            line.at += 1
            return True
        if line.at[0] == c"\\":
            if line.stop - line.at < 2 or not _is_escape(line.at + 1, line.stop):
                return False
            line.at += 1
        line.at += 1
    return False


cdef inline bint _is_escape(Ptr letter, Ptr stop) noexcept nogil:
    """Tell whether the bytes after a backslash complete an escape."""
    if letter[0] == c"u":
        return stop - letter > 4 and _hex(letter + 1) < 0x10000
    return letter[0] in (c'"', c"\\", c"/", c"b", c"f", c"n", c"r", c"t")


# escapes undone


cdef inline bint _undo(Ptr first, Py_ssize_t size, int64_t* start, int64_t* end, uint8_t* spare, int64_t* written) noexcept nogil:
    """Unescape a value into the spare bytes, which follow the `size` bytes of the data; return whether it is valid text."""
    cdef Py_ssize_t length
    if memchr(first + start[0], c"\\", end[0] - start[0]) == NULL:
        return True
    length = _unescape(first + start[0], first + end[0], spare + written[0], end[0] - start[0])
    start[0] = end[0] = size + written[0]
    if length < 0:
        return False
    end[0] += length
    written[0] += length
    return True


cdef Py_ssize_t _unescape(Ptr at, Ptr stop, uint8_t* out, Py_ssize_t capacity) noexcept nogil:
    """Undo the escapes of a valid string; return the number of bytes, or -1 for half a surrogate pair or want of space."""
    cdef Py_ssize_t length = 0
    cdef uint32_t code
    while at < stop:
        if capacity - length < 4 and capacity - length < stop - at:
            return -1
        if at[0] != c"\\":
            out[length] = at[0]
            length += 1
            at += 1
        elif at[1] != c"u":
            out[length] = control(at[1]) or at[1]  # otherwise the quote, backslash or slash itself
            length += 1
            at += 2
        else:
            code = _hex(at + 2)
            at += 6
            if 0xD800 <= code < 0xDC00 and stop - at >= 6 and at[0] == c"\\" and at[1] == c"u" and 0xDC00 <= _hex(at + 2) < 0xE000:
                code = 0x10000 + ((code - 0xD800) << 10) + (_hex(at + 2) - 0xDC00)
                at += 6
            if 0xD800 <= code < 0xE000:
                return -1
            length += _put(code, out + length)
    return length


cdef inline uint32_t _hex(Ptr digits) noexcept nogil:
    """Return the value of four hexadecimal digits; 0x10000 or more if they are not digits."""
    cdef uint32_t value = 0
    cdef uint8_t digit
    cdef int place
    for place in range(4):
        digit = hex_digit(digits[place])
        if digit == NO_DIGIT:
            return 0x10000
        value = 16 * value + digit
    return value


cdef inline int _put(uint32_t code, uint8_t* out) noexcept nogil:
    """Write a character as UTF-8; return how many bytes it has."""
    if code < 0x80:
        out[0] = <uint8_t> code
        return 1
    if code < 0x800:
        out[0], out[1] = <uint8_t> (0xC0 | code >> 6), <uint8_t> (0x80 | (code & 0x3F))
        return 2
    if code < 0x10000:
        out[0], out[1], out[2] = <uint8_t> (0xE0 | code >> 12), <uint8_t> (0x80 | (code >> 6 & 0x3F)), <uint8_t> (0x80 | (code & 0x3F))
        return 3
    out[0], out[1] = <uint8_t> (0xF0 | code >> 18), <uint8_t> (0x80 | (code >> 12 & 0x3F))
    out[2], out[3] = <uint8_t> (0x80 | (code >> 6 & 0x3F)), <uint8_t> (0x80 | (code & 0x3F))
    return 4
