"""`make bench-stages`: where a line's time goes. Each stage alone, on one thread, chunk after chunk of one kind of log.

What a stage takes is what the stages before it gave, and nothing overlaps as it does in a real run. Below the stages
stand some limits: what a library takes that does only the least of it with the same bytes, or as many rows.

A shard rolls up events and encodes their requests in one go. Here two take the same jobs: one that keeps no requests, one
that keeps nothing else. The second notes clicks too, which is little of its time.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from pyarrow import csv

from bench import paper
from bench.bare import COLUMNS
from bench.make_log import KINDS, blocks, yesterday
from bench.measure import BenchError, failing_in_a_line, workplace
from bench.paper import percent, table
from logagg.clock import SystemClock
from logagg.config.sections import Config
from logagg.errors import LogaggError
from logagg.intake.tail import Tailer
from logagg.lake.lake import Lake
from logagg.parse.events.classify import Classifier
from logagg.parse.formats.format import Format
from logagg.parse.lines import fast
from logagg.parse.source_formats import SourceFormats
from logagg.records import Chunk, Delta, Job
from logagg.rollup.configured import requests_of, rollups_of, tables_of
from logagg.rollup.requests import Requests
from logagg.rollup.shard import Shard, ShardSettings
from logagg.sharding import shard_jobs

FIND = "- of which find lines and fields"  # done again apart from `parse`, and not added
ENCODE = "encode requests"  # the rest of `absorb` and `drain`
STAGES = ("read", "parse", FIND, "classify", "shard_jobs", "absorb", ENCODE, "drain", "commit", "compact")
LIMITS = ("copy the bytes", "pyarrow's CSV reader", "count by minute and path")

Result = TypeVar("Result")
Seconds = dict[str, float]


class StagedRun:
    """One run of all stages over one log, into a fresh lake."""

    def __init__(self, log: Path, lines: int, lake: Path, shards: int, commits: int) -> None:
        self.seconds: Seconds = {}
        config, self._clock = Config(), SystemClock()
        rollups = rollups_of(config)
        self._lake = Lake.open(lake, tables_of(config), clock=self._clock, config=config)
        self._tailer = Tailer([str(log)], chunk_bytes=config.tail.chunk, clock=self._clock, notice=lambda notice: None)
        self._book = SourceFormats("", {}, self._clock, lambda source: None)
        self._classifier = Classifier.of(config, self._lake.secret)
        settings = ShardSettings(rollups, config.clicks.window, config.limits.keys, requests=Requests(()))
        self._shards = [Shard(number, settings) for number in range(shards)]
        alone = ShardSettings((), config.clicks.window, requests=requests_of(config))
        self._encoders = [Shard(number, alone) for number in range(shards)]
        self._lines, self._every, self._waiting, self.lines = lines, -(-lines // commits), 0, 0

    def __enter__(self) -> StagedRun:
        return self

    def __exit__(self, *failure: object) -> None:
        self._tailer.close()
        self._lake.close()
        for shard in (*self._shards, *self._encoders):
            shard.close()

    def all(self) -> None:
        for chunk in self._chunks():
            self._take(chunk, self._format_of(chunk))
            if self._waiting >= self._every:
                self._commit()
        self._commit()
        self._time("compact", self._lake.compact_all)
        if self.lines != self._lines:
            raise BenchError(f"the stages counted {self.lines:,} of {self._lines:,} lines")

    def _time(self, stage: str, work: Callable[..., Result], *arguments: Any) -> Result:
        started = time.perf_counter()
        result = work(*arguments)
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - started
        return result

    def _chunks(self) -> Iterator[Chunk]:
        chunks = self._tailer.poll()
        while chunk := self._time("read", next, chunks, None):
            yield chunk

    def _format_of(self, chunk: Chunk) -> Format:
        fmt = self._book.format_of(chunk)
        if fmt is None:
            raise BenchError(f"no known log format matches {chunk.source}")
        self._tailer.note_format(chunk.source, fmt.name)
        return fmt

    def _take(self, chunk: Chunk, fmt: Format) -> None:
        self._time(FIND, _find, chunk, fmt)
        batch = self._time("parse", fast.parse, chunk, fmt, self._clock.now())
        events = self._time("classify", self._classifier.classify, batch.table)
        jobs = self._time("shard_jobs", shard_jobs, chunk, events, batch.rejects, len(self._shards))
        self._time("absorb", _absorb, self._shards, jobs)
        self._time(ENCODE, _absorb, self._encoders, jobs)
        self._measure_limits(chunk, fmt, events)
        self.lines += events.num_rows + batch.rejects.lines
        self._waiting += events.num_rows + batch.rejects.lines

    def _commit(self) -> None:
        if self._waiting:
            deltas = self._time("drain", _drain, self._shards)
            requests = [delta.requests for delta in self._time(ENCODE, _drain, self._encoders)]
            deltas = [replace(one, requests=rows, not_kept=0) for one, rows in zip(deltas, requests, strict=True)]
            self._time("commit", self._lake.commit, deltas, self._tailer.sources())
            self._waiting = 0

    def _measure_limits(self, chunk: Chunk, fmt: Format, events: pa.Table) -> None:
        self._time(LIMITS[0], np.array, np.frombuffer(chunk.data, np.uint8))
        if not fmt.keys:
            self._time(LIMITS[1], _read_csv, chunk.data)
        minutes = events["time"].cast(pa.int64()).to_numpy() // 60_000_000
        keys = pa.table({"minute": minutes, "path": events["path"].combine_chunks().indices})
        self._time(LIMITS[2], _count, keys)


def _absorb(shards: Sequence[Shard], jobs: Sequence[Job]) -> None:
    for shard, job in zip(shards, jobs, strict=True):
        shard.absorb(job)


def _drain(shards: Sequence[Shard]) -> list[Delta]:
    return [shard.drain() for shard in shards]


def _find(chunk: Chunk, fmt: Format) -> None:
    fast.split_fields(fast.find_lines(chunk), fmt)


def _read_csv(data: bytes) -> None:
    texts = dict.fromkeys(COLUMNS, pa.dictionary(pa.int32(), pa.binary()))
    csv.read_csv(
        pa.BufferReader(data),
        csv.ReadOptions(column_names=COLUMNS, use_threads=False, block_size=max(len(data), 1)),
        csv.ParseOptions(delimiter=" ", double_quote=False, invalid_row_handler=lambda row: "skip"),
        csv.ConvertOptions(column_types=texts),
    )


def _count(keys: pa.Table) -> None:
    keys.group_by(["minute", "path"], use_threads=False).aggregate([([], "count_all")])


def measure(kind: str, options: argparse.Namespace) -> Seconds:
    """Return the median seconds of each stage."""
    found = list[Seconds]()
    with workplace(options.folder) as folder:
        log = folder / "access.log"
        with log.open("wb") as file:
            file.writelines(blocks(kind, options.lines, yesterday()))
        for number in range(options.rounds):
            with StagedRun(log, options.lines, folder / f"lake-{number}", options.shards, options.commits) as run:
                run.all()
            found.append(run.seconds)
            _say(f"{kind}, round {number + 1}: {sum(map(run.seconds.__getitem__, _added())):.1f} s")
    return {stage: median(one[stage] for one in found) for stage in found[0]}


def _added() -> list[str]:
    return [stage for stage in STAGES if stage != FIND]


def stages_table(seconds: Seconds, lines: int) -> str:
    whole = sum(seconds[stage] for stage in _added())
    rows = [(*_row(stage, seconds[stage], lines), percent(seconds[stage] / whole)) for stage in STAGES]
    rows.append((*_row("all, one after another", whole, lines), percent(1)))
    rows += [
        (*_row(f"limit: {name}", seconds[name], lines), percent(seconds[name] / whole))
        for name in LIMITS
        if name in seconds
    ]
    return table(("stage", "lines/s", "us a line", "share"), rows)


def _row(name: str, seconds: float, lines: int) -> tuple[str, str, str]:
    return name, f"{lines / seconds:,.0f}", f"{seconds / lines * 1e6:.3f}"


def report(measured: dict[str, Seconds], options: argparse.Namespace) -> str:
    """Return what was measured, as Markdown."""
    counts = f"{options.lines:,} lines, {options.shards} shards, {options.commits} commits, medians of {options.rounds} rounds"
    sections = [f"Kind of log: {kind}.\n\n{stages_table(seconds, options.lines)}" for kind, seconds in measured.items()]
    return "\n\n".join([f"{paper.when_and_where()}. {counts}; each stage alone, on one thread.", *sections])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.stages", description="Measure each stage of the pipeline alone."
    )
    parser.add_argument("--lines", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--kinds", nargs="*", default=["mixed"], choices=KINDS, metavar="KIND", help=f"of {', '.join(KINDS)}"
    )
    parser.add_argument("--shards", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--commits", type=int, default=2, help="in a run")
    paper.add_options(parser)
    return parser.parse_args()


def main() -> None:
    options = _options()
    pa.set_cpu_count(1)
    with failing_in_a_line(LogaggError):
        measured = {kind: measure(kind, options) for kind in options.kinds}
        paper.publish(options, "bench-stages", report(measured, options), measured)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
