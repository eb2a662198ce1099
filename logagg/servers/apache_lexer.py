"""The lines of Apache's configuration, and the sections that they form.

The rules are those of `ap_cfg_getline` and `ap_getword_conf` in httpd's server/util.c: a line that ends with a
backslash goes on in the next, also a comment; a backslash in quotes hides a quote or a backslash.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from logagg.servers.files import Place

_CHECK = "`apachectl configtest` checks it"
_OPENED = re.compile(r"<([^\s>/]+)\s*(.*?)\s*>\Z", re.DOTALL)
_CLOSED = re.compile(r"</([^\s>]+)\s*>\Z")
_QUOTED = {quote: re.compile(rf"{quote}((?:[^{quote}\\]|\\.)*)(?:{quote}|\Z)", re.DOTALL) for quote in "\"'"}
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Line:
    """A directive, or a section with its content."""

    name: str  # in lower case: names have no case
    rest: str  # the text after the name, as it is written
    place: Place = field(compare=False)
    section: tuple[Line, ...] | None = None


def parse(text: str, file: str) -> tuple[Line, ...]:
    """Return the lines of a file. Raises ConfigError, which names the line."""
    opened: list[Line] = []
    found: list[list[Line]] = [[]]
    for number, line in _logical_lines(text):
        place = Place(file, number)
        if closed := _CLOSED.match(line):
            if not opened or opened[-1].name != closed[1].lower():
                expected = f"expected </{opened[-1].name}>" if opened else "no section is open"
                raise place.error(f"unexpected </{closed[1]}>: {expected}", _CHECK)
            section = opened.pop()
            whole = Line(section.name, section.rest, section.place, tuple(found.pop()))
            found[-1].append(whole)
        elif line.startswith("<"):
            if not (start := _OPENED.match(line)):
                raise place.error(f'{line[:40]!r} is not a section: a ">" is missing', _CHECK)
            opened.append(Line(start[1].lower(), start[2], place))
            found.append([])
        else:
            name, _, rest = (*re.split(r"(\s+)", line, maxsplit=1), "", "")[:3]
            found[-1].append(Line(name.lower(), rest.strip(), place))
    if opened:
        raise opened[-1].place.error(f"<{opened[-1].name}> is not closed", _CHECK)
    return tuple(found[0])


def words(rest: str) -> list[str]:
    """Return the words behind a directive's name."""
    found = list[str]()
    at = 0
    while at < len(rest):
        if rest[at].isspace():
            at += 1
            continue
        quote = rest[at]
        if match := _QUOTED[quote].match(rest, at) if quote in _QUOTED else None:
            found.append(re.sub(rf"\\([\\{quote}])", r"\1", match[1]))
        else:
            match = _WORD.match(rest, at)
            assert match, "a word begins here"
            found.append(match[0].replace("\\\\", "\\"))
        at = match.end()
    return found


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield each line without comments and blanks around it, and the number of its first physical line."""
    number, first, parts = 0, 1, list[str]()
    for physical in text.removeprefix("\ufeff").split("\n"):
        number += 1
        physical = physical.removesuffix("\r")
        first = first if parts else number
        if physical.endswith("\\"):
            parts.append(physical[:-1])
            continue
        line, parts = "".join((*parts, physical)).strip(), []
        if line and not line.startswith("#"):
            yield first, line
    if rest := "".join(parts).strip():
        if not rest.startswith("#"):
            yield first, rest
