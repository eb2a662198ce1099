"""Values of log fields -> statuses, sizes and times.

Each function takes slices of raw values and returns the numbers, and a mask of the valid ones; an invalid value becomes 0.
"""

import numpy as np

from libc.stdint cimport INT64_MAX, int64_t, uint8_t
from libc.string cimport memcmp

from logagg.columnar.bytes cimport ROWS_AHEAD, WORD, Ptr, find, first_of, prefetch, word
from logagg.parse.lines.dates cimport date_of

ctypedef bint (*Reader)(Ptr value, Ptr stop, int64_t* number) noexcept nogil

cdef int64_t MICROSECONDS = 1_000_000
cdef int64_t HOUR = 3_600 * MICROSECONDS
cdef int64_t MINUTE = 60 * MICROSECONDS
cdef int64_t EARLIEST = 788_918_400 * MICROSECONDS  # 1995-01-01, older than any access log
cdef int64_t AHEAD = 24 * HOUR  # a log may be this far ahead of the clock
cdef const char* MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"


def statuses(const uint8_t[::1] data, const int64_t[::1] start, const int64_t[::1] end):
    """Read HTTP statuses: exactly three digits, 100 to 999; 0 for a request without an answer: 0, 000 or -1."""
    return _read(data, start, end, _status, 0, 999, False)


def sizes(const uint8_t[::1] data, const int64_t[::1] start, const int64_t[::1] end, int64_t most=INT64_MAX - 1):
    """Read byte counts up to `most`: at most 18 digits, perhaps zeros after a point, as in JSON; thousands may have
    commas, as in Kibana's exports; "-", -1 and empty are 0."""
    return _read(data, start, end, _size, 0, most, False)


def times(const uint8_t[::1] data, const int64_t[::1] start, const int64_t[::1] end, str field, double now):
    """Read times of one of `TIMES` as microseconds since the epoch, UTC; `now` is in seconds."""
    return _read(data, start, end, _reader_of(field), EARLIEST, <int64_t> now * MICROSECONDS + AHEAD, True)


def dated_times(
    const uint8_t[::1] data, const int64_t[::1] start, const int64_t[::1] end,
    const int64_t[::1] clock_start, const int64_t[::1] clock_end, double now, bint american=False,
):
    """Read times that are two values, a day and the time of that day, as `times` does; `american`: `11/27/26` and `7:55:20`."""
    cdef Py_ssize_t rows = start.shape[0], row
    cdef int64_t time, most = <int64_t> now * MICROSECONDS + AHEAD
    if clock_start.shape[0] != rows or clock_end.shape[0] != rows or end.shape[0] != rows:
        raise ValueError("columns have all rows")
    numbers, masks = np.zeros(rows, np.int64), np.empty(rows, np.bool_)
    cdef int64_t[::1] number = numbers
    cdef uint8_t[::1] valid = masks.view(np.uint8)
    cdef Ptr first = first_of(data)
    with nogil:
        for row in range(rows):
            valid[row] = (
                (_american_day if american else _day)(first + start[row], first + end[row], &time)
                and (_american_clock if american else _clock_of_day)(first + clock_start[row], first + clock_end[row], &time)
                and EARLIEST <= time <= most
            )
            if valid[row]:
                number[row] = time
    return numbers, masks


TIMES = (
    "time_local", "time_iso8601", "time_epoch", "time_epoch_ms", "time_epoch_us", "time_epoch_ns", "time_zoneless", "time_asctime",
    "time_compact", "time_any"
)  # fmt: skip


cdef Reader _reader_of(str field) except NULL:
    if field == "time_local" or field == "time_zoneless":
        return _time_local
    if field == "time_iso8601":
        return _time_iso8601
    if field == "time_epoch":
        return _epoch
    if field == "time_epoch_ms":
        return _epoch_ms
    if field == "time_epoch_us":
        return _epoch_us
    if field == "time_epoch_ns":
        return _epoch_ns
    if field == "time_asctime":
        return _time_asctime
    if field == "time_compact":
        return _time_compact
    if field == "time_any":
        return _time_any
    raise ValueError(f"{field} is not a time")


cdef _read(
    const uint8_t[::1] data, const int64_t[::1] start, const int64_t[::1] end, Reader reader, int64_t least, int64_t most, bint runs
):
    """Read numbers, valid from `least` to `most`.

    With `runs`, equal values are expected in a row, as times of consecutive lines are, and each run is read once.
    """
    cdef Py_ssize_t rows = start.shape[0], row
    cdef Ptr value, stop
    numbers, masks = np.zeros(rows, np.int64), np.empty(rows, np.bool_)
    cdef int64_t[::1] number = numbers
    cdef uint8_t[::1] valid = masks.view(np.uint8)
    cdef Ptr first = first_of(data)
    with nogil:
        for row in range(rows):
            if row + ROWS_AHEAD < rows:
                prefetch(first + start[row + ROWS_AHEAD])
            value, stop = first + start[row], first + end[row]
            if runs and row and _same(value, stop, first + start[row - 1], first + end[row - 1]):
                valid[row], number[row] = valid[row - 1], number[row - 1]
                continue
            valid[row] = reader(value, stop, &number[row]) and least <= number[row] <= most
            if not valid[row]:
                number[row] = 0
    return numbers, masks


cdef inline bint _same(Ptr value, Ptr stop, Ptr other, Ptr end) noexcept nogil:
    if stop - value != end - other:
        return False
    if stop - value > WORD and word(stop - WORD) != word(end - WORD):  # the part of a time that changes most comes last
        return False
    return memcmp(value, other, stop - value) == 0


cdef bint _status(Ptr value, Ptr stop, int64_t* number) noexcept nogil:
    cdef unsigned int hundreds, tens, ones
    if stop - value != 3:
        number[0] = 0
        return (stop - value == 1 and value[0] == c"0") or (stop - value == 2 and value[0] == c"-" and value[1] == c"1")
    hundreds, tens, ones = value[0] - c"0", value[1] - c"0", value[2] - c"0"
    number[0] = hundreds * 100 + tens * 10 + ones
    return hundreds <= 9 and tens <= 9 and ones <= 9 and (number[0] == 0 or number[0] >= 100)


cdef bint _size(Ptr value, Ptr stop, int64_t* number) noexcept nogil:
    if value == stop or (stop - value == 1 and value[0] == c"-"):
        number[0] = 0
        return True
    if stop - value <= 18 and _digits(value, stop, number):
        return True
    if stop - value == 2 and value[0] == c"-" and value[1] == c"1":
        number[0] = 0
        return True
    return _grouped(value, stop, number) or _whole(value, stop, number)


cdef bint _grouped(Ptr value, Ptr stop, int64_t* number) noexcept nogil:
    """Read a number with a comma before each three digits."""
    cdef int64_t total, three
    cdef Ptr comma = find(value, stop, c",")
    if comma == stop or comma - value > 3 or not _digits(value, comma, &total):
        return False
    while comma < stop:
        if stop - comma < 4 or comma[0] != c"," or total >= (<int64_t> 1 << 62) // 1000 or not _digits(comma + 1, comma + 4, &three):
            return False
        total = total * 1000 + three
        comma += 4
    number[0] = total
    return True


cdef bint _whole(Ptr value, Ptr stop, int64_t* number) noexcept nogil:
    """Read a number, perhaps with zeros after a point; more than 18 digits give the largest number."""
    cdef Ptr point = find(value, stop, c".")
    cdef int64_t fraction = 0
    if point < stop and (stop - point > 19 or not _digits(point + 1, stop, &fraction)):
        return False
    if point - value <= 18:
        return fraction == 0 and _digits(value, point, number)
    number[0] = INT64_MAX
    while value < point and c"0" <= value[0] <= c"9":
        value += 1
    return fraction == 0 and value == point


cdef bint _time_any(Ptr value, Ptr stop, int64_t* number) noexcept nogil:
    """Read a time in whichever form it has; of a number since the epoch, the digits before its point tell the unit."""
    cdef Py_ssize_t digits
    if stop - value >= 19 and (value[0] == c"[" or value[2] == c"/"):
        return _time_local(value, stop, number)
    if stop - value >= 19 and (value[4] == c"-" or value[4] == c"/"):
        return _time_iso8601(value, stop, number)
    if stop - value >= 25 and value[3] == c",":
        return _time_http(value, stop, number)
    if stop - value >= 22 and (value[5] == c"," or value[6] == c","):
        return _time_kibana(value, stop, number)
    if stop - value == 24 and value[3] == c" ":
        return _time_asctime(value, stop, number)
    digits = find(value, stop, c".") - value
    if digits < 12:  # seconds have 9 to 10 digits from 1995 to 2286, and each smaller unit has 3 more
        return _epoch(value, stop, number)
    if digits < 15:
        return _epoch_ms(value, stop, number)
    return _epoch_us(value, stop, number) if digits < 18 else _epoch_ns(value, stop, number)


cdef bint _time_local(Ptr value, Ptr stop, int64_t* number) noexcept nogil:
    """Read `20/Nov/2026:00:00:00 +0000`, also with fractions, a space instead of the first colon, without the offset, and in brackets."""
    cdef int64_t day, month, year, clock
    if stop - value >= 2 and value[0] == c"[" and (stop - 1)[0] == c"]":
        value += 1
        stop -= 1
    return (
        stop - value >= 20
        and value[2] == c"/" and value[6] == c"/" and (value[11] == c":" or value[11] == c" ")
        and _digits(value, value + 2, &day)
        and _month(value + 3, &month)
        and _digits(value + 7, value + 11, &year)
        and _clock(value + 12, &clock)
        and date_of(year, month, day, number)
        and _within_day(value + 20, stop, clock, number)
    )


cdef bint _time_iso8601(Ptr value, Ptr stop, int64_t* number) noexcept nogil:
    """Read `2026-11-20T00:00:00+01:00`, also with fractions, a space instead of `T`, slashes, or another offset, or none."""
    cdef int64_t day, month, year, clock
    return (
        stop - value >= 19
        and value[4] == value[7] and (value[4] == c"-" or value[4] == c"/") and (value[10] == c"T" or value[10] == c" " or value[10] == c"\t")
        and _digits(value, value + 4, &year)
        and _digits(value + 5, value + 7, &month)
        and _digits(value + 8, value + 10, &day)
        and _clock(value + 11, &clock)
        and date_of(year, month, day, number)
        and _within_day(value + 19, stop, clock, number)
    )


cdef bint _time_http(Ptr value, Ptr stop, int64_t* number) noexcept nogil:
    """Read `Fri, 20 Nov 2026 00:00:00 GMT`."""
    cdef int64_t day, month, year, clock
    return (
        stop - value >= 25
        and value[3] == c"," and value[4] == c" " and value[7] == c" " and value[11] == c" " and value[16] == c" "
        and _digits(value + 5, value + 7, &day)
        and _month(value + 8, &month)
        and _digits(value + 12, value + 16, &year)
        and _clock(value + 17, &clock)
        and date_of(year, month, day, number)
        and _within_day(value + 25, stop, clock, number)
    )


cdef bint _time_kibana(Ptr value, Ptr stop, int64_t* number) noexcept nogil:
    """Read `Nov 20, 2026 @ 00:00:00.000`, as Kibana's exports have it; a day may have one digit."""
    cdef int64_t day, month, year, clock
    cdef Ptr comma = value + (5 if value[5] == c"," else 6)
    return (
        stop - comma >= 17
        and value[3] == c" " and comma[1] == c" " and memcmp(comma + 6, b" @ ", 3) == 0
        and _month(value, &month)
        and _digits(value + 4, comma, &day)
        and _digits(comma + 2, comma + 6, &year)
        and _clock(comma + 9, &clock)
        and date_of(year, month, day, number)
        and _within_day(comma + 17, stop, clock, number)
    )


cdef bint _time_asctime(Ptr value, Ptr stop, int64_t* number) noexcept nogil:
    """Read `Fri Nov 20 00:00:00 2026`, as C writes it: a day of one digit has a blank before it."""
    cdef int64_t day, month, year, clock
    if not (
        stop - value == 24
        and value[3] == c" " and value[7] == c" " and value[10] == c" " and value[19] == c" "
        and _month(value + 4, &month)
        and _digits(value + 8 + (value[8] == c" "), value + 10, &day)
        and _clock(value + 11, &clock)
        and _digits(value + 20, stop, &year)
        and date_of(year, month, day, number)
    ):
        return False
    number[0] += clock
    return True


cdef inline bint _within_day(Ptr rest, Ptr stop, int64_t clock, int64_t* number) noexcept nogil:
    """Add the time of the day to a date: the clock, the fraction of a second after it, and the offset."""
    cdef int64_t fraction = 0, offset = 0
    cdef Ptr after = rest
    if rest < stop and (rest[0] == c"." or rest[0] == c","):
        after = rest + 1
        while after < stop and c"0" <= after[0] <= c"9":
            after += 1
        if not _fraction(rest + 1, after, 6, &fraction):
            return False
    if not _offset(after, stop, &offset):
        return False
    number[0] += clock + fraction - offset
    return True


cdef bint _day(Ptr value, Ptr stop, int64_t* number) noexcept nogil:
    """Read `2026-11-20`, `2026/11/20` or `20/Nov/2026` as the microseconds at its start."""
    cdef int64_t day, month, year
    if stop - value == 10:
        return (
            (value[4] == c"-" or value[4] == c"/") and value[7] == value[4]
            and _digits(value, value + 4, &year)
            and _digits(value + 5, value + 7, &month)
            and _digits(value + 8, stop, &day)
            and date_of(year, month, day, number)
        )
    return (
        stop - value == 11 and value[2] == c"/" and value[6] == c"/"
        and _digits(value, value + 2, &day)
        and _month(value + 3, &month)
        and _digits(value + 7, stop, &year)
        and date_of(year, month, day, number)
    )


cdef bint _american_day(Ptr value, Ptr stop, int64_t* number) noexcept nogil:
    """Read `11/27/2026`, `1/5/26` and their like, month first, as the microseconds at the day's start."""
    cdef int64_t day, month, year
    cdef Ptr first = find(value, stop, c"/")
    if first == stop or first - value > 2:
        return False
    cdef Ptr second = find(first + 1, stop, c"/")
    if second == stop or second - first > 3 or (stop - second != 3 and stop - second != 5):
        return False
    if not (_digits(value, first, &month) and _digits(first + 1, second, &day) and _digits(second + 1, stop, &year)):
        return False
    return date_of(year + 2000 if stop - second == 3 else year, month, day, number)


cdef bint _american_clock(Ptr value, Ptr stop, int64_t* number) noexcept nogil:
    """Add `7:55:20` or `17:55:20` to a day."""
    cdef int64_t hour, minute, second
    cdef Py_ssize_t length = stop - value, digits = length - 6
    if not (1 <= digits <= 2 and value[digits] == c":" and value[digits + 3] == c":"):
        return False
    if not (
        _digits(value, value + digits, &hour) and hour <= 23
        and _digits(value + digits + 1, value + digits + 3, &minute) and minute <= 59
        and _digits(value + digits + 4, stop, &second) and second <= 60
    ):
        return False
    number[0] += hour * HOUR + minute * MINUTE + min(second, <int64_t> 59) * MICROSECONDS
    return True


cdef bint _time_compact(Ptr value, Ptr stop, int64_t* number) noexcept nogil:
    """Read `20261120000000`."""
    cdef int64_t day, month, year, hour, minute, second
    if stop - value != 14:
        return False
    if not (
        _digits(value, value + 4, &year) and _digits(value + 4, value + 6, &month) and _digits(value + 6, value + 8, &day)
        and date_of(year, month, day, number)
        and _digits(value + 8, value + 10, &hour) and hour <= 23
        and _digits(value + 10, value + 12, &minute) and minute <= 59
        and _digits(value + 12, stop, &second) and second <= 60
    ):
        return False
    number[0] += hour * HOUR + minute * MINUTE + min(second, <int64_t> 59) * MICROSECONDS
    return True


cdef bint _clock_of_day(Ptr value, Ptr stop, int64_t* number) noexcept nogil:
    """Add `00:00:00`, perhaps with fractions, to a day."""
    cdef int64_t clock
    return stop - value >= 8 and _clock(value, &clock) and _within_day(value + 8, stop, clock, number)


cdef bint _epoch(Ptr value, Ptr stop, int64_t* number) noexcept nogil:
    return _since_epoch(value, stop, 6, number)


cdef bint _epoch_ms(Ptr value, Ptr stop, int64_t* number) noexcept nogil:
    return _since_epoch(value, stop, 3, number)


cdef bint _epoch_us(Ptr value, Ptr stop, int64_t* number) noexcept nogil:
    return _since_epoch(value, stop, 0, number)


cdef bint _epoch_ns(Ptr value, Ptr stop, int64_t* number) noexcept nogil:
    """Read a decimal number of nanoseconds as microseconds, truncated."""
    cdef Ptr point = find(value, stop, c".")
    cdef int64_t ignored
    return (
        4 <= point - value <= 20
        and _digits(value, point - 3, number)
        and _digits(point - 3, point, &ignored)
        and (point == stop or _fraction(point + 1, stop, 0, &ignored))
    )


cdef inline bint _since_epoch(Ptr value, Ptr stop, int places, int64_t* number) noexcept nogil:
    """Read a decimal number as microseconds; its unit is 10^`places` microseconds."""
    cdef Ptr point = find(value, stop, c".")
    cdef int64_t fraction = 0
    cdef int place
    if point - value > 17 or not _digits(value, point, number):
        return False
    if point < stop and not _fraction(point + 1, stop, places, &fraction):
        return False
    for place in range(places):
        if number[0] >= (<int64_t> 1 << 62) // 10:
            return False
        number[0] *= 10
    number[0] += fraction
    return True


cdef inline bint _fraction(Ptr value, Ptr stop, int places, int64_t* number) noexcept nogil:
    """Read the digits after a point as a number of `places` digits, truncated, not rounded."""
    cdef int place
    if value == stop:
        return False
    number[0] = 0
    for place in range(places):
        number[0] *= 10
        if value < stop:
            if not c"0" <= value[0] <= c"9":
                return False
            number[0] += value[0] - c"0"
            value += 1
    while value < stop and c"0" <= value[0] <= c"9":
        value += 1
    return value == stop


cdef inline bint _digits(Ptr value, Ptr stop, int64_t* number) noexcept nogil:
    """Read one decimal digit or more, 18 at most."""
    cdef int64_t total = 0
    cdef uint8_t digit
    if value == stop:
        return False
    while value < stop:
        digit = value[0] - c"0"
        if digit > 9:
            return False
        total = 10 * total + digit
        value += 1
    number[0] = total
    return True


cdef inline bint _month(Ptr value, int64_t* number) noexcept nogil:
    cdef int month
    for month in range(12):
        if memcmp(value, MONTHS + 3 * month, 3) == 0:
            number[0] = month + 1
            return True
    return False


cdef inline bint _clock(Ptr value, int64_t* number) noexcept nogil:
    """Read `hh:mm:ss` as microseconds; a leap second counts as the second before it."""
    cdef int64_t hour, minute, second
    cdef bint fits = (
        value[2] == c":" and value[5] == c":"
        and _digits(value, value + 2, &hour) and hour <= 23
        and _digits(value + 3, value + 5, &minute) and minute <= 59
        and _digits(value + 6, value + 8, &second) and second <= 60
    )
    if fits:
        number[0] = hour * HOUR + minute * MINUTE + min(second, <int64_t> 59) * MICROSECONDS
    return fits


cdef inline bint _offset(Ptr value, Ptr stop, int64_t* number) noexcept nogil:
    """Read the offset after a time, as microseconds east of UTC: `+hhmm`, `+hh:mm`, `+hh`, `Z`, `UTC` or `GMT`, perhaps
    after a space. Without an offset, it is UTC."""
    cdef int64_t hours, minutes = 0
    cdef Py_ssize_t length
    number[0] = 0
    if value == stop:
        return True
    if value[0] == c" ":
        value += 1
    length = stop - value
    if (length == 1 and value[0] == c"Z") or (length == 3 and (memcmp(value, b"UTC", 3) == 0 or memcmp(value, b"GMT", 3) == 0)):
        return True
    if length not in (3, 5, 6) or value[0] not in (c"+", c"-") or (length == 6 and value[3] != c":"):
        return False
    if not _digits(value + 1, value + 3, &hours) or hours > 14:
        return False
    if length > 3 and (not _digits(stop - 2, stop, &minutes) or minutes > 59):
        return False
    number[0] = hours * HOUR + minutes * MINUTE
    if value[0] == c"-":
        number[0] = -number[0]
    return True
