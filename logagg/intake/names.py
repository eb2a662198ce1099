"""Derive from a file's name the stream that it belongs to, and its age among the rotations of that stream.

A name orders the work, and breaks ties between logs too short for a fingerprint; it never decides alone whether a file
is read. So for a scheme that is missing here only the order is lost.

The schemes are those of logrotate (numbers, `dateext`, `dateformat`, `extension`, `addextension`), savelog, newsyslog,
rotatelogs, cronolog, lumberjack, log4j and logback, Tomcat and IIS.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import lru_cache

STDIN = "-"

Age = tuple[int, str, int]

_DATED, _NUMBERED, _LIVE = 0, 1, 2  # the first item of an age; older ages sort first

_PACKED = r"(?:\.(?:gz|bz2|zst|xz|lz4|lz|lzma|lzo|br|Z|z|zip|7z))*"
_CLOCK = r"(?:[-T_:. ]?\d{2}(?:[-:._hH]?\d{2}){0,2}(?:[.,]\d{1,9})?(?:Z|[+-]\d{2}:?\d{2})?)?"
_DAY = rf"\d{{4}}[-_.]?\d{{2}}[-_.]?\d{{2}}{_CLOCK}(?:[-.]\d{{1,13}})?"
_PERIOD = r"\d{4}[-_.]?\d{2}|\d{4}[-_.]?[Ww]\d{2}|\d{9,13}"  # a month, a week, seconds since the epoch
_EXTENSION = r"\.(?:log|txt|json|jsonl|out|csv)"
_WEEKDAYS = "Mon|Tue|Wed|Thu|Fri|Sat|Sun"
_MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_WORDS = rf"(?:{_WEEKDAYS}|{_MONTHS})[a-z]*|bak|backup|old|orig|prev|previous|save|saved|copy|rotated|archived?"

# Tried in this order. The stream's name is the stem with its extension.
_SCHEMES = tuple(
    re.compile(scheme + _PACKED + r"\Z", re.DOTALL)
    for scheme in (
        rf"(?P<stem>.+?)[-._](?P<date>{_DAY}|{_PERIOD})(?P<extension>{_EXTENSION})",  # access-2026-11-29.log
        rf"(?P<stem>.+?)[-._](?P<date>{_DAY}|{_PERIOD})(?P<extension>)",  # access.log-20261129
        r"(?P<stem>(?:u_)?(?:ex|nc|in))(?P<date>\d{4,10})(?P<extension>\.log)",  # IIS: u_ex261129.log
        r"(?P<stem>.+?)\.(?P<number>\d{1,6})(?P<extension>)",  # access.log.1
        rf"(?P<stem>.+?)(?:[-._](?P<word>(?i:{_WORDS}))|~)(?P<extension>)",  # access.log.old, access_log.Sun
        r"(?P<stem>.+?)(?P<extension>)",
    )
)
_LOG_WORD = re.compile(r".+?log(?![A-Za-z])", re.DOTALL)
_ENDS_IN_PACKED = re.compile(r".+\.(?:gz|bz2|zst|xz|lz4|lz|lzma|lzo|br|Z|z|zip|7z)\Z", re.DOTALL)


_OF_SITE = re.compile(r"(?:(?P<site>.+)\.)?(?P<log>[^.]*access[^.]*\.log)")
_BACKUP = re.compile(rf"(?i:{_WORDS})")
_COPY = re.compile(r"(?:~|\.(?i:bak|backup|copy|old|orig|saved?))\Z")


@dataclass(frozen=True, slots=True)
class Found:
    """A file that was found."""

    path: str
    stream: str  # the absolute path of the live file that it is, or was
    age: Age  # sorts the oldest generation first, the live file last
    live: bool
    asked: bool = True  # else it lies beside a file that was asked for, and may be a rotation of that

    @property
    def absolute(self) -> str:
        """Return the absolute path, since another run may have found the file by a relative one."""
        return os.path.abspath(self.path)


def describe(path: str) -> Found:
    """Return the stream and the age of a file by its name."""
    folder, name = os.path.split(os.path.abspath(path))
    stem, age = stem_and_age(name)
    return Found(path, os.path.join(folder, stem), age, live=name == stem)


def is_dated(found: Found) -> bool:
    """Return whether a name has a date: some programs write to a log under its dated name."""
    return found.age[0] == _DATED and not _ENDS_IN_PACKED.match(found.path)


@lru_cache(maxsize=1 << 14)
def stem_and_age(name: str) -> tuple[str, Age]:
    """Return the name of the live log, and the age of this one among its rotations."""
    found = next(found for scheme in _SCHEMES if (found := scheme.match(name)))
    groups = found.groupdict()
    stem = found["stem"] + found["extension"]
    if date := groups.get("date"):
        return stem, (_DATED, re.sub(r"\D", "", date).ljust(24, "0"), 0)
    if number := groups.get("number"):
        return stem, (_NUMBERED, "", -int(number))
    if stem == name:
        return stem, (_LIVE, "", 0)
    return stem, (_LIVE, "", -1) if _ENDS_IN_PACKED.match(name) and not groups.get("word") else (_NUMBERED, "", -1)


def is_called_a_copy(path: str, of: str) -> bool:
    """Return whether a path is named as the decompressed archive `of`, or as a backup of it: access.log~, access.log.bak."""
    if path == of:
        return False
    base = _COPY.sub("", path)
    return path == re.sub(_PACKED + r"\Z", "", of) or (base != path and base == _COPY.sub("", of))


def are_of_two_sites(one: str, other: str) -> bool:
    """Return whether two paths are named after two sites, as shop.access.log and blog.access.log, or access.log itself, are."""
    found = [_OF_SITE.fullmatch(os.path.basename(path)) for path in (one, other)]
    if not (found[0] and found[1]) or found[0]["log"] != found[1]["log"]:
        return False
    sites = {match["site"] for match in found if match}
    return len(sites) == 2 and not any(site and _BACKUP.fullmatch(site) for site in sites)


def are_related(one: str, other: str) -> bool:
    """Return whether two paths may be of one log: same stream, or one's name contains the log of the other."""
    names = [os.path.basename(path) for path in (one, other)]
    roots = [_root(name) for name in names]
    return stem_and_age(names[0])[0] == stem_and_age(names[1])[0] or roots[0] in names[1] or roots[1] in names[0]


def _root(name: str) -> str:
    """Return a name up to and including the word `log`; the whole stem where that is missing."""
    found = _LOG_WORD.match(name)
    return found[0] if found else stem_and_age(name)[0]
