"""The tree of the paths of JSON that a format reads."""

from libc.stdint cimport uint64_t
from libc.string cimport memcmp

from logagg.columnar.bytes cimport Ptr
from logagg.parse.lines.json_values cimport mark_of

cdef struct Entry:  # a key at a node of the tree of paths
    Ptr text  # one key, or several with dots between them
    Py_ssize_t length
    int row  # of the field whose value it is; -1: no path ends here
    int rank  # of the path, among those of its field
    int node  # where the longer paths continue; -1: there are none

cdef struct Node:
    int first, count  # entries
    uint64_t marks  # of the entries, a bit each

cdef struct Paths:
    const Node* nodes
    const Entry* entries


cdef inline const Entry* entry_of(const Paths* paths, int node, Ptr name, Py_ssize_t length, int* expected) noexcept nogil:
    """Return the entry of a key at a node, or NULL; the expected one is tried first."""
    cdef const Node* here = &paths.nodes[node]
    cdef const Entry* entry
    cdef int tried, number = expected[0]
    if not here.marks & mark_of(name, length):
        return NULL
    for tried in range(here.count):
        if number >= here.count:
            number = 0
        entry = &paths.entries[here.first + number]
        number += 1
        if entry.length == length and (length == 0 or entry.text[0] == name[0]) and memcmp(entry.text, name, length) == 0:
            expected[0] = number
            return entry
    return NULL
