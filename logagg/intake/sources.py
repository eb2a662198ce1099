"""Paths, directories and globs -> the files they mean now, each with its stream and its age among its rotations."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from logagg.errors import SourceError

STDIN = "-"

_ROTATED = re.compile(
    r"(?P<stem>.+?)(?:[.-](?P<date>\d{4}-?\d{2}-?\d{2}(?:[-T_]?\d{2,6})?)|\.(?P<number>\d{1,4}))?(?P<packed>\.(?:gz|bz2|zst))?\Z"
)
_LOG = re.compile(r"\.log(?:$|[.-])|access", re.IGNORECASE)
_ERROR = re.compile(r"error", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Found:
    """A file that a path means."""

    path: str
    stream: str  # the path of the live file that it is, or was
    age: tuple[int, str, int]  # sorts the oldest generation first, the live file last
    asked: bool = True  # not a mere sibling of a file that was asked for

    @property
    def live(self) -> bool:
        return self.path == self.stream


def describe(path: str, *, asked: bool = True) -> Found:
    """Tell a file's stream and age from its name."""
    folder, name = os.path.split(path)
    match = _ROTATED.match(name)
    assert match, "the pattern takes any name"
    date, number = match["date"], match["number"]
    if date:
        age = (0, re.sub(r"\D", "", date).ljust(14, "0"), 0)
    elif number:
        age = (1, "", -int(number))
    else:
        age = (2, "", -1 if match["packed"] else 0)
    return Found(path, os.path.join(folder, match["stem"]), age, asked)


def check(paths: Sequence[str]) -> None:
    """Raise SourceError for a path that does not exist, cannot be read, or holds no logs."""
    for path in paths:
        if path == STDIN or glob.has_magic(path):
            continue
        if not os.path.exists(path):
            raise SourceError(f"{path}: no such file or directory", "check the path")
        if not os.access(path, os.R_OK):
            raise SourceError(f"{path}: permission denied", "run as a user who may read it (often in group adm)")
        if not (os.path.isfile(path) or os.path.isdir(path)):
            raise SourceError(f"{path}: not a regular file", f"read a pipe as standard input: logagg tail - < {path}")
        if os.path.isdir(path) and not any(_in_directory(path)):
            raise SourceError(f"{path}: no access logs in this directory", "name a file, or a glob such as 'DIR/*.txt'")


def find(paths: Sequence[str]) -> list[Found]:
    """Return the files that the paths mean now, oldest generations first; each once."""
    found: dict[str, Found] = {}
    for path in paths:
        for one in _expand(path):
            known = found.get(one.path)
            if known is None or (one.asked and not known.asked):
                found[one.path] = one
    return sorted(found.values(), key=lambda one: (one.stream, one.age, one.path))


def folders(paths: Sequence[str]) -> set[str]:
    """Return the directories to watch."""
    return {path if os.path.isdir(path) else os.path.dirname(path) or "." for path in paths if path != STDIN}


def _expand(path: str) -> Iterator[Found]:
    if path == STDIN:
        return
    if os.path.isdir(path):
        yield from map(describe, _in_directory(path))
    elif glob.has_magic(path):
        yield from (describe(one) for one in glob.glob(path) if os.path.isfile(one))
    else:
        yield from _with_siblings(path)


def _in_directory(path: str) -> Iterator[str]:
    try:
        entries = sorted(os.listdir(path))
    except OSError:
        return
    for name in entries:
        if _LOG.search(name) and not _ERROR.search(name) and not name.startswith("."):
            whole = os.path.join(path, name)
            if os.path.isfile(whole):
                yield whole


def _with_siblings(path: str) -> Iterator[Found]:
    """Yield a file that was asked for, and its rotations, which may hold the rest of what was read before."""
    asked = Found(path, path, (2, "", 0))
    for sibling in Path(os.path.dirname(path) or ".").glob(glob.escape(os.path.basename(path)) + "[.-]*"):
        described = describe(str(sibling), asked=False)
        if os.path.basename(described.stream) == os.path.basename(path):
            yield Found(os.path.join(os.path.dirname(path), sibling.name), path, described.age, asked=False)
    if os.path.isfile(path):
        yield asked
