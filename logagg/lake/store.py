"""The lake: one commit after another.

    parts ──▶ fsync ──▶ catalog ──▶ fsync ──▶ the link is moved ──▶ fsync

Moving the link is the only moment of truth. Whatever happens before it leaves files that no catalog names, and they are
cleared away at the next start.

A tail writes a lake alone. Workers share one: each commits the shards it owns, in its turn, upon what the others have
committed in the meantime.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from logagg.cargo import Delta, KnownSource, Progress, Source
from logagg.clock import Clock
from logagg.config import Config
from logagg.errors import CHECK, CommitFailed, LakeError
from logagg.lake import catalog, directory, files, leases
from logagg.lake.compact import Planner, Replacement, Task
from logagg.lake.files import FLUSH, Part, PartWriter, failing_as_commit, sync
from logagg.lake.salts import Salts
from logagg.lake.state import FORGOTTEN, CommitInfo, State
from logagg.lake.sweep import Sweeper
from logagg.rollup.definitions import Rollup

CATALOG_GRACE = 60.0  # seconds an old catalog stays for those who are just opening it
STEPS = ("parts", "catalog", "catalog synced", "link made", "link moved")


class Lake:
    """The writer's side of a lake; holds its lock until closed."""

    def __init__(self, root: Path, state: State, rollups: Sequence[Rollup], clock: Clock, config: Config, lock: int) -> None:
        self.secret = directory.secret(root)
        self.salts = Salts(root, self.secret, clock)
        self.shards = 0  # of how many we own some; 0: we own all there are
        self.crash_point: Callable[[str], None] = lambda step: None  # tests die here, at each of STEPS
        self._root, self._state, self._clock, self._lock = root, state, clock, lock
        self._use(rollups, config)
        self._sweeper = Sweeper(clock)
        self._busy = threading.RLock()  # a worker commits in one thread, and takes over shards in another
        self._live = catalog.newest(root)  # the catalog that the link names
        self._writers = ThreadPoolExecutor(os.cpu_count(), "writer")
        self._catalogs = catalog.Writer()

    @classmethod
    def open(cls, root: Path, rollups: Sequence[Rollup], *, clock: Clock, config: Config) -> Lake:
        """Take the lock; make the lake where there is none; clear away what a crash left.

        Raises LakeLocked, LakeError (not a lake, newer, other columns) or CommitFailed.
        """
        directory.make(root)
        lock = leases.take(root, alone=True)
        try:
            with failing_as_commit(root):
                leases.sign(lock)
                lake = cls._opened(root, rollups, clock, config, lock)
        except BaseException:
            os.close(lock)
            raise
        return lake

    @classmethod
    def join(cls, root: Path, rollups: Sequence[Rollup], *, clock: Clock, config: Config, shards: int, at_least: int) -> Lake:
        """Take part in a lake that workers share; make it where there is none.

        `shards` is how many share it; 0: as it is, or as many as we own (`at_least`) where it is not shared yet.
        Raises as `open` does.
        """
        directory.make(root)
        lock = leases.take(root, alone=False)
        try:
            with failing_as_commit(root), leases.turn(root):
                lake = cls._opened(root, rollups, clock, config, lock)
                lake._share(shards, at_least)
        except BaseException:
            os.close(lock)
            raise
        return lake

    @classmethod
    def _opened(cls, root: Path, rollups: Sequence[Rollup], clock: Clock, config: Config, lock: int) -> Lake:
        current = catalog.newest(root)
        if not current and any((root / "data").glob("*/*.parquet")):
            raise LakeError(f"{root}: it has data, but {catalog.LINK} is missing", CHECK)
        before = catalog.read(current) if current else State(created_at=_at(clock))
        state = replace(catalog.with_rollups(before, rollups), root=str(root.resolve()))
        lake = cls(root, before, rollups, clock, config, lock)
        if state != before:
            lake._publish(state, "open", (), 0)
        lake._clear_orphans()
        lake._sweeper.delete_due(lake._named())
        return lake

    def _share(self, shards: int, at_least: int) -> None:
        """Find out how many shards there are; deal the sources anew where that is another number than before."""
        former = directory.shards_of(self._root)
        shards = shards or former or at_least
        if former and shards != former and not leases.is_alone(self._lock):
            hint = f"stop them first, or say --shards LIST/{former}"
            raise LakeError(f"{self._root}: workers share it as {former} shards, not {shards}", hint)
        if shards != former:
            dealt = self._dealt(former, shards)
            if dealt != self._state.progress:
                self._publish(replace(self._state, progress=dealt), "open", (), 0)
            files.replace_text(self._root / directory.SHARDS, f"{shards}\n")
        self.shards = shards

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Commit in our turn, upon what others have committed before it."""
        if not self.shards:
            yield
            return
        with self._busy, leases.turn(self._root):
            self._catch_up()
            yield

    def _catch_up(self) -> None:
        current = catalog.newest(self._root)
        if current and current != self._live:
            self._state = catalog.with_rollups(catalog.read(current), list(self._rollups.values()))
            self._live = current

    def reconfigure(self, rollups: Sequence[Rollup], config: Config) -> None:
        """Go on with these rollups and settings.

        Raises LakeError (other columns than before) or CommitFailed; then nothing has changed.
        """
        state = catalog.with_rollups(self._state, rollups)
        if state != self._state:
            self._publish(state, "open", (), 0)
        self._use(rollups, config)
        self._clear_orphans()

    def _use(self, rollups: Sequence[Rollup], config: Config) -> None:
        self._rollups, self._config = {rollup.name: rollup for rollup in rollups}, config
        self._planner = Planner(self._root, self._rollups, config.limits.keys)

    def known_sources(self, shards: int) -> list[KnownSource]:
        """Return where each source resumes, for this number of shards.

        Raises LakeError when another number of shards wrote the lake and they do not all stand at the same positions.
        """
        former = directory.shards_of(self._root)
        # What the former shards had is forgotten with them, or the next number of shards would stumble over it.
        self._state = replace(self._state, progress=self._dealt(former, shards))
        if former and former != shards:
            files.remove([self._root / directory.SHARDS])
        sources = self._state.sources
        return [KnownSource(sources[id_], found) for id_, found in self._state.progress.items() if id_ != FORGOTTEN]

    def sources_of(self, shard: int) -> list[KnownSource]:
        """Return how far a shard of a shared lake has committed each source; those it has not met are absent."""
        with self._turn():
            state = self._state
        found = [(id_, shards[shard]) for id_, shards in state.progress.items() if shard in shards and id_ != FORGOTTEN]
        return [KnownSource(state.sources[id_], {shard: progress}) for id_, progress in found]

    def clicks(self, shard: int, shards: int) -> pa.Table | None:
        """Return the recent clicks of a shard's visitors."""
        state = self._state.clicks
        if state is None or not state.num_rows:
            return None
        owner = state["visitor"].to_numpy() % shards
        return state.filter(pa.array(owner == shard))

    def commit(self, deltas: Sequence[Delta], sources: Sequence[Source]) -> CommitInfo:
        """Make the deltas of all shards that we own, and how far they have come, visible together.

        Raises CommitFailed; then nothing has changed, and the same commit can be tried again.
        """
        with failing_as_commit(self._root):
            parts = self._flush_all(deltas)
            self.crash_point("parts")
        horizon = self._clock.now() - self._config.tail.forget
        with self._turn():
            before = self._state
            state = before.after_flush(deltas, sources, self.shards or len(deltas), self._config.privacy.samples).without_gone(horizon)
            state = replace(state, parts=(*state.parts, *parts))
            return self._publish(state, "flush", parts, state.lines() - before.lines())

    def plan_compaction(self) -> list[Task]:
        """Return the merges, or else what retention asks for, now; run them anywhere, then `commit_replacement`."""
        return self._planner.due(self._state) or self.plan_expiry()

    def plan_expiry(self) -> list[Task]:
        """Return what retention asks for now."""
        return self._planner.expired(self._state, self._config.retention, self._clock.now())

    def commit_replacement(self, done: Replacement) -> CommitInfo:
        """Swap merged parts in for those they were made of. Raises CommitFailed; then nothing has changed."""
        self.crash_point("parts")
        old = {part.path for part in done.old}
        with self._turn():
            state = self._state
            kept = tuple(part for part in state.parts if part.path not in old)
            gone = max([state.gone, *(part.max_ts for part in done.old)]) if not done.new else state.gone
            info = self._publish(replace(state, parts=(*kept, *done.new), gone=gone), done.kind, done.new, 0)
        for path in old:
            self._sweeper.doom(self._root / path, self._config.lake.grace)
        return info

    def compact_due(self) -> None:
        """Merge and expire what is due, as a running tail does beside its commits."""
        while tasks := self.plan_compaction():
            self._carry_out(tasks)

    def compact_all(self) -> int:
        """Merge all there is to merge now; return how many parts were replaced."""
        return self._carry_out(self._planner.everything(self._state))

    def expire(self) -> int:
        """Apply retention now; return how many parts were replaced."""
        return self._carry_out(self.plan_expiry())

    def close(self) -> None:
        self._writers.shutdown()
        self._catalogs.close()
        os.close(self._lock)

    def _carry_out(self, tasks: Sequence[Task]) -> int:
        for task in tasks:
            self.commit_replacement(task.run())
        return sum(len(task.parts) for task in tasks)

    def _dealt(self, former: int | None, shards: int) -> Mapping[str, Mapping[int, Progress]]:
        try:
            return self._state.dealt(former, shards)
        except ValueError as error:
            count = former or max(map(len, self._state.progress.values()))
            raise LakeError(f"{self._root}: {error}", f"run once with --shards {count}") from None

    def _flush_all(self, deltas: Sequence[Delta]) -> list[Part]:
        """Write the parts of all rollups, side by side; leave none if one cannot be written."""
        names = dict.fromkeys(name for delta in deltas for name in delta.rollups)
        written = [self._writers.submit(self._flush, name, deltas) for name in names]
        wait(written)
        failures = [failure for one in written if (failure := one.exception())]
        if failures:
            files.remove(self._root / one.result().path for one in written if not one.exception())
            raise failures[0]
        return [one.result() for one in written]

    def _flush(self, name: str, deltas: Sequence[Delta]) -> Part:
        """Write one part of a rollup from the rows of all shards."""
        rollup = self._rollups[name]
        with PartWriter(self._root, rollup, FLUSH, rollup.grain) as writer:
            for delta in deltas:
                if name in delta.rollups:
                    writer.write(delta.rollups[name])
        assert writer.part, "a delta has no rollups without rows"
        return writer.part

    def _publish(self, state: State, kind: str, parts: Sequence[Part], lines: int) -> CommitInfo:
        """Write the catalog of a state and move the link onto it."""
        info = CommitInfo(
            self._state.id + 1,
            _at(self._clock),
            kind,
            sum(part.rows for part in parts),
            len(parts),
            sum(part.bytes for part in parts),
            lines,
        )
        state = replace(state, id=info.id, commits=(*state.commits[-catalog.COMMITS + 1 :], info))
        path = self._root / catalog.FOLDER / f"{info.id:06}-{secrets.token_hex(4)}.duckdb"
        before = self._live
        try:
            with failing_as_commit(self._root):
                self._write_catalog(path, state)
        except CommitFailed as failure:
            if self._live != path:  # or else a reader may use them
                files.remove([*(self._root / part.path for part in parts), path, Path(f"{path}.wal"), self._draft(path)])
            raise self._missing() or failure from failure
        if before:
            self._sweeper.doom(before, CATALOG_GRACE)
        self._state = state
        self._sweeper.delete_due(self._named())
        with contextlib.suppress(CommitFailed):  # the next commit tries again
            self.salts.forget_past()
        return info

    def _missing(self) -> CommitFailed | None:
        """Return the failure that comes of a file that somebody took away: no catalog can name it."""
        missing = next((path for part in self._state.parts if not (path := self._root / part.path).exists()), None)
        return CommitFailed(f"{missing}: is missing", CHECK) if missing else None

    def _write_catalog(self, path: Path, state: State) -> None:
        files.make_directory(path.parent)
        known = {part.path for part in self._state.parts}
        for rollup in {part.rollup for part in state.parts if part.path not in known}:
            sync(self._root / "data" / rollup)
        self._catalogs.write(path, state)
        self.crash_point("catalog")
        sync(path)
        sync(path.parent)
        self.crash_point("catalog synced")
        os.symlink(path.relative_to(self._root), self._draft(path))
        self.crash_point("link made")
        os.replace(self._draft(path), self._root / catalog.LINK)
        self._live = path
        sync(self._root)
        self.crash_point("link moved")

    def _draft(self, path: Path) -> Path:
        """Return the name of the link to a catalog before it is the one."""
        return self._root / f".{path.name}.link"

    def _named(self) -> set[Path]:
        return {*([self._live] if self._live else []), *(self._root / part.path for part in self._state.parts)}

    def _clear_orphans(self) -> None:
        files.remove(self._root.glob(".*.link"))
        self._sweeper.doom_orphans(self._root, "data/*/*", self._named(), self._config.lake.grace)
        self._sweeper.doom_orphans(self._root, f"{catalog.FOLDER}/*", self._named(), CATALOG_GRACE)


def _at(clock: Clock) -> datetime:
    return datetime.fromtimestamp(clock.now(), UTC)
