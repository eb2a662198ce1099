"""Follow web server logs and have exact, fresh answers in SQL.

import logagg
lake = logagg.open("lake")
lake.sql("SELECT * FROM pages ORDER BY views DESC LIMIT 10").df()
"""

from importlib.metadata import PackageNotFoundError, version

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

try:
    __version__ = version("logagg")
except PackageNotFoundError:  # a source tree that is not installed
    __version__ = "0"

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
