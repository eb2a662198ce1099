"""The configuration file as written: TOML, the lines of its keys, and errors that point at them."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from logagg.errors import ConfigError

FILE = "logagg.toml"


@dataclass(frozen=True, slots=True)
class Location:
    """The place of a section in the configuration file."""

    file: str
    lines: Mapping[str, int]  # by key; "" is the section itself

    def error(self, key: str, message: str, hint: str = "") -> ConfigError:
        """Return the error for a key: file, line, key, and the remedy."""
        line = self.lines.get(key) or self.lines.get(key.partition(".")[0]) or self.lines.get("", 0)
        where = f"{self.file}:{line}" if line else self.file
        return ConfigError(f"{where}: {key}: {message}" if key else f"{where}: {message}", hint)


def converted(place: Location, key: str, convert: Callable[[object], Any], value: object, section: str = "") -> Any:
    try:
        return convert(value)
    except ValueError as error:
        shown = json.dumps(value, default=str, ensure_ascii=False)
        shown = shown if len(shown) <= 60 else shown[:57] + "..."
        raise place.error(key, f"{shown} is not valid", str(error)) from None


@dataclass(frozen=True, slots=True)
class TomlFile:
    """A configuration file as TOML, and the lines of its keys."""

    file: str
    document: Mapping[str, Any]
    lines: Mapping[str, int]  # by dotted path: "tail.flush", "rule.0.kind", "rule.0" for the header

    @classmethod
    def read(cls, path: Path) -> TomlFile:
        try:
            content = path.read_text("utf-8")
            return cls(str(path), tomllib.loads(content), dict(reversed(list(_key_lines(content)))))
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}", "name another file with --config") from None
        except UnicodeDecodeError:
            raise ConfigError(f"{path}: not a text file in UTF-8", "save it as UTF-8") from None
        except tomllib.TOMLDecodeError as error:
            raise _syntax_error(path, str(error)) from None

    def place(self, section: str) -> Location:
        prefix = f"{section}." if section else ""
        own = {key.removeprefix(prefix): line for key, line in self.lines.items() if key.startswith(prefix)}
        return Location(self.file, own | ({"": self.lines[section]} if section in self.lines else {}))

    def table(self, section: str) -> Mapping[str, Any]:
        table = self.document.get(section, {})
        if not isinstance(table, dict):
            raise self.place("").error(section, "is a section", f"write its settings under [{section}]")
        return table

    def tables(self, name: str) -> Iterator[tuple[Location, Mapping[str, Any]]]:
        """Yield the tables of a list such as `[[rule]]`."""
        tables = self.document.get(name, [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            raise self.place("").error(name, "is a list of sections", f"write [[{name}]] above each")
        for number, table in enumerate(tables):
            yield self.place(f"{name}.{number}"), table

    def refuse_unknown(self, section: str, table: Mapping[str, Any], known: Iterable[str]) -> None:
        refuse_unknown(self.place(section), table, known)


def refuse_unknown(place: Location, table: Mapping[str, Any], known: Iterable[str], within: str = "") -> None:
    known = list(known)
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f'did you mean "{near[0]}"?' if near else f"known are {', '.join(known)}"
            raise place.error(f"{within}{key}", "no such setting", hint)


def _syntax_error(path: Path, message: str) -> ConfigError:
    line = re.search(r" \(at line (\d+), column \d+\)", message)
    where = f"{path}:{line[1]}" if line else str(path)
    return ConfigError(f"{where}: {message.replace(line[0], '') if line else message}", "correct the TOML there")


def _key_lines(content: str) -> Iterator[tuple[str, int]]:
    """Yield the dotted path of every header and key with its line."""
    prefix, counts = "", dict[str, int]()
    for number, line in enumerate(content.splitlines(), 1):
        if header := re.match(r"\s*(\[\[?)\s*([\w.\"'-]+)\s*\]", line):
            prefix = _numbered(header[2], header[1] == "[[", counts)
            yield prefix, number
        elif key := re.match(r"""\s*["']?([\w.-]+)["']?\s*=""", line):
            yield f"{prefix}.{key[1]}" if prefix else key[1], number


def _numbered(name: str, is_list: bool, counts: dict[str, int]) -> str:
    """Return a header's path, numbered if it opens or lies in a table of a list."""
    first, dot, rest = name.partition(".")
    if is_list:
        counts[first] = counts.get(first, -1) + 1
    return f"{first}.{counts[first]}{dot}{rest}" if first in counts else name
