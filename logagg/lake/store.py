"""The lake: one commit after another.

    parts ──▶ fsync ──▶ catalog ──▶ fsync ──▶ the link is moved ──▶ fsync

Moving the link is the only moment of truth. Whatever happens before it leaves files that no catalog names, and they are
cleared away at the next start.

A tail writes a lake alone. Workers share one: each puts down what it wants committed, and whoever has the turn commits
all of it, upon what was committed in the meantime.
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
from logagg.errors import CHECK, CommitFailed, LakeError, Overtaken, Unsure
from logagg.lake import catalog, directory, files, intents, leases
from logagg.lake.compact import Planner, Replacement, Task
from logagg.lake.files import FLUSH, Part, PartWriter, failing_as_commit, sync
from logagg.lake.intents import BROKEN, STALE, Intents
from logagg.lake.salts import Salts
from logagg.lake.state import FORGOTTEN, CommitInfo, Intent, State
from logagg.lake.sweep import Sweeper
from logagg.rollup.definitions import Rollup

CATALOG_GRACE = 60.0  # seconds an old catalog stays for those who are just opening it
STEPS = ("parts", "catalog", "catalog synced", "link made", "link moved")
STEPS_IN_TURN = ("parts", "intent", *STEPS[1:], "told")  # of a lake that is shared


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
        self._live = self._read = catalog.newest(root)  # the catalog that the link names, and the one that we go by
        self._intents = Intents(root)
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
                lake._intents.clear()
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
            lake._publish_as_open(state)
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
            self._intents.clear()  # they were dealt as before
            if dealt != self._state.progress:
                self._publish_as_open(replace(self._state, progress=dealt))
            files.replace_text(self._root / directory.SHARDS, f"{shards}\n")
        self.shards = shards

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Have our turn, where others write the lake, too."""
        if not self.shards:
            yield
            return
        with self._busy, leases.turn(self._root):
            yield

    def _catch_up(self) -> None:
        """Learn what others have committed; it is on the disk then, whatever has become of them."""
        current = catalog.newest(self._root)
        if current and current != self._read:
            with failing_as_commit(self._root):
                sync(self._root)
            self._state = catalog.with_rollups(catalog.read(current), list(self._rollups.values()))
            self._live = self._read = current

    def reconfigure(self, rollups: Sequence[Rollup], config: Config) -> None:
        """Go on with these rollups and settings.

        Raises LakeError (other columns than before) or CommitFailed; then nothing has changed.
        """
        state = catalog.with_rollups(self._state, rollups)
        if state != self._state:
            self._publish_as_open(state)
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
        """Take a shard of a shared lake over: return how far it has committed each source it has met.

        What a former owner wanted committed is not: it is sent again, to us.
        """
        with self._turn():
            self._catch_up()
            for name, intent in self._intents.wanted():
                if intent and shard in intent.owned:
                    self._intents.settle(name, STALE)
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

        Raises CommitFailed: nothing has changed, and the same commit can be tried again; or Overtaken.
        """
        with failing_as_commit(self._root):
            parts = self._flush_all(deltas)
            self.crash_point("parts")
        return self._commit(Intent.flush(deltas, sources, parts, self.shards or len(deltas)))

    def plan_compaction(self) -> list[Task]:
        """Return the merges, or else what retention asks for, now; run them anywhere, then `commit_replacement`."""
        return self._planner.due(self._state) or self.plan_expiry()

    def plan_expiry(self) -> list[Task]:
        """Return what retention asks for now."""
        return self._planner.expired(self._state, self._config.retention, self._clock.now())

    def commit_replacement(self, done: Replacement) -> CommitInfo:
        """Swap merged parts in for those they were made of. Raises CommitFailed (nothing has changed) or Overtaken."""
        self.crash_point("parts")
        return self._commit(Intent(done.kind, done.new, done.old))

    def compact_due(self) -> None:
        """Merge and expire what is due of the rollups that nobody else is merging now."""
        for name in self._rollups:
            if self._due(name):
                with leases.held(self._root, f"{leases.MERGES}{name}") as ours:
                    if ours:
                        self._compact_due(name)

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

    def _due(self, rollup: str) -> list[Task]:
        planner = self._planner.only(rollup)
        return planner.due(self._state) or planner.expired(self._state, self._config.retention, self._clock.now())

    def _compact_due(self, rollup: str) -> None:
        with self._turn():
            self._catch_up()  # what we know may be merged already
        while tasks := self._due(rollup):
            self._carry_out(tasks)

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

    def _commit(self, intent: Intent) -> CommitInfo:
        try:
            number = self._commit_in_turn(intent) if self.shards else self._commit_alone(intent)
        except Unsure:
            raise
        except LakeError:
            files.remove(self._root / part.path for part in intent.parts)
            raise
        return intent.info(number, _at(self._clock))

    def _commit_alone(self, intent: Intent) -> int:
        self._publish(self._after(self._state, intent))
        self._doom(intent.old)
        return self._state.id

    def _commit_in_turn(self, intent: Intent) -> int:
        """Commit what all writers want, ours with it, unless one of them has done so when our turn comes."""
        with failing_as_commit(self._root):
            name = self._intents.put(intent)
        self.crash_point("intent")
        with self._turn():
            if self._intents.is_wanted(name):
                try:
                    self._catch_up()
                    self._settle()
                except LakeError:
                    self._intents.withdraw(name)
                    raise
            outcome = self._intents.outcome(name)
        return self._number(outcome)

    def _number(self, outcome: str | None) -> int:
        """Return as which commit our intent was made. Raises what tells why it was not."""
        if outcome == STALE:
            raise Overtaken(f"{self._root}: another process has committed for us", "start again: it goes on from there; nothing is lost")
        if outcome == BROKEN:
            raise self._missing() or CommitFailed(f"{self._root}: what was to be committed is not whole", "nothing is lost; it can be tried again")
        if outcome is None:
            raise Unsure(f"{self._root}: nobody knows what became of a commit", "nothing is lost; it can be tried again")
        return int(outcome)

    def _settle(self) -> None:
        """Make all commits that are wanted, in one catalog, and say of each what has become of it."""
        state, old, outcomes = self._state, list[Part](), dict[str, str]()
        for name, intent in self._intents.wanted():
            standing = state.stands(intent) if intent else BROKEN
            if intent and standing == "due":
                state, standing = self._joined(state, intent)
                old += intent.old
            outcomes[name] = standing if standing in (STALE, BROKEN) else str(state.id)
        if state is not self._state:
            self._publish(state)
            self._doom(old)
        for name, outcome in outcomes.items():
            self._intents.settle(name, outcome)
        self.crash_point("told")

    def _joined(self, state: State, intent: Intent) -> tuple[State, str]:
        """Add an intent, perhaps of another writer; what cannot be added harms nobody but him."""
        try:
            if all((self._root / part.path).stat().st_size == part.bytes for part in intent.parts):
                return self._after(state, intent), "made"
        except (OSError, pa.ArrowException, ValueError, KeyError, TypeError):
            pass
        return state, BROKEN

    def _after(self, state: State, intent: Intent) -> State:
        horizon = self._clock.now() - self._config.tail.forget
        return state.after(intent, _at(self._clock), self._config.privacy.samples).without_gone(horizon)

    def _publish_as_open(self, state: State) -> None:
        self._publish(state.committed(CommitInfo(state.id + 1, _at(self._clock), "open", 0, 0, 0, 0)))

    def _publish(self, state: State) -> None:
        """Write the catalog of a state and move the link onto it. Raises CommitFailed; Unsure where the link is moved."""
        path = self._root / catalog.FOLDER / f"{state.id:06}-{secrets.token_hex(4)}.duckdb"
        before = self._live
        try:
            with failing_as_commit(self._root):
                self._write_catalog(path, state)
        except CommitFailed as failure:
            if self._live == path:
                raise Unsure(failure.message, failure.hint) from failure
            files.remove([path, Path(f"{path}.wal"), self._draft(path)])
            raise self._missing() or failure from failure
        if before:
            self._sweeper.doom(before, CATALOG_GRACE)
        self._state, self._read = state, path
        self._sweeper.delete_due(self._named())
        with contextlib.suppress(CommitFailed):  # the next commit tries again
            self.salts.forget_past()

    def _doom(self, old: Sequence[Part]) -> None:
        for part in old:
            self._sweeper.doom(self._root / part.path, self._config.lake.grace)

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
        self._sweeper.doom_orphans(self._root, f"{intents.FOLDER}/*", (), self._config.lake.grace)


def _at(clock: Clock) -> datetime:
    return datetime.fromtimestamp(clock.now(), UTC)
