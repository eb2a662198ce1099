"""The stages of a tail without threads: lines of one log through parser, classifier and shards into a lake."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from logagg.clock import Clock
from logagg.config.sections import Config
from logagg.lake.lake import Lake
from logagg.parse.events.classify import Classifier
from logagg.parse.formats.compile import compile_format
from logagg.parse.lines import fast
from logagg.records import Chunk, Delta, Fingerprint, Job, KnownSource, Source
from logagg.rollup.configured import requests_of, rollups_of, tables_of
from logagg.rollup.shard import Shard, ShardSettings
from logagg.sharding import shard_jobs
from tests import oracle
from tests.laws import sums

TABLES = tables_of(Config())
NOTHING = Fingerprint(0, 0, hashlib.blake2b(digest_size=16).hexdigest())
SOURCE = Source("s", "access.log", 1, 1, NOTHING, format="combined")


class Feed:
    """Writes one lake from one log, and resumes at the positions of the lake."""

    def __init__(self, root: Path, clock: Clock, config: Config, shards: int = 2) -> None:
        self.lake = Lake.open(root, tables_of(config), clock=clock, config=config)
        known = self.lake.known_sources(shards)
        self._begin(clock, config, shards, dict.fromkeys(range(shards), known))

    def _begin(self, clock: Clock, config: Config, number: int, owned: Mapping[int, Sequence[KnownSource]]) -> None:
        """Start some of the shards, each with its state from the lake."""
        settings = ShardSettings(rollups_of(config), requests=requests_of(config))
        self.shards = [Shard(shard, settings, known, self.lake.clicks(shard, number)) for shard, known in owned.items()]
        self._starts = {shard: known[0].resume.position if known else 0 for shard, known in owned.items()}
        self._number, self._clock, self._classifier = number, clock, Classifier.of(config, self.lake.secret)

    def jobs(self, log: bytes, start: int, end: int) -> list[Job]:
        """Return a job for each shard, with the lines of a log between two positions."""
        chunk = Chunk(SOURCE.id, 0, start, end, log[start:end], Fingerprint(end, 0, NOTHING.digest))
        batch = fast.parse(chunk, compile_format("combined"), self._clock.now(), 1 << 20)
        return shard_jobs(chunk, self._classifier.classify(batch.table), batch.rejects, self._number)

    def drain(self, log: bytes) -> list[Delta]:
        """Read the rest of a log; return the deltas."""
        jobs = {start: self.jobs(log, start, len(log)) for start in set(self._starts.values()) if start < len(log)}
        for shard in self.shards:
            if (start := self._starts[shard.number]) in jobs:
                shard.absorb(jobs[start][shard.number])
                self._starts[shard.number] = len(log)
        return [shard.drain() for shard in self.shards]

    def flush(self, log: bytes) -> None:
        self.lake.commit(self.drain(log), [SOURCE])

    def merge(self) -> int:
        """Run all merges that are due, as a running tail does in the background; return their number."""
        tasks = self.lake.plan_compaction()
        for task in tasks:
            self.lake.commit_replacement(task.run())
        return len(tasks)

    def close(self) -> None:
        """Release the lock without a further write, as the end of a process does."""
        for shard in self.shards:
            shard.close()
        self.lake.close()


class Sharer(Feed):
    """One of several writers of a lake: owns some of its shards, or all of them."""

    def __init__(self, root: Path, clock: Clock, config: Config, shards: int = 2, owned: Sequence[int] = ()) -> None:
        self.lake = Lake.join(root, tables_of(config), clock=clock, config=config, shards=shards, at_least=shards)
        self._begin(clock, config, shards, {shard: self.lake.sources_of(shard) for shard in owned or range(shards)})

    def merge(self) -> int:
        before = self.lake.state.id
        self.lake.compact_due()
        return self.lake.state.id - before


def position(root: Path) -> int:
    """Return the position of the lake in the log, which must be the same for all shards."""
    with duckdb.connect(str(root / "logagg.duckdb"), read_only=True) as connection:
        found = connection.execute("SELECT DISTINCT position FROM sources").fetchall()
    assert len(found) <= 1, "shards that were committed together have the same position"
    return found[0][0] if found else 0


def assert_holds(root: Path, log: bytes) -> None:
    """The lake is intact, and its sums for the log, up to its position, are those of a plain count."""
    lines = log[: position(root)].decode().splitlines()
    count, rejects = sums.expected(lines)
    with duckdb.connect(str(root / "logagg.duckdb"), read_only=True) as connection:
        missing = [
            path for (path,) in connection.execute("SELECT path FROM files").fetchall() if not (root / path).exists()
        ]
        assert missing == []
        for rollup, (_, *names) in oracle.KEYS.items():  # `ts` is left out, since retention may have made it coarser
            assert sums.differences(sums.of_lake(connection, rollup, names), count.by(rollup, *names)) == {}, rollup
        assert sums.wrong_requests(connection, count) == {}
        [refused] = connection.execute("SELECT coalesce(sum(lines), 0)::BIGINT FROM rejects").fetchall()
    assert refused[0] == rejects


def files_of(root: Path) -> tuple[set[str], set[str]]:
    """Return the files that the live catalog names, including itself, and the files that exist."""
    with duckdb.connect(str(root / "logagg.duckdb"), read_only=True) as connection:
        named = {path for (path,) in connection.execute("SELECT path FROM files").fetchall()}
    named.add(str((root / "logagg.duckdb").readlink()))
    there = {str(path.relative_to(root)) for folder in ("data", "catalog") for path in (root / folder).rglob("*.*")}
    return named, there
