"""How many commits a second writers of one lake make, all together: python -m bench.commits --writers 1 4 16.

Each writer is a process that owns a shard and commits, as fast as it can, what some hundred lines add up to, merging what
is due beside that, as a worker does. How long a commit takes is what its writer waited.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

import logagg
from bench import paper
from bench.make_log import blocks, yesterday
from bench.measure import failing_in_a_line, workplace
from logagg.clock import SystemClock
from logagg.config.sections import Config
from logagg.lake import locks
from logagg.lake.lake import Lake
from logagg.parse.events.classify import Classifier
from logagg.parse.formats.compile import compile_format
from logagg.parse.lines import fast
from logagg.records import Chunk, Delta, Fingerprint, Job, Progress, Source
from logagg.rollup.definitions import DEFAULTS
from logagg.rollup.shard import Shard, ShardSettings
from logagg.sharding import shard_jobs

LINES, DAY = 300, 10_000_000  # in a commit, and in a day: those of a commit are some seconds'


@dataclass(frozen=True, slots=True)
class Measured:
    """What some writers did."""

    writers: int
    seconds: float
    commits: int
    catalogs: int
    waits: Sequence[float]  # seconds, of each commit, in order
    cpu: float  # seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--writers", type=int, nargs="+", default=[1, 4, 16], metavar="N")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each number of them commits")
    paper.add_options(parser)
    options = parser.parse_args()
    with failing_in_a_line(EOFError):
        found = [measure(number, options.seconds, options.folder) for number in options.writers]
    head = ("writers", "commits/s", "catalogs/s", "a commit takes", "99 of 100 at most", "CPU a commit")
    text = f"{paper.when_and_where()}; {LINES} lines a commit\n\n{paper.table(head, map(_row, found))}"
    paper.publish(
        options, "bench-commits", text, {str(one.writers): one.commits / one.seconds for one in found}, paper.CLUSTER
    )


def _row(one: Measured) -> tuple[str, ...]:
    middle, late = (one.waits[int(len(one.waits) * share)] for share in (0.5, 0.99))
    return (
        str(one.writers),
        f"{one.commits / one.seconds:.1f}",
        f"{one.catalogs / one.seconds:.1f}",
        f"{1000 * middle:.0f} ms",
        f"{1000 * late:.0f} ms",
        f"{1000 * one.cpu / one.commits:.0f} ms",
    )


def measure(writers: int, seconds: float, folder: Path) -> Measured:
    """Let so many writers commit for so long."""
    context, data = multiprocessing.get_context("spawn"), _lines()
    with workplace(folder) as place:
        lake, processes, ends = place / "lake", [], []
        for shard in range(writers):
            ours, theirs = context.Pipe()
            process = context.Process(target=_write, args=(lake, shard, writers, seconds, data, theirs), daemon=True)
            process.start()
            theirs.close()  # so that its end is seen
            processes.append(process)
            ends.append(ours)
        for end in ends:
            end.recv()  # it is ready
        before = _last(lake)
        for end in ends:
            end.send("go")
        time.sleep(seconds)
        catalogs = _catalogs(lake, before)
        reports = [end.recv() for end in ends]
        for process in processes:
            process.join()
        waits = sorted(wait for some, _ in reports for wait in some)
        return Measured(writers, seconds, len(waits), catalogs, waits, sum(cpu for _, cpu in reports))


def _last(lake: Path) -> int:
    with logagg.connect(lake) as connection:
        [(found,)] = connection.execute("SELECT coalesce(max(id), 0) FROM commits").fetchall()
    return int(found)


def _catalogs(lake: Path, after: int) -> int:
    """Count the catalogs that were written; the grace of none has passed yet."""
    return sum(int(path.name.partition("-")[0]) > after for path in (lake / "catalog").glob("*.duckdb"))


def _write(root: Path, shard: int, shards: int, seconds: float, data: bytes, end: Connection) -> None:
    clock, config = SystemClock(), Config()
    lake = Lake.join(root, DEFAULTS, clock=clock, config=config, shards=shards, at_least=1)
    assert locks.lease(root, shard) is not None
    lake.sources_of(shard)
    source = Source(
        f"s{shard}",
        f"/var/log/nginx/{shard}.log",
        1,
        shard,
        Fingerprint.blank(0),
        format="combined",
        tailer=f"web{shard}",
    )
    first, waits = _delta(lake, config, shard, source, data), list[float]()
    end.send("ready")
    end.recv()
    began, busy = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(1) as merger:
        merging = merger.submit(lake.compact_due)
        while (now := time.perf_counter()) - began < seconds:
            lake.commit([_moved(first, source.id, len(waits))], [source])
            waits.append(time.perf_counter() - now)
            if merging.done():
                merging.result()
                merging = merger.submit(lake.compact_due)
        used = time.process_time() - busy
    end.send((waits, used))
    lake.close()
    os._exit(0)


def _lines() -> bytes:
    return b"".join(bytes(next(blocks("mixed", DAY, yesterday(), seed=1))).splitlines(keepends=True)[:LINES])


def _delta(lake: Lake, config: Config, shard: int, source: Source, data: bytes) -> Delta:
    """Return what some lines add up to, all of them in one shard."""
    chunk = Chunk(source.id, 0, 0, len(data), data, Fingerprint(len(data), 0, Fingerprint.blank(0).digest))
    batch = fast.parse(chunk, compile_format("combined"), SystemClock().now(), 1 << 20)
    [job] = shard_jobs(chunk, Classifier.of(config, lake.secret).classify(batch.table), batch.rejects, 1)
    absorbing = Shard(shard, ShardSettings(DEFAULTS))
    absorbing.absorb(_of(job, shard))
    delta = absorbing.drain()
    assert delta.rollups, "lines that count are what is committed"
    return delta


def _of(job: Job, shard: int) -> Job:
    return replace(job, shard=shard)


def _moved(delta: Delta, source: str, times: int) -> Delta:
    """Return the same rows, of bytes further on."""
    [one] = delta.progress.values()
    length = one.position
    progress = Progress(length * (times + 1), one.lines * (times + 1), Fingerprint.blank(length * (times + 1)))
    return replace(delta, progress={source: progress}, starts={source: length * times})


if __name__ == "__main__":
    main()
