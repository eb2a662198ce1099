"""`[[log]]`: the format and the site of a log, where its lines do not show them, and which of them a path means."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from logagg.config.places import located
from logagg.config.toml import FILE, Location, converted, refuse_unknown
from logagg.config.types import text, texts

SITE_OF_PATH = "*"  # the site is what the first * of the path stands for
NOWHERE = Location(FILE, {})


@dataclass(frozen=True, slots=True)
class LogConfig:
    """One `[[log]]`."""

    path: str  # a file, directory or glob
    format: str = ""  # a name or a string; empty: as for other logs
    site: str = ""  # of lines that do not name their site; empty: as for other logs
    apart: tuple[str, ...] = ()  # files that a glob or a directory shall not mean
    place: Location = field(default=NOWHERE, compare=False)


def _path(value: object) -> str:
    path = text(value)
    if path in ("", "-"):
        raise ValueError("write the path of a file or a directory, or a glob")
    return path


_KEYS: Mapping[str, Callable[[object], Any]] = {
    "path": _path,
    "format": text,
    "site": lambda value: text(value).lower(),
    "except": texts,
}


def read_log(place: Location, table: Mapping[str, Any]) -> LogConfig:
    refuse_unknown(place, table, _KEYS)
    values = {key: converted(place, key, convert, table[key]) for key, convert in _KEYS.items() if key in table}
    if "path" not in values:
        raise place.error("path", "is missing", 'write path = "/var/log/nginx/access.log"')
    if values.get("site") == SITE_OF_PATH and "*" not in values["path"]:
        raise place.error("site", '"*" is what the first * of the path stands for', "write a path with a *")
    return LogConfig(values["path"], values.get("format", ""), values.get("site", ""), values.get("except", ()), place)


def refuse_twins(logs: Iterable[LogConfig]) -> None:
    seen = set[str]()
    for log in logs:
        if log.path in seen:
            raise log.place.error("path", f"there is a [[log]] of {log.path} already", "write each once")
        seen.add(log.path)


def begin_at(folder: Path | None, log: LogConfig) -> LogConfig:
    """Return an entry whose relative paths begin at the folder of its file."""
    apart = tuple(os.path.abspath(located(path, folder)) for path in log.apart)
    return replace(log, path=located(log.path, folder), apart=apart)


def apart_of(logs: Iterable[LogConfig]) -> set[str]:
    """Return the files that globs and directories shall not mean."""
    return {path for log in logs for path in log.apart}


class LogTable:
    """Finds the `[[log]]` that means a file: by its path, else by a glob, else by its directory."""

    def __init__(self, logs: Iterable[LogConfig]) -> None:
        self._exact: dict[str, LogConfig] = {}
        patterns = list[tuple[re.Pattern[str], LogConfig]]()
        for log in logs:
            path = os.path.abspath(log.path)
            if glob.has_magic(path):
                patterns.append((_pattern(path), log))
            else:
                self._exact.setdefault(path, log)
        self._patterns: Sequence[tuple[re.Pattern[str], LogConfig]] = sorted(
            patterns, key=lambda one: len(one[1].path), reverse=True
        )

    def of(self, *paths: str) -> LogConfig | None:
        """Return the entry for a file with these absolute paths: that of the live log that it is or was, and its own."""
        for path in paths:
            if found := self._exact.get(path):
                return found
        for path in paths:
            if found := self._of_glob(path) or self._exact.get(os.path.dirname(path)):
                return found
        return None

    def format_of(self, *paths: str) -> str:
        """Return the format of a file; empty if no entry gives one."""
        found = self.of(*paths)
        return found.format if found else ""

    def site_of(self, *paths: str) -> str:
        """Return the site of a file's lines; empty if no entry gives one."""
        found = self.of(*paths)
        if found and found.site == SITE_OF_PATH:
            matches = filter(None, map(_pattern(found.path).fullmatch, paths))
            return next((match[1].lower() for match in matches if match.lastindex), "")
        return found.site if found else ""

    def _of_glob(self, path: str) -> LogConfig | None:
        for pattern, log in self._patterns:
            if pattern.fullmatch(path) and path not in log.apart:
                return log
        return None


def _pattern(path: str) -> re.Pattern[str]:
    """Return the pattern of a glob whose wildcards stop at `/`; each * is a group."""
    parts = re.split(r"(\*+|\?|\[!?\]?[^\]/]*\])", os.path.abspath(path))
    return re.compile("".join(map(_part, parts)), re.DOTALL)


def _part(part: str) -> str:
    if part.startswith("*"):
        return "([^/]*)"
    if part == "?":
        return "[^/]"
    if part.startswith("[") and part.endswith("]"):
        return fnmatch.translate(part).removeprefix("(?s:").removesuffix(r")\Z")
    return re.escape(part)
