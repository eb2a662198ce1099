"""All failures that a user sees, and the message of each.

    LogaggError                 a failure that is shown as one line; exit status 1
    ├── ConfigError             the configuration is wrong: file, line, key, what to write instead
    ├── FormatError             a log format that cannot be understood, or that matches nothing
    ├── SourceError             a path that cannot be read, or holds no logs
    ├── NotFound                no thing has the name that was asked for
    ├── ClockError              the machine's clock has not been set
    ├── LakeError               the lake cannot be used: not a lake, newer, moved, locked
    │   ├── LakeLocked          another process writes this lake
    │   ├── MergeStopped        a merge was given up because the process ends; nothing is lost
    │   ├── Fenced              another process owns these shards now; nothing is lost, restart to resume from its positions
    │   └── CommitFailed        a commit did not happen; nothing is lost, it can be tried again
    │       └── CommitUncertain the commit happened but may not be durable yet; a retry is safe and counts nothing twice
    ├── QueryRefused            the query holds more than the sandbox runs
    ├── QueryFailed             DuckDB refuses the query, or cannot answer it
    ├── LimitReached            the query took more time, memory or rows than it may
    ├── ClusterError            tailers and workers do not fit together
    ├── ServerError             a job server does not answer, or another program does
    └── WireError               a message of the cluster that cannot be read
        ├── AuthError           its MAC is not right
        ├── OtherVersion        another version of the protocol wrote it
        └── TooLarge            it takes more memory than it may

Wrong usage of the command line is click's own `UsageError`, exit status 2. Exceptions that one stage raises and handles by
itself (`Gap`, `Replaced`, ...) are in the modules that raise them: none of them reaches a user.
"""

from __future__ import annotations


class LogaggError(Exception):
    """A failure in one line: what, where, and what to do (`hint`)."""

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


class NotFound(LogaggError):
    """No thing has the name that was asked for."""


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


class QueryRefused(LogaggError):
    """A query holds more than the sandbox runs."""

    HINT = "a query is one SELECT over the views, the tables and the files named by --read"

    def __init__(self, what: str, hint: str = HINT) -> None:
        super().__init__(f"{what} is not run", hint)

    @classmethod
    def said(cls, message: str, hint: str) -> QueryRefused:
        """Return the error that another process raised."""
        return cls(message.removesuffix(" is not run"), hint)


class QueryFailed(LogaggError):
    """DuckDB refuses the query, or cannot answer it."""


class LimitReached(LogaggError):
    """A query took more than it may."""


class ClusterError(LogaggError):
    """Tailers and workers do not fit together."""


class ServerError(LogaggError):
    """A job server does not answer, or another program does."""


class WireError(LogaggError):
    """Bytes that are not a message, or not one that this version reads."""


class AuthError(WireError):
    """A message without the right MAC: forged, changed on its way, or made with another secret."""


class OtherVersion(WireError):
    """A message of another version of the protocol than the one that is read here."""

    def __init__(self, version: int, read: int) -> None:
        super().__init__(
            f"a message of version {version}; this logagg reads version {read}", "run the same version everywhere"
        )
        self.version = version


class TooLarge(WireError):
    """A message takes more memory than it may."""


CHECK = "`logagg check` says what to do"  # the hint where it takes a look at the whole lake
