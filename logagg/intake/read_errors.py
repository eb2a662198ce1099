"""Which logs cannot be read now, and why, according to the last looks."""

from __future__ import annotations

import os


class ReadErrors:
    """Errors by path. Each look reports the errors that persist; one that a look does not report is over."""

    def __init__(self) -> None:
        self._looks = 0
        self._errors: dict[str, tuple[int, str]] = {}  # by path: the number of the last look that met it, the reason

    def begin_look(self) -> None:
        """Begin a look, and drop the errors that the last one did not report."""
        self._looks += 1
        self._errors = {path: one for path, one in self._errors.items() if one[0] >= self._looks - 1}

    def failed(self, path: str, reason: str) -> None:
        """Note why a path cannot be read."""
        self._errors[path] = (self._looks, reason)

    def within(self, folder: str) -> bool:
        """Return whether this look has found an unreadable file in a directory."""
        return any(
            look == self._looks and (os.path.dirname(path) or ".") == folder for path, (look, _) in self._errors.items()
        )

    def now(self) -> dict[str, str]:
        """Return the current errors by path; safe from any thread."""
        return {path: reason for path, (_, reason) in list(self._errors.items())}
