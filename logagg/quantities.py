"""Numbers of things, and of bytes, as messages have them."""

from __future__ import annotations

UNITS = (
    "kB",
    "MB",
    "GB",
    "TB",
    "PB",
)  # of 1,000, as on the page; a setting's units are of 1,024 (`config.types.SIZES`)


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return a number of things: `1 commit`, `2,000 commits`, `1 query`, `2 queries`."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def size(count: float) -> str:
    """Return a number of bytes as people read it: `999 B`, `1.5 kB`."""
    if count < 999.5:
        return f"{count:.0f} B"
    for unit in UNITS[:-1]:
        count /= 1000
        if count < 999.95:
            return f"{count:.1f} {unit}"
    return f"{count / 1000:.1f} {UNITS[-1]}"
