"""The lake as its writer sees it. `commit.py` has the steps of a commit."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from logagg.clock import Clock, written
from logagg.config.sections import Config
from logagg.errors import CHECK, CommitFailed, Fenced, LakeError, MergeStopped
from logagg.lake import catalog, durable, layout, locks
from logagg.lake.adoption import Adoption, adoptions
from logagg.lake.commit import Committer
from logagg.lake.compact import MergeTask, Planner, Replacement
from logagg.lake.derive import DamagedParts, Deriver, DeriveTask
from logagg.lake.digests import cut_off, damage, holds
from logagg.lake.durable import failing_as_commit
from logagg.lake.fills import Fills
from logagg.lake.flush import FlushWriter
from logagg.lake.parts import Part, import_parquet
from logagg.lake.progress import MergeProgress
from logagg.lake.salts import Salts
from logagg.lake.state import FORGOTTEN, REPAIR, CommitInfo, PendingCommit, State
from logagg.lake_format import LINK
from logagg.notices import Notice, Report, file_damaged, ignore, requests_late
from logagg.quantities import counted
from logagg.records import Delta, KnownSource, Progress, Source
from logagg.rollup.derived import Definition, Derivation, tables_in
from logagg.rollup.requests import NAME as REQUESTS
from logagg.sharding import owners


class Lake:
    """The writer's side of a lake; holds its lock until closed."""

    def __init__(
        self, root: Path, state: State, tables: Sequence[Definition], clock: Clock, config: Config, lock: int
    ) -> None:
        self._notice: Report = ignore
        self.secret = layout.secret(root)
        self.salts = Salts(root, self.secret, clock, self.clock_is_settled)
        self.merging = MergeProgress(clock)
        self.shards = 0  # total number, of which this process owns some; 0: it owns all
        self._root, self._clock, self._lock = root, clock, lock
        self._late = state.late  # requests, as last reported
        self._unseen = self._told_doubt = False  # unseen: opening has changed the state, which is not published yet
        self._commits = Committer(root, state, clock)
        self.fills = Fills(root, self._commits, lambda: not self._unseen)  # of rollups, from requests
        self._use(tables, config)
        self._flushes = FlushWriter(root)

    def crash_at(self, reached: Callable[[str], None]) -> None:
        """Call this at each of the STEPS of a commit: tests die there."""
        self._commits.reached = reached

    @property
    def state(self) -> State:
        """The newest state known to this process."""
        return self._commits.state

    @property
    def written_at(self) -> float:
        """Return the time of the newest commit, by the clock at that time; 0 without commits."""
        return self._commits.written_at or 0.0

    def clock_is_settled(self) -> bool:
        """Tell whether old data may be deleted by the clock: it has not leapt recently."""
        return self._commits.clock_is_settled()

    def doubt(self) -> str:
        """Return why deletion by age is suspended; an empty text if the clock is trusted."""
        if self.clock_is_settled():
            return ""
        now, since = written(self._clock.now()), written(self._commits.steady_since())
        return f"{self._root}: the clock says {now}, and has leapt at {since}: nothing is deleted or coarsened for its age yet"

    def new_doubt(self) -> str:
        """Return the same once, if something is due for deletion; afterwards an empty text."""
        doubt = self.doubt()
        told, self._told_doubt = self._told_doubt, bool(doubt) and (self._told_doubt or self.is_anything_due())
        return f"{doubt}; set the clock if it is wrong" if self._told_doubt and not told else ""

    @classmethod
    def open(
        cls,
        root: Path,
        tables: Sequence[Definition],
        *,
        clock: Clock,
        config: Config,
        begin: bool = True,
        any_secret: bool = False,
        patient: bool = False,
    ) -> Lake:
        """Take the lock; create the lake if it does not exist; delete the leftovers of a crash.

        Without `begin`, call that before the first commit. With `patient`, wait for a backfill's commit. With `any_secret`
        accept a secret that it was not written with. Raises LakeLocked, LakeError (newer, other columns, ...) or CommitFailed.
        """
        layout.make(root)
        lock = locks.take_patiently(root, clock) if patient else locks.take(root, alone=True)
        try:
            with failing_as_commit(root):
                locks.sign(lock)
                lake = cls._opened(root, tables, clock, config, lock, any_secret=any_secret)
                lake._commits.discard_pending()
            if begin:
                lake.begin()
        except BaseException:
            os.close(lock)
            raise
        return lake

    @classmethod
    def join(
        cls, root: Path, tables: Sequence[Definition], *, clock: Clock, config: Config, shards: int, at_least: int
    ) -> Lake:
        """Join a lake that workers share; create it if it does not exist.

        `shards` is the total number; 0: as recorded, or `at_least` if the lake is not shared yet. Raises as `open` does.
        """
        layout.make(root)
        lock = locks.take(root, alone=False)
        try:
            with failing_as_commit(root), locks.commit_lock(root):
                lake = cls._opened(root, tables, clock, config, lock)
                lake.begin()
                lake._share(shards, at_least)
        except BaseException:
            os.close(lock)
            raise
        return lake

    @classmethod
    def _opened(
        cls,
        root: Path,
        tables: Sequence[Definition],
        clock: Clock,
        config: Config,
        lock: int,
        *,
        any_secret: bool = False,
    ) -> Lake:
        current = catalog.newest(root)
        if not current and any((root / "data").glob("*/*.parquet")):
            raise LakeError(f"{root}: it has data, but {LINK} is missing", CHECK)
        before = catalog.read(current) if current else State(created_at=datetime.fromtimestamp(clock.now(), UTC))
        opened = before
        secret = layout.secret_for(root, "" if any_secret else before.secret)
        parts = _looked_at_again(root, before.parts)
        before = replace(before, root=str(root.resolve()), secret=secret, parts=parts)
        state = catalog.with_tables(before, tables, layout.shards_of(root) or 0)
        lake = cls(root, state, tables, clock, config, lock)
        lake._unseen = state != opened
        lake._commits.clear_orphans()
        return lake

    def begin(self) -> None:
        """Prepare for commits, and publish the changes made by opening: a new lake, or other tables.

        This takes a while. Raises CommitFailed.
        """
        import_parquet()
        if self._unseen:
            self._commits.publish(self.state)
            self._unseen = False

    def _share(self, shards: int, at_least: int) -> None:
        """Determine the number of shards; repartition the sources if it has changed."""
        former = layout.shards_of(self._root)
        shards = shards or former or at_least
        if former and shards != former and not locks.is_alone(self._lock):
            hint = f"stop them first, or say --shards LIST/{former}"
            raise LakeError(f"{self._root}: workers share it as {counted(former, 'shard')}, not {shards}", hint)
        if shards != former:
            repartitioned = self._repartitioned(former, shards)
            self._commits.discard_pending()  # pending commits are for the former number of shards
            if repartitioned != self.state.progress:
                self._commits.publish(replace(self.state, progress=repartitioned))
            layout.write_shards(self._root, shards)
        self.shards = self._commits.shards = shards

    def reconfigure(self, tables: Sequence[Definition], config: Config) -> None:
        """Continue with these tables and settings.

        Raises LakeError (other columns than before) or CommitFailed; then nothing has changed.
        """
        state = catalog.with_tables(self.state, tables)
        if state != self.state:
            self._commits.publish(state)
        self._use(tables, config)
        self._commits.clear_orphans()

    def _use(self, tables: Sequence[Definition], config: Config) -> None:
        self._tables, self._config = tables_in(tables), config
        self._planner = Planner(self._root, self._tables, config.limits.keys)
        derivations = [one for one in tables if isinstance(one, Derivation)]
        self._deriver = Deriver(self._root, derivations, config.limits.keys, config.visits.late)
        self._commits.use(tables, config)

    def known_sources(self, shards: int) -> list[KnownSource]:
        """Return where each source resumes, for this number of shards.

        Raises LakeError if another number of shards wrote the lake, and their positions differ.
        """
        former = layout.shards_of(self._root)
        # The records of the former shards are dropped, since they would be wrong for another number of shards.
        self._commits.state = replace(self.state, progress=self._repartitioned(former, shards))
        if former and former != shards:
            durable.remove([self._root / layout.SHARDS])
        sources = self.state.sources
        return [KnownSource(sources[id_], found) for id_, found in self.state.progress.items() if id_ != FORGOTTEN]

    def sources_of(self, shard: int) -> list[KnownSource]:
        """Take over a shard of a shared lake; return its progress in each source that it has met."""
        state = self._commits.supersede(shard)
        found = [(id_, shards[shard]) for id_, shards in state.progress.items() if shard in shards and id_ != FORGOTTEN]
        return [KnownSource(state.sources[id_], {shard: progress}) for id_, progress in found]

    def clicks(self, shard: int, shards: int) -> pa.Table | None:
        """Return the recent clicks of a shard's visitors."""
        state = self.state.clicks
        if state is None or not state.num_rows:
            return None
        return state.filter(pa.array(owners(state["visitor"], shards) == shard))

    def commit(self, deltas: Sequence[Delta], sources: Sequence[Source]) -> CommitInfo:
        """Make the deltas and the progress of all own shards visible together.

        Raises CommitFailed: nothing has changed, and the same commit can be tried again; or Fenced.
        """
        assert not self._unseen, "data without a catalog are not a lake"
        with failing_as_commit(self._root):
            parts = self._flushes.write(deltas, self._tables)
            self._commits.reached("parts")
        done = self._commits.commit(PendingCommit.flush(deltas, sources, parts, self.shards or len(deltas)))
        if self.state.late > 2 * self._late:
            self._late = self.state.late
            self._notice(requests_late(self._late, f"{self.state.watermark:%Y-%m-%d %H:%M} UTC"))
        with contextlib.suppress(CommitFailed):  # the next commit tries again
            self.salts.forget_past()
        return done

    def plan_compaction(self) -> Sequence[MergeTask | Adoption]:
        """Return the merges that are due, or else the tasks of retention; run them anywhere, then `commit_replacement`."""
        return self._planner.due(self.state) or self.plan_expiry() or adoptions(self._root, self.state.parts)[:1]

    def plan_expiry(self, *, trust_clock: bool = False) -> list[MergeTask]:
        """Return the tasks of retention; none while the clock is not trusted, unless `trust_clock`."""
        if not trust_clock and not self.clock_is_settled():
            return []
        return self._planner.expired(self.state, self._config, self._clock.now())

    def is_anything_due(self) -> bool:
        """Tell whether retention has tasks, even if the clock is not trusted."""
        return bool(self.plan_expiry(trust_clock=True))

    def plan_derivations(self) -> list[DeriveTask]:
        """Return the next step of each derivation that is due; run them anywhere, then `commit_derivation`."""
        settled = self.clock_is_settled()
        dropping = self._planner.dropping(self.state, self._config, self._clock.now()) if settled else None
        return list(self._deriver.due(self.state, datetime.fromtimestamp(self._clock.now(), UTC), dropping))

    def commit_derivation(self, done: PendingCommit) -> CommitInfo:
        """Make what was derived visible, and move the watermark.

        Raises CommitFailed (nothing has changed), or Fenced where another process has, or requests were merged meanwhile.
        """
        self._commits.reached("parts")
        return self._commits.commit(done)

    def derive_due(self) -> int:
        """Derive all that is due; return the number of steps. Raises MergeStopped or CommitFailed."""
        steps = 0
        while (tasks := self.plan_derivations()) and (taken := sum(map(self.derive_step, tasks))):
            steps += taken
        return steps

    def derive_step(self, task: DeriveTask) -> bool:
        """Take a step; return whether it was taken. Damaged parts are marked, and reported; it waits until they are repaired.

        Raises CommitFailed or MergeStopped.
        """
        try:
            self.commit_derivation(task.run(self.merging))
        except DamagedParts as error:
            self.commit_replacement(Replacement("check", (), (), error.parts))
        except Fenced:  # another process has derived the same, or requests were merged meanwhile
            pass
        else:
            return True
        return False

    def commit_replacement(self, done: Replacement) -> CommitInfo:
        """Replace parts by the merged ones. Raises CommitFailed (nothing has changed) or Fenced."""
        self._commits.reached("parts")
        info = self._commits.commit(PendingCommit(done.kind, done.new, done.old, noted=done.noted, since=done.since))
        for part in done.noted:
            if part.damaged:
                self._notice(self._damaged(part))
        return info

    def tell(self, notice: Report) -> None:
        """Report damaged parts through `notice`: the known ones now, others when they are found."""
        self._notice = notice
        for part in self.damaged():
            notice(self._damaged(part))

    def _damaged(self, part: Part) -> Notice:
        return file_damaged(str(self._root / part.path), holds(part), CHECK)

    def give_up(self, parts: Sequence[Part]) -> None:
        """Drop damaged parts, and record the loss. Raises CommitFailed."""
        self._commits.commit(PendingCommit(REPAIR, (), tuple(parts)))

    def discard(self, done: Replacement) -> None:
        """Delete merged parts that are not to be swapped in."""
        durable.remove(self._root / part.path for part in done.new)

    def compact_due(self) -> None:
        """Merge and expire the tables of a shared lake that other workers are not working on, until merges are stopped."""
        self._derive_in_turn()
        for name in self._tables:
            if self._due(name):
                with locks.held(self._root, f"{locks.MERGES}{name}") as ours:
                    if ours:
                        with contextlib.suppress(MergeStopped):
                            self._compact_due(name)

    def _derive_in_turn(self) -> None:
        """Derive, in a shared lake, the rollups that no other worker derives; requests are not merged meanwhile."""
        if not self.plan_derivations():
            return
        with locks.held(self._root, f"{locks.MERGES}{REQUESTS}") as ours:
            if ours:
                self._commits.catch_up()
                with contextlib.suppress(MergeStopped):
                    self.derive_due()

    def compact_all(self) -> int:
        """Derive what is due, and make all possible merges now; return the number of replaced parts. Raises MergeStopped."""
        self.derive_due()
        merged = 0
        while tasks := self._planner.everything(self.state):
            merged += self._carry_out(tasks)
        self._carry_out(adoptions(self._root, self.state.parts))
        return merged

    def expire(self, *, trust_clock: bool = False) -> int:
        """Apply retention now; return how many parts were replaced. Raises MergeStopped."""
        self.derive_due()
        return self._carry_out(self.plan_expiry(trust_clock=trust_clock))

    def damaged(self) -> list[Part]:
        """Return the parts that are known to be damaged."""
        return [part for part in self.state.parts if part.damaged]

    def refuse_damaged(self) -> None:
        """Raise LakeError where parts are known to be damaged."""
        if damaged := self.damaged():
            first, more = damaged[0], f", and {len(damaged) - 1:,} more" if damaged[1:] else ""
            raise LakeError(f"{self._root / first.path}: damaged ({holds(first)}){more}", CHECK)

    def refuse_missing(self) -> None:
        """Raise LakeError where files of parts are missing, or not as long as they were written."""
        wrong = [(part, what) for part in self.state.parts if (what := cut_off(self._root, part))]
        if wrong:
            (first, what), more = wrong[0], f"; {len(wrong) - 1:,} more are like it" if wrong[1:] else ""
            raise LakeError(f"{self._root / first.path}: {what} ({holds(first)}){more}", CHECK)

    def close(self) -> None:
        self._flushes.close()
        os.close(self._lock)

    def _due(self, rollup: str) -> Sequence[MergeTask | Adoption]:
        planner = self._planner.only(rollup)
        merges = planner.due(self.state)
        if not merges and self.clock_is_settled():
            merges = planner.expired(self.state, self._config, self._clock.now())
        return merges or adoptions(self._root, [part for part in self.state.parts if part.rollup == rollup])

    def _compact_due(self, rollup: str) -> None:
        self._commits.catch_up()  # another worker may have merged these parts
        while tasks := self._due(rollup):
            self._carry_out(tasks)

    def _carry_out(self, tasks: Sequence[MergeTask | Adoption]) -> int:
        """Run merges and commit them; return how many parts were replaced."""
        replaced = 0
        for task in tasks:
            with contextlib.suppress(Fenced):  # another worker merged the same parts
                done = task.run(self.merging)
                self.commit_replacement(done)
                replaced += len(done.old)
        return replaced

    def _repartitioned(self, former: int | None, shards: int) -> Mapping[str, Mapping[int, Progress]]:
        try:
            return self.state.repartitioned(former, shards)
        except ValueError as error:
            count = former or max(map(len, self.state.progress.values()))
            raise LakeError(f"{self._root}: {error}", f"run once with --shards {count}") from None


def _looked_at_again(root: Path, parts: Sequence[Part]) -> tuple[Part, ...]:
    """Mark missing or truncated parts as damaged, and examine damaged ones again, since they may have been restored."""
    look = {True: damage, False: cut_off}
    return tuple(replace(part, damaged=bool(look[part.damaged](root, part))) for part in parts)
