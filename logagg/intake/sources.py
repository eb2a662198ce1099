"""Paths, directories and globs -> the files they mean now, each with its stream and its age among its rotations."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial

from logagg.errors import SourceError

STDIN = "-"
SETTLED = 2.0  # seconds after which an unchanged mtime means an unchanged directory

_ROTATED = re.compile(
    r"(?P<stem>.+?)(?:[.-](?P<date>\d{4}-?\d{2}-?\d{2}(?:[-T_]?\d{2,6})?)|\.(?P<number>\d{1,4}))?(?P<packed>\.(?:gz|bz2|zst))?\Z",
    re.DOTALL,
)
_LOG = re.compile(r"\.log(?:$|[.-])|access", re.IGNORECASE)
_ERROR = re.compile(r"error", re.IGNORECASE)


Age = tuple[int, str, int]


@dataclass(frozen=True, slots=True)
class Found:
    """A file that a path means."""

    path: str
    stream: str  # the absolute path of the live file that it is, or was
    age: Age  # sorts the oldest generation first, the live file last
    live: bool
    asked: bool = True  # not a mere sibling of a file that was asked for


def describe(path: str) -> Found:
    """Tell a file's stream and age from its name."""
    folder, name = os.path.split(os.path.abspath(path))
    stem, age = _stem_and_age(name)
    return Found(path, os.path.join(folder, stem), age, live=name == stem)


@lru_cache(maxsize=1 << 14)
def _stem_and_age(name: str) -> tuple[str, Age]:
    match = _ROTATED.match(name)
    assert match, "the pattern takes any name"
    date, number = match["date"], match["number"]
    if date:
        return match["stem"], (0, re.sub(r"\D", "", date).ljust(14, "0"), 0)
    if number:
        return match["stem"], (1, "", -int(number))
    return match["stem"], (2, "", -1 if match["packed"] else 0)


def check(paths: Sequence[str]) -> None:
    """Raise SourceError for a path that does not exist, cannot be read, or holds no logs."""
    for path in paths:
        if path == STDIN or glob.has_magic(path):
            continue
        if not os.path.exists(path):
            raise SourceError(f"{path}: no such file or directory", "check the path")
        if not os.access(path, os.R_OK):
            raise SourceError(f"{path}: permission denied", "run as a user who may read it (often in group adm)")
        if os.path.isdir(path):
            listing = _list(path)
            if not any(listing.accepted(listing.names, _is_access_log)):
                raise SourceError(f"{path}: no access logs in this directory", "name a file, or a glob such as 'DIR/*.txt'")
        elif not os.path.isfile(path):
            raise SourceError(f"{path}: not a regular file", f"read a pipe as standard input: logagg tail - < {path}")


def find(paths: Sequence[str]) -> list[Found]:
    """Return the files that the paths mean now, oldest generations first; each name once."""
    return Finder(paths, lambda: 0.0).find()


class Finder:
    """Finds the files again and again; lists only the directories in which something has changed."""

    def __init__(self, paths: Sequence[str], now: Callable[[], float]) -> None:
        self._now = now
        self._wanted = [_Wanted(path, os.path.isdir(path)) for path in paths if path != STDIN]
        self._listings: dict[str, _Listing] = {}
        self._found: list[Found] = []

    def find(self) -> list[Found]:
        """Return the files that the paths mean now, oldest generations first; each name once."""
        folders = dict.fromkeys(folder for wanted in self._wanted for folder in wanted.folders())
        listings = {folder: self._listing(folder) for folder in folders}
        if listings != self._listings:
            self._listings = listings
            self._found = _sorted(found for wanted in self._wanted for found in wanted.expand(listings))
        return self._found

    def folders(self) -> list[str]:
        """Return the directories that the files are in."""
        return list(self._listings)

    def _listing(self, folder: str) -> _Listing:
        known = self._listings.get(folder)
        return known if known and known.is_current() else _list(folder, self._now())


@dataclass(slots=True, eq=False)
class _Listing:
    """The regular files of a directory, as they were at one moment."""

    folder: str
    mtime_ns: int = -1  # -1: cannot tell whether it has changed
    names: list[str] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)  # those that are symbolic links: what their target calls itself
    by_stem: dict[str, list[str]] = field(default_factory=dict)

    def is_current(self) -> bool:
        try:
            return os.stat(self.folder).st_mtime_ns == self.mtime_ns
        except OSError:
            return False

    def accepted(self, names: Iterable[str], rule: Callable[[str], bool] = bool) -> Iterator[str]:
        """Yield the paths of names that follow a rule.

        A link may be there because a stranger put it there: what it leads to must be an access log by its own name.
        """
        for name in names:
            if rule(name) and (name not in self.links or _is_access_log(self.links[name])):
                yield name if self.folder == "." else os.path.join(self.folder, name)


    def rotations(self, stream: str) -> Iterator[Found]:
        """Yield the rotations of a log that is asked for: they may hold the rest of what was read before."""
        name = os.path.basename(stream)
        for path in self.accepted(one for one in self.by_stem.get(name, ()) if one != name):
            yield replace(describe(path), stream=stream, live=False, asked=False)


def _list(folder: str, now: float = 0.0) -> _Listing:
    listing = _Listing(folder)
    try:
        before = os.stat(folder)
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_file():
                    listing.names.append(entry.name)
                    if entry.is_symlink():
                        listing.links[entry.name] = os.path.basename(os.path.realpath(entry.path))
    except OSError:
        return listing
    if before.st_mtime < now - SETTLED and not listing.links:
        listing.mtime_ns = before.st_mtime_ns
    for name in listing.names:
        listing.by_stem.setdefault(_stem_and_age(name)[0], []).append(name)
    return listing


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A path as a person gave it."""

    path: str
    is_folder: bool

    def folders(self) -> list[str]:
        """Return the directories whose listings tell what it means."""
        folder = self.path if self.is_folder else os.path.dirname(self.path) or "."
        return glob.glob(folder) if glob.has_magic(folder) and not self.is_folder else [folder]

    def expand(self, listings: Mapping[str, _Listing]) -> Iterator[Found]:
        name = os.path.basename(self.path)
        for listing in (listings[folder] for folder in self.folders() if folder in listings):
            if self.is_folder:
                yield from map(describe, listing.accepted(listing.names, _is_access_log))
            elif glob.has_magic(self.path):
                for found in map(describe, listing.accepted(listing.names, partial(_matches, name))):
                    yield from listing.rotations(found.stream) if found.live else ()
                    yield found
            else:
                yield from listing.rotations(os.path.abspath(self.path))
                yield Found(self.path, os.path.abspath(self.path), (2, "", 0), live=True)


def _matches(pattern: str, name: str) -> bool:
    return fnmatch.fnmatchcase(name, pattern) and name.startswith(".") <= pattern.startswith(".")


def _is_access_log(name: str) -> bool:
    return bool(_LOG.search(name)) and not _ERROR.search(name) and not name.startswith(".")


def _sorted(found: Iterator[Found]) -> list[Found]:
    unique: dict[str, Found] = {}
    for one in found:
        known = unique.get(one.path)
        if known is None or (one.asked and not known.asked):
            unique[one.path] = one
    return sorted(unique.values(), key=lambda one: (one.stream, one.age, one.path))
