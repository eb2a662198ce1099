"""Civil dates."""

from libc.stdint cimport int64_t

cdef enum:
    DAYS_OF_ERA = 146_097  # of 400 years


cdef inline bint date_of(int64_t year, int64_t month, int64_t day, int64_t* number) noexcept nogil:
    """Return a civil date as microseconds since the epoch. (Hinnant, "chrono-Compatible Low-Level Date Algorithms", 2013.)"""
    cdef int64_t of_era, of_year
    if year < 1 or not 1 <= month <= 12 or not 1 <= day <= _days(year, month):
        return False
    if month <= 2:
        year -= 1
    of_era = year % 400
    of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    number[0] = ((year // 400) * DAYS_OF_ERA + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468) * <int64_t> 86_400_000_000
    return True


cdef inline int64_t _days(int64_t year, int64_t month) noexcept nogil:
    """Return how many days a month has."""
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31
