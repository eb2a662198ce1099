"""A problem of a lake, as `logagg check` names it."""

from __future__ import annotations

from dataclasses import dataclass

RESTORE = "restore it from a backup, or read the logs again into a new lake"


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem, its place, and the remedy."""

    what: str
    hint: str

    def __str__(self) -> str:
        return f"{self.what}; {self.hint}"
