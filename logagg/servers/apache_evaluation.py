"""Reads Apache's configuration in the order in which httpd does: conditions, definitions, macros, and included files."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from logagg.servers import installed
from logagg.servers.apache_lexer import Line, parse, words
from logagg.servers.files import Disk, text_of

_VARIABLE = re.compile(r"\$\{([^}]+)\}")
_DEEPEST = 20  # files that include one another, as in httpd
_NEWEST = "2.4.99"  # the version where httpd is not installed
# Modules that httpd has without LoadModule, in one distribution or another.
_BUILT_IN = {"core.c", "http_core.c", "mod_so.c"} | {
    name
    for one in ("log_config", "logio", "version", "unixd", "watchdog")
    for name in (f"mod_{one}.c", f"{one}_module")
}


class Visitor(Protocol):
    """Is told of the directives that hold, in their order."""

    def enter(self, section: Line) -> bool:
        """Return whether the section is read; `leave` follows if it is."""

    def leave(self) -> None:
        """Note the end of the section."""

    def meet(self, line: Line) -> None:
        """Note a directive, with the values of its variables."""


class Evaluation:
    """One pass through a configuration."""

    def __init__(self, main: str, disk: Disk, visitor: Visitor) -> None:
        self._files, self._visitor = disk, visitor
        folder = os.path.dirname(main)
        self.root = _root(main)
        self._variables = _environment(self._files, folder)
        self._defined: set[str] = set()
        self._modules = set(_BUILT_IN)
        self._macros: dict[str, tuple[Sequence[str], Line]] = {}
        self._depth = 0

    def run(self, lines: Sequence[Line]) -> None:
        for line in lines:
            if line.section is None:
                self._directive(replace(line, rest=self._with_values(line.rest)))
            elif line.name == "macro":
                name, *parameters = words(line.rest) or [""]
                self._macros[name.lower()] = (parameters, line)
            else:
                self._section(replace(line, rest=self._with_values(line.rest)), line.section)

    def _section(self, line: Line, inner: Sequence[Line]) -> None:
        if line.name in _CONDITIONS:
            if _CONDITIONS[line.name](self, line.rest):
                self.run(inner)
        elif self._visitor.enter(line):
            self.run(inner)
            self._visitor.leave()

    def _directive(self, line: Line) -> None:
        if line.name in _DIRECTIVES:
            _DIRECTIVES[line.name](self, line)
        else:
            self._visitor.meet(line)

    def _with_values(self, text: str) -> str:
        """Replace variables; httpd leaves unknown ones as they are."""
        return _VARIABLE.sub(lambda found: self._variables.get(found[1], found[0]), text)

    # directives

    def _define(self, line: Line) -> None:
        name, *value = words(line.rest) or [""]
        self._defined.add(name)
        if value:
            self._variables[name] = value[0]

    def _undefine(self, line: Line) -> None:
        for name in words(line.rest):
            self._defined.discard(name)
            self._variables.pop(name, None)

    def _load(self, line: Line) -> None:
        for name in words(line.rest):
            stem = os.path.basename(name).removesuffix(".so")
            self._modules |= {name, f"{stem}.c"}

    def _set_root(self, line: Line) -> None:
        self.root = next(iter(words(line.rest)), self.root)

    def _include(self, line: Line) -> None:
        if self._depth == _DEEPEST:
            raise line.place.error(f"{self._depth} files include one another", "one of them includes itself")
        for name in words(line.rest):
            pattern = os.path.join(self.root, name)
            found = list(self._matching(pattern))
            if not found and line.name == "include":
                raise line.place.error(f"{pattern}: no such file", "`apachectl configtest` checks it")
            self._depth += 1
            for path in found:
                self.run(parse(text_of(self._files, path, line.place), path))
            self._depth -= 1

    def _matching(self, pattern: str) -> Iterator[str]:
        """Yield the files that a path or glob means; of a directory, all that are below it."""
        for path in self._files.find(pattern):
            if os.path.isdir(path):
                yield from self._matching(os.path.join(glob.escape(path), "*"))
            else:
                yield path

    def _use(self, line: Line) -> None:
        name, *values = words(line.rest) or [""]
        if name.lower() not in self._macros:
            raise line.place.error(f"there is no macro {name!r}", "`apachectl configtest` checks it")
        if self._depth == _DEEPEST:
            raise line.place.error(f"{self._depth} macros use one another", "one of them uses itself")
        parameters, macro = self._macros[name.lower()]
        self._depth += 1
        self.run(_substituted(macro.section or (), dict(zip(parameters, values, strict=False))))
        self._depth -= 1

    # conditions

    def _if_module(self, rest: str) -> bool:
        return _holds(rest, lambda name: name in self._modules)

    def _if_define(self, rest: str) -> bool:
        return _holds(rest, lambda name: name in self._defined)

    def _if_file(self, rest: str) -> bool:
        return _holds(rest, lambda name: bool(self._files.find(glob.escape(os.path.join(self.root, name)))))

    def _if_version(self, rest: str) -> bool:
        return _holds(
            rest, lambda condition: _compares(installed.apache().get("version", _NEWEST), condition), whole=True
        )

    def _always(self, rest: str) -> bool:
        return not rest.startswith("!")


_CONDITIONS: Mapping[str, Callable[[Evaluation, str], bool]] = {
    "ifmodule": Evaluation._if_module,
    "ifdefine": Evaluation._if_define,
    "ifversion": Evaluation._if_version,
    "iffile": Evaluation._if_file,
    "ifdirective": Evaluation._always,  # httpd has the directives of a log
    "ifsection": Evaluation._always,
}
_DIRECTIVES: Mapping[str, Callable[[Evaluation, Line], None]] = {
    "define": Evaluation._define,
    "undefine": Evaluation._undefine,
    "loadmodule": Evaluation._load,
    "serverroot": Evaluation._set_root,
    "include": Evaluation._include,
    "includeoptional": Evaluation._include,
    "use": Evaluation._use,
}


def _holds(rest: str, is_true: Callable[[str], bool], *, whole: bool = False) -> bool:
    """Return whether a condition holds; `!` before it turns it round."""
    condition = rest.removeprefix("!").strip()
    name = condition if whole else next(iter(words(condition)), "")
    return is_true(name) != rest.startswith("!")


def _compares(version: str, condition: str) -> bool:
    """Return whether a version meets a condition of `<IfVersion>`: `>= 2.4`, `2.4.1`, `~ ^2\\.4`."""
    operator, wanted = _OPERATOR.fullmatch(condition).groups()  # type: ignore[union-attr]  # it matches any text
    if operator == "~" or (operator in ("", "=", "==") and wanted.startswith("/")):
        return bool(re.search(wanted.strip("/"), version))
    have, want = _numbers(version), _numbers(wanted)
    return {">": have > want, ">=": have >= want, "<": have < want, "<=": have <= want}.get(operator, have == want)


_OPERATOR = re.compile(r"\s*([<>]=?|==?|~|)\s*(.*)", re.DOTALL)


def _numbers(version: str) -> tuple[int, ...]:
    numbers = [int(number) for number in re.findall(r"\d+", version)[:3]]
    return (*numbers, 0, 0, 0)[:3]


def _substituted(lines: Sequence[Line], values: Mapping[str, str]) -> tuple[Line, ...]:
    """Return the lines of a macro with the values of its parameters."""

    def text(rest: str) -> str:
        for name in sorted(values, key=len, reverse=True):
            rest = rest.replace(name, values[name])
        return rest

    return tuple(
        replace(
            line, rest=text(line.rest), section=None if line.section is None else _substituted(line.section, values)
        )
        for line in lines
    )


def _root(main: str) -> str:
    """Return the directory that relative paths begin at, until ServerRoot says it."""
    compiled = installed.apache()
    own = os.path.join(compiled.get("HTTPD_ROOT", ""), compiled.get("SERVER_CONFIG_FILE", ""))
    folder = os.path.dirname(main)
    if main == own:
        return compiled["HTTPD_ROOT"]
    return os.path.dirname(folder) if os.path.basename(folder) == "conf" else folder


_ASSIGNMENT = re.compile(r"(?:export\s+)?(\w+)=(?:\"([^\"]*)\"|'([^']*)'|([^\s;#]*))\s*(?:[;#].*)?\Z")


def _environment(files: Disk, folder: str) -> dict[str, str]:
    """Return the variables that httpd is started with: Debian's envvars, Red Hat's sysconfig.

    Only plain assignments are read. The variable that Debian sets in a condition is SUFFIX, the name of a further
    instance.
    """
    instance = re.fullmatch(r"apache2(-.+)", os.path.basename(folder))
    found = {"SUFFIX": instance[1] if instance else "", "APACHE_CONFDIR": folder}
    for path in (os.path.join(folder, "envvars"), os.path.join(folder, "../../sysconfig/httpd")):
        try:
            text = files.read(path)
        except OSError:
            continue
        for line in text.splitlines():
            if assignment := _ASSIGNMENT.match(line):  # an assignment in a condition is indented
                name, double, single, plain = assignment.groups()
                found[name] = single or _shell(double or plain or "", found)
    return found


def _shell(text: str, values: Mapping[str, str]) -> str:
    """Return a text of the shell with the values of its variables, which may be unset."""
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda found: values.get(found[1] or found[2], ""), text)
