"""Values of JSON: slices of equal values in earlier lines, the text of a value, the end of a number; marks of keys."""

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcmp

from logagg.columnar.bytes cimport WORD, Ptr, word, zeros_below

cdef enum:
    RECENT = 2  # values of a field that are remembered: a power of two

cdef struct Recent:  # slices of values of a field, as lines before have them
    int64_t start[RECENT]
    int64_t end[RECENT]
    int next  # the one that is forgotten next


cdef inline void reuse(Ptr first, int64_t* start, int64_t* end, Recent* recent) noexcept nogil:
    """Let a value be the slice of a line before that has the same one.

    Its bytes are in the cache, then, when the column is encoded, and neighbours that are one slice need not be looked at.
    """
    cdef int64_t length = end[0] - start[0]
    cdef int number
    for number in range(RECENT):
        if recent.end[number] - recent.start[number] == length and _is_same(first + recent.start[number], first + start[0], length):
            start[0], end[0] = recent.start[number], recent.end[number]
            return
    recent.start[recent.next], recent.end[recent.next] = start[0], end[0]
    recent.next = (recent.next + 1) & (RECENT - 1)


cdef inline bint _is_same(Ptr one, Ptr other, Py_ssize_t length) noexcept nogil:
    """Tell whether two texts of one length are the same."""
    if length >= 2 * WORD:
        return word(one) == word(other) and memcmp(one + WORD, other + WORD, length - WORD) == 0
    if length >= WORD:
        return word(one) == word(other) and word(one + length - WORD) == word(other + length - WORD)
    while length:
        length -= 1
        if one[length] != other[length]:
            return False
    return True


cdef inline Ptr after_number(Ptr at, Ptr stop) noexcept nogil:
    """Return the first position that has none of `-./0123456789`, by words; near the end of the line perhaps one before it.

    (A byte that is less, or more: Anderson, "Bit Twiddling Hacks"; the lowest one that is found is exact.)
    """
    cdef uint64_t ones = <uint64_t> 0x0101010101010101, bits, others
    while stop - at >= WORD:
        bits = word(at)
        others = ((bits - <uint64_t> 0x2D * ones) & ~bits) | (bits + <uint64_t> 0x46 * ones) | bits
        others &= ones << 7
        if others:
            return at + (zeros_below(others) >> 3)
        at += WORD
    return at


cdef inline uint64_t mark_of(Ptr name, Py_ssize_t length) noexcept nogil:
    """Return a bit that few keys of a log share."""
    return <uint64_t> 1 << ((length + 13 * name[0]) & 63) if length > 0 else 1


cdef inline bint strip(Ptr* value, Ptr* stop) noexcept nogil:
    """Reduce a value to its text, and return whether it has one: objects, arrays and `null` have none."""
    if value[0] == stop[0] or value[0][0] == c"{" or value[0][0] == c"[":
        return False
    if value[0][0] == c'"':
        value[0] += 1
        stop[0] -= 1
        return value[0] < stop[0]
    while value[0] < stop[0] and (stop[0] - 1)[0] in (c" ", c"\t", c"\r", c"\n", c","):
        stop[0] -= 1
    return value[0] < stop[0] and not (stop[0] - value[0] == 4 and memcmp(value[0], b"null", 4) == 0)
