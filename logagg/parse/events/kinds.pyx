"""Results that depend on several fields of a row, in one pass over the rows. A code of -1 addresses the last entry.

Branch-free, because the outcome is unpredictable and mispredictions would dominate.
"""

import numpy as np

from libc.stdint cimport int16_t, int32_t, uint8_t


def kinds(
    const int32_t[::1] rules, const int32_t[::1] requests, const int16_t[::1] statuses, const int32_t[::1] methods,
    const uint8_t[:, ::1] by_status, const uint8_t[:, ::1] by_method, const int32_t[::1] kind_of, int32_t other,
):
    """Return the kind of each row: that of its request's rule if both tables accept the row, otherwise the other kind.

    `rules` has the rule of each request; the tables are [rule, status] and [rule, method].
    """
    cdef Py_ssize_t rows = requests.shape[0], count = kind_of.shape[0], row, rule, method
    cdef int32_t counts
    found = np.empty(rows, np.int32)
    cdef int32_t[::1] kind = found
    if by_status.shape[0] != count or by_method.shape[0] != count or statuses.shape[0] != rows or methods.shape[0] != rows:
        raise ValueError("tables have all rules, and columns all rows")
    for row in range(rules.shape[0]):
        if not -count <= rules[row] < count:
            raise IndexError(f"a code beyond {count} rules")
    for row in range(rows):
        if not 0 <= requests[row] < rules.shape[0] or not 0 <= statuses[row] < by_status.shape[1]:
            raise IndexError("a request or a status that there is not")
        method = methods[row] + (methods[row] < 0) * by_method.shape[1]
        if not 0 <= method < by_method.shape[1]:
            raise IndexError("a method that there is not")
        rule = rules[requests[row]] + (rules[requests[row]] < 0) * count
        counts = (by_status[rule, statuses[row]] != 0) & (by_method[rule, method] != 0)
        kind[row] = other + counts * (kind_of[rule] - other)
    return found


def from_pages(
    const int32_t[::1] kinds, int32_t kind, const int32_t[::1] own, const int32_t[::1] sites,
    const int32_t[::1] names, const int32_t[::1] referrers,
):
    """Return the referrer's code for rows of a kind whose referrer is their own site, and -1 for other rows.

    `own` has the name of each site, and `names` that of each referrer.
    """
    cdef Py_ssize_t rows = kinds.shape[0], row
    cdef int32_t comes_from_page
    found = np.empty(rows, np.int32)
    cdef int32_t[::1] page = found
    if sites.shape[0] != rows or referrers.shape[0] != rows:
        raise ValueError("columns have all rows")
    for row in range(rows):
        if not 0 <= sites[row] < own.shape[0] or not 0 <= referrers[row] < names.shape[0]:
            raise IndexError("a site or a referrer that there is not")
        comes_from_page = (kinds[row] == kind) & (own[sites[row]] == names[referrers[row]])
        page[row] = comes_from_page * (referrers[row] + 1) - 1
    return found


def entries(
    const int32_t[::1] kinds, const uint8_t[::1] begin, const int32_t[::1] own, const int32_t[::1] sites,
    const int32_t[::1] names, const int32_t[::1] referrers,
):
    """Return the referrer's code for rows of a kind that begins something, whose referrer is not their site; -1 for others.

    `begin` says it of each kind; `own` has the name of each site, and `names` that of each referrer.
    """
    cdef Py_ssize_t rows = kinds.shape[0], row
    cdef int32_t is_entry
    found = np.empty(rows, np.int32)
    cdef int32_t[::1] entry = found
    if sites.shape[0] != rows or referrers.shape[0] != rows:
        raise ValueError("columns have all rows")
    for row in range(rows):
        if not 0 <= kinds[row] < begin.shape[0]:
            raise IndexError("a kind that there is not")
        if not 0 <= sites[row] < own.shape[0] or not 0 <= referrers[row] < names.shape[0]:
            raise IndexError("a site or a referrer that there is not")
        is_entry = (begin[kinds[row]] != 0) & (own[sites[row]] != names[referrers[row]])
        entry[row] = is_entry * (referrers[row] + 1) - 1
    return found
