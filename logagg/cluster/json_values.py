"""Values that any encoder of JSON takes."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any


def iso(seconds: float | None) -> str | None:
    """Return seconds since the epoch in ISO 8601; None for no time, and for one that no calendar has."""
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return None


def plain(value: Any) -> Any:
    """Return a value with replacements for what JSON lacks: bytes in names that are not UTF-8 are escaped, NaN and
    infinity are None."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value
