"""Logs that are skipped, because they cannot be read or match no format."""

from __future__ import annotations

from collections.abc import Sequence

from logagg.errors import FormatError, LogaggError, SourceError
from logagg.notice_log import Notices
from logagg.notices import RETRYING, UNREADABLE, Notice, log_skipped, log_without_format
from logagg.records import Source
from logagg.tail.parse_record import ParseRecord


class SkippedLogs:
    """Reports skipped logs: at once in a run that follows, at the end of one with `--once`."""

    def __init__(self, notices: Notices, *, ends: bool) -> None:
        self._notices, self._ends = notices, ends
        self._unreadable: list[LogaggError] = []
        self._refused: dict[str, tuple[str, str, str]] = {}  # by source: the arguments of `_no_format`
        self.record = ParseRecord()

    def report(self, notice: Notice) -> None:
        """Report a notice of the tailer; with `--once`, an unreadable log makes the run fail at its end."""
        if notice.kind == UNREADABLE.name and self._ends:
            self._unreadable.append(SourceError(notice.text.removesuffix(RETRYING)))
        else:
            self._notices.report(notice)

    def refuse(self, source: Source, given: str, why: str = "") -> None:
        """Note that a source does not match the given format, or any, and why, if that is known."""
        if source.id not in self._refused and not self._ends:
            problem = _no_format(source.path, given, why, "looked at again when it has grown")
            self._notices.report(log_without_format(source.path, str(problem)))
        self._refused[source.id] = source.path, given, why
        self.record.refuse(source.id, given)

    def complain(self, named: Sequence[str], *, in_vain: bool) -> None:
        """Raise for an unreadable log, or a named one without a format, or if all was `in_vain`; report the others."""
        refused = sorted(self._refused.values())
        grave = [one for one in refused if one[0] in named or in_vain]
        failures = [*self._unreadable, *(_no_format(*one) for one in grave)]
        for error in [*failures[1:], *(_no_format(*one) for one in refused if one not in grave)]:
            self._notices.report(log_skipped(str(error)))
        if failures:
            raise failures[0]


def no_format(given: str) -> str:
    """Return the words for a log that does not match the given format, or any."""
    return f"the log format {given!r} matches none" if given else "no known log format matches most"


def _no_format(path: str, given: str, why: str, then: str = "nothing of it was counted") -> FormatError:
    return FormatError(f"{path}: {no_format(given)} of its first lines", f"{why or 'say it with --log-format'}; {then}")
