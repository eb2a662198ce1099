"""The basics of loops over bytes: pointers, reading words, finding a byte."""

from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memchr, memcpy

ctypedef const uint8_t* Ptr

cdef enum:
    WORD = 8  # bytes
    CACHE_LINE = 64  # bytes
    NEAR = 2  # words that are searched before memchr is called
    NO_DIGIT = 16
    ROWS_AHEAD = 8  # rows to prefetch ahead: bytes that are read once are not in the cache

cdef extern from *:
    void prefetch "__builtin_prefetch"(const void* place) noexcept nogil  # any address: an invalid one is ignored
    int zeros_below "__builtin_ctzll"(uint64_t word) noexcept nogil  # position of its lowest 1; little-endian: that of the first byte


cdef inline Ptr first_of(const uint8_t[::1] data) noexcept:
    """Return where data begin; they may be empty."""
    return &data[0] if data.shape[0] else <Ptr> b""


cdef inline Ptr find(Ptr at, Ptr stop, uint8_t byte) noexcept nogil:
    """Return the first position of a byte from `at` on, or `stop`."""
    cdef Ptr found
    cdef int looked
    for looked in range(NEAR):  # most values are short, and a call is expensive
        if stop - at < WORD:
            break
        found = find_in_word(at, byte)
        if found != NULL:
            return found
        at += WORD
    found = <Ptr> memchr(at, byte, stop - at)
    return stop if found == NULL else found


cdef inline Ptr find_in_word(Ptr at, uint8_t byte) noexcept nogil:
    """Return the first position of a byte in eight, or NULL. (The lowest zero byte of a word: Warren, "Hacker's Delight", 6-1.)"""
    cdef uint64_t ones = <uint64_t> 0x0101010101010101
    cdef uint64_t bits = word(at) ^ (ones * byte)
    bits = (bits - ones) & ~bits & (ones << 7)
    return at + (zeros_below(bits) >> 3) if bits else NULL


cdef inline int bytes_before(uint64_t bits, uint8_t byte) noexcept nogil:
    """Return how many bytes of a word come before the first one of that value: `WORD` if there is none."""
    cdef uint64_t ones = <uint64_t> 0x0101010101010101
    bits ^= ones * byte
    bits = (bits - ones) & ~bits & (ones << 7)
    return zeros_below(bits) >> 3 if bits else WORD


cdef inline Ptr after_blanks(Ptr at, Ptr stop) noexcept nogil:
    """Return the first position from `at` on that is not a blank, or `stop`."""
    while at < stop and at[0] == c" ":
        at += 1
    return at


cdef inline bint is_escaped(Ptr first, Ptr at) noexcept nogil:
    """Tell whether an odd number of backslashes, none of them before `first`, precedes `at`."""
    cdef Ptr before = at
    while before > first and (before - 1)[0] == c"\\":
        before -= 1
    return (at - before) & 1


cdef inline uint64_t word(Ptr at) noexcept nogil:
    """Return eight bytes as a number, the first one lowest."""
    cdef uint64_t bits
    memcpy(&bits, at, WORD)
    return bits


cdef inline uint8_t hex_digit(uint8_t byte) noexcept nogil:
    """Return the value of a hexadecimal digit, or NO_DIGIT."""
    if c"0" <= byte <= c"9":
        return byte - c"0"
    byte |= 0x20
    return byte - c"a" + 10 if c"a" <= byte <= c"f" else NO_DIGIT


cdef inline uint8_t control(uint8_t letter) noexcept nogil:
    """Return the control character that a letter after a backslash stands for, or 0."""
    if letter == c"n":
        return c"\n"
    if letter == c"r":
        return c"\r"
    if letter == c"t":
        return c"\t"
    if letter == c"b":
        return c"\b"
    return c"\f" if letter == c"f" else 0
