"""The files that a program writes to which Apache pipes its log: rotatelogs and cronolog give them dated names."""

from __future__ import annotations

import glob
import os
import re
import shlex
from collections.abc import Sequence

_TIME = re.compile(r"%[-_0^#EO]*([A-Za-z%])")  # as in strftime(3)
_WITH_VALUE = {"rotatelogs": ("-L", "-p", "-n"), "cronolog": ("-S", "-H", "-P", "-s", "-p", "-d")}


def written_by(command: str) -> str:
    """Return the files that a command writes, as a path or a glob; empty if that is not known."""
    try:
        program, *words = shlex.split(command)
    except ValueError:
        return ""
    name = os.path.basename(program)
    if name not in _WITH_VALUE:
        return ""
    options, paths = _split(words, _WITH_VALUE[name])
    if not paths or not os.path.isabs(paths[0]):
        return ""
    path = dated(paths[0])
    # Without a date in the name, rotatelogs adds the time of the rotation, or a number.
    return f"{path}.*" if name == "rotatelogs" and "%" not in paths[0] and not {"-t", "-n"} & {*options} else path


def dated(path: str) -> str:
    """Return a glob for a path with conversions of strftime in it."""
    parts = list[str]()
    at = 0
    for found in _TIME.finditer(path):
        parts += [glob.escape(path[at : found.start()]), "%" if found[1] == "%" else "*"]
        at = found.end()
    whole = "".join((*parts, glob.escape(path[at:])))
    return re.sub(r"\*[-_.:]?(?=\*)", "", whole)


def _split(words: Sequence[str], with_value: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split the words of a command into options and arguments."""
    options, rest = list[str](), list(words)
    while rest and rest[0].startswith("-"):
        word = rest.pop(0)
        options.append(word)
        if word in with_value and rest:
            rest.pop(0)
    return options, rest
