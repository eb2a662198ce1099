"""Why a path means no log now: it does not exist yet, access is denied, or it cannot be a log.

A tail that follows waits for what may come, as the first log of a container does, or a directory that is mounted late.
"""

from __future__ import annotations

import errno
import glob
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from logagg.errors import SourceError
from logagg.intake.discover import find
from logagg.intake.names import STDIN

State = Literal["missing", "refused", "unusable"]  # it may come; the system does not let us; waiting is of no use

_ALLOW = "run as a user who may read it (often in group adm)"


@dataclass(frozen=True, slots=True)
class PathProblem:
    """Why a path means no log now, and what to do."""

    path: str
    state: State
    reason: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def check(paths: Sequence[str], *, waits: bool) -> None:
    """Raise SourceError for a path that means no log; if the run `waits`, only where waiting is of no use."""
    for found in problems(paths):
        if found.state == "unusable" or not waits:
            raise SourceError(str(found), found.hint)


def problems(paths: Sequence[str]) -> Iterator[PathProblem]:
    """Yield what is wrong with each path that means no log now."""
    for path in paths:
        if path != STDIN and (found := problem(path)):
            yield found


def problem(path: str) -> PathProblem | None:
    """Return why a path means no log; None if it means one, readable or not, or a pattern that matches one."""
    if glob.has_magic(path):
        return None if _means_logs(path) else _of_pattern(path)
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        return _of_error(path, error)
    if stat.S_ISDIR(mode):
        return _of_directory(path)
    if not stat.S_ISREG(mode):
        hint = f"read a pipe as standard input: logagg tail - < {path}"
        return PathProblem(path, "unusable", "not a regular file", hint)
    return None if os.access(path, os.R_OK) else PathProblem(path, "refused", "permission denied", _ALLOW)


def refusal(path: str) -> str:
    """Say what exactly may not be read or entered, of a path that the system refuses; nothing where it does not."""
    for folder in _ancestors(path):
        if not os.access(folder, os.X_OK):
            return "" if _lacks(folder) else f"not allowed to enter {folder}"
    if os.path.isdir(path) and not os.access(path, os.X_OK):
        return f"not allowed to enter {path}"
    return "" if os.access(path, os.R_OK) or _lacks(path) else f"not allowed to read {path}"


def _means_logs(path: str) -> bool:
    return any(one.asked for one in find([path]))


def _of_error(path: str, error: OSError) -> PathProblem:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return PathProblem(path, "missing", _what_is_missing(path), "check the path")
    if error.errno in (errno.EACCES, errno.EPERM):
        return PathProblem(path, "refused", f"permission denied{detail(path)}", _ALLOW)
    return PathProblem(path, "refused", error.strerror or str(error), "check the path")


def _of_directory(path: str) -> PathProblem | None:
    try:
        os.listdir(path)
        os.stat(os.path.join(path, "."))  # to list a directory is one right, to enter it another
    except OSError as error:
        return _of_error(path, error)
    if _means_logs(path):
        return None
    hint = f"name a file, or a glob such as '{os.path.join(path, '*.txt')}'"
    return PathProblem(path, "missing", "no access logs in this directory", hint)


def _of_pattern(path: str) -> PathProblem:
    """Return why a glob matches nothing: there is nothing to match, or its directory is not to be seen."""
    fixed = _fixed_part(path)
    try:
        os.listdir(fixed)
        os.stat(os.path.join(fixed, "."))
    except OSError as error:
        found = _of_error(os.path.join(fixed, ""), error)
        return PathProblem(path, found.state, f"matches no file now: {found.reason}", found.hint)
    return PathProblem(path, "missing", "matches no file now", "check the pattern")


def _fixed_part(pattern: str) -> str:
    """Return the directory of a glob in which its first name with a wildcard is."""
    parts = Path(pattern).parts
    fixed = parts[: next(at for at, part in enumerate(parts) if glob.has_magic(part))]
    return os.path.join(*fixed) if fixed else "."


def _what_is_missing(path: str) -> str:
    """Name the first directory on the way that is not there; or the file, where all directories are."""
    for folder in _ancestors(path):
        if _lacks(folder):
            return f"no such file or directory: there is no {folder}"
        if not os.path.isdir(folder):
            return f"no such file or directory: {folder} is not a directory"
    if os.path.islink(path):
        return f"no such file or directory: it is a link to {os.path.realpath(path)}, which is not there"
    return "no such file or directory"


def detail(path: str) -> str:
    """Say what of a path is refused, where that is not the file itself."""
    found = refusal(path)
    return "" if found in ("", f"not allowed to read {path}") else f": {found}"


def _ancestors(path: str) -> list[str]:
    """Return the directories on the way to a path, the outermost first; it ends with its directory's own after a slash."""
    inside = os.path.join(path, "*") if path.endswith(os.sep) else path
    return [str(folder) for folder in reversed(Path(inside).parents) if str(folder) != "."]


def _lacks(path: str) -> bool:
    """Return whether there is nothing of this name, not even something that we may not see."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
