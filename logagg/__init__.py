"""Follow web server logs and have exact, fresh answers in SQL.

import logagg
lake = logagg.open("lake")
lake.sql("SELECT * FROM pages ORDER BY views DESC LIMIT 10").df()
"""

import importlib
from typing import TYPE_CHECKING, Any

from logagg.errors import CommitFailed, ConfigError, FormatError, LakeError, LakeLocked, LogaggError, SourceError

if TYPE_CHECKING:
    from logagg.query.answers import Answer
    from logagg.query.open_lake import OpenLake, Snapshot, open  # `logagg.open` reads as what it does
    from logagg.query.snapshot import connect

__all__ = [
    "Answer",
    "CommitFailed",
    "ConfigError",
    "FormatError",
    "LakeError",
    "LakeLocked",
    "LogaggError",
    "OpenLake",
    "Snapshot",
    "SourceError",
    "__version__",
    "connect",
    "open",
]


# Names whose modules take long to import: they are imported at their first use, so that other commands start at once.
_LATER = {
    "Answer": "logagg.query.answers",
    "OpenLake": "logagg.query.open_lake",
    "Snapshot": "logagg.query.open_lake",
    "connect": "logagg.query.snapshot",
    "open": "logagg.query.open_lake",
}


def __dir__() -> list[str]:
    """Return the public names, those that are not imported yet among them: tab completion shows them."""
    return list(__all__)


def __getattr__(name: str) -> Any:
    if module := _LATER.get(name):
        return getattr(importlib.import_module(module), name)
    if name == "__version__":
        return _version()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("logagg")
    except PackageNotFoundError:  # a source tree that is not installed
        return "0"
