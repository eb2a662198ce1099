"""The shapes of values, as `parse.formats.shapes` defines them, for compiled loops."""

from libc.stdint cimport uint8_t
from libc.string cimport memcmp

from logagg.columnar.bytes cimport Ptr, NO_DIGIT, hex_digit

# In the order of `parse.formats.shapes.SHAPES`.
cdef enum Shape:
    ANY
    CLIENT
    CLIENT_OR_DASH
    ADDRESS
    IDENT
    HOST
    DIGITS
    DASH
    ADDRESSES
    SOCKETS
    DECIMALS
    CACHE
    OTHER
    BARE
    SITE
    COUNTRY
    PEER
    USER
    WORD
    TAG
    HOSTNAME

# The shapes of one client; those of a list are added up.
cdef enum:
    IS_ADDRESS = 1
    IS_SOCKET = 2
    IS_NAME = 4
    IS_NONE = 8


cdef extern from *:
    """
    /* Bytes that a name has: letters, digits, dots, dashes, underscores, and those of other alphabets. */
    static const unsigned char NAMES[256] = {
        ['-'] = 1, ['.'] = 1, ['0' ... '9'] = 1, ['A' ... 'Z'] = 1, ['_'] = 1, ['a' ... 'z'] = 1, [128 ... 255] = 1
    };
    """
    const uint8_t NAMES[256]


cdef inline bint has_shape(Ptr value, Ptr stop, int shape) noexcept nogil:
    """Tell whether a value has a shape."""
    if shape == ANY:
        return True
    if shape == CLIENT or shape == CLIENT_OR_DASH:
        if _is_name(value, stop):  # as nearly all are
            return True
        return not _clients(value, stop) & IS_NONE or (shape == CLIENT_OR_DASH and _is(value, stop, c"-"))
    if shape == ADDRESS:
        return _client(value, stop) == IS_ADDRESS
    if shape == IDENT:
        return _is_ident(value, stop)
    if shape == HOST:
        return _is_host(value, stop)
    if shape == DIGITS:
        return _are_digits(value, stop, 1, stop - value) or _is(value, stop, c"-")
    if shape == SITE:
        return _is_site(value, stop)
    if shape == COUNTRY:
        return _is_country(value, stop) or _is(value, stop, c"-")
    if shape == PEER:
        if stop - value > 2 and value[0] == c"-" and value[1] == c":" and _are_digits(value + 2, stop, 1, 5):
            return True
        return not _clients(value, stop) & (IS_NAME | IS_NONE)
    if shape == USER:
        return _is_user(value, stop)
    if shape == WORD:
        return _is_word_of_prefix(value, stop)
    if shape == TAG:
        return _is_tag(value, stop)
    if value == stop or _is(value, stop, c"-"):
        return True
    if shape == HOSTNAME:
        return _is_site(value, stop) and not _client(value, stop) & (IS_ADDRESS | IS_SOCKET)
    if shape == BARE:
        return _kind_of(value, stop) == OTHER and _is_bare(value, stop)
    return shape == _kind_of(value, stop)


cdef inline bint _is_name(Ptr value, Ptr stop) noexcept nogil:
    """Tell whether these are the bytes of a name, or of an IPv4 address."""
    cdef Ptr at = value
    cdef uint8_t all_are = value < stop and value[0] != c"." and value[0] != c"-"
    while at < stop:
        all_are &= NAMES[at[0]]
        at += 1
    return all_are


cdef inline int _kind_of(Ptr value, Ptr stop) noexcept nogil:
    """Return the kind of a value behind the agent that is not "-"."""
    cdef int clients = _clients(value, stop)
    if clients == IS_ADDRESS:
        return ADDRESSES
    if clients == IS_SOCKET or clients == IS_SOCKET | IS_ADDRESS:
        return SOCKETS
    if _are_decimals(value, stop):
        return DECIMALS
    return CACHE if _is_cache(value, stop) else OTHER


cdef inline bint _is(Ptr value, Ptr stop, uint8_t byte) noexcept nogil:
    return stop - value == 1 and value[0] == byte


cdef inline bint _is_digit(uint8_t byte) noexcept nogil:
    return c"0" <= byte <= c"9"


cdef inline bint _is_letter(uint8_t byte) noexcept nogil:
    return c"a" <= byte | 0x20 <= c"z"


cdef inline bint _are_digits(Ptr value, Ptr stop, Py_ssize_t least, Py_ssize_t most) noexcept nogil:
    cdef Ptr at = value
    if not least <= stop - value <= most:
        return False
    while at < stop and _is_digit(at[0]):
        at += 1
    return at == stop


cdef inline bint _is_ident(Ptr value, Ptr stop) noexcept nogil:
    cdef Ptr at = value
    if value == stop or _is_digit(value[0]):
        return False
    while at < stop and (_is_letter(at[0]) or _is_digit(at[0]) or at[0] == c"_"):
        at += 1
    return at == stop or _is(value, stop, c"-")


cdef inline bint _is_host(Ptr value, Ptr stop) noexcept nogil:
    cdef Ptr at = value
    cdef bint pattern = value < stop and value[0] == c"~"
    while at < stop:
        if at[0] <= 32 or at[0] == c'"':
            return False
        if not pattern and (
            at[0] == c"<" or at[0] == c">" or at[0] == c"|" or at[0] == c"/" or at[0] == c"," or at[0] == c";"
            or at[0] == c"=" or at[0] == 127
        ):
            return False
        at += 1
    return value < stop


cdef inline bint _is_site(Ptr value, Ptr stop) noexcept nogil:
    """Tell whether this is a host name with a dot, one with a port, or an address."""
    cdef int client = _client(value, stop)
    cdef Ptr colon = stop
    if client == IS_ADDRESS or client == IS_SOCKET or _is(value, stop, c"-") or _is_dotted(value, stop):
        return True
    while colon > value and colon[-1] != c":":
        colon -= 1
    if colon == value or not _are_digits(colon, stop, 1, 5):
        return False
    return _has_letter_of_name(value, colon - 1)


cdef inline bint _is_dotted(Ptr value, Ptr stop) noexcept nogil:
    """Tell whether this is a name whose last part begins with a letter; or `localhost`."""
    cdef Ptr at = value
    cdef Ptr part = value
    cdef int dots = 0
    if stop - value == 9 and memcmp(value, b"localhost", 9) == 0:
        return True
    if stop - value > 1 and stop[-1] == c".":
        stop -= 1
    while at < stop:
        if at[0] == c".":
            if at == part:
                return False
            dots += 1
            part = at + 1
        elif not NAMES[at[0]]:
            return False
        at += 1
    return dots > 0 and stop - part > 1 and (_is_letter(part[0]) or part[0] >= 128)


cdef inline bint _has_letter_of_name(Ptr value, Ptr stop) noexcept nogil:
    """Tell whether these are bytes of a name, and not only digits and dots."""
    cdef Ptr at = value
    cdef bint found = False
    while at < stop:
        if not NAMES[at[0]]:
            return False
        found = found or not (_is_digit(at[0]) or at[0] == c".")
        at += 1
    return found


cdef inline bint _is_user(Ptr value, Ptr stop) noexcept nogil:
    """Tell whether this is a name with a "-" behind it, not an address: the name before was a site, and this is the client."""
    cdef Ptr at = value
    while at < stop and at[0] != c" ":
        at += 1
    if stop - at < 2 or at[1] != c"-" or (stop - at > 2 and at[2] != c" "):
        return True
    return not _client(value, at) & (IS_ADDRESS | IS_SOCKET)


cdef inline bint _is_tag(Ptr value, Ptr stop) noexcept nogil:
    """Tell whether this is a tag of Squid: capital letters and underscores."""
    cdef Ptr at = value
    while at < stop and (c"A" <= at[0] <= c"Z" or (at[0] == c"_" and at > value)):
        at += 1
    return at == stop and value < stop


cdef inline bint _is_country(Ptr value, Ptr stop) noexcept nogil:
    return stop - value == 2 and c"A" <= value[0] <= c"Z" and c"A" <= value[1] <= c"Z"


cdef inline bint _is_word_of_prefix(Ptr value, Ptr stop) noexcept nogil:
    cdef Ptr at = value
    while at < stop and at[0] > 32 and at[0] != c'"' and at[0] != c":" and at[0] != c"." and at[0] != 127:
        at += 1
    return at == stop and value < stop


cdef inline bint _is_bare(Ptr value, Ptr stop) noexcept nogil:
    """Tell whether this is one value without quotes, brackets and a key, or a list."""
    cdef Ptr at = value
    cdef bint may_be_key = not _is_digit(value[0]) and value[0] != c"." and value[0] != c"-"
    if value[0] == c"[":
        return False
    while at < stop:
        if at[0] == c'"' or (at[0] == c" " and not is_between(value, at, stop)):
            return False
        if at[0] == c"=" and may_be_key and at > value:
            return False
        may_be_key = may_be_key and at[0] < 128 and NAMES[at[0]]
        at += 1
    return True


cdef inline bint is_between(Ptr first, Ptr at, Ptr stop) noexcept nogil:
    """Tell whether a blank stands between the items of a list that begins at `first`: after a comma, or around a colon; or between a clock and its offset."""
    if at[0] != c" " or at == first:
        return False
    return at[-1] == c"," or (at[-1] == c":" and at - first > 1 and at[-2] == c" ") or (
        stop - at > 2 and at[1] == c":" and at[2] == c" "
    ) or _is_zoned(first, at, stop)

cdef inline bint _is_zoned(Ptr first, Ptr at, Ptr stop) noexcept nogil:
    """Tell whether a clock is before a blank, and an offset behind it: `12:00:00 +0100`."""
    if at - first < 3 or at[-3] != c":" or not (_is_digit(at[-2]) and _is_digit(at[-1])):
        return False
    if stop - at < 6 or (at[1] != c"+" and at[1] != c"-") or (stop - at > 6 and _is_digit(at[6])):
        return False
    return _is_digit(at[2]) and _is_digit(at[3]) and _is_digit(at[4]) and _is_digit(at[5])


# clients


cdef inline int _clients(Ptr value, Ptr stop) noexcept nogil:
    """Return what the clients of a list are."""
    cdef Ptr at = value
    cdef Ptr item
    cdef int found = 0
    while True:
        item = at
        while at < stop and at[0] != c",":
            at += 1
        found |= _client(item, at)
        if at == stop or found & IS_NONE:
            return found
        at += 1
        if at < stop and at[0] == c" ":
            at += 1


cdef inline int _client(Ptr value, Ptr stop) noexcept nogil:
    """Return what one client is."""
    cdef Ptr at = value
    cdef int colons = 0
    cdef bint named = True, numeric = True  # of letters, digits and `._-`; of digits and dots
    if value == stop:
        return IS_NONE
    if value[0] == c"[":
        return _bracketed(value + 1, stop)
    while at < stop:
        if at[0] == c":":
            colons += 1
            if colons == 1 and at - value == 4 and memcmp(value, b"unix", 4) == 0:
                return _of_graphic(at, stop)
        elif not (_is_digit(at[0]) or at[0] == c"."):
            numeric = False
            named = named and (_is_letter(at[0]) or at[0] == c"-" or at[0] == c"_" or at[0] >= 128)
        at += 1
    if colons == 0 and named:
        if numeric and _is_ipv4(value, stop):
            return IS_ADDRESS
        return IS_NONE if value[0] == c"." or value[0] == c"-" else IS_NAME
    if colons == 1 and numeric:
        at = value
        while at[0] != c":":
            at += 1
        return IS_SOCKET if _is_ipv4(value, at) and _are_digits(at + 1, stop, 1, 5) else IS_NONE
    return IS_ADDRESS if colons > 1 and _is_ipv6(value, stop) else IS_NONE


cdef inline int _bracketed(Ptr value, Ptr stop) noexcept nogil:
    """Return the shape of `[2001:db8::1]:443`, given the bytes after its bracket."""
    cdef Ptr at = value
    while at < stop and at[0] != c"]":
        at += 1
    if at == stop or not _is_ipv6(value, at):
        return IS_NONE
    at += 1
    if at == stop:
        return IS_ADDRESS
    return IS_SOCKET if at[0] == c":" and _are_digits(at + 1, stop, 1, 5) else IS_NONE


cdef inline int _of_graphic(Ptr value, Ptr stop) noexcept nogil:
    cdef Ptr at = value
    while at < stop and 32 < at[0] < 127:
        at += 1
    return IS_SOCKET if at == stop else IS_NONE


cdef inline bint _is_ipv4(Ptr value, Ptr stop) noexcept nogil:
    """Tell whether these are four numbers of one to three digits with dots between them."""
    cdef Ptr at = value
    cdef int numbers = 0, digits = 0
    while at < stop:
        if _is_digit(at[0]):
            digits += 1
            numbers += digits == 1
        elif at[0] != c"." or digits == 0:
            return False
        else:
            digits = 0
        if digits > 3:
            return False
        at += 1
    return numbers == 4 and digits > 0


cdef inline bint _is_ipv6(Ptr value, Ptr stop) noexcept nogil:
    """Tell whether these are hexadecimal digits with seven colons, or with two in a row; a zone may follow."""
    cdef Ptr at = value
    cdef int colons = 0
    cdef bint doubled = False
    while at < stop and at[0] != c"%":
        if at[0] == c":":
            colons += 1
            doubled = doubled or (at > value and at[-1] == c":")
        elif at[0] != c"." and hex_digit(at[0]) == NO_DIGIT:
            return False
        at += 1
    return (doubled or colons == 7) and (at == stop or _is_zone(at + 1, stop))


cdef inline bint _is_zone(Ptr value, Ptr stop) noexcept nogil:
    cdef Ptr at = value
    while at < stop and (_is_letter(at[0]) or _is_digit(at[0]) or at[0] == c"." or at[0] == c"_" or at[0] == c"-"):
        at += 1
    return at == stop and at > value


# other kinds


cdef inline bint _are_decimals(Ptr value, Ptr stop) noexcept nogil:
    """Tell whether this is a decimal, or a list of them and of "-", between `, `, `,` or ` : `."""
    cdef Ptr at = value
    cdef Ptr item
    cdef bint found = False
    while True:
        item = at
        while at < stop and at[0] != c"," and at[0] != c" ":
            at += 1
        if _is_decimal(item, at):
            found = True
        elif not _is(item, at, c"-"):
            return False
        if at == stop:
            return found
        if at[0] == c",":
            at += 2 if stop - at > 1 and at[1] == c" " else 1
        elif stop - at > 2 and memcmp(at, b" : ", 3) == 0:
            at += 3
        else:
            return False


cdef inline bint _is_decimal(Ptr value, Ptr stop) noexcept nogil:
    """Tell whether this is a number with three, four or six digits after its point."""
    cdef Ptr at = value
    while at < stop and at[0] != c".":
        at += 1
    return at < stop and _are_digits(value, at, 1, 7) and (_are_digits(at + 1, stop, 3, 4) or _are_digits(at + 1, stop, 6, 6))


cdef inline bint _is_cache(Ptr value, Ptr stop) noexcept nogil:
    """Tell whether this is what a cache says of a request, in capital or small letters."""
    cdef Py_ssize_t length = stop - value
    if length == 3:
        return _is_word(value, b"hit", 3)
    if length == 4:
        return _is_word(value, b"miss", 4) or _is_word(value, b"pass", 4) or _is_word(value, b"pipe", 4)
    if length == 5:
        return _is_word(value, b"stale", 5) or _is_word(value, b"synth", 5)
    if length == 6:
        return _is_word(value, b"bypass", 6) or _is_word(value, b"scarce", 6)
    if length == 7:
        return _is_word(value, b"expired", 7)
    return (length == 8 and _is_word(value, b"updating", 8)) or (length == 11 and _is_word(value, b"revalidated", 11))


cdef inline bint _is_word(Ptr value, const char* word, int length) noexcept nogil:
    cdef int at
    for at in range(length):
        if value[at] | 0x20 != word[at] or not _is_letter(value[at]):
            return False
    return True
