"""Read lines of a source from a file that holds it, forward, each byte once.

Lines are read in the order of their positions, and the fingerprint at the end is compared when it is reached, so that a
compressed file is decompressed once. Lines read before that count only once the reader has come to its end without
`NotTheSource`.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence

from logagg.intake.content import Content, digest
from logagg.parse.envelopes.cutting import first_line
from logagg.records import Fingerprint, KnownSource

LONGEST_LINE = 64 << 20  # bytes; `tail.max_line` is 1 MB by default
_FIRST_READ = 1 << 12  # bytes; most lines are shorter
_BLOCK = 1 << 18  # bytes read at a time
_BEFORE = (b"\n", b"\0")  # bytes that may come before a line: a hole of NULs is passed over


class NotTheSource(Exception):
    """The file does not hold what was read of the source."""


def begins_as(content: Content, known: KnownSource) -> bool:
    """Return whether a file holds the first bytes of a source."""
    head = known.source.head
    return bool(head.length) and digest(content.first()[: head.length]) == head.digest


def read_lines(content: Content, known: KnownSource, positions: Sequence[int]) -> Iterator[bytes | None]:
    """Yield the line at each of some positions in ascending order; None: no line of the source begins there.

    A line comes without its newline, but with its carriage return; its parts, if it has several, with newlines between
    them. Raises NotTheSource, perhaps at the very end, and OSError.
    """
    last, forward = known.furthest.fingerprint, _Forward(content)
    if not (last.length and begins_as(content, known) and content.holds(last)):
        raise NotTheSource
    proved = False
    for position in positions:
        if not proved and position > last.position - last.length:
            _prove(forward, last)
            proved = True
        yield _line_at(forward, position, last.position, known.source.format)
    if not proved:
        _prove(forward, last)
    if not (begins_as(content, known) and content.holds(last)):  # overwritten meanwhile
        raise NotTheSource


def _prove(forward: _Forward, last: Fingerprint) -> None:
    data = forward.read(last.position - last.length, last.length)
    if len(data) < last.length or digest(data) != last.digest:
        raise NotTheSource


def _line_at(forward: _Forward, position: int, end: int, log_format: str) -> bytes | None:
    """Return the line that begins at a position, as it was when the source had been read up to `end`."""
    if not 0 <= position < end:
        return None
    start, size = max(0, position - 1), _FIRST_READ
    while size <= LONGEST_LINE:
        wanted = min(size, end - start)
        data = forward.read(start, wanted)
        if start < position and data[:1] not in _BEFORE and not forward.is_mark(position):
            return None
        ended = len(data) < wanted or start + wanted == end  # the last line may have been read without a newline
        line = first_line(log_format, data[position - start :], LONGEST_LINE, ended=start + len(data) == end)
        if line is not None or ended:
            return line
        size *= 8
    return None


class _Forward:
    """A content that is read forward in blocks; the last block stays in memory."""

    def __init__(self, content: Content) -> None:
        self._content, self._start, self._data = content, 0, b""

    def read(self, start: int, size: int) -> bytes:
        """Return up to `size` bytes from `start`, which is never less than at the call before."""
        at = start - self._start
        if not 0 <= at <= len(self._data) - size:
            self._start, at = start, 0
            self._data = self._content.read(start, max(size, _BLOCK))
        return self._data[at : at + size]

    def is_mark(self, position: int) -> bool:
        """Return whether a position is just after a byte order mark: the first line begins there."""
        return position == len(BOM_UTF8) and self._content.first().startswith(BOM_UTF8)
