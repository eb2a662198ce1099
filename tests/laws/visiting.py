"""Traffic of a few visitors in several logs, the writer of a lake that reads it, and visits counted in plain Python."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import duckdb

from logagg.clock import ManualClock
from logagg.config.sections import Attribution, Config, Retention
from logagg.lake.lake import Lake
from logagg.parse.events.classify import Classifier
from logagg.parse.formats.compile import compile_format
from logagg.parse.lines import fast
from logagg.records import Chunk, Fingerprint, KnownSource, Source
from logagg.rollup.configured import requests_of, rollups_of, tables_of
from logagg.rollup.shard import Shard, ShardSettings
from logagg.sharding import shard_jobs
from tests.laws.feed import NOTHING
from tests.laws.logs import AGENTS, CLIENTS, PAGES, REFERRERS, SITES

FORM = compile_format("vhost-combined")
KEEP_ALL = Config(retention=Retention(None, None, None), attribution=Attribution(enabled=False))
TARGETS = (
    *PAGES,
    *PAGES,
    "/site.css",
    "/click?ad=1&campaign=spring",
    "/conv?ad=1",
    "/imp?ad=1",
    "/tea?utm_campaign=may",
)
START = dt.datetime(2026, 3, 2, 20, 0, tzinfo=dt.UTC).timestamp()
LATE, GAP, DAY = 3600, 1800, 86_400

Row = Mapping[str, Any]


@dataclass
class Traffic:
    """Lines of several logs, whose time goes on; some come later than others of their log."""

    random: Random
    logs: dict[str, bytes] = field(default_factory=dict)
    now: float = START

    def write(self, name: str, number: int, jitter: int = 5000) -> None:
        """Append lines to a log; each is up to `jitter` seconds older than the time."""
        lines = []
        for _ in range(number):
            self.now += self.random.choice((0, 0, 1, 20, 300, 900, 1800, 1801, 5000))
            lines.append(self._line(self.now - self.random.choice((0, 0, 0, self.random.randrange(jitter)))))
        self.logs[name] = self.logs.get(name, b"") + "".join(lines).encode()

    def _line(self, at: float) -> str:
        choice = self.random.choice
        time = dt.datetime.fromtimestamp(at, dt.UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
        agent, client = choice(list(AGENTS)[:3]), choice(CLIENTS[:3])
        asked = f'"GET {choice(TARGETS)} HTTP/1.1" 200 43 "{choice(REFERRERS)}" "{agent}"'
        return f"{choice(SITES)}:443 {client} - - [{time}] {asked}\n"


class Writer:
    """Writes one lake from several logs, and resumes at the positions of the lake."""

    def __init__(self, root: Path, clock: ManualClock, shards: int = 2, config: Config = KEEP_ALL) -> None:
        self.root, self.clock, self.number = root, clock, shards
        self.lake = self._opened(config)
        known = self._known()
        settings = ShardSettings(rollups_of(config), requests=requests_of(config))
        self.shards = [Shard(shard, settings, known, self.lake.clicks(shard, shards)) for shard in range(shards)]
        self._at = {one.source.id: one.resume.position for one in known}
        self._classifier = Classifier.of(config, self.lake.secret)

    def _opened(self, config: Config) -> Lake:
        return Lake.open(self.root, tables_of(config), clock=self.clock, config=config)

    def _known(self) -> Sequence[Any]:
        return self.lake.known_sources(self.number)

    def commit(self, logs: Mapping[str, bytes]) -> None:
        """Commit what was not read of these logs."""
        sources = []
        for name, log in logs.items():
            start = self._at.get(name, 0)
            if start < len(log):
                chunk = Chunk(name, 0, start, len(log), log[start:], Fingerprint(len(log), 0, NOTHING.digest))
                batch = fast.parse(chunk, FORM, self.clock.now(), 1 << 20)
                events = self._classifier.classify(batch.table)
                for job in shard_jobs(chunk, events, batch.rejects, self.number):
                    self.shards[job.shard].absorb(job)
                self._at[name] = len(log)
                sources.append(Source(name, f"{name}.log", 1, 1, NOTHING, format="vhost-combined"))
        self.lake.commit([shard.drain() for shard in self.shards], sources)

    def derive(self) -> int:
        return self.lake.derive_due()

    def merge(self) -> None:
        for task in self.lake.plan_compaction():
            self.lake.commit_replacement(task.run())

    def close(self) -> None:
        for shard in self.shards:
            shard.close()
        self.lake.close()


class Sharer(Writer):
    """One of several writers of a lake; owns all its shards."""

    def _opened(self, config: Config) -> Lake:
        return Lake.join(
            self.root, tables_of(config), clock=self.clock, config=config, shards=self.number, at_least=self.number
        )

    def _known(self) -> Sequence[Any]:
        found = [self.lake.sources_of(shard) for shard in range(self.number)]
        return [
            KnownSource(ones[0].source, {shard: one.progress[shard] for shard, one in enumerate(ones)})
            for ones in zip(*found, strict=True)
        ]


# the count


@dataclass
class Visit:
    events: list[Row]
    new: bool


def runs(rows: Iterable[Row], memory: float = 30 * DAY) -> list[Visit]:
    """Cut the events of each visitor of a site into visits."""
    of: dict[object, list[Row]] = {}
    for row in rows:
        if row["kind"] in ("pageview", "click", "conversion"):
            of.setdefault((row["visitor"], row["site"], row["is_bot"]), []).append(row)
    found: list[Visit] = []
    for events in of.values():
        events.sort(key=lambda row: (row["at"], row["place"]))
        mine: list[Visit] = []
        for row in events:
            if mine and row["at"] - mine[-1].events[-1]["at"] <= GAP:
                mine[-1].events.append(row)
            else:
                before = mine[-1].events[-1]["at"] // DAY if mine else -math.inf
                mine.append(Visit([row], before < (row["at"] - memory) // DAY))
        found += mine
    return found


def bucket(value: float) -> int:
    """Return the bucket of a number, as of a latency."""
    gamma, least = 1.01 / 0.99, 1e-4
    return math.ceil(math.log(min(max(value, least), 86_400.0)) / math.log(gamma))


def first(events: Iterable[Row], name: str) -> str:
    return next((row[name] for row in events if row[name] is not None), "")


VISITS = ("visits", "bounces", "views", "clicks", "conversions", "seconds", "new", "visitors")


def counted(rows: Iterable[Row]) -> dict[str, dict[object, list[int]]]:
    """Count visits, flows, durations and depths, each by all of its dimensions."""
    visits: dict[object, list[Any]] = {}
    flows: Counter[object] = Counter()
    durations: dict[object, list[int]] = {}
    depths: dict[object, list[int]] = {}
    for visit in runs(rows):
        events = visit.events
        views = [row for row in events if row["kind"] == "pageview"]
        entered = [row for row in events if row["channel"] is not None][:1]
        began, site, is_bot = int(events[0]["at"]) // 60 * 60, events[0]["site"], events[0]["is_bot"]
        took = events[-1]["at"] - events[0]["at"]
        ends = (views[0]["path"], views[-1]["path"]) if views else ("", "")
        came = tuple(first(entered, name) for name in ("channel", "referrer_source", "medium", "campaign"))
        client = tuple(first(events[:1], name) for name in ("browser", "os", "device", "country"))
        clicks, conversions = (sum(row["kind"] == kind for row in events) for kind in ("click", "conversion"))
        sums = [1, int(len(events) == len(views) == 1), len(views), clicks, conversions, round(took), int(visit.new)]
        of = visits.setdefault((began, site, *ends, *came, *client, is_bot), [0] * 7 + [set()])
        of[:7] = [one + more for one, more in zip(of[:7], sums, strict=True)]
        of[7].add(events[0]["visitor"])
        for table, value, amount in ((durations, took, round(took)), (depths, len(views), len(views))):
            of = table.setdefault((began, site, bucket(value), is_bot), [0, 0])
            of[:] = [of[0] + 1, of[1] + amount]
        for before, row in zip([None, *views], [*views, None], strict=True):
            if before or row:
                moment = int((row or before or {})["at"]) // 3600 * 3600
                flows[moment, site, before["path"] if before else "", row["path"] if row else "", is_bot] += 1
    return {
        "visits": {key: [*sums[:7], len(sums[7])] for key, sums in visits.items()},
        "flows": {key: [hits] for key, hits in flows.items()},
        "durations": {key: list(sums) for key, sums in durations.items()},
        "depths": {key: list(sums) for key, sums in depths.items()},
    }


def rows_of(root: Path) -> list[Row]:
    """Return the requests of a lake."""
    columns = "source, position, visitor, site, is_bot, kind, path, channel, referrer_source, medium, campaign, browser, os, device, country"
    # Events of one moment are in the order of their log; how two logs are ordered then is not said, but fixed.
    place = "(hash(source) >> 1) + position"
    with duckdb.connect(str(root / "logagg.duckdb"), read_only=True) as connection:
        found = connection.execute(f"SELECT epoch_us(ts) / 1e6, {place}, {columns} FROM requests").fetchall()
    return [dict(zip(("at", "place", *columns.split(", ")), row, strict=True)) for row in found]


def of_views(root: Path) -> dict[str, dict[object, list[int]]]:
    """Return what the views say, each by all of its dimensions."""
    measures = {"visits": VISITS, "flows": ("hits",), "durations": ("hits", "seconds"), "depths": ("hits", "views")}
    found: dict[str, dict[object, list[int]]] = {}
    with duckdb.connect(str(root / "logagg.duckdb"), read_only=True) as connection:
        for view, names in measures.items():
            sums = ", ".join(f"uniques({one})::BIGINT" if one == "visitors" else f"sum({one})::BIGINT" for one in names)
            sql = f"SELECT epoch(ts)::BIGINT, * EXCLUDE (ts, {', '.join(names)}), {sums} FROM {view} GROUP BY ALL"
            rows = connection.execute(sql).fetchall()
            found[view] = {row[: -len(names)]: list(row[-len(names) :]) for row in rows}
    return found


def assert_visits(root: Path, late: Iterable[tuple[str, int]] = ()) -> None:
    """Every view says what a count of the requests says, but for the late ones."""
    gone = set(late)
    expected = counted(row for row in rows_of(root) if (row["source"], row["position"]) not in gone)
    found = of_views(root)
    for view, rows in expected.items():
        wrong = {key for key in rows.keys() | found[view].keys() if rows.get(key) != found[view].get(key)}
        assert {key: (rows.get(key), found[view].get(key)) for key in wrong} == {}, view
