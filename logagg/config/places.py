"""The places of the configuration, and the folder at which its relative paths begin."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from logagg.config.toml import FILE

SYSTEM = Path("/etc/logagg")  # the folder of a machine's configuration


def candidates(environ: Mapping[str, str] | None = None) -> Iterator[Path]:
    """Yield the files that may be the configuration, in their order: of this folder, of the user, of the machine."""
    environ = os.environ if environ is None else environ
    yield Path(FILE)
    home = environ.get("XDG_CONFIG_HOME") or os.path.join(environ.get("HOME", ""), ".config")
    for folder in (home, *(environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")):
        if os.path.isabs(folder):  # others are ignored, by the specification
            yield Path(folder) / "logagg" / FILE
    yield SYSTEM / FILE


def found(environ: Mapping[str, str] | None = None) -> Path | None:
    """Return the first of them that exists, whether it may be read or not; None if none does."""
    return next(filter(os.path.lexists, candidates(environ)), None)


def located(path: str, folder: Path | None) -> str:
    """Return a path of a file in this folder as this process finds it; None: it was not written in a file."""
    path = os.path.expanduser(path)
    return str(folder / path) if folder and path else path
