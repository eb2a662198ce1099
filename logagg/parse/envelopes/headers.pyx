"""Headers before lines of logs -> where the lines begin.

The grammars are those of `reference`, which has them as regular expressions. Every pointer here lies within
`[line, end of line]`, and each step takes as much as it can: nothing is tried again.
"""

import numpy as np

from libc.stdint cimport int64_t, uint8_t

from logagg.columnar.bytes cimport Ptr, first_of
from logagg.parse.envelopes.header cimport (
    Line,
    is_alnum,
    is_object,
    take,
    take_blanks,
    take_clock,
    take_date,
    take_digits,
    take_epoch,
    take_iso,
    take_number,
    take_text,
    take_time,
    take_until,
    take_word,
    take_zone,
)

cdef enum:
    CRI, KUBECTL, COMPOSE, FLUENTD, SYSLOG, TIMESTAMP, UNTAGGED, STERN, INDENTED

KINDS = {
    "cri": CRI, "kubectl": KUBECTL, "compose": COMPOSE, "fluentd": FLUENTD, "syslog": SYSLOG, "timestamp": TIMESTAMP,
    "untagged": UNTAGGED, "stern": STERN, "indented": INDENTED,
}


def strip(const uint8_t[::1] data, const int64_t[::1] start, const int64_t[::1] end, kind):
    """Take the header of a kind off each line.

    Return starts, ends, a mask of the lines that have it, the stream of each line (0: none), and a mask of the lines that
    go on in the next one of their stream. Other lines stay as they are.
    """
    cdef Py_ssize_t lines = start.shape[0], row
    cdef int number = KINDS[kind]
    starts, ends = np.empty(lines, np.int64), np.empty(lines, np.int64)
    found, streams, opens = np.empty(lines, np.bool_), np.zeros(lines, np.uint8), np.zeros(lines, np.bool_)
    cdef int64_t[::1] starts_of = starts, ends_of = ends
    cdef uint8_t[::1] has = found.view(np.uint8), stream = streams, open_ = opens.view(np.uint8)
    cdef Ptr first
    cdef Line line
    if lines:
        first = first_of(data)
        with nogil:
            for row in range(lines):
                line = Line(first + start[row], first + end[row], 1, False)
                has[row] = _take_header(&line, number)
                if has[row]:
                    starts_of[row], ends_of[row] = line.at - first, line.stop - first
                    stream[row], open_[row] = line.stream, line.open
                else:
                    starts_of[row], ends_of[row] = start[row], end[row]
    return starts, ends, found, streams, opens


def times(const uint8_t[::1] data, const int64_t[::1] start, const int64_t[::1] end):
    """Return where the times are that lines begin with, with year and offset, perhaps behind a priority; empty for others."""
    cdef Py_ssize_t lines = start.shape[0], row
    starts, ends = np.empty(lines, np.int64), np.empty(lines, np.int64)
    cdef int64_t[::1] starts_of = starts, ends_of = ends
    cdef Ptr first, begin
    cdef Line line
    if lines:
        first = first_of(data)
        with nogil:
            for row in range(lines):
                line = Line(first + start[row], first + end[row], 1, False)
                _take_priority(&line)
                take_text(&line, b"1 ", 2)
                begin = line.at
                if not (take_iso(&line) and line.at < line.stop and line.at[0] in (c" ", c"\t")):
                    begin = line.at = first + start[row]
                    if not _take_moment(&line):
                        line.at = begin
                starts_of[row], ends_of[row] = begin - first, line.at - first
    return starts, ends


cdef inline bint _take_moment(Line* line) noexcept nogil:
    """DATE CLOCK ZONE, with a blank behind it."""
    return (
        take_date(line) and take(line, c" ") and take_clock(line) and take(line, c" ") and take_zone(line)
        and line.at < line.stop and line.at[0] == c" "
    )


cdef inline bint _take_header(Line* line, int kind) noexcept nogil:
    if kind == CRI:
        return _take_cri(line)
    if kind == SYSLOG:
        return _take_syslog(line)
    if kind == COMPOSE:
        return _take_compose(line)
    if kind == KUBECTL:
        return _take_kubectl(line)
    if kind == FLUENTD:
        return _take_fluentd(line)
    if kind == TIMESTAMP:
        return take_iso(line) and take_blanks(line)
    if kind == UNTAGGED:
        return _take_untagged(line)
    if kind == STERN:
        return _take_stern(line)
    return take_blanks(line)


# kinds


cdef inline bint _take_cri(Line* line) noexcept nogil:
    """TIME stdout|stderr P|F[:...] LINE"""
    if not (take_iso(line) and take(line, c" ") and take_text(line, b"std", 3)):
        return False
    if take_text(line, b"err ", 4):
        line.stream = 2
    elif not take_text(line, b"out ", 4):
        return False
    if line.at == line.stop or (line.at[0] != c"P" and line.at[0] != c"F"):
        return False
    line.open = line.at[0] == c"P"
    line.at += 1
    if line.at < line.stop and line.at[0] == c":":
        take_word(line)
    return line.at == line.stop or take(line, c" ")


cdef inline bint _take_kubectl(Line* line) noexcept nogil:
    """[pod/NAME/CONTAINER] LINE"""
    if not take_text(line, b"[pod/", 5):
        return False
    while line.at < line.stop and line.at[0] != c" " and line.at[0] != c"]":
        line.at += 1
    return take(line, c"]") and take_blanks(line)


cdef inline bint _take_compose(Line* line) noexcept nogil:
    """NAME | LINE"""
    if line.at == line.stop or not is_alnum(line.at[0]):
        return False
    while line.at < line.stop and line.at[0] != c" " and line.at[0] != c"|":
        line.at += 1
    return take_blanks(line) and take(line, c"|") and (line.at == line.stop or take_blanks(line))


cdef inline bint _take_fluentd(Line* line) noexcept nogil:
    """TIME TAB TAG TAB {...}, or DATE CLOCK ZONE TAG: {...}, or TAG: [SECONDS, {...}]"""
    cdef Ptr start = line.at
    if take_digits(line, 1) and take_until(line, c"\t") and take_until(line, c"\t") and is_object(line):
        return True
    line.at = start
    if take_date(line) and take(line, c" ") and take_clock(line) and take(line, c" ") and take_zone(line) and take(line, c" "):
        return take_word(line) and line.at[-1] == c":" and take(line, c" ") and is_object(line)
    line.at = start
    return take_word(line) and line.at[-1] == c":" and take_text(line, b" [", 2) and take_epoch(line, 1, 18) and take_text(line, b", ", 2) and is_object(line) and _drop_bracket(line)


cdef inline bint _drop_bracket(Line* line) noexcept nogil:
    if (line.stop - 1)[0] != c"]":
        return False
    line.stop -= 1
    return True


cdef inline bint _take_stern(Line* line) noexcept nogil:
    """[NAMESPACE] POD CONTAINER LINE"""
    cdef Ptr start
    cdef int words = 0
    while words < 3:
        start = line.at
        if not (_take_label(line) and take_blanks(line)):
            line.at = start
            break
        words += 1
    return words >= 2


cdef inline bint _take_label(Line* line) noexcept nogil:
    """A word of small letters, digits and hyphens, up to a blank."""
    cdef Ptr start = line.at
    while line.at < line.stop and (c"a" <= line.at[0] <= c"z" or c"0" <= line.at[0] <= c"9" or (line.at[0] == c"-" and line.at > start)):
        line.at += 1
    return line.at > start and line.at < line.stop and line.at[0] == c" "


# syslog


cdef inline bint _take_syslog(Line* line) noexcept nogil:
    """[<PRIORITY>] TIME [HOST] TAG: LINE, or RFC 5424's fields."""
    cdef bint is_iso
    cdef Ptr start
    _take_priority(line)
    if take_text(line, b"1 ", 2):
        return (take_text(line, b"-", 1) or take_iso(line)) and _take_5424(line, True)
    start = line.at
    is_iso = take_iso(line)
    if not is_iso:
        line.at = start
        if not take_time(line):
            return False
    start = line.at
    if _take_tag(line):
        return True
    line.at = start
    if take_blanks(line) and take_word(line) and _take_tag(line):
        return True
    line.at = start
    return is_iso and _take_5424(line, False)


cdef inline bint _take_untagged(Line* line) noexcept nogil:
    """[<PRIORITY>] TIME HOST LINE; a time alone, as others write it, is ISO's."""
    cdef Ptr start
    cdef bint has_priority = _take_priority(line)
    start = line.at
    if take_iso(line):
        return has_priority and _take_field(line) and take_blanks(line)
    line.at = start
    return take_time(line) and _take_field(line) and take_blanks(line)


cdef inline bint _take_priority(Line* line) noexcept nogil:
    cdef Ptr start = line.at
    if take(line, c"<") and take_number(line, 1, 3) and take(line, c">"):
        return True
    line.at = start
    return False


cdef inline bint _take_tag(Line* line) noexcept nogil:
    """Blanks, a word that ends with a colon, and the blanks and the cookie of JSON after it."""
    cdef Ptr start
    if not take_blanks(line):
        return False
    start = line.at
    if not take_word(line) or line.at - start < 2 or line.at[-1] != c":" or start[0] in (c"{", c"[", c'"', c"<"):
        return False
    take_blanks(line)
    if take_text(line, b"@cee:", 5):
        take_blanks(line)
    return True


cdef inline bint _take_5424(Line* line, bint versioned) noexcept nogil:
    """HOST PROGRAM PROCESS ID STRUCTURED-DATA LINE; without a version before it, the process is a number or "-".

    Heroku leaves out the structured data.
    """
    cdef Ptr start
    if not (_take_field(line) and _take_field(line) and take_blanks(line)):
        return False
    start = line.at
    if not versioned and not take(line, c"-"):
        take_number(line, 1, 20)
    if (line.at == start and not versioned) or (versioned and not take_word(line)):
        return False
    if not (_take_field(line) and take_blanks(line)):
        return False
    if versioned and (line.at == line.stop or line.at[0] not in (c"[", c"-")):
        return True
    if not _take_structured_data(line):
        return False
    if line.at < line.stop and not take_blanks(line):
        return False
    take_text(line, b"\xef\xbb\xbf", 3)
    return True


cdef inline bint _take_field(Line* line) noexcept nogil:
    return take_blanks(line) and take_word(line)


cdef inline bint _take_structured_data(Line* line) noexcept nogil:
    """"-", or elements: [ID NAME="VALUE" ...]"""
    if take(line, c"-"):
        return True
    if line.at == line.stop or line.at[0] != c"[":
        return False
    while take(line, c"["):
        if not _take_name(line):
            return False
        while take(line, c" "):
            if not (_take_name(line) and take_text(line, b'="', 2) and _take_value(line)):
                return False
        if not take(line, c"]"):
            return False
    return True


cdef inline bint _take_name(Line* line) noexcept nogil:
    cdef Ptr start = line.at
    while line.at < line.stop and line.at[0] not in (c" ", c"=", c"]", c'"'):
        line.at += 1
    return line.at > start


cdef inline bint _take_value(Line* line) noexcept nogil:
    """The rest of a quoted value; a backslash escapes the next byte."""
    while line.at < line.stop and line.at[0] != c'"':
        line.at += 2 if line.at[0] == c"\\" else 1
    if line.at >= line.stop:
        return False
    line.at += 1
    return True
