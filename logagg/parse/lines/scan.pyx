"""Bytes of a chunk -> lines, and the fields of every line.

A text format is a sequence of literals with values between them (`formats.format.Step`): a cursor moves from literal to
literal through a line. There are no regular expressions, copies of values, or Python objects. Every pointer here lies
within `[line, end of line]` of a line that `find_lines` found, and every search ends there.
"""

import numpy as np

from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcmp

from logagg.columnar.bytes cimport CACHE_LINE, ROWS_AHEAD, Ptr, after_blanks, find, first_of, is_escaped, prefetch
from logagg.parse.lines.shapes cimport has_shape, is_between

# In the order of the numbers in `shapes.pxd`.
SHAPES = (
    "", "client", "client_or_dash", "address", "ident", "host", "digits", "dash", "addresses", "sockets", "decimals", "cache", "other",
    "bare", "site", "country", "peer", "user", "word", "tag", "hostname",
)

cdef enum:
    NUL = 0
    TAB = 9
    NEWLINE = 10
    RETURN = 13
    BLANK = 32
    MOST_STEPS = 256
    USUAL = 64  # bytes of a line
    AHEAD = 4096  # bytes: the distance of prefetching
    TOGETHER = 4  # cache lines that are prefetched at each line of the log



# lines


def find_lines(const uint8_t[::1] data):
    """Return where the lines of a chunk start and end, without line ends and leading NULs; empty and blank lines are skipped."""
    cdef Py_ssize_t capacity = data.shape[0] // USUAL + 16, found = 0
    starts, ends = np.empty(capacity, np.int64), np.empty(capacity, np.int64)
    cdef int64_t[::1] start = starts, end = ends
    cdef Ptr first, at, line, newline, stop
    if data.shape[0]:
        first = at = first_of(data)
        stop = first + data.shape[0]
        while at < stop:
            with nogil:
                while at < stop and found < capacity:
                    _ask_for(at + AHEAD)
                    newline = find(at, stop, NEWLINE)
                    line, at = at, newline + 1
                    while newline > line and (newline - 1)[0] == RETURN:
                        newline -= 1
                    while line < newline and line[0] == NUL:
                        line += 1
                    if line < newline and not _is_blank(line, newline):
                        start[found], end[found] = line - first, newline - first
                        found += 1
            if found == capacity:  # lines are shorter than usual
                capacity *= 4
                start = starts = np.append(starts, np.empty(capacity - found, np.int64))
                end = ends = np.append(ends, np.empty(capacity - found, np.int64))
    return starts[:found], ends[:found]


cdef inline bint _is_blank(Ptr line, Ptr stop) noexcept nogil:
    """Tell whether a line has only blanks, tabs and returns."""
    while line < stop and line[0] in (BLANK, TAB, RETURN):
        line += 1
    return line == stop


cdef inline void _ask_for(Ptr at) noexcept nogil:
    """Prefetch the bytes of a line of the log."""
    cdef int line
    for line in range(TOGETHER):
        prefetch(at + line * CACHE_LINE)


def last_line(const uint8_t[::1] data, bytes beginning):
    """Return where the last line with a beginning starts and ends, without line end; None if there is no such line."""
    cdef Ptr first = first_of(data)
    cdef Ptr at = first, stop = first + data.shape[0], found = NULL, end
    cdef Literal wanted = Literal(<Ptr> <char*> beginning, len(beginning), False, False, False, False, 0, -1)
    with nogil:
        while wanted.length:
            at = find(at, stop, wanted.text[0])
            if at == stop:
                break
            if _holds(at, stop, &wanted) and _begins_line(first, at):
                found = at
            at += 1
    if found == NULL:
        return None
    end = find(found, stop, NEWLINE)
    while end > found and (end - 1)[0] == RETURN:
        end -= 1
    return found - first, end - first


def begin_with(const uint8_t[::1] data, const int64_t[::1] start, const int64_t[::1] end, bytes beginning):
    """Return a mask of the lines that begin with some bytes."""
    cdef Py_ssize_t lines = start.shape[0], row, length = len(beginning)
    masks = np.empty(lines, np.bool_)
    cdef uint8_t[::1] mask = masks.view(np.uint8)
    cdef Ptr first = first_of(data), wanted = <Ptr> <char*> beginning
    with nogil:
        for row in range(lines):
            mask[row] = end[row] - start[row] >= length and memcmp(first + start[row], wanted, length) == 0
    return masks


def have_no_digits(const uint8_t[::1] data, const int64_t[::1] start, const int64_t[::1] end):
    """Return a mask of the lines without a digit. Nearly all have one within their first bytes."""
    cdef Py_ssize_t lines = start.shape[0], row
    masks = np.empty(lines, np.bool_)
    cdef uint8_t[::1] mask = masks.view(np.uint8)
    cdef Ptr first = first_of(data), at, stop
    with nogil:
        for row in range(lines):
            at, stop = first + start[row], first + end[row]
            while at < stop and not c"0" <= at[0] <= c"9":
                at += 1
            mask[row] = at == stop
    return masks


cdef inline bint _begins_line(Ptr first, Ptr at) noexcept nogil:
    """Tell whether a line begins at `at`, perhaps after leading NULs."""
    while at > first and at[-1] == NUL:
        at -= 1
    return at == first or at[-1] == NEWLINE


# fields


cdef struct Literal:
    Ptr text
    Py_ssize_t length
    bint quoted  # the value before it is quoted: a backslash escapes the next byte
    bint listed  # that value may be a list, whose blanks do not end it
    bint last  # it ends the line
    bint spaces  # further blanks may follow
    int shape  # that the value has
    Py_ssize_t row  # of the table of fields; -1: an unused value


def split_fields(const uint8_t[::1] data, const int64_t[::1] start, const int64_t[::1] end, fmt):
    """Return the slices of each named field (name -> starts and ends), and a mask of the lines that match the format.

    The values of other lines are empty.
    """
    if len(fmt.steps) > MOST_STEPS:
        raise ValueError(f"a log format has at most {MOST_STEPS} values")
    cdef Py_ssize_t lines = start.shape[0], steps = len(fmt.steps), named = 0, number, row
    cdef Literal literals[MOST_STEPS]
    cdef bint open_end = fmt.open_end
    cdef bytes prefix = fmt.prefix
    cdef Literal head = Literal(<Ptr> <char*> prefix, len(prefix), False, False, False, False, 0, -1)
    names = []
    for number, step in enumerate(fmt.steps):  # the format keeps the bytes of its literals
        literals[number] = Literal(
            <Ptr> <char*> <bytes> step.until, len(step.until), step.quoted, step.listed, number == steps - 1 and not fmt.open_end,
            step.spaces, SHAPES.index(step.shape), -1
        )
        if step.field:
            literals[number].row = named
            names.append(step.field)
            named += 1
    starts, ends, shapes = np.empty((named, lines), np.int64), np.empty((named, lines), np.int64), np.empty(lines, np.bool_)
    cdef int64_t[:, ::1] starts_of = starts, ends_of = ends
    cdef uint8_t[::1] fits = shapes.view(np.uint8)
    cdef Ptr first
    if lines:
        first = first_of(data)
        with nogil:
            for row in range(lines):
                if row + ROWS_AHEAD < lines:
                    _ask_for(first + start[row + ROWS_AHEAD])
                fits[row] = _split(first, first + start[row], first + end[row], &head, literals, steps, open_end, starts_of, ends_of, row)
                if not fits[row]:
                    for number in range(named):
                        starts_of[number, row] = ends_of[number, row] = start[row]
    return {name: (starts[number], ends[number]) for number, name in enumerate(names)}, shapes


cdef bint _split(
    Ptr first, Ptr at, Ptr stop, const Literal* head, const Literal* literals, Py_ssize_t steps, bint open_end,
    int64_t[:, ::1] starts, int64_t[:, ::1] ends, Py_ssize_t row,
) noexcept nogil:
    """Find the values of one line; return whether it has the shape of the format."""
    cdef Py_ssize_t number
    cdef Ptr found
    if not _holds(at, stop, head):
        return False
    at += head.length
    for number in range(steps):
        found = _end_of_value(at, stop, &literals[number])
        if found == NULL or (literals[number].shape and not has_shape(at, found, literals[number].shape)):
            return False
        if literals[number].row >= 0:
            starts[literals[number].row, row] = at - first
            ends[literals[number].row, row] = found - first
        at = found + literals[number].length
        if literals[number].spaces:
            at = after_blanks(at, stop)
    return open_end or after_blanks(at, stop) == stop



cdef inline Ptr _end_of_value(Ptr at, Ptr stop, const Literal* literal) noexcept nogil:
    """Return the position of the literal that ends the value at `at`, or NULL."""
    cdef Ptr from_ = at
    if literal.length == 0:
        while stop > at and stop[-1] == BLANK:
            stop -= 1
        return stop
    if literal.last and literal.quoted and literal.length == 1:
        return _end_of_last(at, stop, literal)
    while True:
        at = find(at, stop, literal.text[0])
        if at == stop:
            return NULL
        if (
            _holds(at, stop, literal)
            and not (literal.quoted and is_escaped(from_, at))
            and not (literal.listed and is_between(from_, at, stop))
        ):
            return at
        at += 1


cdef Ptr _end_of_last(Ptr at, Ptr stop, const Literal* literal) noexcept nogil:
    """Return the quote that ends the last value of a line, or NULL; others may be a part of it that the server has not escaped.

    A quote ends the value at the end of the line, and where further values follow: a blank, and quotes in pairs.
    """
    cdef Ptr from_ = at
    cdef Py_ssize_t after = -1  # quotes after this one
    while True:
        at = find(at, stop, c'"')
        if at == stop:
            return NULL
        if not is_escaped(from_, at):
            if at + 1 == stop and literal.length == 1:
                return at
            after = _count_quotes(from_, at + 1, stop) if after < 0 else after - 1
            if _holds(at, stop, literal) and at[1] == BLANK and after % 2 == 0:
                return at
        at += 1


cdef Py_ssize_t _count_quotes(Ptr first, Ptr at, Ptr stop) noexcept nogil:
    """Return how many quotes follow that are not escaped."""
    cdef Py_ssize_t count = 0
    while True:
        at = find(at, stop, c'"')
        if at == stop:
            return count
        count += not is_escaped(first, at)
        at += 1


cdef inline bint _holds(Ptr at, Ptr stop, const Literal* literal) noexcept nogil:
    cdef Py_ssize_t number
    if stop - at < literal.length:
        return False
    for number in range(literal.length):  # usually one or two
        if at[number] != literal.text[number]:
            return False
    return True
