"""Windows of time: their text, presets, steps back and forth, narrower and wider, and how often each is refreshed.

`web/src/lib/window.js` does the same in the browser, without asking a server; a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from logagg.errors import LogaggError
from logagg.explore.scope import MINUTE, Period

DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_NARROWEST = 4 * MINUTE


@dataclass(frozen=True, slots=True)
class Window:
    """A window as the user wrote it; without an end it follows the data."""

    since: str = "24h"
    until: str = ""

    @classmethod
    def written(cls, text: str) -> Window:
        """Read `SINCE`, or `SINCE to UNTIL`. Raises LogaggError for an empty text."""
        since, _, until = text.replace("..", " to ").partition(" to ")
        if not since.strip():
            raise LogaggError("window: nothing", 'write "3h", "yesterday to today" or "2026-11-24 to 2026-11-26"')
        return cls(since.strip(), "" if until.strip() == "now" else until.strip())

    @classmethod
    def between(cls, since: datetime, until: datetime) -> Window:
        """Return the window of whole minutes from one time to another."""
        return cls(_minute(since), _minute(until + MINUTE - timedelta(microseconds=1)))

    def __str__(self) -> str:
        return f"{self.since} to {self.until}" if self.until else self.since


@dataclass(frozen=True, slots=True)
class Preset:
    """A window with a name, and the key that chooses it."""

    window: Window
    key: str
    title: str
    length: timedelta | None = None  # if the window ends now


PRESETS = (
    Preset(Window("5m"), "r", "last 5 minutes", 5 * MINUTE),
    Preset(Window("1h"), "o", "last hour", _HOUR),
    Preset(Window("24h"), "h", "last 24 hours", DAY),
    Preset(Window("7d"), "w", "last 7 days", 7 * DAY),
    Preset(Window("30d"), "m", "last 30 days", 30 * DAY),
    Preset(Window("today"), "d", "today"),
    Preset(Window("yesterday", "today"), "e", "yesterday"),
)


def preset_of(window: Window) -> Preset | None:
    return next((one for one in PRESETS if one.window == window), None)


def moved(window: Window, period: Period, direction: int, now: datetime) -> Window:
    """Return the window before (-1) or after (1) the one whose times are `period`.

    A window that is moved up to now becomes its preset again, and so follows the data.
    """
    if direction < 0 and window == Window("today"):
        return Window("yesterday", "today")
    if direction > 0 and window.since == "yesterday":
        return Window("today")
    since, until = (one + direction * period.length for one in (period.since, period.until))
    if until < now:
        return Window.between(since, until)
    return _latest(period.length) if direction > 0 else Window(_minute(since))


def _latest(length: timedelta) -> Window:
    near = (one.window for one in PRESETS if one.length and abs(one.length - length) <= 2 * MINUTE)
    return next(near, Window(f"{max(1, round(length / MINUTE))}m"))


def narrowed(period: Period) -> Window | None:
    """Return the middle half of a window; None if it is too short."""
    if period.length < _NARROWEST:
        return None
    quarter = period.length / 4
    return Window.between(period.since + quarter, period.until - quarter)


def widened(period: Period, now: datetime) -> Window:
    """Return a window twice as long around the same middle, but not beyond now."""
    half = period.length / 2
    end = -(-now.timestamp() // 60) * 60
    beyond = max(timedelta(), period.until + half - datetime.fromtimestamp(end, UTC))
    return Window.between(period.since - half - beyond, period.until + half - beyond)


def last_of(newest: datetime) -> Window:
    """Return the last day with data."""
    return Window.between(newest - DAY, newest)


def refresh_after(period: Period, now: datetime) -> float:
    """Return how many seconds after an answer new data are to be asked for."""
    if period.until < now - 2 * MINUTE:  # the window has ended: only late lines change it
        return 30.0
    return 1.0 if period.length <= _HOUR + MINUTE else 5.0 if period.length <= DAY + MINUTE else 30.0


def _minute(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%MZ}"


def first_window(newest: datetime | None, now: datetime) -> Window:
    """Return the default window: the last day, or the day before the newest data if they are older than that."""
    return Window() if newest is None or newest > now - DAY else last_of(newest)
