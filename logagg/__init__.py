"""Follow web server logs and have exact, fresh answers in SQL.

import logagg
lake = logagg.open("lake")
lake.sql("SELECT * FROM pages ORDER BY views DESC LIMIT 10").df()
"""

from typing import TYPE_CHECKING, Any

from logagg.errors import CommitFailed, ConfigError, FormatError, LakeError, LakeLocked, LogaggError, SourceError

if TYPE_CHECKING:
    from logagg.query.snapshot import OpenLake, connect, open  # `logagg.open` reads as what it does

__all__ = [
    "CommitFailed",
    "ConfigError",
    "FormatError",
    "LakeError",
    "LakeLocked",
    "LogaggError",
    "OpenLake",
    "SourceError",
    "__version__",
    "connect",
    "open",
]


def __dir__() -> list[str]:
    """Return the public names, those that are not imported yet among them: tab completion shows them."""
    return list(__all__)


def __getattr__(name: str) -> Any:
    """Import names that take long to import at their first use: commands that do without them start at once."""
    if name in ("OpenLake", "connect", "open"):
        from logagg.query import snapshot

        return getattr(snapshot, name)
    if name == "__version__":
        return _version()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("logagg")
    except PackageNotFoundError:  # a source tree that is not installed
        return "0"
