"""Times without an offset: read in the zone that the format names, or as UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

_QUARTER = 900_000_000  # microseconds: offsets change at quarters of an hour
_STEP = timedelta(microseconds=_QUARTER)


def from_local(times: Ints, zone: str) -> Ints:
    """Return times in UTC that were read as if they were; a time that a clock shows twice is the first of the two."""
    quarters, places = np.unique(times // _QUARTER, return_inverse=True)
    return times - np.array([_offset(int(quarter), zone) for quarter in quarters], np.int64)[places]


@lru_cache(maxsize=4096)
def _offset(quarter: int, zone: str) -> int:
    """Return how many microseconds a zone is ahead of UTC at a quarter of an hour of its own time."""
    local = datetime(1970, 1, 1, tzinfo=UTC) + quarter * _STEP  # as the clock there shows it
    offset = local.replace(tzinfo=ZoneInfo(zone)).utcoffset()
    assert offset is not None, "zones have one"
    return round(offset.total_seconds() * 1_000_000)
