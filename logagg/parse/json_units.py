"""The units of durations in JSON logs: as the name of a key says, or as its values prove."""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import median, quantiles

from logagg.parse.schemas import DURATION, DURATION_LENGTH, WRITTEN_DURATION

# The end of the name of a duration, and its unit; empty where the values have to prove it.
_SUFFIXES = {
    **dict.fromkeys(("", "time", "human"), ""),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "seconds"),
    **dict.fromkeys(("ms", "msec", "msecs", "milli", "millis", "millisec", "milliseconds", "inms"), "milliseconds"),
    **dict.fromkeys(("us", "usec", "usecs", "micro", "micros", "microseconds"), "microseconds"),
    **dict.fromkeys(("ns", "nsec", "nsecs", "nano", "nanos", "nanoseconds"), "nanoseconds"),
}
_WRITTEN = re.compile(WRITTEN_DURATION.encode())
_NUMBER = re.compile(DURATION.encode())
_OF_NGINX = re.compile(rb"[0-9]+\.[0-9]{3}")

SLOW = 10.0  # seconds that nearly all requests are faster than
FASTEST = 0.0001  # seconds that half of the requests take at least
LONGEST_WHOLE = 600_000  # milliseconds that no request of a log of milliseconds takes


def unit_said(name: str, duration: str) -> str | None:
    """Return the unit in a name that begins with that of a duration; None if it does not, and empty if it says no unit."""
    return _SUFFIXES.get(name.removeprefix(duration)) if name.startswith(duration) else None


def unit_of(values: Sequence[bytes], *, is_nginx: bool = False) -> str:
    """Return the unit that the values of a duration prove, lists of them, too; empty if they could be of several.

    - A value with a unit is itself the proof: `12ms`.
    - nginx writes seconds with three decimals, even `0.010`; a variable of nginx may have no value yet.
    - If one request in ten took more than ten of the unit, it is not the second. Whole numbers and decimals alike are then
      milliseconds, which is what programs count in; unless half of them, or one of them, would be absurdly long.
    - If half of the requests took less than a tenth of it, it is not the millisecond.
    """
    texts = [
        part for value in values for part in re.split(rb" *[,:] *", value) if part and len(part) <= DURATION_LENGTH
    ]
    if any(_WRITTEN.fullmatch(text) and not _NUMBER.fullmatch(text) for text in texts):
        return "seconds"
    numbers = [float(text) for text in texts if _NUMBER.fullmatch(text)]
    if not numbers:
        return "seconds" if is_nginx else ""
    middle = median(numbers)
    if all(_OF_NGINX.fullmatch(text) for text in texts if text != b"-") and (is_nginx or middle < 1):
        return "seconds"
    if _ninth_tenth(numbers) >= SLOW:
        absurd = max(numbers) >= LONGEST_WHOLE or middle >= LONGEST_WHOLE / 20
        return "" if absurd else "milliseconds"
    return "seconds" if 0 < middle < 1000 * FASTEST and any(number % 1 for number in numbers) else ""


def _ninth_tenth(numbers: Sequence[float]) -> float:
    """Return what nine tenths of the numbers are below."""
    return quantiles(numbers, n=10)[-1] if len(numbers) > 1 else numbers[0]
