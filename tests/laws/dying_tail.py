"""Run `logagg ARGUMENTS...`, and kill it at the n-th step of a commit: dying_tail.py N ARGUMENTS..."""

from __future__ import annotations

import os
import signal
import sys
from itertools import count
from typing import Any

from logagg.cli import main
from logagg.lake.lake import Lake


def die_at(step: int) -> None:
    """Make every lake that is opened from now on kill this process at a step of its commits."""
    opened, steps = Lake.open, count(1)

    def reached(name: str) -> None:
        if next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def open_dying(*arguments: Any, **options: Any) -> Lake:
        lake = opened(*arguments, **options)
        lake.crash_at(reached)
        return lake

    Lake.open = open_dying  # type: ignore[method-assign]


if __name__ == "__main__":
    die_at(int(sys.argv[1]))
    main(sys.argv[2:])
