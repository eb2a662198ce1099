"""A preview of the logs that a tail would read, and how; only first lines are read, and nothing is written."""

from __future__ import annotations

import glob
import os
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from logagg.check.parsed_line import Understood, understood
from logagg.clock import Clock
from logagg.config.logs import LogTable, apart_of
from logagg.config.sections import Config
from logagg.errors import LogaggError
from logagg.intake import discover
from logagg.intake.content import Compressed, open_content
from logagg.intake.names import Found
from logagg.intake.paths import PathProblem
from logagg.intake.paths import problems as path_problems
from logagg.lake.state import State
from logagg.parse.detect import detect, least_of, may_be_request
from logagg.parse.formats.compile import compile_format, joined
from logagg.parse.formats.format import Format, PersonalFields
from logagg.parse.lines import fast, reference
from logagg.parse.source_formats import SAMPLE_LINES, SourceFormats, is_detected
from logagg.parse.unreadable import why_unreadable
from logagg.quantities import counted
from logagg.records import Chunk, Fingerprint

HEAD = 1 << 20  # bytes that are read to find the first lines
MISMATCHES = 3  # lines of a file that are shown
SHOWN = 200  # bytes of such a line


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A line that the format does not match, and why."""

    number: int
    reason: str
    line: str


@dataclass(frozen=True, slots=True)
class LogFile:
    """A file that would be read."""

    path: str
    stream: str  # the live file that it is, or was before rotation
    size: int = 0  # bytes on disk
    compression: str = ""
    format: str = ""
    lines: int = 0  # examined
    matching: int = 0  # how many of these match the format
    start: str = "start"  # where reading begins: start, end, or a position
    mismatches: tuple[Mismatch, ...] = ()
    example: Understood | None = None  # one of its lines
    problem: str = ""


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A file of a directory that would not be read."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Preview:
    """The files that a tail would read for some paths, those that it would pass over, and the problems."""

    files: tuple[LogFile, ...] = ()
    passed_over: tuple[PassedOver, ...] = ()
    problems: tuple[str, ...] = ()


class Previewer:
    """Examines files as a tail with this configuration, log format and lake would."""

    def __init__(self, config: Config, log_format: str, state: State, clock: Clock) -> None:
        self._given, self._personal, self._clock = log_format, PersonalFields.of(config), clock
        self._general, self._logs = config.log_format, LogTable(config.logs)
        self._apart = apart_of(config.logs)
        self._begin = config.tail.begin
        at = {id_: min(one.position for one in shards.values()) for id_, shards in state.progress.items()}
        self._known = {
            (one.device, one.inode): (at[id_], one.format) for id_, one in state.sources.items() if not one.note
        }

    def preview(self, paths: Sequence[str]) -> Preview:
        wrong = list(path_problems(paths))
        problems = list(map(_said, wrong))
        found = discover.find([path for path in paths if os.path.exists(path) or glob.has_magic(path)], self._apart)
        files = tuple(self._look(one) for one in found if one.asked)
        said = {one.path for one in wrong}
        problems += [file.problem for file in files if file.problem and file.path not in said]
        return Preview(files, tuple(_passed_over(paths, {one.path for one in found if one.asked})), tuple(problems))

    def _look(self, found: Found) -> LogFile:
        try:
            return self._looked_into(found)
        except OSError as error:
            return LogFile(found.path, found.stream, problem=f"{found.path}: {error.strerror or error}")
        except LogaggError as error:
            return LogFile(found.path, found.stream, problem=str(error))

    def _looked_into(self, found: Found) -> LogFile:
        stat = os.stat(found.path)
        position, known = self._known.get((stat.st_dev, stat.st_ino), (None, ""))
        content = open_content(found.path)
        try:
            lines = _first_lines(content.read(0, HEAD))
        finally:
            content.close()
        broken = content.broken if isinstance(content, Compressed) else ""
        fmt = self._format(found, lines, known)
        given = self._given_for(found)
        count, mismatches = self._mismatches(lines, fmt or self._meant(given))
        return LogFile(
            found.path,
            found.stream,
            stat.st_size,
            content.compression,
            fmt.name if fmt and count else "",
            count,
            count - len(mismatches),
            self._begin if position is None else str(position),
            tuple(mismatches[:MISMATCHES]),
            understood(lines, fmt, self._clock.now()) if fmt else None,
            f"{found.path}: {broken}"
            if broken
            else self._complaint(found.path, given, fmt, lines, count - len(mismatches), count),
        )

    def _given_for(self, found: Found) -> str:
        """Return the format that a file is to have; empty if it is to be detected."""
        return self._given or self._logs.format_of(found.stream, found.absolute) or self._general

    def _format(self, found: Found, lines: Sequence[bytes], known: str) -> Format | None:
        given, own = self._given or self._general, self._given_for(found)
        formats = SourceFormats(
            given,
            {found.path: known} if known else {},
            self._clock,
            lambda _: None,
            self._personal,
            own=lambda _: "" if own == given else own,
        )
        chunk = _chunk(lines, found.path)
        fmt = formats.format_of(chunk)
        if fmt and formats.detects:
            detect = partial(formats.detector.next, now=self._clock.now())
            further = fast.parse(chunk, fmt, self._clock.now(), detect=detect).formats
            return joined([fmt, *(compile_format(name, self._personal) for name in further)])
        return fmt

    def _meant(self, given: str) -> Format | None:
        """Return the given format, unless it has to be detected from the lines."""
        return None if is_detected(given) else compile_format(given, self._personal)

    def _mismatches(self, lines: Sequence[bytes], fmt: Format | None) -> tuple[int, list[Mismatch]]:
        """Return the number of lines, of which one may come in parts, and those that would be rejected."""
        if fmt is None:
            numbered = [(number, line) for number, line in enumerate(lines, 1) if _is_line(line)]
            return len(numbered), [Mismatch(number, "no known format", _shown(line)) for number, line in numbered]
        chunk = _chunk(lines)
        outcomes = list(reference.outcomes(chunk, fmt, self._clock.now()))
        return len(outcomes), [
            Mismatch(bytes(chunk.data).count(b"\n", 0, raw.start) + 1, outcome, _shown(raw.text))
            for raw, outcome in outcomes
            if isinstance(outcome, str)
        ]

    def _complaint(
        self, path: str, given: str, fmt: Format | None, lines: Sequence[bytes], matching: int, count: int
    ) -> str:
        """Return the problem with the format of a file; an empty text if there is none."""
        requests = min(count, sum(map(may_be_request, lines)))
        if fmt and least_of(requests, fmt.envelope) <= matching:
            return ""
        if fmt and matching:
            return f"{path}: the log format matches {matching:,} of its first {counted(count, 'line')}; say another with --log-format"
        if not given:
            hint = why_unreadable([line for line in lines if _is_line(line)]) or "say it with --log-format"
            return f"{path}: no known log format matches most of its first {counted(count, 'line')}; {hint}"
        better = detect([line for line in lines if _is_line(line)], self._clock.now(), self._personal)
        hint = f"they look like {better.name}" if better else "say another with --log-format"
        return f"{path}: the log format {given!r} matches none of its first {counted(count, 'line')}; {hint}"


def _first_lines(head: bytes) -> list[bytes]:
    """Return the first complete lines. A last line without newline may be incomplete, so it is taken only if there is no other."""
    head = head.removeprefix(BOM_UTF8)
    complete = head[: head.rfind(b"\n") + 1].split(b"\n", SAMPLE_LINES)[:SAMPLE_LINES]
    return complete if any(map(may_be_request, complete)) else head.split(b"\n", SAMPLE_LINES)[:SAMPLE_LINES]


def _chunk(lines: Sequence[bytes], path: str = "") -> Chunk:
    return Chunk(path, 0, 0, 0, b"\n".join(lines), Fingerprint(0, 0, ""))


def _shown(line: bytes) -> str:
    return line[:SHOWN].decode("utf-8", "backslashreplace")


def _is_line(line: bytes) -> bool:
    """Tell whether a line counts: empty and blank lines do not."""
    return bool(line.strip(b" \t\r\0"))


def _said(found: PathProblem) -> str:
    waits = "" if found.state == "unusable" else "; a tail would wait for it"
    return f"{found}; {found.hint}{waits}"


def _passed_over(paths: Sequence[str], found: set[str]) -> Iterator[PassedOver]:
    for path in paths:
        if os.path.isdir(path) and os.access(path, os.R_OK):
            for name in sorted(os.listdir(path)):
                whole = os.path.join(path, name)
                if whole not in found:
                    yield PassedOver(whole, _why(Path(whole)))


def _why(path: Path) -> str:
    """Return why a file of a directory is not read, which `intake.discover` has decided."""
    if path.is_dir():
        return "a directory; name it to have it read"
    if not path.is_file():
        return "not a regular file"
    if path.name.startswith("."):
        return "hidden"
    if discover.is_error_log(path.name):
        return "an error log"
    if discover.is_unfinished(path.name):
        return "a file of an editor, or of an unfinished transfer; name it to have it read"
    if path.is_symlink():
        return "a link to something that is not called like an access log"
    return "not called like an access log; name it to have it read"
