"""Lines of JSON -> raw fields, found by the paths of their keys: `request.headers.User-Agent`.

A dot of a path is a step into an object or an array (`0` is its first element), or a dot in a key. An array's texts count
as one, joined as HTTP joins the lines of a header: `a, b`.

JSON (RFC 8259) is read as servers write it with templates, too: a value without quotes ends before the next key, whatever
it is (`-`, nothing, `0.1, 0.2`); nginx's escapes `\\xHH` are undone; an escape that means nothing stays as it is; an object
may have a comma too many. Nothing is nested deeper than `DEEPEST`.

Values are slices of the line; only what holds escapes, or is an array, is copied. Every pointer here lies within
`[line, end of line]`, and every loop ends there.
"""

import os

import numpy as np

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memchr

from logagg.columnar.bytes cimport WORD, Ptr, find, first_of, word
from logagg.parse.lines.json_escapes cimport unescape
from logagg.parse.lines.json_paths cimport Entry, Node, Paths, entry_of
from logagg.parse.lines.json_values cimport Recent, after_number, mark_of, reuse, strip

DEEPEST = 64  # nesting depth of objects and arrays, including the line's own object

cdef enum:
    MOST_FIELDS = 256
    LONGEST_KEY = 256  # bytes, escapes undone; longer keys are ignored
    LEVELS = 64  # DEEPEST
    MOST_DIGITS = 20
    NO_PATH = 1 << 20  # a rank beyond that of any path
    MOST_KEYS = 256  # of a line that are remembered
    LACKED = 2  # keys that a line may lack, one after another, and still be read by those remembered

cdef struct Key:  # as a line before has it, with its quotes and its colon
    Ptr text
    Py_ssize_t length  # 0: there is none
    int node  # where it was read
    const Entry* entry  # the entry that it led to; NULL: none

cdef struct Line:
    Ptr at
    Ptr stop
    Ptr escape  # the next backslash; `stop` if there is none
    bint plain  # no backslash is in it
    Key* keys  # of lines before, in their order
    Key* others  # of earlier lines with other keys: two programs may write one log
    bint learns  # a key was new; from there on, `keys` become those of this line
    int key  # the number of the one to come

cdef struct Values:  # of one line
    int64_t* start  # of the first field; the next one is `lines` further
    int64_t* end
    Py_ssize_t lines
    Ptr first  # byte of the data
    int ranks[MOST_FIELDS]  # of the path whose value was taken


def split_objects(const uint8_t[::1] data, const int64_t[::1] start, const int64_t[::1] end, paths_of):
    """Return data, the slices in it of each field (name -> starts and ends), and a mask of the lines that are objects.

    `paths_of` are the paths, and the field of each; of several paths of a field, the first that has a value counts, and of
    several values of a path the first. A value is the text of a string, or what stands without quotes; `-`, `null`,
    objects and missing values are empty, and so are all values of a line that is not an object. The data
    returned are the data given, perhaps followed by unescaped strings.
    """
    cdef Py_ssize_t lines = start.shape[0], row, number
    cdef int64_t written = 0
    fields = list(dict.fromkeys(paths_of.values()))
    cdef Py_ssize_t count = len(fields)
    if count > MOST_FIELDS or any(len(os.fsencode(key)) > LONGEST_KEY for key in paths_of):
        raise ValueError(f"a log format has at most {MOST_FIELDS} fields, and keys of at most {LONGEST_KEY} bytes")
    tree = _tree(paths_of, fields)
    cdef uint8_t[::1] nodes = np.zeros(max(1, len(tree)) * sizeof(Node), np.uint8)
    cdef uint8_t[::1] entries = np.zeros(max(1, sum(map(len, tree))) * sizeof(Entry), np.uint8)
    cdef Paths paths = Paths(<Node*> &nodes[0], <Entry*> &entries[0])
    _fill(<Node*> &nodes[0], <Entry*> &entries[0], tree)
    starts, ends, objects = np.empty((count, lines), np.int64), np.empty((count, lines), np.int64), np.empty(lines, np.bool_)
    whole = np.empty(3 * data.shape[0], np.uint8)  # the data, and values unescaped: shorter, but perhaps alone and in an array
    cdef int64_t[:, ::1] starts_of = starts, ends_of = ends
    cdef uint8_t[::1] fits = objects.view(np.uint8), spare = whole[data.shape[0] :]
    cdef uint8_t[::1] known = np.zeros(2 * (MOST_KEYS + LACKED + 1) * sizeof(Key), np.uint8)
    cdef Key *keys = <Key*> &known[0], *others = keys + MOST_KEYS + LACKED + 1
    cdef uint8_t[::1] recent = np.zeros(max(1, count) * sizeof(Recent), np.uint8)
    cdef Values values
    cdef Line line
    if lines and count:
        values.lines, values.first = lines, first_of(data)
        with nogil:
            for row in range(lines):
                line = _line(values.first + start[row], values.first + end[row], keys, others)
                values.start, values.end = &starts_of[0, row], &ends_of[0, row]
                for number in range(count):
                    values.ranks[number] = NO_PATH
                fits[row] = _read_object(&line, &paths, 0, 1, &values) and _is_over(&line)
                keys, others = line.keys, line.others
                for number in range(count):
                    if not fits[row] or values.ranks[number] == NO_PATH:
                        starts_of[number, row] = ends_of[number, row] = 0
                    else:
                        if not line.plain or values.first[starts_of[number, row]] == c"[":
                            _undo(&line, &values, number, data.shape[0], &spare[0], &written)
                        if ends_of[number, row] <= data.shape[0]:
                            reuse(values.first, &starts_of[number, row], &ends_of[number, row], (<Recent*> &recent[0]) + number)
    held = {name: (starts[number], ends[number]) for number, name in enumerate(fields)}
    if written:
        whole[: data.shape[0]] = data
    return (whole[: data.shape[0] + written] if written else np.asarray(data)), held, objects


# the tree of paths


def _tree(keys, fields):
    """Return the entries of each node: text, row, rank and node. The first node is the root."""
    ends = {}  # of a path -> its row and rank
    for key, field in keys.items():
        row = fields.index(field)
        ends[os.fsencode(key)] = (row, sum(taken == row for taken, _ in ends.values()))
    inner = list(dict.fromkeys(before for path in ends for before in _before_dots(path)))
    node_of = {path: number for number, path in enumerate(inner, 1)}
    nodes = [[] for _ in range(len(inner) + 1)]
    for path in dict.fromkeys(part for whole in ends for part in (*_before_dots(whole), whole)):
        leads_to = (*ends.get(path, (-1, 0)), node_of.get(path, -1))
        nodes[0].append((path, *leads_to))
        for before in _before_dots(path):
            nodes[node_of[before]].append((path[len(before) + 1 :], *leads_to))
    return nodes


def _before_dots(path):
    return [path[:at] for at, byte in enumerate(path) if byte == ord(".")]


cdef _fill(Node* nodes, Entry* entries, tree):
    """Write the tree down; the entries point to bytes that the tree holds."""
    cdef int first = 0, at = 0
    for at, following in enumerate(tree):
        nodes[at] = Node(first, len(following), 0)
        for text, row, rank, node in following:
            entries[first] = Entry(<Ptr> <char*> <bytes> text, len(text), row, rank, node)
            nodes[at].marks |= mark_of(entries[first].text, len(text))
            first += 1


# over an object


cdef bint _read_object(Line* line, const Paths* paths, int node, int depth, Values* values) noexcept nogil:
    """Read an object, the `depth`th that is open, and take the values of paths; return whether it is valid."""
    cdef int expected = 0
    cdef const Entry* entry
    if not _take(line, c"{"):
        return False
    while not _take(line, c"}"):
        if not _read_key(line, paths, node, &expected, &entry) or not _read_value(line, paths, entry, c"}", depth, values):
            return False
        if not _take(line, c","):
            return _take(line, c"}")
    return True


cdef inline bint _read_key(Line* line, const Paths* paths, int node, int* expected, const Entry** entry) noexcept nogil:
    """Read a key and its colon, and find its entry, or NULL; return whether it is valid.

    Most lines have the keys of a line before, in its order: comparing with these first saves a third of the time of a line.
    """
    cdef Ptr start, escape = line.escape
    cdef const Key* known = _known_key(line, line.keys, node)
    if known == NULL:
        known = _known_key(line, line.others, node)
        if known != NULL and line.learns:
            line.keys[line.key] = known[0]
            line.key = min(line.key + 1, MOST_KEYS)
        elif known != NULL:
            _exchange(line)
    if known != NULL:
        line.at += known.length
        entry[0] = known.entry
        return True
    if not line.learns:
        _exchange(line)
        line.learns = True
    start = line.at
    entry[0] = _read_name(line, paths, node, expected)
    if not _take(line, c":"):
        return False
    if line.at <= escape:  # the key has none
        line.keys[line.key] = Key(start, line.at - start, node, entry[0])
    line.key = min(line.key + 1, MOST_KEYS)
    return True


cdef inline const Key* _known_key(Line* line, const Key* keys, int node) noexcept nogil:
    """Return the remembered key that comes next in the line, or NULL. If `keys` are the line's, the key behind it is expected then."""
    cdef int number
    for number in range(line.key, line.key + LACKED + 1):
        if keys[number].length and keys[number].node == node and _comes_text(line, keys[number].text, keys[number].length):
            if keys == line.keys or not line.learns:
                line.key = min(number + 1, MOST_KEYS)
            return &keys[number]
    return NULL


cdef inline void _exchange(Line* line) noexcept nogil:
    line.keys, line.others = line.others, line.keys


cdef inline bint _comes_text(Line* line, Ptr text, Py_ssize_t length) noexcept nogil:
    """Tell whether a text comes next."""
    cdef Ptr at = line.at
    cdef Py_ssize_t done = 0
    if line.stop - at < length:
        return False
    if length >= WORD:
        while done <= length - WORD:
            if word(at + done) != word(text + done):
                return False
            done += WORD
        return word(at + length - WORD) == word(text + length - WORD)  # some bytes are compared twice
    while done < length:
        if at[done] != text[done]:
            return False
        done += 1
    return True


cdef inline const Entry* _read_name(Line* line, const Paths* paths, int node, int* expected) noexcept nogil:
    """Read a key; return its entry, or NULL. An invalid key is not followed by a colon."""
    cdef uint8_t[LONGEST_KEY] undone
    cdef Ptr name, escape = line.escape
    cdef Py_ssize_t length
    _skip_spaces(line)
    name = line.at + 1
    if not _skip_string(line):
        line.at = line.stop
        return NULL
    length = line.at - 1 - name
    if escape < line.at:
        if length > 6 * LONGEST_KEY:
            return NULL
        length = unescape(name, line.at - 1, undone, LONGEST_KEY)
        name = undone
    return entry_of(paths, node, name, length, expected)


cdef inline bint _read_value(Line* line, const Paths* paths, const Entry* entry, uint8_t closing, int depth, Values* values) noexcept nogil:
    """Read a value with everything in it; `closing` ends its object or array. Return whether it is valid."""
    cdef Ptr text
    _skip_spaces(line)
    if line.at == line.stop:
        return False
    if line.at[0] != c'"':
        return _read_unquoted(line, paths, entry, closing, depth, values)
    text = line.at + 1
    if not _skip_string(line):
        return False
    if entry != NULL and entry.row >= 0 and text < line.at - 1:
        _take_text(text, line.at - 1, entry, values)
    return True


cdef bint _read_unquoted(Line* line, const Paths* paths, const Entry* entry, uint8_t closing, int depth, Values* values) noexcept nogil:
    """Read a value other than a string. The caller reads strings, which are most of the values."""
    cdef Ptr value, stop
    if entry == NULL:
        return _skip_bare(line, closing) if line.at[0] != c"{" and line.at[0] != c"[" else _skip_value(line, closing, depth)
    if line.at[0] == c"{":
        return depth < LEVELS and _read_object(line, paths, entry.node, depth + 1, values) if entry.node >= 0 else _skip_value(line, closing, depth)
    if line.at[0] == c"[":
        return depth < LEVELS and _read_array(line, paths, entry, depth + 1, values)
    value = line.at
    if not _skip_bare(line, closing):
        return False
    stop = line.at
    if entry.row >= 0 and strip(&value, &stop):
        _take_text(value, stop, entry, values)
    return True


cdef bint _read_array(Line* line, const Paths* paths, const Entry* entry, int depth, Values* values) noexcept nogil:
    cdef Ptr opening = line.at, value, stop, text = NULL, end = NULL
    cdef int texts = 0, expected = 0
    cdef int64_t number = 0
    cdef const Entry* element
    line.at += 1
    if _take(line, c"]"):
        return True
    while True:
        _skip_spaces(line)
        value = line.at
        element = _element_of(paths, entry.node, number, &expected) if entry.node >= 0 else NULL
        if not _read_value(line, paths, element, c"]", depth, values):
            return False
        stop = line.at
        if strip(&value, &stop):
            text, end = value, stop
            texts += 1
        number += 1
        if not _take(line, c","):
            break
    if not _take(line, c"]"):
        return False
    if entry.row >= 0 and texts == 1:
        _take_text(text, end, entry, values)
    elif entry.row >= 0 and texts > 1:
        _take_text(opening, line.at, entry, values)  # to be joined
    return True


cdef inline const Entry* _element_of(const Paths* paths, int node, int64_t number, int* expected) noexcept nogil:
    """Return the entry of an element of an array, by its number."""
    cdef uint8_t[MOST_DIGITS] digits
    cdef uint8_t* at = digits + MOST_DIGITS
    while True:
        at -= 1
        at[0] = <uint8_t> (c"0" + number % 10)
        number //= 10
        if number == 0:
            return entry_of(paths, node, at, digits + MOST_DIGITS - at, expected)


cdef inline void _take_text(Ptr text, Ptr stop, const Entry* entry, Values* values) noexcept nogil:
    """Take the value of a path, unless a better one is known, or it is the dash of a missing value."""
    cdef Py_ssize_t place = entry.row * values.lines
    if entry.rank < values.ranks[entry.row] and not (stop - text == 1 and text[0] == c"-"):
        values.ranks[entry.row] = entry.rank
        values.start[place], values.end[place] = text - values.first, stop - values.first


# over a line


cdef inline Line _line(Ptr at, Ptr stop, Key* keys, Key* others) noexcept nogil:
    cdef Ptr escape = find(at, stop, c"\\")
    return Line(at, stop, escape, escape == stop, keys, others, False, 0)


cdef inline void _skip_spaces(Line* line) noexcept nogil:
    while line.at < line.stop and line.at[0] <= c" " and line.at[0] in (c" ", c"\t", c"\r", c"\n"):  # few are spaces
        line.at += 1


cdef inline bint _take(Line* line, uint8_t byte) noexcept nogil:
    """Skip spaces and the given byte, if it comes next."""
    _skip_spaces(line)
    if line.at == line.stop or line.at[0] != byte:
        return False
    line.at += 1
    return True


cdef inline bint _is_over(Line* line) noexcept nogil:
    _skip_spaces(line)
    return line.at == line.stop


cdef bint _skip_value(Line* line, uint8_t closing, int open) noexcept nogil:
    """Skip a value with everything in it, `open` levels deep; return whether it is valid."""
    cdef uint64_t objects = 0  # one bit for each level that it opens, the innermost lowest: 1 for an object
    cdef int depth = 0
    while True:
        _skip_spaces(line)
        if line.at == line.stop:
            return False
        if line.at[0] == c"{" or line.at[0] == c"[":
            if depth + open == LEVELS:
                return False
            depth += 1
            objects = (objects << 1) | (line.at[0] == c"{")
            line.at += 1
            if not _take(line, c"}" if objects & 1 else c"]"):
                if objects & 1 and not _skip_name(line):
                    return False
                continue
            depth -= 1
            objects >>= 1
        elif not _skip_scalar(line, closing if depth == 0 else c"}" if objects & 1 else c"]"):
            return False
        while depth:
            if _take(line, c"}" if objects & 1 else c"]"):
                depth -= 1
                objects >>= 1
            elif not _take(line, c","):
                return False
            elif not objects & 1:
                break
            elif line.at < line.stop and not _comes(line, c"}"):
                if not _skip_name(line):
                    return False
                break
        if depth == 0:
            return True


cdef inline bint _comes(Line* line, uint8_t byte) noexcept nogil:
    _skip_spaces(line)
    return line.at < line.stop and line.at[0] == byte


cdef inline bint _skip_name(Line* line) noexcept nogil:
    """Skip a key and its colon."""
    _skip_spaces(line)
    return _skip_string(line) and _take(line, c":")


cdef inline bint _skip_scalar(Line* line, uint8_t closing) noexcept nogil:
    return _skip_string(line) if line.at[0] == c'"' else _skip_bare(line, closing)


cdef inline bint _skip_string(Line* line) noexcept nogil:
    """Skip a string, from quote to quote; return whether it is one."""
    cdef Ptr text = line.at + 1, before
    if line.at == line.stop or line.at[0] != c'"':
        return False
    line.at = text
    while True:
        line.at = find(line.at, line.stop, c'"')
        if line.at == line.stop:
            return False
        before = line.at
        line.at += 1
        if before <= line.escape:
            return True
        while before > text and (before - 1)[0] == c"\\":
            before -= 1
        if not (line.at - 1 - before) & 1:
            line.escape = find(line.at, line.stop, c"\\")
            return True


cdef inline bint _skip_bare(Line* line, uint8_t closing) noexcept nogil:
    """Skip a value without quotes: up to the closing bracket, or the comma before the next key or element."""
    cdef Ptr comma
    line.at = after_number(line.at, line.stop)
    while line.at < line.stop and line.at[0] != closing:
        if c"-" <= line.at[0] <= c"9":  # most are numbers
            line.at += 1
        elif line.at[0] in (c'"', c"{", c"}", c"[", c"]", c"\\"):
            return False
        elif line.at[0] == c",":
            comma = line.at
            if closing == c"]":
                return True
            line.at += 1
            if _comes(line, c'"'):
                line.at = comma
                return True
        else:
            line.at += 1
    return True


# escapes undone


cdef inline void _undo(Line* line, Values* values, Py_ssize_t number, Py_ssize_t size, uint8_t* spare, int64_t* written) noexcept nogil:
    """Write a value with escapes, or an array, as its text into the spare bytes, which follow the `size` bytes of the data."""
    cdef int64_t* start = &values.start[number * values.lines]
    cdef int64_t* end = &values.end[number * values.lines]
    cdef Ptr text = values.first + start[0], stop = values.first + end[0]
    cdef uint8_t* out = spare + written[0]
    cdef Py_ssize_t length
    if text[0] == c"[" and (text - 1)[0] != c'"':  # a quote comes before the text of a string
        length = _join(text, stop, out)
    elif line.plain or memchr(text, c"\\", stop - text) == NULL:
        return
    else:
        length = unescape(text, stop, out, stop - text)
    start[0] = size + written[0]
    end[0] = start[0] + length
    written[0] += length


cdef Py_ssize_t _join(Ptr opening, Ptr stop, uint8_t* out) noexcept nogil:
    """Write the texts of a valid array, with a comma and a space between them; return the number of bytes, which are fewer."""
    cdef Line line = _line(opening + 1, stop, NULL, NULL)
    cdef Ptr value, end
    cdef Py_ssize_t length = 0
    while True:
        _skip_spaces(&line)
        value = line.at
        if not _skip_value(&line, c"]", 0):
            return length
        end = line.at
        if strip(&value, &end):
            if length:
                out[length], out[length + 1] = c",", c" "
                length += 2
            length += unescape(value, end, out + length, end - value)
        if not _take(&line, c","):
            return length
