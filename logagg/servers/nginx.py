"""The access logs of an nginx, from its configuration.

`access_log` is inherited from http to server to location, unless a level has one of its own: then it has only those, or
none at all where one of them is `off` (`ngx_http_log_merge_loc_conf` in nginx's ngx_http_log_module.c).
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from logagg.servers import installed
from logagg.servers.files import Disk, Dump, Files, Place, text_of
from logagg.servers.logs import Context, LogFormat, Output
from logagg.servers.nginx_lexer import Directive, parse, walk

COMBINED = LogFormat("combined", "combined")
_LEVELS = ("server", "location", "if", "limit_except")
_OPTIONS = re.compile(r"(?:buffer|flush|if)=|gzip(?:=|\Z)")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_HOSTS = ("host", "http_host")  # variables that are the site
_DEEPEST = 100  # files that include one another
_DEFAULT = "/var/log/nginx/access.log"  # of the packages of nginx.org and the distributions


def contexts(path: str, text: str) -> list[Context]:
    """Return the contexts that write logs. Raises ConfigError, with file and line."""
    dump = Dump.of(text)
    path, files = dump or (os.path.abspath(path), Disk())
    tree = tuple(_Includes(files, os.path.dirname(path)).resolved(parse(files.read(path) if dump else text, path)))
    blocks = [one for one in tree if one.name == "http" and one.block is not None]
    if not blocks:
        raise Place(path, 1).error(
            "there is no http block in it", "name nginx's main configuration file; `nginx -V` says which"
        )
    return [context for one in blocks for context in _Http(one, os.path.dirname(path)).contexts()]


@dataclass(frozen=True, slots=True)
class _Includes:
    """Puts the directives of other files in the places where they are included."""

    files: Files
    folder: str  # which relative names begin at: that of the main file
    depth: int = 0

    def resolved(self, directives: Sequence[Directive]) -> Iterator[Directive]:
        for one in directives:
            if one.name == "include" and one.block is None and len(one.words) == 2:
                yield from self._included(one)
            else:
                yield replace(one, block=None if one.block is None else tuple(self.resolved(one.block)))

    def _included(self, include: Directive) -> Iterator[Directive]:
        if self.depth == _DEEPEST:
            raise include.place.error(f"{self.depth} files include one another", "one of them includes itself")
        pattern = os.path.join(self.folder, include.words[1])
        for path in self.files.find(pattern) if glob.has_magic(pattern) else [pattern]:
            inner = replace(self, depth=self.depth + 1)
            yield from inner.resolved(parse(text_of(self.files, path, include.place), path))


@dataclass(frozen=True, slots=True)
class _Server:
    """The block that a level belongs to: a `server`, or none yet."""

    names: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The value of `$server_name`."""
        return self.names[0].lower().removeprefix(".") if self.names else ""


class _Http:
    """The block `http`."""

    def __init__(self, block: Directive, folder: str) -> None:
        self._block = block
        self._paths = _Paths(folder)
        self._formats = {"combined": COMBINED} | dict(map(_log_format, _named(block, "log_format")))
        self._error_logs = [self._paths.absolute(one.words[1]) for one in walk((block,)) if _is_error_log(one)]

    def contexts(self) -> list[Context]:
        """Return a context for each server and location, and one for logs that none of them writes."""
        whole = self._logs(self._block, _Server())
        default = whole if whole is not None else [self._default()]
        found = [one for server in _named(self._block, "server") for one in self._below(server, default, None)]
        written = {output.place for context in found for output in context.outputs}
        unwritten = tuple(
            output for one in whole or () for output in self._outputs([one], _Server()) if output.place not in written
        )
        return [*found, *([Context((), unwritten)] if unwritten else [])]

    def _below(self, block: Directive, inherited: list[Directive], server: _Server | None) -> Iterator[Context]:
        """Yield the contexts of a block and of those in it."""
        server = server or _Server(tuple(name for one in _named(block, "server_name") for name in one.arguments))
        own = self._logs(block, server)
        logs = inherited if own is None else own
        yield Context(server.names, tuple(self._outputs(logs, server)))
        for one in block.block or ():
            if one.name in _LEVELS[1:] and one.block is not None:
                yield from self._below(one, logs, server)

    def _logs(self, block: Directive, server: _Server) -> list[Directive] | None:
        """Return the logs of one level, none for `off`; None if it inherits them."""
        logs = _named(block, "access_log")
        for one in logs:
            if len(one.words) < 2:
                raise one.place.error("access_log without a path", "`nginx -t` checks it")
        return ([] if any(one.words[1] == "off" for one in logs) else logs) if logs else None

    def _default(self) -> Directive:
        """Return the log that nginx writes where the configuration names none."""
        path = installed.nginx().get("http-log-path") or self._paths.absolute("logs/access.log") or _DEFAULT
        return Directive(("access_log", path), self._block.place)

    def _outputs(self, logs: Sequence[Directive], server: _Server) -> Iterator[Output]:
        for one in logs:
            target, *rest = one.arguments
            if target != os.devnull:
                yield self._output(one, target, rest, server)

    def _output(self, log: Directive, target: str, rest: Sequence[str], server: _Server) -> Output:
        names = [word for word in rest if not _OPTIONS.match(word)]
        name = names[0] if names else "combined"
        fmt = self._formats.get(name)
        if fmt is None:
            raise log.place.error(f'unknown log format "{name}"', "`nginx -t` checks it")
        conditional = any(word.startswith("if=") for word in rest)
        output = Output(target, "", fmt, log.place, conditional=conditional)
        if target.startswith("syslog:"):
            return replace(output, problem="it is sent to syslog; name the file that syslog writes as a [[log]]")
        path, variables = _with_values(target, server)
        whole = self._paths.absolute(path)
        if not whole:
            return replace(
                output,
                problem="its directory is relative to a prefix that is not known here; name the file as a [[log]]",
            )
        return replace(
            output,
            path=whole,
            site_of_path=bool(variables) and variables[0] in _HOSTS,
            apart=tuple(sorted({log for log in self._error_logs if variables and log})),
        )


class _Paths:
    """Makes relative paths absolute.

    They are relative to the prefix that nginx was compiled or started with. Where that is not known for sure, it is the
    directory in which the log's own directory exists.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def absolute(self, path: str) -> str:
        """Return an absolute path; empty if its directory is not found."""
        return path if os.path.isabs(path) else installed.with_folder(path, self._prefixes())

    def _prefixes(self) -> list[str]:
        options = installed.nginx()
        compiled = options.get("prefix", "")
        is_own = self._folder == os.path.dirname(options.get("conf-path", ""))
        if compiled and is_own:
            return [compiled]
        parent = [os.path.dirname(self._folder)] if os.path.basename(self._folder) == "conf" else []
        return [*parent, self._folder, *filter(None, [compiled]), "/usr/share/nginx"]


def _named(block: Directive, name: str) -> list[Directive]:
    return [one for one in block.block or () if one.name == name]


def _is_error_log(directive: Directive) -> bool:
    return directive.name == "error_log" and len(directive.words) > 1 and "$" not in directive.words[1]


def _log_format(directive: Directive) -> tuple[str, LogFormat]:
    """Return the name of a log format, and the format as `compile_format` takes it."""
    if len(directive.words) < 3:
        raise directive.place.error("log_format without a name or a string", "`nginx -t` checks it")
    name, *pieces = directive.arguments
    escape = pieces.pop(0).removeprefix("escape=") if pieces[0].startswith("escape=") else "default"
    body = "".join(pieces)
    if escape == "default":
        return name, LogFormat(name, body)
    quoted = re.sub(r"(['\\])", r"\\\1", body)
    return name, LogFormat(name, f"log_format {name} escape={escape} '{quoted}';")


def _with_values(path: str, server: _Server) -> tuple[str, list[str]]:
    """Return a path with the value of `$server_name`, `*` for other variables, and the names of the latter."""
    values: Mapping[str, str] = {"server_name": server.name}
    open_ = list[str]()
    parts = list[str]()
    at = 0
    for found in _VARIABLE.finditer(path):
        name = found[1] or found[2]
        parts.append(glob.escape(path[at : found.start()]))
        at = found.end()
        parts.append(glob.escape(values[name]) if name in values else "*")
        open_ += [] if name in values else [name]
    parts.append(glob.escape(path[at:]))
    return re.sub(r"\*{2,}", "*", "".join(parts)), open_
