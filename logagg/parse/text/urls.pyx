"""Splits request lines, URLs and query strings: slices of values -> slices of their components."""

import numpy as np

from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcmp

from logagg.columnar.bytes cimport Ptr, find, first_of

cdef enum:
    MOST_KEYS = 1024
    LONGEST_METHOD = 20
    LONGEST_EXTENSION = 10


def split_requests(const uint8_t[::1] data, const int64_t[::1] start, const int64_t[::1] end):
    """Split `METHOD target HTTP/x`, with one blank or several, into methods, targets and protocols; return starts and ends of each.

    All are empty where the value is not a request line, and the protocol where it has none.
    """
    cdef Py_ssize_t rows = start.shape[0], row
    methods, targets, protocols = np.empty((3, 2, rows), np.int64)
    cdef int64_t[:, ::1] method = methods, target = targets, protocol = protocols
    cdef Ptr first = first_of(data)
    cdef Ptr value, stop, space, last, begin, end_
    with nogil:
        for row in range(rows):
            value, stop = first + start[row], first + end[row]
            space = find(value, stop, c" ")
            last = _last(space, stop, c" ")
            if not (last > space and stop - last > 5 and memcmp(last + 1, b"HTTP/", 5) == 0) and not _is_version(space + 1, last, stop):
                last = stop
            begin, end_ = space + 1 if space < stop else stop, last
            while begin < end_ and begin[0] == c" ":
                begin += 1
            while end_ > begin and end_[-1] == c" ":
                end_ -= 1
            if begin < end_ and _is_method(value, space):
                method[0, row], method[1, row] = value - first, space - first
                target[0, row], target[1, row] = begin - first, end_ - first
                protocol[0, row], protocol[1, row] = (last + 1 if last < stop else stop) - first, stop - first
            else:
                method[0, row] = method[1, row] = target[0, row] = target[1, row] = start[row]
                protocol[0, row] = protocol[1, row] = start[row]
    return methods, targets, protocols


cdef inline bint _is_version(Ptr target, Ptr last, Ptr stop) noexcept nogil:
    """Tell whether only a version is behind a target without blanks, as Hypercorn has it: `GET / 1.1`."""
    if last <= target or stop - last not in (2, 4) or not c"1" <= last[1] <= c"3" or find(target, last, c" ") != last:
        return False
    return stop - last == 2 or (last[2] == c"." and c"0" <= last[3] <= c"9")


cdef inline bint _is_method(Ptr value, Ptr stop) noexcept nogil:
    """Tell whether the bytes are a method: a capital letter, then capital letters, `_` and `-`."""
    cdef Ptr at = value
    if not 1 <= stop - value <= LONGEST_METHOD or not c"A" <= value[0] <= c"Z":
        return False
    while at < stop and (c"A" <= at[0] <= c"Z" or at[0] == c"_" or at[0] == c"-"):
        at += 1
    return at == stop


def split_urls(const uint8_t[::1] data, const int64_t[::1] start, const int64_t[::1] end):
    """Split URLs at the first `?` and `#`: return where the path ends, and where the query starts and ends."""
    cdef Py_ssize_t rows = start.shape[0], row
    paths, queries = np.empty(rows, np.int64), np.empty((2, rows), np.int64)
    cdef int64_t[::1] path = paths
    cdef int64_t[:, ::1] query = queries
    cdef Ptr first = first_of(data)
    cdef Ptr mark, fragment
    with nogil:
        for row in range(rows):
            fragment = find(first + start[row], first + end[row], c"#")
            mark = find(first + start[row], fragment, c"?")
            path[row] = mark - first
            query[0, row] = (mark + 1 if mark < fragment else fragment) - first
            query[1, row] = fragment - first
    return paths, queries[0], queries[1]


def find_extensions(const uint8_t[::1] data, const int64_t[::1] start, const int64_t[::1] end, int dots):
    """Return where the extension of each path starts: after the `dots`-th dot from its end; at its end if it has fewer."""
    cdef Py_ssize_t rows = start.shape[0], row
    cdef int seen
    extensions = np.empty(rows, np.int64)
    cdef int64_t[::1] extension = extensions
    cdef Ptr first = first_of(data)
    cdef Ptr at
    with nogil:
        for row in range(rows):
            at, seen = first + end[row], 0
            while at > first + start[row] and seen < dots:
                at -= 1
                seen += at[0] == c"."
            extension[row] = at + 1 - first if seen == dots else end[row]
    return extensions


def split_extensions(const uint8_t[::1] data, const int64_t[::1] start, const int64_t[::1] end):
    """Return where the extension of each path starts: after a dot with at most 10 letters and digits to the end of the path.

    A path without one gives its end.
    """
    cdef Py_ssize_t rows = start.shape[0], row
    extensions = np.empty(rows, np.int64)
    cdef int64_t[::1] extension = extensions
    cdef Ptr first = first_of(data)
    cdef Ptr at, least
    with nogil:
        for row in range(rows):
            at = first + end[row]
            least = first + max(start[row] + 1, end[row] - LONGEST_EXTENSION)
            while at > least and _is_letter_or_digit(at[-1]):
                at -= 1
            extension[row] = at - first if at > first + start[row] and at[-1] == c"." else end[row]
    return extensions


def split_referrers(const uint8_t[::1] data, const int64_t[::1] start, const int64_t[::1] end):
    """Split referring URLs into host, without port, and path (starts, ends, starts, ends); both are empty for a non-URL."""
    cdef Py_ssize_t rows = start.shape[0], row
    hosts, paths = np.empty((2, rows), np.int64), np.empty((2, rows), np.int64)
    cdef int64_t[:, ::1] host = hosts, path = paths
    cdef Ptr first = first_of(data)
    cdef Ptr at, stop, after
    with nogil:
        for row in range(rows):
            stop = first + end[row]
            at = _after_scheme(first + start[row], stop)
            if at == NULL:
                host[0, row] = host[1, row] = path[0, row] = path[1, row] = start[row]
                continue
            at = _after_user(at, stop)
            after = _after_host(at, stop)
            host[0, row], host[1, row] = at - first, after - first
            at = _after_port(after, stop)
            path[0, row] = at - first
            path[1, row] = (_end_of_path(at, stop) if at < stop and at[0] == c"/" else at) - first
    return hosts[0], hosts[1], paths[0], paths[1]


cdef inline Ptr _after_scheme(Ptr at, Ptr stop) noexcept nogil:
    """Return where the `://` after a scheme ends, or NULL."""
    if at == stop or not _is_letter(at[0]):
        return NULL
    while at < stop and (_is_letter(at[0]) or c"0" <= at[0] <= c"9" or at[0] in (c"+", c".", c"-")):
        at += 1
    return at + 3 if stop - at >= 3 and memcmp(at, b"://", 3) == 0 else NULL


cdef inline Ptr _after_user(Ptr at, Ptr stop) noexcept nogil:
    """Return where the host begins: after the first `@`, if there is one before the path."""
    cdef Ptr found = at
    while found < stop and found[0] not in (c"/", c"?", c"#", c"@"):
        found += 1
    return found + 1 if found < stop and found[0] == c"@" else at


cdef inline Ptr _after_host(Ptr at, Ptr stop) noexcept nogil:
    """Return where a host ends; between brackets, if it begins with one, it may have colons."""
    cdef Ptr found = at
    if at < stop and at[0] == c"[":
        while found < stop and found[0] not in (c"/", c"?", c"#", c"]"):
            found += 1
        if found < stop and found[0] == c"]":
            return found + 1
        found = at
    while found < stop and found[0] not in (c":", c"/", c"?", c"#"):
        found += 1
    return found


cdef inline Ptr _after_port(Ptr at, Ptr stop) noexcept nogil:
    if at < stop and at[0] == c":":
        at += 1
        while at < stop and c"0" <= at[0] <= c"9":
            at += 1
    return at


cdef inline Ptr _end_of_path(Ptr at, Ptr stop) noexcept nogil:
    while at < stop and at[0] != c"?" and at[0] != c"#":
        at += 1
    return at


cdef inline bint _is_letter_or_digit(uint8_t byte) noexcept nogil:
    return _is_letter(byte) or c"0" <= byte <= c"9"


cdef inline bint _is_letter(uint8_t byte) noexcept nogil:
    return c"a" <= (byte | 0x20) <= c"z"


cdef struct Key:
    Ptr text  # with the `=` after it
    Py_ssize_t length
    Py_ssize_t wanted  # index of the value that this key gives
    Py_ssize_t rank  # its place among all keys; of those that give a value the first one wins


def find_values(const uint8_t[::1] data, const int64_t[::1] start, const int64_t[::1] end, keys):
    """Find some values in each query string of a column; return starts and ends, a row for each value.

    `keys` are the keys of each value, as bytes. The first of them that a query contains wins, and its first occurrence.
    A value that a query does not contain is empty.
    """
    cdef Py_ssize_t rows = start.shape[0], count, value, row
    cdef Key table[MOST_KEYS]
    cdef int[257] since  # where in the table the keys begin whose first byte is this one or a later one
    # Keeps the bytes alive that the table points to.
    held = sorted((key + b"=", number, rank) for rank, (key, number) in enumerate(
        (key, number) for number, some in enumerate(keys) for key in some
    ))
    if len(held) > MOST_KEYS:
        raise ValueError(f"a rule takes at most {MOST_KEYS} keys from a query")
    for row in range(257):
        since[row] = sum(key[0] < row for key, _, _ in held)
    for count, (key, value, row) in enumerate(held):
        table[count] = Key(<Ptr> <char*> <bytes> key, len(key), value, row)
    starts, ends = np.empty((len(keys), rows), np.int64), np.empty((len(keys), rows), np.int64)
    cdef int64_t[:, ::1] starts_of = starts, ends_of = ends
    cdef Ptr first = first_of(data)
    with nogil:
        for row in range(rows):
            for value in range(starts_of.shape[0]):
                starts_of[value, row] = ends_of[value, row] = start[row]
            _find_values(first, first + start[row], first + end[row], table, since, starts_of, ends_of, row)
    return starts, ends


def have_keys(const uint8_t[::1] data, const int64_t[::1] start, const int64_t[::1] end, keys):
    """Return which query strings of a column contain any of some keys, which are bytes."""
    cdef Py_ssize_t rows = start.shape[0], count = 0, row
    cdef Key table[MOST_KEYS]
    cdef int[257] since  # where in the table the keys begin whose first byte is this one or a later one
    held = sorted(key + b"=" for key in keys)
    if len(held) > MOST_KEYS:
        raise ValueError(f"at most {MOST_KEYS} keys can be looked for")
    for row in range(257):
        since[row] = sum(key[0] < row for key in held)
    for key in held:
        table[count] = Key(<Ptr> <char*> <bytes> key, len(key), 0, 0)
        count += 1
    found = np.empty(rows, np.bool_)
    cdef uint8_t[::1] has = found.view(np.uint8)
    cdef Ptr first = first_of(data)
    with nogil:
        for row in range(rows):
            has[row] = _has_key(first + start[row], first + end[row], table, since)
    return found


cdef bint _has_key(Ptr at, Ptr stop, const Key* keys, const int* since) noexcept nogil:
    cdef int number
    while at < stop:
        for number in range(since[at[0]], since[at[0] + 1]):
            if stop - at >= keys[number].length and memcmp(at, keys[number].text, keys[number].length) == 0:
                return True
        at = find(at, stop, c"&") + 1
    return False


cdef void _find_values(
    Ptr first, Ptr at, Ptr stop, const Key* keys, const int* since,
    int64_t[:, ::1] starts, int64_t[:, ::1] ends, Py_ssize_t row,
) noexcept nogil:
    """Scan the fields of a query; the first listed key that occurs gives the value."""
    cdef Py_ssize_t number, wanted
    cdef Py_ssize_t[MOST_KEYS] best
    cdef Ptr after
    for wanted in range(starts.shape[0]):
        best[wanted] = MOST_KEYS
    while at < stop:
        after = find(at, stop, c"&")
        for number in range(since[at[0]], since[at[0] + 1]):  # of most fields none
            wanted = keys[number].wanted
            if keys[number].rank >= best[wanted] or after - at < keys[number].length:
                continue
            if memcmp(at, keys[number].text, keys[number].length) == 0:
                best[wanted] = keys[number].rank
                starts[wanted, row], ends[wanted, row] = at + keys[number].length - first, after - first
        at = after + 1


cdef inline Ptr _last(Ptr at, Ptr stop, uint8_t byte) noexcept nogil:
    """Return where a byte is last from `at` on, or `at`."""
    while stop > at and (stop - 1)[0] != byte:
        stop -= 1
    return stop - 1 if stop > at else at
