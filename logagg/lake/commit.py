"""The one commit, in named steps.

    (parts) ──▶ (pending) ──▶ catalog ──▶ fsync ──▶ the link is moved ──▶ fsync ──▶ (outcomes)

Moving the link is the only moment of truth. A failure before it leaves files that no catalog names, which are deleted
later.

A sole writer commits directly. Several writers group-commit: each writes a pending-commit file and waits for the commit
lock; the holder applies all pending commits in one catalog and records each outcome.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from logagg.clock import SETTLED, Clock, Continuity
from logagg.config.sections import Config
from logagg.errors import CHECK, CommitFailed, CommitUncertain, Fenced, LakeError
from logagg.lake import catalog, durable, locks
from logagg.lake.digests import cut_off, damage, digest_of
from logagg.lake.durable import failing_as_commit, sync
from logagg.lake.garbage import Sweeper
from logagg.lake.lateness import late_rows
from logagg.lake.ownership import give, give_link
from logagg.lake.parts import Part
from logagg.lake.pending import BROKEN, FOLDERS, STALE, PendingCommits
from logagg.lake.state import BACKFILL, CommitInfo, PendingCommit, State
from logagg.lake_format import LINK
from logagg.rollup.derived import Definition

CATALOG_GRACE = 60.0  # seconds that an old catalog stays for readers that are just opening it
STEPS = ("parts", "catalog", "catalog synced", "link made", "link moved")
GROUP_STEPS = ("parts", "pending", *STEPS[1:], "outcomes")  # of a group commit
BACKFILLS = f"data/*/{BACKFILL}-*"  # parts that backfills are writing, or have written
LEAST_GRACE = 60.0  # seconds that the parts of a backfill stay at least, where no catalog names them
AGAIN = "nothing is lost; it can be tried again"


class Committer:
    """Makes the newest state of a lake from the one before."""

    def __init__(self, root: Path, state: State, clock: Clock) -> None:
        self.state = state  # the newest state known to this process
        self.shards = 0  # total number of a lake that workers share; 0: this process owns all
        self.reached: Callable[[str], None] = lambda step: None  # tests die here, at each of STEPS
        self._root, self._clock = root, clock
        self._continuity = Continuity(clock, self.written_at, state.steady.timestamp())
        self._live = self._read = catalog.newest(root)  # the catalog that the link names, and the catalog of `state`
        self._pending, self._sweeper = PendingCommits(root), Sweeper(clock)
        self._busy = threading.RLock()  # commits, merges, and shards that are taken over have a thread each

    @property
    def written_at(self) -> float | None:
        """Return the time of the newest known commit, by the clock at that time."""
        return self.state.commits[-1].committed_at.timestamp() if self.state.commits else None

    def clock_is_settled(self) -> bool:
        """Tell whether what is old by the clock may be deleted: it has not leapt lately."""
        return self._clock.now() - self.steady_since() >= SETTLED

    def steady_since(self) -> float:
        """Return since when the clock has run without a leap, as far as the writers of this lake know."""
        since, known = self._continuity.since(), self.state.steady.timestamp()
        return since if known > self._clock.now() else max(since, known)

    def use(self, tables: Sequence[Definition], config: Config) -> None:
        """Use these tables and settings from now on."""
        self._tables, self._config = tables, config

    def commit(self, pending: PendingCommit) -> CommitInfo:
        """Make a commit, whose parts are on the disk; if it fails, they are deleted.

        Raises CommitFailed: nothing has changed, and the same can be tried again; or Fenced.
        """
        try:
            number = self._commit_in_group(pending) if self.shards else self._commit_alone(pending)
        except CommitUncertain:
            raise
        except LakeError as failure:
            if pending.kind == BACKFILL and isinstance(failure, Fenced):
                raise  # its parts may have been committed, and merged, by a process that could not tell
            durable.remove(self._root / part.path for part in pending.parts)
            raise
        return pending.info(number, self._now())

    def publish(self, state: State) -> None:
        """Commit a change without rows: other rollups, or repartitioned sources."""
        self._publish(state.committed(CommitInfo(state.id + 1, self._now(), "open", 0, 0, 0, 0)))

    def catch_up(self) -> None:
        """Read the commits of other writers."""
        with self._commit_lock():
            self._catch_up()

    def supersede(self, shard: int) -> State:
        """Discard pending commits of a shard's former owner, whose jobs are sent again; return the newest state."""
        with self._commit_lock():
            self._catch_up()
            for name, pending in self._pending.unapplied():
                if pending and shard in pending.owned:
                    self._pending.record(name, STALE)
            return self.state

    def discard_pending(self) -> None:
        """Discard pending commits of writers that are gone."""
        self._pending.clear()

    def clear_abandoned(self) -> None:
        """Delete the parts that killed backfills left, after their grace."""
        if self.clock_is_settled() and any(self._root.glob(BACKFILLS)):
            with self._commit_lock() if self.shards else self._busy:
                if self.shards:
                    self._catch_up()
                self._clear_abandoned()

    def clear_orphans(self) -> None:
        """Schedule the deletion of files that a crash left, after their grace."""
        durable.remove(self._root.glob(".*.link"))
        named, grace, settled = self._named(), self._config.lake.grace, self.clock_is_settled()
        kept = named | self._former()
        self._sweeper.delete_orphans(self._root, "data/*/*", named, grace, settled=settled, spared=BACKFILLS)
        if settled:
            self._clear_abandoned()
        self._sweeper.delete_orphans(self._root, f"{catalog.FOLDER}/*", kept, CATALOG_GRACE, settled=settled)
        for folder in FOLDERS:
            self._sweeper.delete_orphans(self._root, f"{folder}/*", (), grace, settled=settled)
        self._sweeper.delete_due(self._named())

    # alone, or in a group

    def _commit_alone(self, pending: PendingCommit) -> int:
        with self._busy:
            if pending.kind == BACKFILL:
                return self._number(self.filled(pending)[0])
            if pending.derived and self.state.status_of(pending) != "due":  # requests were merged meanwhile
                return self._number(STALE)
            self._publish(self._after(self.state, pending))
            self._schedule_deletion(pending.old)
            return self.state.id

    def filled(self, pending: PendingCommit | None) -> tuple[str, CommitInfo | None]:
        """Apply a backfill, if it is due, and its parts are there; return its outcome. Raises CommitFailed."""
        with self._busy:
            if pending is None or pending.kind != BACKFILL:
                return BROKEN, None
            if (found := self.state.status_of(pending)) != "due":
                return STALE if found == "stale" else str(self.state.id), None
            state, status = self._applied(self.state, pending)
            if status == BROKEN:
                return BROKEN, None
            self._publish(state)
            return str(state.id), state.commits[-1]

    def _clear_abandoned(self) -> None:
        """Delete what no catalog names, and no process that fills its rollup can want any more."""
        grace = max(self._config.lake.grace, LEAST_GRACE)
        for folder in {path.parent for path in self._root.glob(BACKFILLS)}:
            if not locks.is_leased(self._root, f"{locks.BACKFILL}{folder.name}"):
                self._sweeper.delete_abandoned(folder, Path(BACKFILLS).name, self._named(), grace)

    def _commit_in_group(self, pending: PendingCommit) -> int:
        """Apply the pending commits of all writers, unless another writer has applied this one by then."""
        with failing_as_commit(self._root):
            name = self._pending.put(pending)
        self.reached("pending")
        with self._commit_lock():
            if self._pending.is_unapplied(name):
                try:
                    self._catch_up()
                    self._apply_pending()
                except LakeError:
                    self._pending.withdraw(name)
                    raise
            outcome = self._pending.outcome(name)
        return self._number(outcome)

    @contextmanager
    def _commit_lock(self) -> Iterator[None]:
        with self._busy, locks.commit_lock(self._root):
            yield

    def _catch_up(self) -> None:
        """Read the newest catalog, if another writer made it, and sync it in case that writer died before it did."""
        current = catalog.newest(self._root)
        if current and current != self._read:
            with failing_as_commit(self._root):
                sync(self._root)
            self.state = catalog.with_tables(catalog.read(current), self._tables, self.shards)
            self._live = self._read = current

    def _apply_pending(self) -> None:
        """Apply all pending commits in one catalog, and record the outcome of each."""
        before = state = self.state
        old, outcomes = list[Part](), dict[str, str]()
        for name, pending in self._pending.unapplied():
            status: str = state.status_of(pending) if pending else BROKEN
            if pending and status == STALE and before.status_of(pending) == "applied":
                status = "applied"  # and what it brought has been replaced since, by another of these
            if pending and status == "due":
                state, status = self._applied(state, pending)
                old += pending.old if status == "applied" else ()
            outcomes[name] = status if status in (STALE, BROKEN) else str(state.id)
        if state is not self.state:
            self._publish(state)
            self._schedule_deletion(old)
        for name, outcome in outcomes.items():
            self._pending.record(name, outcome)
        self.reached("outcomes")

    def _applied(self, state: State, pending: PendingCommit) -> tuple[State, str]:
        """Apply a pending commit, perhaps of another writer; an invalid one fails for its own writer only."""
        try:
            if all((self._root / part.path).stat().st_size == part.bytes for part in pending.parts):
                return self._after(state, pending), "applied"
        except (OSError, pa.ArrowException, ValueError, KeyError, TypeError):
            pass
        return state, BROKEN

    def _number(self, outcome: str | None) -> int:
        """Return the number of the commit that applied the pending one. Raises if it was not applied."""
        if outcome == STALE:
            hint = "restart to resume from its positions; nothing is lost"
            raise Fenced(f"{self._root}: fenced, another process owns these shards", hint)
        if outcome == BROKEN:
            raise self._missing() or CommitFailed(
                f"{self._root}: parts of the pending commit are missing or truncated", AGAIN
            )
        if outcome is None:
            raise CommitUncertain(f"{self._root}: the outcome of a commit is unknown", AGAIN)
        return int(outcome)

    def _after(self, state: State, pending: PendingCommit) -> State:
        late = late_rows(self._root, state, pending)
        state = state.after(pending, self._now(), self._config.privacy.samples)
        state = replace(state, late=state.late + late) if late else state
        return state.without_gone(self._clock.now() - self._config.tail.forget) if self.clock_is_settled() else state

    # the catalog, and the link to it

    def _publish(self, state: State) -> None:
        """Write the catalog of a state and move the link onto it. Raises CommitFailed; CommitUncertain once the link is moved."""
        state = replace(state, steady=datetime.fromtimestamp(self.steady_since(), UTC))
        draft = self._root / catalog.FOLDER / f"{state.id:06}-{secrets.token_hex(4)}.duckdb"
        before, made = self._live, [draft, Path(f"{draft}.wal")]
        try:
            with failing_as_commit(self._root):
                path = self._written(draft, state)
                made += [path, self._draft(path)]
                self._show(path)
        except CommitFailed as failure:
            if self._live in made:
                raise CommitUncertain(failure.message, failure.hint) from failure
            durable.remove(made)
            raise self._missing() or failure from failure
        if before:
            self._sweeper.delete_after(before, CATALOG_GRACE)
        self.state, self._read = state, path
        self._sweeper.delete_due(self._named())

    def _missing(self) -> CommitFailed | None:
        """Return the failure caused by damaged parts; the next attempt excludes them."""
        wrong = {part.path: what for part in self._suspects() if (what := damage(self._root, part))}
        if not wrong:
            return None
        parts = tuple(replace(part, damaged=part.damaged or part.path in wrong) for part in self.state.parts)
        self.state = replace(self.state, parts=parts)
        path, what = next(iter(wrong.items()))
        return CommitFailed(f"{self._root / path}: {what}", CHECK)

    def _suspects(self) -> Iterator[Part]:
        """Yield parts that may make the catalog fail: DuckDB looks for the first two files of a view, and opens one."""
        seen: Counter[str] = Counter()
        for part in self.state.parts:
            if not part.damaged and (seen[part.rollup] < 2 or cut_off(self._root, part)):
                yield part
            seen[part.rollup] += not part.damaged

    def _written(self, draft: Path, state: State) -> Path:
        """Write the catalog of a state; return its path, which contains its digest."""
        durable.make_directory(draft.parent)
        catalog.write(draft, state)
        give(draft)
        path = draft.with_name(f"{state.id:06}-{digest_of(draft)}.duckdb")
        os.replace(draft, path)
        self.reached("catalog")
        return path

    def _show(self, path: Path) -> None:
        """Move the link onto a catalog, after everything that it refers to is on the disk."""
        sync(path)
        sync(path.parent)
        self.reached("catalog synced")
        os.symlink(path.relative_to(self._root), self._draft(path))
        give_link(self._draft(path))
        self.reached("link made")
        os.replace(self._draft(path), self._root / LINK)
        self._live = path
        sync(self._root)
        self.reached("link moved")

    def _draft(self, path: Path) -> Path:
        """Return the temporary name of the link to a catalog."""
        return self._root / f".{path.name}.link"

    def _named(self) -> set[Path]:
        return {*([self._live] if self._live else []), *(self._root / part.path for part in self.state.parts)}

    def _former(self) -> set[Path]:
        """Return the catalog before the live one, the fallback if the disk damages the live one."""
        return set(catalog.former(self._root, self._live)[-1:]) if self._live else set()

    def _schedule_deletion(self, old: Sequence[Part]) -> None:
        for part in old:
            self._sweeper.delete_after(self._root / part.path, self._config.lake.grace)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now(), UTC)
