"""How notices are written to standard error, a line each: to people, to the journal of systemd, or to programs.

2026-11-24T12:00:00Z truncated: access.log: truncated or replaced after 4,096 bytes were read ...
<4>truncated: access.log: truncated ...          under systemd: the priority for the journal, which knows the time
{"time": "2026-11-24T12:00:00Z", "level": "warning", "kind": "truncated", "text": ..., "fields": {...}}
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from collections import Counter
from typing import TextIO

from logagg.clock import Clock, SystemClock, written
from logagg.notices import Level, Notice, command_failed


class Notices:
    """Writes notices to a stream as they come, and remembers how many there were of each kind; safe for threads."""

    def __init__(
        self, clock: Clock, *, verbosity: int = 0, as_json: bool = False, stream: TextIO | None = None
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._clock, self._as_json, self._stream = clock, as_json, stream
        self._is_quiet, self._last_level = verbosity < 0, Level.INFO if verbosity > 0 else Level.NOTICE
        self._lock = threading.Lock()

    def report(self, notice: Notice) -> None:
        """Count a notice, and write it if its level is severe enough for -q or -v."""
        stream = self._stream or sys.stderr
        with self._lock:
            self.counts[notice.kind] += 1
            if self._is_quiet or notice.level > self._last_level:
                return
            if self._as_json:
                write(f"{json_line(notice, self._clock.now())}\n", stream)
            else:
                show(f"{self._line(notice, stream)}\n", stream)

    def _line(self, notice: Notice, stream: TextIO) -> str:
        text = f"{notice.kind}: {printable(notice.text)}"
        return in_journal(text, notice.level) if is_journal(stream) else f"{written(self._clock.now())} {text}"


def show_failure(text: str, *, as_json: bool = False) -> None:
    """Write the one line of a failure that ends a command."""
    failure, stream = command_failed(text), sys.stderr
    if as_json:
        line = json_line(failure, SystemClock().now())
    else:
        line = f"logagg: {printable(text)}"
        line = in_journal(line, failure.level) if is_journal(stream) else line
    write(f"{line}\n", stream)


def json_line(notice: Notice, now: float) -> str:
    """Return a notice as one JSON object."""
    fields = {name: _encodable(value) if isinstance(value, str) else value for name, value in notice.fields.items()}
    level, text = notice.level.name.lower(), _encodable(notice.text)
    return json.dumps({"time": written(now), "level": level, "kind": notice.kind, "text": text, "fields": fields})


def _encodable(text: str) -> str:
    """Escape bytes of a file's name that are not UTF-8: readers of JSON refuse the lone surrogates that stand for them."""
    return text.encode("utf-8", "backslashreplace").decode()


def in_journal(text: str, level: Level) -> str:
    """Return a line with its priority, as the journal of systemd reads it: sd-daemon(3)."""
    return f"<{level.value}>{text}"


def is_journal(stream: TextIO) -> bool:
    """Tell whether a stream goes to the journal: JOURNAL_STREAM names its device and inode, see systemd.exec(5)."""
    if not (journal := os.environ.get("JOURNAL_STREAM")):
        return False
    try:
        stat = os.fstat(stream.fileno())
    except (OSError, ValueError):  # closed, or not a file
        return False
    return journal == f"{stat.st_dev}:{stat.st_ino}"


START = "\r\x1b[K"  # to a terminal: go to the start of the line, and clear it


def show(text: str, stream: TextIO) -> None:
    """Write a text; on a terminal, over the status line."""
    with contextlib.suppress(OSError, ValueError):
        write(f"{START if stream.isatty() else ''}{text}", stream)


def write(text: str, stream: TextIO) -> None:
    """Write a text at once. A stream that is closed, or cannot be written to, does not fail the run."""
    with contextlib.suppress(OSError, ValueError):
        print(text, end="", file=stream, flush=True)


def printable(text: str) -> str:
    """Escape control characters: the name of a file may come from an attacker."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
