"""Compare two contents: their common beginning, and which of them ends first."""

from __future__ import annotations

from logagg.intake.content import FINGERPRINT_BYTES, Content, Plain

_PIECE = 1 << 20  # bytes compared at a time
_SAMPLES = 256  # pieces of two plain files that are compared, spread evenly


def compare(one: Content, other: Content) -> tuple[int, bool, bool]:
    """Return how many bytes two contents share from their start, and which of them ends there; neither: they differ."""
    if isinstance(one, Plain) and isinstance(other, Plain):
        return _compare_plain(one, other)
    at = 0
    while True:
        ours, theirs = one.read(at, _PIECE), other.read(at, _PIECE)
        shared = min(len(ours), len(theirs))
        if ours[:shared] != theirs[:shared]:
            return at, False, False
        at += shared
        if shared < _PIECE:
            return at, len(ours) == shared, len(theirs) == shared


def _compare_plain(one: Plain, other: Plain) -> tuple[int, bool, bool]:
    """Compare evenly spread pieces and the last bytes, so that a long log is not read as a whole."""
    sizes = one.stat().st_size, other.stat().st_size
    end = min(sizes)
    starts = [*range(0, end, max(_PIECE, end // _SAMPLES)), max(0, end - FINGERPRINT_BYTES)]
    alike = all(one.read(at, min(_PIECE, end - at)) == other.read(at, min(_PIECE, end - at)) for at in starts)
    return end, alike and sizes[0] == end, alike and sizes[1] == end


def ends_with(one: Content, end: int, other: Content, length: int) -> bool:
    """Return whether the bytes of one content before `end` are the first `length` bytes of another."""
    start = end - length
    pieces = range(0, length, _PIECE)
    return start >= 0 and all(
        one.read(start + at, min(_PIECE, length - at)) == other.read(at, min(_PIECE, length - at)) for at in pieces
    )


def shared_lines(one: Content, start: int, other: Content, other_start: int) -> int:
    """Return how many bytes of whole lines two contents share from these positions on."""
    at = lines = 0
    while True:
        ours, theirs = one.read(start + at, _PIECE), other.read(other_start + at, _PIECE)
        shared = _shared(ours, theirs)
        if end := ours.rfind(b"\n", 0, shared) + 1:
            lines = at + end
        at += shared
        if shared < _PIECE:
            return lines


def _shared(one: bytes, other: bytes) -> int:
    """Return the length of the common prefix."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
