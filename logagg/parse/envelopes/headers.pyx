"""Headers before lines of logs -> where the lines begin.

The grammars are those of `reference`, which has them as regular expressions. Every pointer here lies within
`[line, end of line]`, and each step takes as much as it can: nothing is tried again.
"""

import numpy as np

from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memchr, memcmp

from logagg.columnar.bytes cimport Ptr, first_of

cdef enum:
    CRI, KUBECTL, COMPOSE, FLUENTD, SYSLOG, TIMESTAMP, UNTAGGED, STERN, INDENTED

KINDS = {
    "cri": CRI, "kubectl": KUBECTL, "compose": COMPOSE, "fluentd": FLUENTD, "syslog": SYSLOG, "timestamp": TIMESTAMP,
    "untagged": UNTAGGED, "stern": STERN, "indented": INDENTED,
}

cdef struct Line:
    Ptr at
    Ptr stop
    uint8_t stream  # 1: standard output, or any; 2: standard error
    bint open  # it goes on in the next line of its stream


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
        return _take_iso(line) and _take_blanks(line)
    if kind == UNTAGGED:
        return _take_untagged(line)
    if kind == STERN:
        return _take_stern(line)
    return _take_blanks(line)


# kinds


cdef inline bint _take_cri(Line* line) noexcept nogil:
    """TIME stdout|stderr P|F[:...] LINE"""
    if not (_take_iso(line) and _take(line, c" ") and _take_text(line, b"std", 3)):
        return False
    if _take_text(line, b"err ", 4):
        line.stream = 2
    elif not _take_text(line, b"out ", 4):
        return False
    if line.at == line.stop or (line.at[0] != c"P" and line.at[0] != c"F"):
        return False
    line.open = line.at[0] == c"P"
    line.at += 1
    if line.at < line.stop and line.at[0] == c":":
        _take_word(line)
    return line.at == line.stop or _take(line, c" ")


cdef inline bint _take_kubectl(Line* line) noexcept nogil:
    """[pod/NAME/CONTAINER] LINE"""
    if not _take_text(line, b"[pod/", 5):
        return False
    while line.at < line.stop and line.at[0] != c" " and line.at[0] != c"]":
        line.at += 1
    return _take(line, c"]") and _take_blanks(line)


cdef inline bint _take_compose(Line* line) noexcept nogil:
    """NAME | LINE"""
    if line.at == line.stop or not _is_alnum(line.at[0]):
        return False
    while line.at < line.stop and line.at[0] != c" " and line.at[0] != c"|":
        line.at += 1
    return _take_blanks(line) and _take(line, c"|") and (line.at == line.stop or _take_blanks(line))


cdef inline bint _take_fluentd(Line* line) noexcept nogil:
    """TIME TAB TAG TAB {...}, or DATE CLOCK ZONE TAG: {...}, or TAG: [SECONDS, {...}]"""
    cdef Ptr start = line.at
    if _take_digits(line, 1) and _take_until(line, c"\t") and _take_until(line, c"\t") and _is_object(line):
        return True
    line.at = start
    if _take_date(line) and _take(line, c" ") and _take_clock(line) and _take(line, c" ") and _take_zone(line) and _take(line, c" "):
        return _take_word(line) and line.at[-1] == c":" and _take(line, c" ") and _is_object(line)
    line.at = start
    return _take_word(line) and line.at[-1] == c":" and _take_text(line, b" [", 2) and _take_epoch(line, 1, 18) and _take_text(line, b", ", 2) and _is_object(line) and _drop_bracket(line)


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
        if not (_take_label(line) and _take_blanks(line)):
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
    if _take_text(line, b"1 ", 2):
        return (_take_text(line, b"-", 1) or _take_iso(line)) and _take_5424(line, True)
    start = line.at
    is_iso = _take_iso(line)
    if not is_iso:
        line.at = start
        if not _take_time(line):
            return False
    start = line.at
    if _take_tag(line):
        return True
    line.at = start
    if _take_blanks(line) and _take_word(line) and _take_tag(line):
        return True
    line.at = start
    return is_iso and _take_5424(line, False)


cdef inline bint _take_untagged(Line* line) noexcept nogil:
    """[<PRIORITY>] TIME HOST LINE; a time alone, as others write it, is ISO's."""
    cdef Ptr start
    cdef bint has_priority = _take_priority(line)
    start = line.at
    if _take_iso(line):
        return has_priority and _take_field(line) and _take_blanks(line)
    line.at = start
    return _take_time(line) and _take_field(line) and _take_blanks(line)


cdef inline bint _take_priority(Line* line) noexcept nogil:
    cdef Ptr start = line.at
    if _take(line, c"<") and _take_number(line, 1, 3) and _take(line, c">"):
        return True
    line.at = start
    return False


cdef inline bint _take_tag(Line* line) noexcept nogil:
    """Blanks, a word that ends with a colon, and the blanks and the cookie of JSON after it."""
    cdef Ptr start
    if not _take_blanks(line):
        return False
    start = line.at
    if not _take_word(line) or line.at - start < 2 or line.at[-1] != c":" or start[0] in (c"{", c"[", c'"', c"<"):
        return False
    _take_blanks(line)
    if _take_text(line, b"@cee:", 5):
        _take_blanks(line)
    return True


cdef inline bint _take_5424(Line* line, bint versioned) noexcept nogil:
    """HOST PROGRAM PROCESS ID STRUCTURED-DATA LINE; without a version before it, the process is a number or "-"."""
    cdef Ptr start
    if not (_take_field(line) and _take_field(line) and _take_blanks(line)):
        return False
    start = line.at
    if not versioned and not _take(line, c"-"):
        _take_number(line, 1, 20)
    if (line.at == start and not versioned) or (versioned and not _take_word(line)):
        return False
    if not (_take_field(line) and _take_blanks(line) and _take_structured_data(line)):
        return False
    if line.at < line.stop and not _take_blanks(line):
        return False
    _take_text(line, b"\xef\xbb\xbf", 3)
    return True


cdef inline bint _take_field(Line* line) noexcept nogil:
    return _take_blanks(line) and _take_word(line)


cdef inline bint _take_structured_data(Line* line) noexcept nogil:
    """"-", or elements: [ID NAME="VALUE" ...]"""
    if _take(line, c"-"):
        return True
    if line.at == line.stop or line.at[0] != c"[":
        return False
    while _take(line, c"["):
        if not _take_name(line):
            return False
        while _take(line, c" "):
            if not (_take_name(line) and _take_text(line, b'="', 2) and _take_value(line)):
                return False
        if not _take(line, c"]"):
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


# times


cdef inline bint _take_time(Line* line) noexcept nogil:
    """A time as syslog daemons and journalctl write it."""
    cdef Ptr start = line.at
    if _take_iso(line):
        return True
    line.at = start
    if _take_month_and_day(line) and _take(line, c" ") and _take_clock(line):
        return True
    line.at = start
    if _take_letters(line) and _take(line, c" ") and _take_date(line) and _take(line, c" ") and _take_clock(line) and _take(line, c" "):
        return _take_word(line)
    line.at = start
    if _take_epoch(line, 6, 6):
        return True
    line.at = start
    if _take(line, c"["):
        _take_blanks(line)
        return _take_epoch(line, 6, 6) and _take(line, c"]")
    return False


cdef inline bint _take_iso(Line* line) noexcept nogil:
    """2026-11-27T12:00:00[.123][+01:00]"""
    cdef Ptr start
    if not (_take_date(line) and _take(line, c"T") and _take_clock(line)):
        return False
    start = line.at
    if not _take_zone(line):
        line.at = start
    return True


cdef inline bint _take_month_and_day(Line* line) noexcept nogil:
    """Nov 27 [2026]; names of months are those of any language."""
    cdef Ptr start
    if not (_take_letters(line) and _take_blanks(line) and _take_number(line, 1, 2)):
        return False
    start = line.at
    if not (_take(line, c" ") and _take_digits(line, 4) and line.at < line.stop and line.at[0] == c" "):
        line.at = start
    return True


cdef inline bint _take_letters(Line* line) noexcept nogil:
    """A word of two to nine bytes: letters, or bytes of other scripts, perhaps with a dot."""
    cdef Ptr start = line.at
    while line.at < line.stop and (c"a" <= (line.at[0] | 0x20) <= c"z" or line.at[0] >= 0x80 or line.at[0] == c"."):
        line.at += 1
    return 2 <= line.at - start <= 9


cdef inline bint _take_date(Line* line) noexcept nogil:
    return _take_digits(line, 4) and _take(line, c"-") and _take_digits(line, 2) and _take(line, c"-") and _take_digits(line, 2)


cdef inline bint _take_clock(Line* line) noexcept nogil:
    """12:00:00, perhaps with a fraction"""
    cdef Ptr start
    if not (_take_digits(line, 2) and _take(line, c":") and _take_digits(line, 2) and _take(line, c":") and _take_digits(line, 2)):
        return False
    start = line.at
    if not ((_take(line, c".") or _take(line, c",")) and _take_number(line, 1, 12)):
        line.at = start
    return True


cdef inline bint _take_zone(Line* line) noexcept nogil:
    """Z, +01, +0100 or +01:00"""
    cdef Ptr start
    if _take(line, c"Z"):
        return True
    if not ((_take(line, c"+") or _take(line, c"-")) and _take_digits(line, 2)):
        return False
    start = line.at
    _take(line, c":")
    if not _take_digits(line, 2):
        line.at = start
    return True


cdef inline bint _take_epoch(Line* line, int least, int most) noexcept nogil:
    """Seconds with so many places."""
    return _take_number(line, 1, 12) and _take(line, c".") and _take_number(line, least, most)


# steps


cdef inline bint _take(Line* line, uint8_t byte) noexcept nogil:
    if line.at == line.stop or line.at[0] != byte:
        return False
    line.at += 1
    return True


cdef inline bint _take_text(Line* line, const char* text, Py_ssize_t length) noexcept nogil:
    if line.stop - line.at < length or memcmp(line.at, text, length) != 0:
        return False
    line.at += length
    return True


cdef inline bint _take_blanks(Line* line) noexcept nogil:
    cdef Ptr start = line.at
    while line.at < line.stop and line.at[0] == c" ":
        line.at += 1
    return line.at > start


cdef inline bint _take_word(Line* line) noexcept nogil:
    """All up to the next blank, or to the end."""
    cdef Ptr start = line.at
    cdef Ptr blank = <Ptr> memchr(start, c" ", line.stop - start)
    line.at = line.stop if blank == NULL else blank
    return line.at > start


cdef inline bint _take_until(Line* line, uint8_t byte) noexcept nogil:
    """All up to the next such byte, which is not the first one, and the byte."""
    cdef Ptr found = <Ptr> memchr(line.at, byte, line.stop - line.at)
    if found == NULL or found == line.at:
        return False
    line.at = found + 1
    return True


cdef inline bint _take_digits(Line* line, int count) noexcept nogil:
    """So many digits, whatever follows."""
    cdef int number
    if line.stop - line.at < count:
        return False
    for number in range(count):
        if not c"0" <= line.at[number] <= c"9":
            return False
    line.at += count
    return True


cdef inline bint _take_number(Line* line, int least, int most) noexcept nogil:
    """All digits up to something else; whether they are so many."""
    cdef Ptr start = line.at
    while line.at < line.stop and c"0" <= line.at[0] <= c"9":
        line.at += 1
    return least <= line.at - start <= most


cdef inline bint _is_object(Line* line) noexcept nogil:
    return line.at < line.stop and line.at[0] == c"{"


cdef inline bint _is_alnum(uint8_t byte) noexcept nogil:
    return c"a" <= (byte | 0x20) <= c"z" or c"0" <= byte <= c"9"
