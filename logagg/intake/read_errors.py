"""Which logs cannot be read now, and why, as the last looks found."""

from __future__ import annotations

import os


class ReadErrors:
    """Errors by path. Each look meets what is still wrong; what it does not meet any more is over."""

    def __init__(self) -> None:
        self._looks = 0
        self._errors: dict[
            str, tuple[int, str]
        ] = {}  # by path: the number of the look that met it last, and what it is

    def look(self) -> None:
        """Begin a look; what the one before the last met, and the last did not, is over."""
        self._looks += 1
        self._errors = {path: one for path, one in self._errors.items() if one[0] >= self._looks - 1}

    def failed(self, path: str, reason: str) -> None:
        """Note what is wrong."""
        self._errors[path] = (self._looks, reason)

    def within(self, folder: str) -> bool:
        """Tell whether this look has met a file of a directory that cannot be read."""
        return any(
            look == self._looks and (os.path.dirname(path) or ".") == folder for path, (look, _) in self._errors.items()
        )

    def now(self) -> dict[str, str]:
        """Return by path what is wrong now; for any thread."""
        return {path: reason for path, (_, reason) in list(self._errors.items())}
