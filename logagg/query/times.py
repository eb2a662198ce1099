"""Times as people write them, in a time zone: "1h30m" ago, "yesterday", "last week", "2026-11-24", "2026-11-24T12:00+01:00"."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from logagg.config import types
from logagg.errors import LogaggError

When = str | datetime | date | timedelta  # a timedelta means so long ago

_DAY = timedelta(days=1)
# By its name: a day, computed from today. Weeks begin on Monday, as in ISO 8601.
_DAYS: dict[str, Callable[[date], date]] = {
    "today": lambda today: today,
    "yesterday": lambda today: today - _DAY,
    "this week": lambda today: today - today.weekday() * _DAY,
    "last week": lambda today: today - (today.weekday() + 7) * _DAY,
    "this month": lambda today: today.replace(day=1),
    "last month": lambda today: (today.replace(day=1) - _DAY).replace(day=1),
    "this year": lambda today: today.replace(month=1, day=1),
}


def moment(value: When | None, now: float, option: str = "since", zone: tzinfo = UTC) -> datetime | None:
    """Return the time, or None for None. `now` is seconds since the epoch; days are those of `zone`. Raises LogaggError."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=zone)
    if isinstance(value, date):
        return _start(value, zone)
    if isinstance(value, timedelta):
        return _ago(now, value.total_seconds())
    return _read(" ".join(str(value).split()), now, option, zone)


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone by its name; without a name, the machine's, or UTC if the machine has none. Raises LogaggError."""
    try:
        return ZoneInfo(types.zone(name) or _of_machine())
    except ValueError as error:
        raise LogaggError(f"tz: {name!r} is not a time zone", str(error)) from None


def _of_machine() -> str:
    import tzlocal  # knows TZ, /etc/localtime and similar; imported late, since few commands need it

    try:
        found = types.zone(tzlocal.get_localzone_name())
        return "UTC" if found in ("", "Etc/UTC") else found  # Debian's name for it
    except (LookupError, ValueError, OSError):
        return "UTC"


def _read(text: str, now: float, option: str, zone: tzinfo) -> datetime:
    word = text.lower()
    if word == "now":
        return _ago(now, 0)
    if word in _DAYS:
        return _start(_DAYS[word](datetime.fromtimestamp(now, zone).date()), zone)
    for read in (lambda: _written(text, zone), lambda: _ago(now, _duration(word.removesuffix(" ago")))):
        try:
            return read()
        except (ValueError, OverflowError):
            continue
    raise LogaggError(
        f"{option}: {text!r} is not a time",
        'write "1h30m", "7d", "today", "yesterday", "this week", "2026-11-24" or "2026-11-24T12:00"',
    )


def _duration(text: str) -> float:
    if text[-1:].isdigit():
        raise ValueError(text)  # as seconds, "20261124" or "2026" are hardly what the user means
    return types.duration(text)


def _written(text: str, zone: tzinfo) -> datetime:
    if "-" not in text:
        raise ValueError(text)  # "20261124", which Python would read
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=zone)


def _start(day: date, zone: tzinfo) -> datetime:
    """Return the beginning of a day; if clocks go forward at midnight, it begins at one o'clock."""
    return datetime.combine(day, time(), zone)


def _ago(now: float, seconds: float) -> datetime:
    return datetime.fromtimestamp(now, UTC) - timedelta(seconds=seconds)
