"""The findings of the readers of configurations, joined to one record a log.

A server writes a request to every log of the context that answers it, so a context may write the same requests to several
logs. To follow them all would count each request several times: a log is left out if every context that writes it also
writes another one that is followed.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from logagg.config.logs import SITE_OF_PATH, LogConfig, LogTable
from logagg.errors import FormatError
from logagg.intake.discover import find
from logagg.intake.paths import PathProblem, problem
from logagg.parse.formats.compile import compile_format
from logagg.parse.formats.format import Format
from logagg.quantities import counted
from logagg.servers.files import Place

_NAME = re.compile(r"[\w-]+(?:\.[\w-]+)*\.?")
_NO_NAMES = ("", "_")  # the names in nginx's configurations for a server that takes every request


@dataclass(frozen=True, slots=True)
class LogFormat:
    """A log format as a server knows it."""

    name: str  # in the configuration; empty: it has none
    text: str  # a name or a string that `compile_format` takes


@dataclass(frozen=True, slots=True)
class Output:
    """A log that one directive asks for."""

    target: str  # as it is written there
    path: str  # absolute, or a glob; empty: not a file
    format: LogFormat
    place: Place
    problem: str = ""  # why it cannot be followed, and what to do
    conditional: bool = False  # it gets only some of the requests
    site_of_path: bool = False  # the path has the requested host where the glob has its first *
    apart: tuple[str, ...] = ()  # error logs, which the glob shall not match


@dataclass(frozen=True, slots=True)
class Context:
    """A part of a server that answers requests, and the logs to which it writes them."""

    names: tuple[str, ...]  # of the server, its main name first
    outputs: tuple[Output, ...]


@dataclass(frozen=True, slots=True)
class ServerLog:
    """One access log of a server."""

    path: str  # as in the configuration, if it is not a file
    format: str  # a name or a string; empty: unknown
    format_name: str
    site: str  # of its lines, where they do not name it; empty: they do, or it is unknown
    sites: tuple[str, ...]  # all that write to it
    file: str
    line: int
    problem: str = ""  # why it cannot be read now, and what to do
    readable: bool = True
    refused: str = ""  # why it cannot be followed
    covered_by: str = ""  # the logs that are followed, and have the same requests
    notes: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()
    names_site: bool = False  # its lines do

    @property
    def place(self) -> Place:
        return Place(self.file, self.line)

    @property
    def followed(self) -> bool:
        return not self.left_out

    @property
    def left_out(self) -> str:
        """Why it is not followed."""
        return f"its requests are in {self.covered_by}" if self.covered_by else self.refused

    @property
    def is_file(self) -> bool:
        return os.path.isabs(self.path)


def joined(contexts: Sequence[Context]) -> list[ServerLog]:
    """Return one record for each log, in the order of their paths."""
    logs = {key: _Log.of(key, among) for key, among in _by_log(contexts).items()}
    kept = _needed(logs)
    records = [_chosen(key, log, kept) for key, log in logs.items()]
    left_out = {record.path for record in records if not record.followed}
    return sorted((_kept_apart(record, left_out) for record in records), key=lambda one: (one.path, one.place))


def _kept_apart(record: ServerLog, left_out: Set[str]) -> ServerLog:
    """Return a record whose glob means only access logs that are followed."""
    if not glob.has_magic(record.path):
        return replace(record, apart=())
    meant = LogTable([LogConfig(record.path)])
    apart = {*record.apart, *left_out} - {record.path}
    return replace(record, apart=tuple(sorted(filter(meant.of, apart))))


def _key(output: Output) -> str:
    return output.path or output.target


def _by_log(contexts: Sequence[Context]) -> dict[str, list[Context]]:
    """Return the contexts that write each log."""
    found: dict[str, list[Context]] = {}
    for context in dict.fromkeys(contexts):
        for key in {_key(output): None for output in context.outputs}:
            found.setdefault(key, []).append(context)
    return found


@dataclass(frozen=True, slots=True)
class _Log:
    """A log, and the contexts that write it."""

    record: ServerLog
    contexts: Sequence[Context]
    worth: tuple[object, ...]  # the log that says the most has the greatest

    @classmethod
    def of(cls, key: str, contexts: Sequence[Context]) -> _Log:
        outputs = list(dict.fromkeys(one for context in contexts for one in context.outputs if _key(one) == key))
        formats = list(dict.fromkeys(output.format for output in outputs))
        fmt, failure = _compiled(formats)
        # An empty name stands for the servers that take any.
        sites = sorted({site_of(context.names) for context in contexts})
        record = _record(key, outputs, formats, fields := fmt.fields if fmt else set(), sites, failure)
        knows = bool(record.site) or "host" in fields
        worth = record.readable, not any(one.conditional for one in outputs), knows, len(fields), record.path
        return cls(record, contexts, worth)


def _record(
    path: str,
    outputs: Sequence[Output],
    formats: Sequence[LogFormat],
    fields: Set[str],
    sites: Sequence[str],
    failure: str,
) -> ServerLog:
    first = outputs[0]
    stuck = next((output.problem for output in outputs if output.problem), failure)
    unreadable = None if stuck else _problem(first.path)
    site = "" if "host" in fields else SITE_OF_PATH if first.site_of_path else _one_site(sites)
    return ServerLog(
        path,
        formats[0].text if len(formats) == 1 else "",
        " or ".join(one.name or "(its own)" for one in formats),
        site,
        tuple(filter(None, sites)),
        first.place.file,
        first.place.line,
        stuck or (f"{unreadable.reason}; {unreadable.hint}" if unreadable else ""),
        readable=not stuck and not unreadable,
        refused=stuck or (unreadable.reason if unreadable and unreadable.state == "unusable" else ""),
        notes=tuple(_notes(outputs, formats, sites, named=bool(site) or "host" in fields)),
        apart=first.apart,
        names_site="host" in fields,
    )


def _compiled(formats: Sequence[LogFormat]) -> tuple[Format | None, str]:
    """Return the format of a log if it has one that can be used, or why it cannot."""
    if len(formats) != 1:
        return None, ""
    try:
        return compile_format(formats[0].text), ""
    except FormatError as error:
        return None, f"{error.message.replace(repr(formats[0].text), repr(formats[0].name))}; add it to the format"


def _problem(path: str) -> PathProblem | None:
    """Return why a log cannot be read now; of the files that a glob means, the first that cannot."""
    files = [one.path for one in find([path]) if one.asked] if glob.has_magic(path) else []
    return next(filter(None, map(problem, files or [path])), None)


def _notes(
    outputs: Sequence[Output], formats: Sequence[LogFormat], sites: Sequence[str], *, named: bool
) -> Iterator[str]:
    if all(output.conditional for output in outputs):
        yield "it gets only some of the requests"
    if len(formats) > 1:
        yield "it is written in several formats, which are detected"
    if len(sites) > 1 and not named:
        yield f"{counted(len(sites), 'server')} write it, and its format does not say which: add $host (Apache: %v)"


# sites


def site_of(names: Iterable[str]) -> str:
    """Return the first of a server's names that is one host, empty if none is: patterns stand for many."""
    plain = (name.lower().removeprefix(".") for name in names)
    return next((name.rstrip(".") for name in plain if name not in _NO_NAMES and _NAME.fullmatch(name)), "")


def _one_site(sites: Sequence[str]) -> str:
    """Return the one site of a log, empty if there are several; one with and without `www.` is the same."""
    return min(sites, key=len) if len({site.removeprefix("www.") for site in sites}) == 1 else ""


# what is followed


def _needed(logs: Mapping[str, _Log]) -> set[str]:
    """Return the logs that are to be followed: of several that have the same requests the one that says the most."""
    kept = {key for key, log in logs.items() if log.record.followed}
    for key in sorted(kept, key=lambda one: logs[one].worth):
        if all(_also(context, key, kept) for context in logs[key].contexts):
            kept.discard(key)
    return kept


def _also(context: Context, key: str, kept: Set[str]) -> set[str]:
    """Return the other logs that are followed and get all requests of a context."""
    return {_key(one) for one in context.outputs if not one.conditional} & kept - {key}


def _chosen(key: str, log: _Log, kept: Set[str]) -> ServerLog:
    """Return the record of a log that says whether it is followed, and which others have the same requests."""
    others = sorted({other for context in log.contexts for other in _also(context, key, kept)})
    if not others:
        return log.record
    if key not in kept and all(_also(context, key, kept) for context in log.contexts):
        return replace(log.record, covered_by=", ".join(others))
    if key not in kept:
        return log.record
    note = f"some of its requests are also in {', '.join(others)}, and count twice"
    return replace(log.record, notes=(*log.record.notes, note))
