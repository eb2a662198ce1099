"""Paths, directories and globs -> the files they match now, each with its stream and its age among its rotations.

Other files in the same directories are listed, too, since a log may have been renamed to one of them. They are read only
if their content proves that.
"""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from logagg.intake.names import STDIN, Found, describe, is_dated, stem_and_age
from logagg.quantities import counted

MTIME_SETTLE_SECONDS = 2.0  # after which an unchanged mtime means an unchanged directory
_NAMED = 3  # links that cannot be followed are named in a notice, at most

_LOG = re.compile(r"\.log(?:$|[.-])|access", re.IGNORECASE)
_ERROR = re.compile(r"(?<![a-z])errors?(?![a-z])", re.IGNORECASE)
_UNFINISHED = re.compile(r"\A#|\.(?:sw[a-p]|te?mp|part|filepart)\Z", re.IGNORECASE)  # copies are told by their content


def find(paths: Sequence[str], apart: Collection[str] = ()) -> list[Found]:
    """Return the files that the paths match now, the oldest generations first; each name once."""
    return Finder(paths, lambda: 0.0, apart).find()


class Finder:
    """Finds the files at each look; lists again only the directories that have changed."""

    def __init__(self, paths: Sequence[str], now: Callable[[], float], apart: Collection[str] = ()) -> None:
        """Look for these paths; a glob or a directory does not mean the files in `apart`, which are absolute paths."""
        self._now, self._apart = now, frozenset(apart)
        self._wanted = [_GivenPath(path, os.path.isdir(path)) for path in paths if path != STDIN]
        self._listings: dict[str, _Listing] = {}
        self._found: list[Found] = []

    def find(self) -> list[Found]:
        """Return the files that the paths match now, the oldest generations first; the same list object if none changed."""
        self._wanted = [self._as_it_is(wanted) for wanted in self._wanted]
        folders = dict.fromkeys(folder for wanted in self._wanted for folder in wanted.folders())
        listings = {folder: self._listing(folder) for folder in folders}
        # The log behind a link is rotated in the directory of its target.
        linked = dict.fromkeys(link.folder for wanted in self._wanted for link in wanted.links(listings))
        listings |= {folder: self._listing(folder) for folder in linked if folder not in listings}
        if listings != self._listings:
            self._listings = listings
            asked = (
                found for wanted in self._wanted for found in wanted.expand(listings) if self._means(wanted, found)
            )
            others = (found for listing in listings.values() for found in listing.others())
            found = _sorted(chain(asked, others))
            self._found = self._found if found == self._found else found
        return self._found

    def _means(self, wanted: _GivenPath, found: Found) -> bool:
        return not (wanted.is_many and self._apart and {found.stream, found.absolute} & self._apart)

    def folders(self) -> list[str]:
        """Return the directories of the files."""
        return list(self._listings)

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield the directories that cannot be listed, or only in part, and why."""
        for listing in self._listings.values():
            if listing.problem:
                yield listing.folder, listing.problem

    def hidden(self) -> Iterator[tuple[str, str]]:
        """Yield the directories in which logs that are asked for may be hidden, and why."""
        if not any(listing.problem for listing in self._listings.values()):
            return
        for wanted in self._wanted:
            for listing in wanted.listings(self._listings):
                if (
                    listing.problem
                    and wanted.is_many
                    and (not listing.failed or any(map(wanted.means, listing.failed)))
                ):
                    yield listing.folder, listing.problem

    def _as_it_is(self, wanted: _GivenPath) -> _GivenPath:
        """Check again whether a path is a directory, which may be created late, unless its listing is still valid."""
        known = self._listings.get(wanted.path)
        if glob.has_magic(wanted.path) or (wanted.is_folder and known and known.mtime_ns >= 0):
            return wanted
        return replace(wanted, is_folder=os.path.isdir(wanted.path))

    def shut(self) -> list[str]:
        """Return the directories that cannot be listed at all."""
        return [listing.folder for listing in self._listings.values() if listing.shut]

    def _listing(self, folder: str) -> _Listing:
        known = self._listings.get(folder)
        return known if known and known.is_current() else _list(folder, self._now())


@dataclass(frozen=True, slots=True)
class _Link:
    """A symbolic link to a log, and where its target lies."""

    stream: str  # of the link
    target: str

    @property
    def folder(self) -> str:
        return os.path.dirname(self.target)


@dataclass(slots=True, eq=False)
class _Listing:
    """The regular files of a directory, as they were at one moment."""

    folder: str
    mtime_ns: int = -1  # -1: has to be listed at each look
    names: list[str] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)  # those that are symbolic links: their targets
    has_links: bool = False  # the target of a link may come or go without a change of the directory
    by_stem: dict[str, list[str]] = field(default_factory=dict)
    problem: str = ""  # why the listing is incomplete
    failed: tuple[str, ...] = ()  # entries that cannot be followed
    shut: bool = False  # it cannot be listed at all

    def is_current(self) -> bool:
        try:
            return os.stat(self.folder).st_mtime_ns == self.mtime_ns
        except OSError:
            return False

    def accepted(self, names: Iterable[str], rule: Callable[[str], bool] = bool) -> Iterator[str]:
        """Yield the paths of the names that a rule accepts.

        An attacker may have put a link there: its target must be named like an access log, too.
        """
        for name in names:
            if rule(name) and (name not in self.links or is_access_log(os.path.basename(self.links[name]))):
                yield self._path(name)

    def rotations(self, stream: str, of: str = "") -> Iterator[Found]:
        """Yield the rotations of a log that is asked for: they may hold lines of it that were not read yet."""
        name = os.path.basename(of or stream)
        for path in self.accepted(one for one in self.by_stem.get(name, ()) if one != name):
            yield replace(describe(path), stream=stream, live=False, asked=False)

    def others(self) -> Iterator[Found]:
        """Yield all files except links and hidden ones: a log may have been renamed to one of them."""
        for name in self.names:
            if name not in self.links and not name.startswith("."):
                yield replace(describe(self._path(name)), live=False, asked=False)

    def _path(self, name: str) -> str:
        return name if self.folder == "." else os.path.join(self.folder, name)


def _list(folder: str, now: float = 0.0) -> _Listing:
    listing = _Listing(folder)
    failed: dict[str, str] = {}
    try:
        before = os.stat(folder)
        with os.scandir(folder) as entries:
            for entry in entries:
                _add(listing, entry, failed)
    except FileNotFoundError:
        return listing
    except OSError as error:
        listing.problem, listing.shut = f"cannot be listed ({error.strerror or error})", True
        return listing
    listing.problem, listing.failed = _not_followed(failed), tuple(failed)
    if before.st_mtime < now - MTIME_SETTLE_SECONDS and not listing.has_links and not failed:
        listing.mtime_ns = before.st_mtime_ns
    for name in listing.names:
        listing.by_stem.setdefault(stem_and_age(name)[0], []).append(name)
    return listing


def _add(listing: _Listing, entry: os.DirEntry[str], failed: dict[str, str]) -> None:
    """Add an entry to the listing if it is a file; note in `failed` a link that cannot be followed."""
    is_link = entry.is_symlink()
    listing.has_links |= is_link
    try:
        if not entry.is_file():
            return
        if is_link:
            listing.links[entry.name] = os.path.realpath(entry.path)
        listing.names.append(entry.name)
    except OSError as error:
        failed[entry.name] = error.strerror or str(error)


def _not_followed(failed: Mapping[str, str]) -> str:
    if not failed:
        return ""
    names = sorted(failed)
    more = f" and {counted(len(names) - _NAMED, 'other')}" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more} cannot be followed ({failed[names[0]]}); passed over"


@dataclass(frozen=True, slots=True)
class _GivenPath:
    """A path as the user gave it."""

    path: str
    is_folder: bool

    @property
    def is_many(self) -> bool:
        """Return whether it may match any number of files."""
        return self.is_folder or glob.has_magic(self.path)

    def folders(self) -> list[str]:
        """Return the directories whose listings it is matched against."""
        folder = self.path if self.is_folder else os.path.dirname(self.path) or "."
        return glob.glob(folder) if glob.has_magic(folder) and not self.is_folder else [folder]

    def links(self, listings: Mapping[str, _Listing]) -> Iterator[_Link]:
        """Yield the links to logs that it matches."""
        if not self.is_many:
            if os.path.islink(self.path):
                yield _Link(os.path.abspath(self.path), os.path.realpath(self.path))
            return
        for listing in self.listings(listings):
            for path in listing.accepted(listing.links, self.means):
                yield _Link(describe(path).stream, listing.links[os.path.basename(path)])

    def expand(self, listings: Mapping[str, _Listing]) -> Iterator[Found]:
        for listing in self.listings(listings):
            yield from self._expand(listing)
        for link in self.links(listings):
            if link.folder in listings:
                yield from listings[link.folder].rotations(link.stream, link.target)

    def _expand(self, listing: _Listing) -> Iterator[Found]:
        if not self.is_many:
            stream = os.path.abspath(self.path)
            yield from listing.rotations(stream)
            yield Found(self.path, stream, (2, "", 0), live=True)
            return
        for found in map(describe, listing.accepted(listing.names, self.means)):
            if found.live and not self.is_folder:
                yield from listing.rotations(found.stream)
            yield found

    def means(self, name: str) -> bool:
        return is_access_log(name) if self.is_folder else _matches(os.path.basename(self.path), name)

    def listings(self, listings: Mapping[str, _Listing]) -> list[_Listing]:
        return [listings[folder] for folder in self.folders() if folder in listings]


def _matches(pattern: str, name: str) -> bool:
    return fnmatch.fnmatchcase(name, pattern) and name.startswith(".") <= pattern.startswith(".")


def is_access_log(name: str) -> bool:
    """Return whether a name in a directory is that of an access log."""
    return bool(_LOG.search(name)) and not (is_error_log(name) or is_unfinished(name) or name.startswith("."))


def is_unfinished(name: str) -> bool:
    """Return whether a name is that of a file which an editor or a transfer keeps beside a log while it is at work."""
    return bool(_UNFINISHED.search(name))


def is_error_log(name: str) -> bool:
    return bool(_ERROR.search(name)) and "access" not in name.lower()


def _sorted(found: Iterator[Found]) -> list[Found]:
    unique: dict[str, Found] = {}
    for one in found:
        known = unique.get(one.path)
        if known is None or (one.asked and not known.asked):
            unique[one.path] = one
    streams: defaultdict[str, list[Found]] = defaultdict(list)
    for one in sorted(unique.values(), key=lambda one: (one.stream, one.age, one.path)):
        streams[one.stream].append(one)
    return [one for stream in streams.values() for one in _with_live(stream)]


def _with_live(stream: list[Found]) -> list[Found]:
    """Mark the youngest file as live if all names have dates: cronolog and rotatelogs write to that one."""
    youngest = max((one for one in stream if one.asked), key=lambda one: one.age, default=None)
    if youngest is None or youngest.live or not is_dated(youngest):
        return stream
    return [replace(one, live=True) if one is youngest else one for one in stream]
