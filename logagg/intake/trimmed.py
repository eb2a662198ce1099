"""Logs that were cut at their front, as by `tail -n 1000`: at which offset of the rest the read position lies."""

from __future__ import annotations

from logagg.intake.content import FINGERPRINT_BYTES, Content, Plain, digest
from logagg.records import Fingerprint

SEARCHED = 64 << 20  # bytes at the end of such a log in which the position is searched for
_PIECE = 1 << 20  # bytes searched at a time


def trimmed_at(content: Content, fingerprint: Fingerprint, tail: bytes) -> int | None:
    """Return the position in the rest of a log from which on nothing was read: after the KiB of the fingerprint.

    `tail` is that KiB if it is in memory; else its digest is compared at each line of the last `SEARCHED` bytes.
    """
    if fingerprint.length < FINGERPRINT_BYTES or not isinstance(content, Plain):
        return None
    size = content.stat().st_size
    for end in range(size, max(0, size - SEARCHED), -_PIECE):
        start = max(0, end - _PIECE - FINGERPRINT_BYTES)
        at = _find_fingerprint(content.read(start, end - start), fingerprint, tail)
        if at is not None:
            return start + at
    return None


def _find_fingerprint(data: bytes, fingerprint: Fingerprint, tail: bytes) -> int | None:
    if len(tail) == FINGERPRINT_BYTES:
        at = data.rfind(tail)
        return at + FINGERPRINT_BYTES if at >= 0 and _has_a_line(tail) else None
    end = data.rfind(b"\n") + 1
    while end >= FINGERPRINT_BYTES:
        if digest(data[end - FINGERPRINT_BYTES : end]) == fingerprint.digest:
            return end if _has_a_line(data[end - FINGERPRINT_BYTES : end]) else None
        end = data.rfind(b"\n", 0, end - 1) + 1
    return None


def _has_a_line(data: bytes) -> bool:
    """Return whether a fingerprint covers a whole line: many long lines may share their last KiB."""
    return data.count(b"\n") > 1
