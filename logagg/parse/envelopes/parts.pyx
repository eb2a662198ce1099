"""Parts of lines -> lines. Docker, containerd and CRI-O write a line of more than 16 KB (or 8 KB) in parts.

A part is joined with the part of its stream before it, if that is open, and all lies within `most` bytes of the log. So the
lines that come after some place do not depend on anything that is further back than that.
"""

import numpy as np

from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcmp

from logagg.columnar.bytes cimport Ptr, first_of

cdef enum:
    STREAMS = 3  # numbers of streams: 0 for what is no part

cdef struct Open:
    int64_t message  # the number of the message that goes on; -1: none
    int64_t start  # of its first part


def join(const int64_t[::1] start, const int64_t[::1] end, const uint8_t[::1] stream, open_, int64_t most):
    """Return the number of the message that each line belongs to, in the order in which messages begin."""
    cdef Py_ssize_t rows = start.shape[0], row
    cdef const uint8_t[::1] is_open = open_.view(np.uint8)
    messages = np.empty(rows, np.int64)
    cdef int64_t[::1] message = messages
    cdef int64_t count = 0
    cdef Open[STREAMS] open_messages
    _close_all(open_messages)
    with nogil:
        for row in range(rows):
            message[row] = _message_of(open_messages, start[row], end[row], stream[row], is_open[row], most, count)
            count += message[row] == count
    return messages


def count_closed(const int64_t[::1] start, const int64_t[::1] end, const uint8_t[::1] stream, open_, int64_t most, Py_ssize_t rows):
    """Return after how many of the first `rows` lines no message is open; later lines may be known in part."""
    cdef Py_ssize_t row, closed = 0
    cdef const uint8_t[::1] is_open = open_.view(np.uint8)
    cdef int64_t count = 0, message, ahead
    cdef Open[STREAMS] open_messages
    _close_all(open_messages)
    with nogil:
        for row in range(rows):
            message = _message_of(open_messages, start[row], end[row], stream[row], is_open[row], most, count)
            count += message == count
            ahead = end[row + 1] if row + 1 < end.shape[0] else end[row]
            if _is_closed(&open_messages[1], ahead, most) and _is_closed(&open_messages[2], ahead, most):
                closed = row + 1
    return closed


cdef inline int64_t _message_of(
    Open* open_messages, int64_t start, int64_t end, uint8_t stream, bint is_open, int64_t most, int64_t new
) noexcept nogil:
    """Return the number of the message of a line: that of an open one, or `new`."""
    cdef Open* before = &open_messages[stream]
    if stream == 0 or end - start > most:
        return new
    if before.message < 0 or end - before.start > most:
        before.message, before.start = new, start
    new = before.message
    if not is_open:
        before.message = -1
    return new


cdef inline bint _is_closed(const Open* one, int64_t ahead, int64_t most) noexcept nogil:
    """Tell whether no line that ends at `ahead` or later goes on with it."""
    return one.message < 0 or ahead - one.start > most


cdef inline void _close_all(Open* open_messages) noexcept nogil:
    cdef int stream
    for stream in range(STREAMS):
        open_messages[stream].message = -1


def of_docker(
    const uint8_t[::1] data,
    const int64_t[::1] start,
    int64_t[::1] end,
    const int64_t[::1] stream_start,
    const int64_t[::1] stream_end,
):
    """Take the newlines off the texts, changing `end`. Return the stream of each (0: it has no text), and a mask of those without a newline."""
    cdef Py_ssize_t rows = start.shape[0], row
    streams, opens = np.zeros(rows, np.uint8), np.zeros(rows, np.bool_)
    cdef uint8_t[::1] stream = streams, open_ = opens.view(np.uint8)
    cdef Ptr first = first_of(data)
    with nogil:
        for row in range(rows):
            if start[row] == end[row]:
                continue
            stream[row] = 2 if stream_end[row] - stream_start[row] == 6 and memcmp(first + stream_start[row], b"stderr", 6) == 0 else 1
            open_[row] = first[end[row] - 1] != c"\n"
            end[row] -= not open_[row]
    return streams, opens


def trim(const uint8_t[::1] data, const int64_t[::1] start, int64_t[::1] end):
    """Take line ends off texts, changing `end`."""
    cdef Py_ssize_t row
    cdef Ptr first = first_of(data)
    with nogil:
        for row in range(start.shape[0]):
            while end[row] > start[row] and first[end[row] - 1] in (c"\n", c"\r"):
                end[row] -= 1


def read_numbers(const uint8_t[::1] data, int64_t[::1] start, int64_t[::1] end):
    """Read the texts that are nothing but numbers of bytes, `71, 69, 84`: return the bytes, which are to follow the data.

    `start` and `end` become their places.
    """
    cdef Py_ssize_t row
    cdef int64_t written = 0, length, room = 0
    cdef Ptr first = first_of(data)
    for row in range(start.shape[0]):
        if _is_number(first + start[row], first + end[row]):
            room += end[row] - start[row]
    out = np.empty(room, np.uint8)
    cdef uint8_t[::1] bytes_ = out
    for row in range(start.shape[0]):
        if _is_number(first + start[row], first + end[row]):
            length = _read_numbers(first + start[row], first + end[row], &bytes_[written])
            if length:
                start[row], end[row] = data.shape[0] + written, data.shape[0] + written + length
                written += length
    return out[:written]


cdef inline bint _is_number(Ptr at, Ptr stop) noexcept nogil:
    """Tell whether the text begins with a number and a comma."""
    cdef Ptr start = at
    while at < stop and c"0" <= at[0] <= c"9" and at - start < 3:
        at += 1
    return at > start and at < stop and at[0] == c","


cdef int64_t _read_numbers(Ptr at, Ptr stop, uint8_t* out) noexcept nogil:
    """Write the bytes; return how many, 0 where something else is in the text."""
    cdef int64_t length = 0
    cdef int value, digits
    while True:
        value, digits = 0, 0
        while at < stop and c"0" <= at[0] <= c"9" and digits < 4:
            value = 10 * value + (at[0] - c"0")
            digits += 1
            at += 1
        if digits == 0 or digits > 3 or value > 255:
            return 0
        out[length] = <uint8_t> value
        length += 1
        if at == stop:
            return length
        if stop - at < 2 or at[0] != c"," or at[1] != c" ":
            return 0
        at += 2
