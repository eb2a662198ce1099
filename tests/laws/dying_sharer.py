"""Write some shards of a shared lake from a log, and be killed at the n-th step of a commit:

dying_sharer.py N LAKE LOG SHARDS OWNED...
"""

from __future__ import annotations

import os
import signal
import sys
import time
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from logagg.clock import SystemClock
from logagg.lake import compact, locks
from tests.laws.crashes import MINUTES
from tests.laws.feed import Sharer

LINES = 40  # lines between two flushes
compact.FLUSHES = 6  # low enough that merges happen


def main(step: int, root: Path, log: bytes, shards: int, owned: list[int]) -> None:
    wanted = set(owned)
    while wanted:  # wait until the former owner is gone
        wanted -= {shard for shard in wanted if locks.lease(root, shard) is not None}
        time.sleep(0.01)
    feed, steps = Sharer(root, SystemClock(), MINUTES, shards, owned), count(1)

    def reached(name: str) -> None:
        if next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    feed.lake.crash_at(reached)
    ends = [n + 1 for n, byte in enumerate(log) if byte == ord("\n")]
    for end in [*ends[LINES - 1 : -1 : LINES], len(log)]:
        feed.flush(log[:end])
        feed.merge()
    feed.close()


if __name__ == "__main__":
    main(
        int(sys.argv[1]),
        Path(sys.argv[2]),
        Path(sys.argv[3]).read_bytes(),
        int(sys.argv[4]),
        list(map(int, sys.argv[5:])),
    )
