"""The configurations of servers, for commands: logs as settings, as lines of `logagg.toml`, as a table."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from logagg.config.sections import Config
from logagg.notices import Notice, log_of_server
from logagg.servers.find import Configuration, with_logs
from logagg.servers.logs import ServerLog


@dataclass(slots=True)
class WithServers:
    """Reads the configuration together with those of servers."""

    servers: Sequence[Configuration]
    load: Callable[[], Config]
    _found: Sequence[ServerLog] = ()
    _told: Collection[tuple[str, str]] = ()

    def read(self) -> Config:
        """Return the configuration with the logs of the servers, in place of `tail.paths`. Raises ConfigError."""
        config = self.load()
        config = replace(config, tail=replace(config.tail, paths=()))
        self._found = list(chain.from_iterable(server.logs() for server in self.servers))
        return with_logs(config, self._found)

    def news(self) -> list[Notice]:
        """Return notices of logs that are not followed and of odd ones, as far as they are not known yet."""
        texts = [(log, text) for log in self._found for text in ([log.left_out] if not log.followed else log.notes)]
        found = {(log.path, text): log_of_server(log.path, f"{log.path}: {text} ({log.place})") for log, text in texts}
        new = [notice for key, notice in found.items() if key not in self._told]
        self._told = found.keys()
        return new


def as_toml(path: str, found: Sequence[ServerLog]) -> str:
    """Return the `[[log]]`s of a server; a log that is not followed is a comment."""
    lines = [f"# The access logs of {path}, which `logagg tail` follows if no PATH is given."]
    for log in found:
        lines += ["", *_section(log)] if log.followed else ["", *(f"# {line}" for line in _section(log))]
    return "\n".join([*lines, ""])


def _section(log: ServerLog) -> Iterator[str]:
    yield f"# {log.place}" if log.followed else f"{log.place}: {log.path}: {log.left_out}"
    if not log.is_file:
        return
    for note in filter(None, (*log.notes, "" if log.readable or not log.followed else log.problem)):
        yield f"# {note}"
    yield "[[log]]"
    yield f"path = {_quoted(log.path)}"
    if log.format:
        yield f"format = {_quoted(log.format)}" + (f"  # {log.format_name}" if log.format != log.format_name else "")
    if log.site:
        yield f"site = {_quoted(log.site)}"
    if log.apart:
        yield f"except = [{', '.join(map(_quoted, log.apart))}]"


def _quoted(text: str) -> str:
    """Return a text as TOML: as it is where that can be read better."""
    if '"' in text and text.isprintable():
        for quote in ("'", "'''"):
            if quote not in text and not text.endswith("'"):
                return f"{quote}{text}{quote}"
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
