"""Run `logagg ARGUMENTS...` as another user: as_user.py UID GID,... UMASK ARGUMENTS...

It imports all modules first, since the user may not be able to enter the directories in which Python is installed.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys

import logagg
from logagg.cli import main

LATER = (
    "_strptime",
    "encodings.idna",
    "multiprocessing.popen_fork",
    "numpy.ma",
    "pandas",
    "pyarrow.pandas_compat",
    "pyarrow.parquet",
    "zoneinfo",
)


def drop(user: int, groups: list[int], umask: int) -> None:
    """Be this user from now on, in these groups only."""
    os.umask(umask)
    if user:
        os.setgroups(groups[1:])
        os.setresgid(groups[0], groups[0], groups[0])
        os.setresuid(user, user, user)


if __name__ == "__main__":
    ours = (module.name for module in pkgutil.walk_packages(logagg.__path__, "logagg."))
    for name in (*LATER, *ours):
        if not name.endswith("__main__"):
            importlib.import_module(name)
    drop(int(sys.argv[1]), list(map(int, sys.argv[2].split(","))), int(sys.argv[3], 8))
    main(sys.argv[4:])
