"""Why a path matches no log now: it does not exist yet, access is denied, or it cannot be a log.

A tail that follows waits for paths that may come, such as the first log of a container or a directory mounted late.
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

PathState = Literal["missing", "refused", "unusable"]  # may come; access denied; never a log, so waiting is useless

_ALLOW = "run as a user who may read it (often in group adm)"


@dataclass(frozen=True, slots=True)
class PathProblem:
    """The reason why a path matches no log now, and the remedy."""

    path: str
    state: PathState
    reason: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def check(paths: Sequence[str], *, waits: bool) -> None:
    """Raise SourceError for a path that matches no log; if the run `waits`, only where waiting is useless."""
    for found in problems(paths):
        if found.state == "unusable" or not waits:
            raise SourceError(str(found), found.hint)


def problems(paths: Sequence[str]) -> Iterator[PathProblem]:
    """Yield the problem of each path that matches no log now."""
    for path in paths:
        if path != STDIN and (found := problem(path)):
            yield found


def problem(path: str) -> PathProblem | None:
    """Return why a path matches no log; None if it matches one."""
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
    """Return which file or directory denies access to a path; empty if none does."""
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
        os.stat(os.path.join(path, "."))  # listing a directory and entering it are two permissions
    except OSError as error:
        return _of_error(path, error)
    if _means_logs(path):
        return None
    hint = f"name a file, or a glob such as '{os.path.join(path, '*.txt')}'"
    return PathProblem(path, "missing", "no access logs in this directory", hint)


def _of_pattern(path: str) -> PathProblem:
    """Return why a glob matches nothing: no such file, or its directory cannot be read."""
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
    """Return the first missing directory on the path, or that the file itself is missing."""
    for folder in _ancestors(path):
        if _lacks(folder):
            return f"no such file or directory: there is no {folder}"
        if not os.path.isdir(folder):
            return f"no such file or directory: {folder} is not a directory"
    if os.path.islink(path):
        return f"no such file or directory: it is a link to {os.path.realpath(path)}, which is missing"
    return "no such file or directory"


def detail(path: str) -> str:
    """Return which directory denies access, as a suffix; empty where it is the file itself."""
    found = refusal(path)
    return "" if found in ("", f"not allowed to read {path}") else f": {found}"


def _ancestors(path: str) -> list[str]:
    """Return the parent directories of a path, the outermost first; a path with a trailing slash is one of them."""
    inside = os.path.join(path, "*") if path.endswith(os.sep) else path
    return [str(folder) for folder in reversed(Path(inside).parents) if str(folder) != "."]


def _lacks(path: str) -> bool:
    """Return whether nothing of this name exists; False where access is denied."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
