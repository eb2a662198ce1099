"""Parts of lines -> lines. Docker, containerd and CRI-O write a line of more than 16 KB (or 8 KB) in parts.

A part is joined with the part of its stream before it, if that is open. When lines have been open for more than `most`
bytes of the log, without a moment at which none was, all of them are closed. So what follows a place where none is open
does not depend on what comes before it, and the next such place is not far away.
"""

import numpy as np

from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memchr, memcmp

from logagg.columnar.bytes cimport Ptr, first_of, is_escaped

cdef enum:
    ESCAPE = 27
    STREAMS = 3  # numbers of streams: 0 for a line that is not a part

cdef struct Open:
    int64_t messages[STREAMS]  # the number of the message of each stream that goes on; -1: none
    int64_t start  # the offset at which the oldest of them begins; -1: none goes on


def join(const int64_t[::1] start, const int64_t[::1] end, const uint8_t[::1] stream, open_, int64_t most):
    """Return the number of the message that each line belongs to, in the order in which messages begin."""
    cdef Py_ssize_t rows = start.shape[0], row
    cdef const uint8_t[::1] is_open = open_.view(np.uint8)
    messages = np.empty(rows, np.int64)
    cdef int64_t[::1] message = messages
    cdef int64_t count = 0
    cdef Open now
    _close(&now)
    with nogil:
        for row in range(rows):
            message[row] = _message_of(&now, start[row], end[row], stream[row], is_open[row], most, count)
            count += message[row] == count
    return messages


def count_closed(const int64_t[::1] start, const int64_t[::1] end, const uint8_t[::1] stream, open_, int64_t most, Py_ssize_t rows):
    """Return after how many of the first `rows` lines no message is open; later lines may be known in part."""
    cdef Py_ssize_t row, closed = 0
    cdef const uint8_t[::1] is_open = open_.view(np.uint8)
    cdef int64_t count = 0
    cdef Open now
    _close(&now)
    with nogil:
        for row in range(rows):
            count += _message_of(&now, start[row], end[row], stream[row], is_open[row], most, count) == count
            if now.start < 0 or (row + 1 < end.shape[0] and _is_over(&now, end[row + 1], most)):
                closed = row + 1
    return closed


cdef inline int64_t _message_of(
    Open* now, int64_t start, int64_t end, uint8_t stream, bint is_open, int64_t most, int64_t new
) noexcept nogil:
    """Return the number of the message of a line: that of an open one, or `new`."""
    cdef int64_t message
    if _is_over(now, end, most):
        _close(now)
    if stream == 0 or end - start > most:
        return new
    message = now.messages[stream] if now.messages[stream] >= 0 else new
    now.messages[stream] = message if is_open else -1
    if now.messages[1] < 0 and now.messages[2] < 0:
        now.start = -1
    elif now.start < 0:
        now.start = start
    return message


cdef inline bint _is_over(const Open* now, int64_t end, int64_t most) noexcept nogil:
    """Tell whether a line that ends there, or later, closes the messages that are open."""
    return now.start >= 0 and end - now.start > most


cdef inline void _close(Open* now) noexcept nogil:
    now.messages[1] = now.messages[2] = now.start = -1


def of_docker(
    const uint8_t[::1] data,
    const int64_t[::1] start,
    int64_t[::1] end,
    const int64_t[::1] stream_start,
    const int64_t[::1] stream_end,
):
    """Take the newlines off the texts, changing `end`. Return the stream of each (0: it has none, or no text), and a mask of those without a newline."""
    cdef Py_ssize_t rows = start.shape[0], row
    streams, opens = np.zeros(rows, np.uint8), np.zeros(rows, np.bool_)
    cdef uint8_t[::1] stream = streams, open_ = opens.view(np.uint8)
    cdef Ptr first = first_of(data)
    with nogil:
        for row in range(rows):
            if start[row] == end[row]:
                continue
            stream[row] = _number_of(first + stream_start[row], first + stream_end[row])
            if stream[row] == 0:
                continue
            open_[row] = first[end[row] - 1] != c"\n"
            end[row] -= not open_[row]
    return streams, opens


cdef inline uint8_t _number_of(Ptr name, Ptr stop) noexcept nogil:
    if stop - name != 6:
        return 0
    return 1 if memcmp(name, b"stdout", 6) == 0 else 2 if memcmp(name, b"stderr", 6) == 0 else 0


def as_docker_writes(const uint8_t[::1] data, const int64_t[::1] start, const int64_t[::1] end):
    """Tell the streams and the open texts of lines as `of_docker` does, and which lines are not written as Docker writes them.

    To know what they are, these have to be read as JSON, which takes ten times as long.
    """
    cdef Py_ssize_t rows = start.shape[0], row
    streams, opens, others = np.zeros(rows, np.uint8), np.zeros(rows, np.bool_), np.zeros(rows, np.bool_)
    cdef uint8_t[::1] stream = streams, open_ = opens.view(np.uint8), other = others.view(np.uint8)
    cdef Ptr first = first_of(data)
    with nogil:
        for row in range(rows):
            other[row] = not _is_of_docker(first + start[row], first + end[row], &stream[row], &open_[row])
    return streams, opens, others


cdef inline bint _is_of_docker(Ptr at, Ptr stop, uint8_t* stream, uint8_t* is_open) noexcept nogil:
    """{"log":"...","stream":"std...","time":"..."}; a line with unusual bytes is left to the JSON parser."""
    cdef Ptr text = at + 8, quote
    if stop - at < 80 or memcmp(at, b'{"log":"', 8) != 0:
        return False
    quote = <Ptr> memchr(text, c'"', stop - text)
    while quote != NULL and is_escaped(text, quote):
        quote = <Ptr> memchr(quote + 1, c'"', stop - quote - 1)
    if quote == NULL or stop - quote < 50 or quote - text < 2 or (quote[-1] | 0x20) == c"a":  # \u000a
        return False
    if memcmp(quote, b'","stream":"std', 15) != 0 or memcmp(quote + 18, b'","time":"', 10) != 0:
        return False
    at = <Ptr> memchr(quote + 28, c'"', stop - quote - 28)
    if at == NULL or stop - at != 2 or at[1] != c"}" or memchr(quote + 28, c"\\", at - quote - 28) != NULL:
        return False
    stream[0] = _number_of(quote + 12, quote + 18)
    is_open[0] = not (quote[-1] == c"n" and is_escaped(text, quote - 1))
    return True



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


def without_colours(const uint8_t[::1] data, const int64_t[::1] start, const int64_t[::1] end):
    """Copy lines without the sequences that set colours, ESC[...m; return the bytes, and where each line starts and ends."""
    cdef Py_ssize_t rows = start.shape[0], row
    cdef int64_t room = 0, written = 0
    cdef Ptr first = first_of(data), at, stop, after
    for row in range(rows):
        room += end[row] - start[row]
    out, starts, ends = np.empty(max(room, 1), np.uint8), np.empty(rows, np.int64), np.empty(rows, np.int64)
    cdef uint8_t[::1] bytes_ = out
    cdef int64_t[::1] starts_of = starts, ends_of = ends
    with nogil:
        for row in range(rows):
            at, stop = first + start[row], first + end[row]
            starts_of[row] = written
            while at < stop:
                after = _after_colour(at, stop)
                if after > at:
                    at = after
                    continue
                bytes_[written] = at[0]
                written += 1
                at += 1
            ends_of[row] = written
    return out, starts, ends


cdef inline Ptr _after_colour(Ptr at, Ptr stop) noexcept nogil:
    """Return the end of the sequence that begins here; the place itself if none does."""
    cdef Ptr after = at + 2
    if stop - at < 3 or at[0] != ESCAPE or at[1] != c"[":
        return at
    while after < stop and (c"0" <= after[0] <= c"9" or after[0] == c";"):
        after += 1
    return after + 1 if after < stop and after[0] == c"m" else at
