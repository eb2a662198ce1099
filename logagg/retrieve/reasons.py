"""Why a line is not shown, in a sentence that begins with one of four words.

gone        no file holds what was read of its source
changed     a file holds it no longer: it was overwritten, or the line itself was changed
unreadable  this user may not read the file, or it is damaged
elsewhere   another machine reads the log, and it is not here
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from logagg.intake.names import STDIN
from logagg.records import KnownSource


class Trace:
    """The findings of a search about a source whose lines it has not found."""

    def __init__(self, known: KnownSource | None, hosts: Mapping[str, str]) -> None:
        self._known, self._hosts = known, hosts
        self.unreadable = ""  # its file, and why it cannot be read
        self.shut: Mapping[str, str] = {}  # directories that cannot be listed, and why
        self._other: tuple[str, str] | None = None  # a file that begins as the source, and what is wrong with it
        self._changed_in = ""  # the file that holds the source
        self._changed: frozenset[int] = frozenset()  # rows whose lines are not in it

    @property
    def path(self) -> str:
        """Where the source was last."""
        return self._known.source.path if self._known else ""

    def note_other(self, path: str, problem: str) -> None:
        """Note a file that begins as the source, but does not hold all that was read: another log may begin alike."""
        if problem or os.path.abspath(path) == os.path.abspath(self.path):
            self._other = path, problem

    def note_changed(self, path: str, rows: Sequence[int]) -> None:
        """Note rows whose lines are not in the file that holds the source."""
        self._changed_in, self._changed = path, frozenset(rows)

    def reason(self, row: int) -> str:
        """Return why the line of a row is not shown."""
        if self._known is None:
            return "gone: the lake has forgotten the log (tail.forget)"
        if self.path == STDIN:
            return "gone: read from standard input"
        if row in self._changed:
            return f"changed: {self._changed_in} holds something else at its position"
        if self._other:
            path, problem = self._other
            return f"unreadable: {path}: {problem}" if problem else f"changed: {path} was changed after it was read"
        return self._of_source()

    def _of_source(self) -> str:
        assert self._known
        source, folder = self._known.source, os.path.dirname(self.path) or "."
        if self.unreadable:
            return f"unreadable: {self.unreadable}"
        if host := self._hosts.get(source.tailer):
            return f"elsewhere: tailer {source.tailer} reads {self.path}" + (f" on {host}" if host != "?" else "")
        if folder in self.shut:
            return f"unreadable: {folder}: {self.shut[folder]}"
        try:
            found = os.stat(self.path)
        except OSError:
            return f"gone: {self.path} is not there, and no other file holds what was read of it"
        if (found.st_dev, found.st_ino) == (source.device, source.inode):
            return f"changed: {self.path} was overwritten or truncated after it was read"
        return f"gone: {self.path} is another log by now, and no other file holds what was read of the former"
