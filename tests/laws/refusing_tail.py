"""Run `logagg ARGUMENTS...` on a disk that is full for a while: refusing_tail.py WHAT N ARGUMENTS...

WHAT fails N times: `commits` (moving the link, except when the lake is created) or `merges` (of flushed files, of
which two are enough here).
"""

from __future__ import annotations

import errno
import os
import sys
from itertools import count
from pathlib import Path
from typing import Any

from logagg.cli import main
from logagg.lake import compact, digests, maintenance, parts, retry
from logagg.lake_format import LINK


def refuse_commits(times: int) -> None:
    replace, moves = os.replace, count()

    def call(source: Any, target: Any) -> None:
        if os.path.basename(target) == LINK and 1 <= next(moves) <= times:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    os.replace = call  # type: ignore[assignment]
    retry.RETRY_AFTER = 0.1


def refuse_merges(times: int) -> None:
    begin, merges = digests.DigestWriter, count()

    def call(path: Path) -> digests.DigestWriter:
        if not path.name.startswith("flush") and next(merges) < times:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return begin(path)

    vars(parts)["DigestWriter"] = call
    compact.FLUSHES = 2
    maintenance.MERGE_AGAIN = 0.1


if __name__ == "__main__":
    {"commits": refuse_commits, "merges": refuse_merges}[sys.argv[1]](int(sys.argv[2]))
    main(sys.argv[3:])
