"""How much memory a message may take, before and after it is unpacked: shares of `--memory`."""

from __future__ import annotations

_JOB, _LEAST_JOB = 4, 16 << 20  # a quarter of the memory, but at least these bytes
_OVERHEAD = 1 << 12  # bytes of a packet beside the message
SPREAD = 12  # times a chunk's size that its events may take: 5.5 with the shortest lines, of 17 bytes; a row takes 99


def job_bytes(memory: int) -> int:
    """Return the bytes that a job may unpack to."""
    return max(_LEAST_JOB, memory // _JOB)


def message_bytes(job: int) -> int:
    """Return the maximum bytes of a packed message, given the bytes that a job may unpack to."""
    return job // 2


def packet_bytes(job: int) -> int:
    """Return the bytes of the largest packet that is accepted."""
    return message_bytes(job) + _OVERHEAD


def chunk_bytes(job: int) -> int:
    """Return the bytes of the largest chunk whose jobs stay within the bounds for any lines."""
    return job // SPREAD
