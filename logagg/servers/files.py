"""The files of a server's configuration: those on the disk, or those in the output of `nginx -T`."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from logagg.errors import ConfigError

STDIN = "-"
_ALLOW = "run as a user who may read it"
_DUMPED = re.compile(r"^# configuration file (/.*):\n", re.MULTILINE)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line of a configuration."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    def error(self, message: str, hint: str = "") -> ConfigError:
        return ConfigError(f"{self}: {message}", hint)


class Files(Protocol):
    """Where the files of a configuration are looked up."""

    def read(self, path: str) -> str:
        """Return the text of a file. Raises OSError."""

    def find(self, pattern: str) -> list[str]:
        """Return the paths that a pattern matches, in the order of their names; a path without wildcards if it exists."""


class Disk:
    """The files of this machine."""

    def read(self, path: str) -> str:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()

    def find(self, pattern: str) -> list[str]:
        return sorted(glob.glob(pattern))


class Dump:
    """The files that `nginx -T` has printed, one after the other."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files

    @classmethod
    def of(cls, text: str) -> tuple[str, Dump] | None:
        """Return the path of the main file, and all files; None for a text of another kind."""
        before, *pieces = _DUMPED.split(text)
        if before.strip() or not pieces:
            return None
        return pieces[0], cls(dict(zip(pieces[::2], pieces[1::2], strict=True)))

    def read(self, path: str) -> str:
        if path not in self._files:
            raise FileNotFoundError(2, os.strerror(2), path)
        return self._files[path]

    def find(self, pattern: str) -> list[str]:
        names = pattern.count("/")
        return sorted(path for path in self._files if fnmatch.fnmatchcase(path, pattern) and path.count("/") == names)


def main_file(path: str) -> str:
    """Return the text of a main file, or of standard input. Raises ConfigError."""
    if path != STDIN:
        return text_of(Disk(), path, None)
    return sys.stdin.read()


def text_of(files: Files, path: str, named_at: Place | None) -> str:
    """Return the text of a file that the user names, or a line of the configuration. Raises ConfigError."""
    where = f"{named_at}: {path}" if named_at else path
    try:
        return files.read(path)
    except OSError as error:
        hint = _ALLOW if isinstance(error, PermissionError) else "name the server's main configuration file"
        raise ConfigError(f"{where}: {error.strerror or error}", "" if named_at and hint != _ALLOW else hint) from None
