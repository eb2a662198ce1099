"""Steps over the header of a line: each takes as much as it can, and tells whether it has found its element.

Every pointer here lies within `[line, end of line]`.
"""

from libc.stdint cimport uint8_t
from libc.string cimport memchr, memcmp

from logagg.columnar.bytes cimport Ptr

cdef struct Line:
    Ptr at
    Ptr stop
    uint8_t stream  # 1: standard output, or any; 2: standard error
    bint open  # it goes on in the next line of its stream


# times


cdef inline bint take_time(Line* line) noexcept nogil:
    """A time as syslog daemons and journalctl write it."""
    cdef Ptr start = line.at
    if take_iso(line):
        return True
    line.at = start
    if take_month_and_day(line) and take(line, c" ") and take_clock(line):
        return True
    line.at = start
    if take_letters(line) and take(line, c" ") and take_date(line) and take(line, c" ") and take_clock(line) and take(line, c" "):
        return take_word(line)
    line.at = start
    if take_epoch(line, 6, 6):
        return True
    line.at = start
    if take(line, c"["):
        take_blanks(line)
        return take_epoch(line, 6, 6) and take(line, c"]")
    return False


cdef inline bint take_iso(Line* line) noexcept nogil:
    """2026-11-27T12:00:00[.123][+01:00]"""
    cdef Ptr start
    if not (take_date(line) and take(line, c"T") and take_clock(line)):
        return False
    start = line.at
    if not take_zone(line):
        line.at = start
    return True


cdef inline bint take_month_and_day(Line* line) noexcept nogil:
    """Nov 27 [2026]; names of months are those of any language."""
    cdef Ptr start
    if not (take_letters(line) and take_blanks(line) and take_number(line, 1, 2)):
        return False
    start = line.at
    if not (take(line, c" ") and take_digits(line, 4) and line.at < line.stop and line.at[0] == c" "):
        line.at = start
    return True


cdef inline bint take_letters(Line* line) noexcept nogil:
    """A word of two to nine bytes: letters, or bytes of other scripts, perhaps with a dot."""
    cdef Ptr start = line.at
    while line.at < line.stop and (c"a" <= (line.at[0] | 0x20) <= c"z" or line.at[0] >= 0x80 or line.at[0] == c"."):
        line.at += 1
    return 2 <= line.at - start <= 9


cdef inline bint take_date(Line* line) noexcept nogil:
    return take_digits(line, 4) and take(line, c"-") and take_digits(line, 2) and take(line, c"-") and take_digits(line, 2)


cdef inline bint take_clock(Line* line) noexcept nogil:
    """12:00:00, perhaps with a fraction"""
    cdef Ptr start
    if not (take_digits(line, 2) and take(line, c":") and take_digits(line, 2) and take(line, c":") and take_digits(line, 2)):
        return False
    start = line.at
    if not ((take(line, c".") or take(line, c",")) and take_number(line, 1, 12)):
        line.at = start
    return True


cdef inline bint take_zone(Line* line) noexcept nogil:
    """Z, +01, +0100 or +01:00"""
    cdef Ptr start
    if take(line, c"Z"):
        return True
    if not ((take(line, c"+") or take(line, c"-")) and take_digits(line, 2)):
        return False
    start = line.at
    take(line, c":")
    if not take_digits(line, 2):
        line.at = start
    return True


cdef inline bint take_epoch(Line* line, int least, int most) noexcept nogil:
    """Seconds with a number of decimal places."""
    return take_number(line, 1, 12) and take(line, c".") and take_number(line, least, most)


# steps


cdef inline bint take(Line* line, uint8_t byte) noexcept nogil:
    if line.at == line.stop or line.at[0] != byte:
        return False
    line.at += 1
    return True


cdef inline bint take_text(Line* line, const char* text, Py_ssize_t length) noexcept nogil:
    if line.stop - line.at < length or memcmp(line.at, text, length) != 0:
        return False
    line.at += length
    return True


cdef inline bint take_blanks(Line* line) noexcept nogil:
    cdef Ptr start = line.at
    while line.at < line.stop and line.at[0] == c" ":
        line.at += 1
    return line.at > start


cdef inline bint take_word(Line* line) noexcept nogil:
    """All up to the next blank, or to the end."""
    cdef Ptr start = line.at
    cdef Ptr blank = <Ptr> memchr(start, c" ", line.stop - start)
    line.at = line.stop if blank == NULL else blank
    return line.at > start


cdef inline bint take_until(Line* line, uint8_t byte) noexcept nogil:
    """All up to the next such byte, which is not the first one, and the byte."""
    cdef Ptr found = <Ptr> memchr(line.at, byte, line.stop - line.at)
    if found == NULL or found == line.at:
        return False
    line.at = found + 1
    return True


cdef inline bint take_digits(Line* line, int count) noexcept nogil:
    """A number of digits, whatever follows."""
    cdef int number
    if line.stop - line.at < count:
        return False
    for number in range(count):
        if not c"0" <= line.at[number] <= c"9":
            return False
    line.at += count
    return True


cdef inline bint take_number(Line* line, int least, int most) noexcept nogil:
    """All digits up to another character; whether their number is right."""
    cdef Ptr start = line.at
    while line.at < line.stop and c"0" <= line.at[0] <= c"9":
        line.at += 1
    return least <= line.at - start <= most


cdef inline bint is_object(Line* line) noexcept nogil:
    return line.at < line.stop and line.at[0] == c"{"


cdef inline bint is_alnum(uint8_t byte) noexcept nogil:
    return c"a" <= (byte | 0x20) <= c"z" or c"0" <= byte <= c"9"
