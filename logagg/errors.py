"""What can go wrong, and what each failure tells its reader.

    LogaggError            a failure a person reads as one line; exit status 1
    ├── ConfigError        the configuration is wrong: file, line, key, what to write instead
    ├── FormatError        a log format that cannot be understood, or that matches nothing
    ├── SourceError        a path that cannot be read, or holds no logs
    ├── ClockError         the machine's clock has not been set
    └── LakeError          the lake cannot be used: not a lake, newer, moved, locked
        ├── LakeLocked     another process writes this lake
        ├── MergeStopped   a merge was stopped, since the process ends; nothing is lost
        ├── Fenced         another process owns these shards; restart to resume from its positions
        └── CommitFailed   a commit did not happen; nothing is lost, it can be tried again
            └── CommitUncertain  the rename happened but was not confirmed durable; retrying is safe

Wrong usage of the command line is click's own `UsageError`, exit status 2.
"""

from __future__ import annotations


class LogaggError(Exception):
    """A failure said in one line: what, where, and what to do (`hint`)."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class ConfigError(LogaggError):
    """The configuration file is wrong."""


class FormatError(LogaggError):
    """A log format cannot be understood, or matches nothing."""


class SourceError(LogaggError):
    """A path cannot be read, or holds no logs."""


class ClockError(LogaggError):
    """The machine's clock has not been set."""


class LakeError(LogaggError):
    """The lake cannot be used."""


class LakeLocked(LakeError):
    """Another process writes this lake."""


class Fenced(LakeError):
    """Another writer has committed for the same shards, or replaced the same parts."""


class MergeStopped(LakeError):
    """A merge was given up before its end; the parts are as they were."""


class CommitFailed(LakeError):
    """A commit did not happen (a full disk, an I/O error); it can be tried again."""


class CommitUncertain(CommitFailed):
    """A commit is visible, or may be, so its files must stay."""


CHECK = "`logagg check` says what to do"  # the hint where it takes a look at the whole lake
