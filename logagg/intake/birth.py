"""The time of birth of a file: Linux reports it by `statx`, which Python 3.11 lacks."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from typing import Any

_EMPTY_PATH = 0x1000  # AT_EMPTY_PATH: of the descriptor itself
_BTIME = 0x800  # STATX_BTIME


class _Timestamp(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_int64), ("nanoseconds", ctypes.c_uint32), ("reserved", ctypes.c_int32))


class _Statx(ctypes.Structure):
    _fields_ = (
        ("mask", ctypes.c_uint32),
        ("before", ctypes.c_uint8 * 60),  # block size to attributes mask
        ("atime", _Timestamp),
        ("btime", _Timestamp),
        ("after", ctypes.c_uint8 * 160),
    )


def born(descriptor: int) -> float | None:
    """Return when a file was made, in seconds since the epoch; None where that is not known."""
    statx, found = _statx(), _Statx()
    if statx is None or statx(descriptor, b"", _EMPTY_PATH, _BTIME, ctypes.byref(found)):
        return None
    return found.btime.seconds + found.btime.nanoseconds / 1e9 if found.mask & _BTIME else None


@cache
def _statx() -> Any:
    return getattr(ctypes.CDLL(None), "statx", None) if os.name == "posix" else None
