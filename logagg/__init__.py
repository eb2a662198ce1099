"""Follow web server logs and have exact, fresh answers in SQL.

import logagg
lake = logagg.open("lake")
lake.sql("SELECT * FROM pages ORDER BY views DESC LIMIT 10").df()
"""

from logagg.errors import (
    CommitFailed,
    ConfigError,
    FormatError,
    LakeError,
    LakeLocked,
    LogaggError,
    SourceError,
)
from logagg.view.snapshot import OpenLake, connect, open  # noqa: A004  # `logagg.open` reads as what it does

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


def __getattr__(name: str) -> str:
    """Look the version up when it is asked for: that takes as long as to read ten thousand lines."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("logagg")
    except PackageNotFoundError:  # a source tree that is not installed
        return "0"
