"""The access logs of an Apache httpd, from its configuration.

A virtual host writes the logs of its own, or those of the main server if it has none, and in any case each `GlobalLog`
(`open_multi_logs` in httpd's mod_log_config.c).
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from logagg.servers.apache_evaluation import Evaluation, Visitor
from logagg.servers.apache_lexer import Line, parse, words
from logagg.servers.files import Disk, Place
from logagg.servers.logs import Context, LogFormat, Output
from logagg.servers.pipes import written_by

COMMON = LogFormat("common", '%h %l %u %t "%r" %>s %b')  # the default of httpd
_CHECK = "`apachectl configtest` checks it"
_PROVIDER = re.compile(r"(?:syslog|journald|gelf)\b:?", re.IGNORECASE)
_NAME = re.compile(r"(?:\w+://)?(.*?)(?::\d+)?\Z")


def contexts(path: str, text: str) -> list[Context]:
    """Return the contexts that write logs. Raises ConfigError, with file and line."""
    path = os.path.abspath(path)
    server = _Logs()
    evaluation = Evaluation(path, Disk(), server)
    evaluation.run(parse(text, path))
    return server.contexts(evaluation.root)


@dataclass(frozen=True, slots=True)
class _Log:
    """A `CustomLog` or `TransferLog`."""

    target: str
    format: str | None  # a nickname or a string; None: the default format
    conditional: bool
    place: Place


@dataclass(slots=True)
class _Host:
    """The main server, or a virtual host."""

    main: _Host | None = None
    name: str = ""
    aliases: list[str] = field(default_factory=list)
    formats: dict[str, LogFormat] = field(default_factory=dict)  # by nickname in lower case
    default: str | None = None
    logs: list[_Log] = field(default_factory=list)

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, *self.aliases)

    def format(self, written: str | None) -> LogFormat:
        """Return the format that a log names by its nickname, or says, or has by default."""
        if written is None:
            default = self._default()
            return COMMON if default is None else self.format(default)
        for host in (self, self.main):
            if host and written.lower() in host.formats:
                return host.formats[written.lower()]
        return LogFormat("" if "%" in written else written, written)

    def _default(self) -> str | None:
        return self.default if self.default is not None or not self.main else self.main.default


class _Logs(Visitor):
    """Collects what the directives of logs say, and finds out who writes which log."""

    def __init__(self) -> None:
        self._main = self._host = _Host()
        self._hosts: list[_Host] = []
        self._global: list[_Log] = []
        self._error_logs: list[str] = []

    # as the configuration is read

    def enter(self, section: Line) -> bool:
        if section.name != "virtualhost":
            return False
        self._host = _Host(self._main)
        self._hosts.append(self._host)
        return True

    def leave(self) -> None:
        self._host = self._main

    def meet(self, line: Line) -> None:
        arguments = words(line.rest)
        if line.name == "servername" and arguments:
            self._host.name = _bare(arguments[0])
        elif line.name == "serveralias":
            self._host.aliases += arguments
        elif line.name == "errorlog" and arguments:
            self._error_logs.append(arguments[0])
        elif line.name == "logformat":
            self._meet_format(line, arguments)
        elif line.name in ("customlog", "transferlog", "globallog"):
            self._meet_log(line, arguments)

    def _meet_format(self, line: Line, arguments: Sequence[str]) -> None:
        if not 1 <= len(arguments) <= 2:
            raise line.place.error("LogFormat takes a format and a nickname", _CHECK)
        if len(arguments) == 2:
            self._host.formats[arguments[1].lower()] = LogFormat(arguments[1], arguments[0])
        else:
            self._host.default = arguments[0]

    def _meet_log(self, line: Line, arguments: Sequence[str]) -> None:
        is_default = line.name == "transferlog"
        if len(arguments) not in ((1,) if is_default else (2, 3)):
            raise line.place.error(f"{line.name} takes a file{'' if is_default else ' and a format'}", _CHECK)
        log = _Log(arguments[0], None if is_default else arguments[1], len(arguments) == 3, line.place)
        (self._global if line.name == "globallog" else self._host.logs).append(log)

    # when it has been read

    def contexts(self, root: str) -> list[Context]:
        """Return a context for each virtual host, and one of the main server for requests that they do not log."""
        found = [Context(host.names, self._outputs(host, root)) for host in self._hosts]
        written = {output.place for context in found for output in context.outputs}
        rest = tuple(one for one in self._outputs(self._main, root) if one.place not in written)
        return [*found, *([Context(self._main.names, rest)] if rest else [])]

    def _outputs(self, host: _Host, root: str) -> tuple[Output, ...]:
        owner = host if host.logs or not host.main else host.main
        pairs = [*((log, owner) for log in owner.logs), *((log, self._main) for log in self._global)]
        return tuple(self._output(log, of, root) for log, of in pairs if log.target != os.devnull)

    def _output(self, log: _Log, host: _Host, root: str) -> Output:
        fmt = host.format(log.format)
        path, problem = _file(log.target, root)
        if not problem and fmt.text and "%" not in fmt.text:
            problem = f"there is no LogFormat {fmt.text!r}"
        apart = sorted(os.path.join(root, one) for one in self._error_logs if one[:1] not in "|" and "*" in path)
        return Output(log.target, path, fmt, log.place, problem, log.conditional, apart=tuple(apart))


def _file(target: str, root: str) -> tuple[str, str]:
    """Return the file or the glob that a log is written to, and else the problem."""
    if "${" in target:
        return "", f"{target[target.index('${') :].partition('}')[0]}}} is not defined; name the file as a [[log]]"
    if target.startswith("|"):
        command = target.lstrip("|$").strip()
        path = written_by(command)
        return path, "" if path else "a program writes it; name its files as a [[log]]"
    if _PROVIDER.match(target):
        return "", "it is sent elsewhere; name the file where it ends up as a [[log]]"
    return glob.escape(os.path.join(root, target)), ""


def _bare(name: str) -> str:
    """Return a ServerName without scheme and port."""
    found = _NAME.match(name)
    return found[1] if found else name
