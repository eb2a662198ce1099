"""Make the lake of a site that was tailed for a year: so many rows, in so many commits, the same for the same seed.

    python -m bench.make_lake LAKE 50000000 5000 10000000

Events are made, not parsed; from there on all is as in a tail: shards roll them up, each commit is written and merged
as its time comes, and the logs they came from are rotated, deleted and forgotten. Half of the commits are those of the
last two days, in which a tail writes an hour in many parts. The last week is a busy one, so that as many requests are kept
as are told. The last commits go into a copy of the lake too, which keeps no requests: what they cost is the difference.
Prints what commits and merges took, as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bench.make_log import DAY, Numbers
from logagg.clock import ManualClock
from logagg.config.rules import KINDS
from logagg.config.sections import Attribution, Config, Requests, Retention, Visits
from logagg.lake.lake import Lake
from logagg.parse.channels.arrivals import Arrival
from logagg.parse.geo.layouts import FIELDS
from logagg.parse.schemas import EVENT_SCHEMA, TEXT
from logagg.records import Chunk, Delta, Fingerprint, Job, Reject, Rejects, Source
from logagg.rollup.configured import tables_of
from logagg.rollup.definitions import DEFAULTS
from logagg.rollup.shard import Shard, ShardSettings
from logagg.sharding import shard_jobs
from logagg.sketches import latency_bucket

DAYS = 365
RECENT = 2  # days, the last ones, that have half of the commits
BUSY = 7  # days, the last ones, whose requests are kept; a tenth of the commits before the recent ones are theirs
COMPARED = 200  # commits, the last ones, that are made without requests, too
SHARDS = 2
LINE = 231  # bytes
KEPT, FORGOTTEN = 14, 14 + 32  # days that a rotated log has its file, and that it is known
PAGES, ADS, CAMPAIGNS, REFERRERS, VISITORS = 50_000, 500, 40, 2000, 3_000_000
NOTHING = Fingerprint.blank(0)
LOG, REJECTS, BAD = (
    "/var/log/nginx/access.log",
    2,
    b"a line of another program, cut off at the length that the tail allows" * 2,
)

Mask = npt.NDArray[np.bool_]
Result = TypeVar("Result")

_LACKING = ("user", "query", "click_id", "order_id", "currency", *FIELDS, *Arrival._fields)  # columns without values
_BROWSERS = ("Chrome", "Safari", "Firefox", "Edge", "Opera", "Samsung Internet")
_SYSTEMS = ("Windows", "macOS", "Linux", "Android", "iOS")
_ROBOTS = ("Googlebot", "Bingbot", "GPTBot", "AhrefsBot", "curl")
_AGENTS = [(browser, system) for system in _SYSTEMS for browser in _BROWSERS] + [(robot, "Other") for robot in _ROBOTS]


class Events:
    """Makes events of one site."""

    def __init__(self, seed: int = 1) -> None:
        self._chance = np.random.default_rng(seed)
        self._visitors = self._chance.integers(0, 1 << 64, VISITORS, dtype=np.uint64, endpoint=False)
        self._words = {
            "kind": pa.array(KINDS),
            "site": pa.array(["www.example.com", "shop.example.com", "blog.example.com"]),
            "method": pa.array(["GET", "POST"]),
            "path": pa.array([f"/articles/{number}.html" for number in range(PAGES)]),
            "referrer": pa.array(
                ["", "www.example.com", *(f"blog-{number}.example.org" for number in range(REFERRERS))]
            ),
            "campaign": pa.array(["", *(f"c{number}" for number in range(CAMPAIGNS))]),
            "ad": pa.array(["", *map(str, range(ADS))]),
            "placement": pa.array(["", *(f"p{number}" for number in range(8))]),
            "browser": pa.array([browser for browser, _ in _AGENTS]),
            "os": pa.array([system for _, system in _AGENTS]),
            "device": pa.array(["desktop", "phone", "other"]),
            "robot": pa.array(["", *_ROBOTS]),
            "robot_class": pa.array(["", "search"]),
            "bot_reason": pa.array(["", "name"]),
            "cache": pa.array([""]),
            "ext": pa.array(["html"]),
            "scheme": pa.array(["https"]),
            "protocol": pa.array(["HTTP/2.0", "HTTP/1.1"]),
            "tls": pa.array(["TLSv1.3", "TLSv1.2"]),
        }
        self._words["from_path"] = self._words["path"]

    def between(self, start: float, end: float, rate: float) -> pa.Table:
        """Return the events of a span of time (seconds), `rate` a minute on average, in the order of their times."""
        times = self._times(start, end, rate)
        rows = len(times)
        kind = self._chance.choice(len(KINDS), rows, p=[0.25, 0.05, 0.005, 0.545, 0.13, 0.02])
        page, agent = self._often(1.5, PAGES, rows), self._often(1.4, len(_AGENTS), rows)
        robot = np.maximum(0, agent - (len(_AGENTS) - len(_ROBOTS)) + 1)  # 0: a person
        seconds = pa.array(np.exp(self._chance.normal(-3, 1, rows)).round(3))  # as nginx logs them
        codes = self._told_by(kind, rows) | {
            "kind": kind,
            "path": page,
            "browser": agent,
            "os": agent,
            "device": agent % 3,
            "robot": robot,
            "robot_class": np.minimum(robot, 1),
            "bot_reason": np.minimum(robot, 1),
        }
        plain = {
            "time": pa.array(times).cast(pa.timestamp("us", "UTC")),
            "position": pa.array(np.arange(rows) * LINE + self._chance.integers(0, LINE // 2, rows)),
            "visitor": pa.array(self._visitors[self._often(1.2, VISITORS, rows)]),
            "is_bot": pa.array(robot > 0),
            "status": pa.array(
                self._chance.choice(np.array([200, 304, 404, 500], np.int16), rows, p=[0.87, 0.07, 0.05, 0.01])
            ),
            "bytes": pa.array(self._chance.integers(43, 60_000, rows)),
            "seconds": seconds,
            "bucket": latency_bucket(seconds),
            "upstream_seconds": seconds,
        }
        inside = (kind == KINDS.index("pageview")) & (codes["referrer"] == 1)
        columns = plain | {name: self._column(name, one) for name, one in codes.items()}
        columns |= {"id": self._ids(kind <= KINDS.index("conversion"))}
        columns |= {name: pa.nulls(rows, TEXT) for name in _LACKING}
        columns["value_micros"] = pa.nulls(rows, pa.int64())
        columns["from_path"] = self._column("from_path", self._often(1.5, PAGES, rows), ~inside)
        return pa.table(
            [columns[name].cast(EVENT_SCHEMA.field(name).type) for name in EVENT_SCHEMA.names], schema=EVENT_SCHEMA
        )

    def _told_by(self, kind: Numbers, rows: int) -> dict[str, Numbers]:
        ad = np.where(kind <= KINDS.index("conversion"), self._chance.integers(1, ADS + 1, rows), 0)
        return {
            "site": self._chance.choice(3, rows, p=[0.7, 0.2, 0.1]),
            "method": np.zeros(rows, np.int64),
            "referrer": self._often(1.3, REFERRERS, rows),
            "campaign": np.where(ad > 0, ad % CAMPAIGNS + 1, 0),
            "ad": ad,
            "placement": np.where(ad > 0, self._chance.integers(1, 9, rows), 0),
            **{name: np.zeros(rows, np.int64) for name in ("cache", "ext", "scheme")},
            **{name: self._chance.choice(2, rows, p=[0.8, 0.2]) for name in ("protocol", "tls")},
        }

    def _ids(self, tracked: Mask) -> pa.Array:
        """Return an id that no other event has for each event that is tracked, and none for the others."""
        ids = self._chance.integers(1 << 62, 1 << 63, int(tracked.sum()))
        codes = np.where(tracked, np.cumsum(tracked), 0).astype(np.int32)
        words = pa.chunked_array([pa.array([""]), pa.array(ids).cast(pa.string())]).combine_chunks()
        return pa.DictionaryArray.from_arrays(pa.array(codes), words).cast(TEXT)

    def _times(self, start: float, end: float, rate: float) -> Numbers:
        """Draw times (microseconds), more by day than by night."""
        wanted = self._chance.poisson(2 * rate * (end - start) / 60)
        drawn = np.sort(self._chance.uniform(start, end, wanted))
        by_day = 0.5 - 0.4 * np.cos(drawn % DAY / DAY * 2 * np.pi)
        return (drawn[self._chance.random(wanted) < by_day] * 1e6).astype(np.int64)

    def _often(self, slope: float, count: int, rows: int) -> Numbers:
        """Choose numbers below `count`, the small ones much more often."""
        return (self._chance.zipf(slope, rows) - 1) % count

    def _column(self, name: str, codes: Numbers, null: Mask | None = None) -> pa.Array:
        return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32), mask=null), self._words[name]).cast(TEXT)


class Logs:
    """The logs that were tailed, one a day: rotated, deleted after a while, then forgotten."""

    def __init__(self) -> None:
        self.sources: dict[int, Source] = {}  # by day
        self._position = 0  # of today's

    def grow(self, now: float, lines: int) -> tuple[str, int, int]:
        """Let today's log grow; return it, and between which positions."""
        today = int(now) // DAY
        if today not in self.sources:
            kept = {
                day: _rotated(old, today - day, today) for day, old in self.sources.items() if today - day < FORGOTTEN
            }
            new = Source(f"{today:032x}", LOG, 1, today, Fingerprint(1024, 1024, NOTHING.digest), format="combined")
            self.sources, self._position = {**kept, today: new}, 0
        start, self._position = self._position, self._position + lines * LINE
        return self.sources[today].id, start, self._position


def _rotated(log: Source, age: int, today: int) -> Source:
    gone = log.gone or (float(today * DAY) if age > KEPT else 0.0)
    return replace(log, path=f"{LOG}.{age}.gz", finished=True, gone=gone)


class Year:
    """A tail that has run for a year, on a clock of its own."""

    def __init__(self, root: Path, rates: Callable[[float], float]) -> None:
        # Nothing is derived here, as it would be beside a tail: requests would have to stay until then.
        self._clock = ManualClock(0.0)
        self._config = replace(
            Config(),
            retention=Retention(None, None, None),
            visits=Visits(enabled=False),
            attribution=Attribution(enabled=False),
        )
        self._root = root
        self._lake = Lake.open(root, tables_of(self._config), clock=self._clock, config=self._config)
        self._events, self._logs, self._rates = Events(), Logs(), rates
        self._shards = [Shard(number, ShardSettings(DEFAULTS)) for number in range(SHARDS)]
        self.commits: list[float] = []  # seconds that each took
        self.swaps: list[float] = []  # seconds of the commits that put merged parts in place
        self.merges: list[float] = []  # seconds of the merges before them
        self.without: list[float] = []  # seconds of the last commits, made without requests
        self.events = 0

    def live(self, moments: Numbers) -> None:
        """Commit at each of these moments what came since the one before; merge when it is time to."""
        for start, end in self._spans(moments):
            self._commit(self._deltas(start, end))
            self.merges += self._merge()

    def compare(self, moments: Numbers) -> None:
        """Go on, and commit the same without requests into a copy of the lake that has none, each the first in turn."""
        copy = self._root.with_name(f"{self._root.name} without")
        without = self._copied(copy)
        for number, (start, end) in enumerate(self._spans(moments)):
            deltas = self._deltas(start, end)
            if number % 2:
                self._commit(deltas)
            self.without.append(self._committed(without, [replace(one, requests=None) for one in deltas]))
            if not number % 2:
                self._commit(deltas)
            self._merge(without)
            self.merges += self._merge()
        without.close()
        shutil.rmtree(copy)

    def close(self) -> None:
        self._lake.close()
        for shard in self._shards:
            shard.close()

    def _spans(self, moments: Numbers) -> Iterator[tuple[float, float]]:
        for number, (start, end) in enumerate(pairwise(moments.tolist()), 1):
            self._clock.sleep(end - self._clock.now())
            yield start, end
            if number % 100 == 0:
                _say(f"{len(self.commits):,} commits, {datetime.fromtimestamp(end, UTC):%Y-%m-%d %H:%M}")

    def _copied(self, copy: Path) -> Lake:
        """Return a copy of the lake that keeps no requests."""
        shutil.copytree(self._root, copy, symlinks=True, copy_function=_linked)
        config = replace(self._config, requests=Requests(keep=0.0))
        lake = Lake.open(copy, tables_of(config), clock=self._clock, config=config)
        lake.expire(trust_clock=True)
        return lake

    def _deltas(self, start: float, end: float) -> list[Delta]:
        events = self._events.between(start, end, self._rates(end))
        self.events += events.num_rows
        source, position, until = self._logs.grow(end, events.num_rows + REJECTS)
        events = events.set_column(1, EVENT_SCHEMA.field("position"), pc.add(events["position"], position))
        chunk = Chunk(source, 0, position, until, b"", Fingerprint(until, min(until, 1024), NOTHING.digest))
        bad = tuple(Reject(position + LINE * number, "format", BAD) for number in range(REJECTS))
        for shard, job in zip(
            self._shards, shard_jobs(chunk, events, Rejects({"format": REJECTS}, bad), SHARDS), strict=True
        ):
            shard.absorb(job)
        return [shard.drain() for shard in self._shards]

    def _commit(self, deltas: Sequence[Delta]) -> None:
        self.commits.append(self._committed(self._lake, deltas))

    def _committed(self, lake: Lake, deltas: Sequence[Delta]) -> float:
        return _timed(lake.commit, deltas, list(self._logs.sources.values()))[0]

    def _merge(self, lake: Lake | None = None) -> list[float]:
        """Carry out what is due, as a running tail does beside its commits; return the seconds that each merge took."""
        into, merges = lake or self._lake, []
        for task in into.plan_compaction():
            seconds, merged = _timed(task.run)
            merges.append(seconds)
            swap = _timed(into.commit_replacement, merged)[0]
            if not lake:
                self.swaps.append(swap)
        return merges


def _linked(source: str, copy: str) -> None:
    """Copy a file of a lake; Parquet files never change, so a link will do."""
    (os.link if source.endswith(".parquet") else shutil.copy2)(source, copy)


def _timed(work: Callable[..., Result], *arguments: Any) -> tuple[float, Result]:
    started = time.perf_counter()
    result = work(*arguments)
    return time.perf_counter() - started, result


def moments(end: float, commits: int) -> Numbers:
    """Return when to commit in the year up to `end`."""
    busy, recent = end - BUSY * DAY, end - RECENT * DAY
    past = commits - commits // 2
    of_busy = past // 10
    quiet = np.linspace(end - DAYS * DAY, busy, past - of_busy, endpoint=False)
    between = np.linspace(busy, recent, of_busy, endpoint=False)
    return np.concatenate([quiet, between, np.linspace(recent, end, commits // 2 + 1)]).astype(np.int64)


def rates_for(rows: int, requests: int, end: float) -> Callable[[float], float]:
    """Return how many events a minute there are at a time: so many requests in the last week, so many rows without it."""
    quiet, busy = rate_for(rows), requests / (BUSY * 1440)
    return lambda at: busy if at > end - BUSY * DAY else quiet


def rate_for(rows: int) -> float:
    """Find how many events a minute leave so many rows in a year, once they are merged by minute: try it on a day."""
    rate = rows / (DAYS * 1440 * 4)
    for _ in range(4):
        shard = Shard(0, ShardSettings(DEFAULTS))
        events = Events(2).between(0, DAY, rate)
        shard.absorb(Job(0, "a", 0, 0, 1, NOTHING, events, Rejects()))
        made = sum(table.num_rows for table in shard.drain().rollups.values())
        shard.close()
        rate *= rows / (made * DAYS)
    return rate


def made(root: Path, rows: int, commits: int, requests: int, end: float) -> Year:
    """Make the lake of the year up to `end`."""
    year, when = Year(root, rates_for(rows, requests, end)), moments(end, commits)
    compared = min(COMPARED, commits // 4)
    year.live(when[:-compared])
    year.compare(when[-compared - 1 :])
    year.close()
    return year


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.make_lake", description="Make the lake of a year.")
    parser.add_argument("lake", type=Path)
    parser.add_argument("rows", type=int, help="of all rollups together without the last week, about")
    parser.add_argument("commits", type=int)
    parser.add_argument("requests", type=int, help="of the last week, about")
    options = parser.parse_args()
    end = time.time() // 3600 * 3600
    year = made(options.lake, options.rows, options.commits, options.requests, end)
    print(json.dumps({name: getattr(year, name) for name in ("events", "commits", "swaps", "merges", "without")}))


if __name__ == "__main__":
    main()
