"""Run `logagg ARGUMENTS...` so that jobs with a request for /poison make it fail: poisoned_worker.py HOW STEP ARGUMENTS...

HOW the process fails: `raises`, or `dies`. STEP at which it fails: `unpack`, or `absorb`, `roll_up` or
`drain` of the shard; `drain` fails after the roll-up.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from logagg.cli import main
from logagg.cluster import event_stream
from logagg.records import Job
from logagg.rollup.shard import Shard


def fail(how: str, events: pa.Table) -> None:
    if events.num_rows and pc.any(pc.equal(events["path"].cast("string"), "/poison")).as_py():
        if how == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        raise ZeroDivisionError("what a bug would raise")


def poison(how: str, step: str) -> None:
    """Let each poisonous job fail at a step."""
    if step == "unpack":
        read = event_stream.unpack

        def events(*arguments: Any) -> pa.Table:
            table = read(*arguments)
            fail(how, table)
            return table

        event_stream.unpack = events  # type: ignore[assignment]
        return
    done: Callable[..., Any] = getattr(Shard, step)
    taken: defaultdict[Shard, list[Job]] = defaultdict(list)  # since the last flush

    def do(shard: Shard, *arguments: Any) -> Any:
        if step == "drain":
            shard.roll_up()
        for job in arguments or (taken.pop(shard, ()) if step == "drain" else shard._waiting.jobs):
            fail(how, job.events)
        return done(shard, *arguments)

    setattr(Shard, step, do)
    if step == "drain":
        absorb = Shard.absorb
        Shard.absorb = lambda shard, job: taken[shard].append(job) or absorb(shard, job)  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    poison(sys.argv[1], sys.argv[2])
    main(sys.argv[3:])
