"""The escapes in strings of JSON, and those that nginx and Apache write there, undone."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from logagg.columnar.bytes cimport NO_DIGIT, WORD, Ptr, bytes_before, control, hex_digit, word


cdef inline Py_ssize_t unescape(Ptr at, Ptr stop, uint8_t* out, Py_ssize_t capacity) noexcept nogil:
    """Undo the escapes of a string; return the number of bytes, or -1 for want of space."""
    cdef Py_ssize_t length = 0, plain
    cdef uint64_t bits
    while at < stop:
        while stop - at >= WORD and capacity - length >= WORD:  # by words, up to the next backslash
            bits = word(at)
            memcpy(out + length, &bits, WORD)
            plain = bytes_before(bits, c"\\")
            at += plain
            length += plain
            if plain < WORD:
                break
        if at == stop:
            break
        if capacity - length < 4 and capacity - length < stop - at:
            return -1
        if at[0] == c"\\" and stop - at >= 2:
            at = _undo_escape(at, stop, out, &length)
        else:
            out[length] = at[0]
            length += 1
            at += 1
    return length


cdef inline Ptr _undo_escape(Ptr at, Ptr stop, uint8_t* out, Py_ssize_t* length) noexcept nogil:
    """Write what an escape means, or its backslash if it means nothing; return the position after it."""
    cdef uint32_t code
    cdef uint8_t meant = _meant(at[1])
    if meant:
        out[length[0]] = meant
        length[0] += 1
        return at + 2
    if at[1] == c"x" and stop - at >= 4 and hex_digit(at[2]) != NO_DIGIT and hex_digit(at[3]) != NO_DIGIT:
        out[length[0]] = 16 * hex_digit(at[2]) + hex_digit(at[3])
        length[0] += 1
        return at + 4
    if at[1] != c"u" or stop - at < 6 or _hex(at + 2) >= 0x10000:
        out[length[0]] = at[0]
        length[0] += 1
        return at + 1
    code = _hex(at + 2)
    at += 6
    if 0xD800 <= code < 0xDC00 and stop - at >= 6 and at[0] == c"\\" and at[1] == c"u" and 0xDC00 <= _hex(at + 2) < 0xE000:
        code = 0x10000 + ((code - 0xD800) << 10) + (_hex(at + 2) - 0xDC00)
        at += 6
    length[0] += _put(0xFFFD if 0xD800 <= code < 0xE000 else code, out + length[0])
    return at


cdef inline uint8_t _meant(uint8_t letter) noexcept nogil:
    """Return what a letter after a backslash stands for; 0 where it needs more letters, or means nothing."""
    if letter == c'"' or letter == c"\\" or letter == c"/":
        return letter
    return c"\v" if letter == c"v" else control(letter)


cdef inline uint32_t _hex(Ptr digits) noexcept nogil:
    """Return the value of four hexadecimal digits; 0x10000 or more if they are not digits."""
    cdef uint32_t value = 0
    cdef uint8_t digit
    cdef int place
    for place in range(4):
        digit = hex_digit(digits[place])
        if digit == NO_DIGIT:
            return 0x10000
        value = 16 * value + digit
    return value


cdef inline int _put(uint32_t code, uint8_t* out) noexcept nogil:
    """Write a character as UTF-8; return how many bytes it has."""
    if code < 0x80:
        out[0] = <uint8_t> code
        return 1
    if code < 0x800:
        out[0], out[1] = <uint8_t> (0xC0 | code >> 6), <uint8_t> (0x80 | (code & 0x3F))
        return 2
    if code < 0x10000:
        out[0], out[1], out[2] = <uint8_t> (0xE0 | code >> 12), <uint8_t> (0x80 | (code >> 6 & 0x3F)), <uint8_t> (0x80 | (code & 0x3F))
        return 3
    out[0], out[1] = <uint8_t> (0xF0 | code >> 18), <uint8_t> (0x80 | (code >> 12 & 0x3F))
    out[2], out[3] = <uint8_t> (0x80 | (code >> 6 & 0x3F)), <uint8_t> (0x80 | (code & 0x3F))
    return 4
