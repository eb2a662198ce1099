"""Lines of columns -> raw fields: values in a fixed order, with one separator between them.

A value may stand in quotes, or in brackets if its column says so; then it may hold separators. Every pointer here lies
within `[line, end of line]`, and every search ends there.
"""

import numpy as np

from libc.stdint cimport int64_t, uint8_t

from logagg.columnar.bytes cimport ROWS_AHEAD, Ptr, after_blanks, find, first_of, is_escaped, prefetch
from logagg.parse.lines.shapes cimport has_shape

cdef enum:
    MOST_COLUMNS = 256
    TAB = 9
    BLANK = 32
    COMMA = 44
    SEMICOLON = 59
    QUOTE = 34
    BRACKET = 91
    BRACKET_END = 93

cdef struct Layout:
    uint8_t separator
    bint doubled  # a quote within quotes is written twice; otherwise a backslash is before it
    bint open_end  # further values may follow the known ones
    Py_ssize_t columns
    Py_ssize_t needed  # values that a line must have
    Py_ssize_t[MOST_COLUMNS] rows  # of the table of fields; -1: an unused column
    bint[MOST_COLUMNS] bracketed
    int[MOST_COLUMNS] shapes


def split_columns(const uint8_t[::1] data, const int64_t[::1] start, const int64_t[::1] end, fmt, shapes):
    """Return the slices of each named field (name -> starts and ends), and a mask of the lines that match the format.

    `shapes` are the names of shapes in the order of their numbers.
    The values of other lines are empty, and so are those of columns that a line does not have.
    """
    if len(fmt.columns) > MOST_COLUMNS:
        raise ValueError(f"a log format has at most {MOST_COLUMNS} columns")
    cdef Py_ssize_t lines = start.shape[0], named = 0, number, row
    cdef Layout layout
    layout.separator, layout.doubled, layout.open_end = ord(fmt.separator), fmt.doubled, fmt.open_end
    layout.columns, layout.needed = len(fmt.columns), fmt.needed
    names = []
    for number, column in enumerate(fmt.columns):
        layout.rows[number], layout.bracketed[number], layout.shapes[number] = -1, column.bracketed, shapes.index(column.shape)
        if column.field:
            layout.rows[number] = named
            names.append(column.field)
            named += 1
    starts, ends, matching = np.empty((named, lines), np.int64), np.empty((named, lines), np.int64), np.empty(lines, np.bool_)
    cdef int64_t[:, ::1] starts_of = starts, ends_of = ends
    cdef uint8_t[::1] fits = matching.view(np.uint8)
    cdef Ptr first
    if lines:
        first = first_of(data)
        with nogil:
            for row in range(lines):
                if row + ROWS_AHEAD < lines:
                    prefetch(first + start[row + ROWS_AHEAD])
                for number in range(named):
                    starts_of[number, row] = ends_of[number, row] = start[row]
                fits[row] = _split(first, first + start[row], first + end[row], &layout, starts_of, ends_of, row)
                if not fits[row]:
                    for number in range(named):
                        starts_of[number, row] = ends_of[number, row] = start[row]
    return {name: (starts[number], ends[number]) for number, name in enumerate(names)}, matching


cdef bint _split(
    Ptr first, Ptr at, Ptr stop, const Layout* layout, int64_t[:, ::1] starts, int64_t[:, ::1] ends, Py_ssize_t row
) noexcept nogil:
    """Find the values of one line; return whether it has the shape of the format."""
    cdef Py_ssize_t number = 0
    cdef uint8_t separator = layout.separator
    cdef Ptr value, after
    if separator == BLANK:
        if find(at, stop, TAB) < stop:  # tabs separate, where there are some, and blanks belong to the values
            separator = TAB
        else:
            at = after_blanks(at, stop)
            while stop > at and (stop - 1)[0] == BLANK:
                stop -= 1
    while number < layout.columns:
        value = at
        at = after = _end_of_value(&value, stop, separator, layout, layout.bracketed[number])
        if after == NULL:
            return False
        if layout.shapes[number] and not has_shape(value, after, layout.shapes[number]):
            return False
        if at < stop and at[0] != separator:  # the quote or bracket that ends the value
            at += 1
        if layout.rows[number] >= 0:
            starts[layout.rows[number], row], ends[layout.rows[number], row] = value - first, after - first
        number += 1
        if at == stop:
            return number >= layout.needed
        at += 1
        if separator == BLANK:
            at = after_blanks(at, stop)
    return layout.columns > 0 and (layout.open_end or at == stop)



cdef inline Ptr _end_of_value(Ptr* value, Ptr stop, uint8_t separator, const Layout* layout, bint bracketed) noexcept nogil:
    """Return where a value ends, and move `value` to its first byte, past a quote or bracket. NULL: a value of CSV goes on in the next line."""
    cdef Ptr end = NULL
    if value[0] < stop and value[0][0] == QUOTE:
        end = _closing(value[0] + 1, stop, QUOTE, separator, layout.doubled)
    elif bracketed and value[0] < stop and value[0][0] == BRACKET:
        end = _closing(value[0] + 1, stop, BRACKET_END, separator, False)
    if end == NULL and layout.doubled and (separator == COMMA or separator == SEMICOLON) and value[0] < stop and value[0][0] == QUOTE:
        return NULL
    if end == NULL:
        return find(value[0], stop, separator)
    value[0] += 1
    return end


cdef inline Ptr _closing(Ptr first, Ptr stop, uint8_t closing, uint8_t separator, bint doubled) noexcept nogil:
    """Return the quote or bracket that a separator or the end of the line follows, or NULL."""
    cdef Ptr at = first
    while True:
        at = find(at, stop, closing)
        if at == stop:
            return NULL
        if doubled and at + 1 < stop and at[1] == closing:
            at += 2
            continue
        if (at + 1 == stop or at[1] == separator) and (doubled or not is_escaped(first, at)):
            return at
        at += 1
