"""Times as people write them: "1h" ago, "yesterday", "2026-11-24", "2026-11-24T12:00+01:00"; UTC by default."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from logagg.config.types import duration
from logagg.errors import LogaggError

When = str | datetime | date | timedelta  # a timedelta: that long ago


def moment(value: When | None, now: float, option: str = "since") -> datetime | None:
    """Return the time, or None for None. `now` is seconds since the epoch. Raises LogaggError."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    if isinstance(value, timedelta):
        return _ago(now, value.total_seconds())
    return _read(str(value).strip(), now, option)


def _read(text: str, now: float, option: str) -> datetime:
    today = datetime.combine(datetime.fromtimestamp(now, UTC).date(), time(), UTC)
    named = {"now": datetime.fromtimestamp(now, UTC), "today": today, "yesterday": today - timedelta(days=1)}
    if text.lower() in named:
        return named[text.lower()]
    for read in (lambda: _written(text), lambda: _ago(now, duration(text))):
        try:
            return read()
        except (ValueError, OverflowError):
            continue
    raise LogaggError(
        f"{option}: {text!r} is not a time",
        'write "1h", "7d", "today", "yesterday", "2026-11-24" or "2026-11-24T12:00"',
    )


def _written(text: str) -> datetime:
    if "-" not in text:
        raise ValueError(text)  # "20261124" and "2026" are neither plausible dates nor plausible durations
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _ago(now: float, seconds: float) -> datetime:
    return datetime.fromtimestamp(now, UTC) - timedelta(seconds=seconds)
