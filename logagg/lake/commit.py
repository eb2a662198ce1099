"""The one commit, in named steps.

    (parts) ──▶ (intent) ──▶ catalog ──▶ fsync ──▶ the link is moved ──▶ fsync ──▶ (told)

Moving the link is the only moment of truth. Whatever happens before it leaves files that no catalog names, and they are
cleared away later.

Who writes a lake alone makes each of his commits by itself. Of many, each puts down what he wants committed, and waits for
his turn; whoever has it makes all that is wanted, in one catalog, and tells the others.
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
from logagg.lake import catalog, durable, locks, pending
from logagg.lake.digests import cut_off, damage, digest_of
from logagg.lake.durable import Part, failing_as_commit, sync
from logagg.lake.garbage import Sweeper
from logagg.lake.ownership import give, give_link
from logagg.lake.pending import BROKEN, STALE, PendingCommits
from logagg.lake.state import CommitInfo, PendingCommit, State
from logagg.rollup.definitions import Rollup

CATALOG_GRACE = 60.0  # seconds an old catalog stays for those who are just opening it
STEPS = ("parts", "catalog", "catalog synced", "link made", "link moved")
STEPS_IN_TURN = ("parts", "intent", *STEPS[1:], "told")  # of a lake that is shared
AGAIN = "nothing is lost; it can be tried again"


class Committer:
    """Makes the newest state of a lake from the one before."""

    def __init__(self, root: Path, state: State, clock: Clock) -> None:
        self.state = state  # the newest that we know
        self.shared = False
        self.reached: Callable[[str], None] = lambda step: None  # tests die here, at each of STEPS
        self._root, self._clock = root, clock
        self._continuity = Continuity(clock, self.written_at, state.steady.timestamp())
        self._live = self._read = catalog.newest(root)  # the catalog that the link names, and that of `state`
        self._intents, self._sweeper = PendingCommits(root), Sweeper(clock)
        self._busy = threading.RLock()  # commits, merges, and shards that are taken over have a thread each

    @property
    def written_at(self) -> float | None:
        """Return when the newest commit that we know was made, by the clock of then."""
        return self.state.commits[-1].committed_at.timestamp() if self.state.commits else None

    def clock_is_settled(self) -> bool:
        """Tell whether what is old by the clock may be deleted: it has not leapt lately."""
        return self._clock.now() - self.steady_since() >= SETTLED

    def steady_since(self) -> float:
        """Return since when the clock has gone on without a leap, as far as we and others who write here know."""
        since, known = self._continuity.since(), self.state.steady.timestamp()
        return since if known > self._clock.now() else max(since, known)

    def use(self, rollups: Sequence[Rollup], config: Config) -> None:
        """Go by these rollups and settings from now on."""
        self._rollups, self._config = rollups, config

    def commit(self, intent: PendingCommit) -> CommitInfo:
        """Make a commit, whose parts are on the disk; where it cannot be made, they are deleted.

        Raises CommitFailed: nothing has changed, and the same can be tried again; or Fenced.
        """
        try:
            number = self._in_turn(intent) if self.shared else self._alone(intent)
        except CommitUncertain:
            raise
        except LakeError:
            durable.remove(self._root / part.path for part in intent.parts)
            raise
        return intent.info(number, self._now())

    def publish(self, state: State) -> None:
        """Commit what comes with no rows: other rollups, sources that are repartitioned anew."""
        self._publish(state.committed(CommitInfo(state.id + 1, self._now(), "open", 0, 0, 0, 0)))

    def catch_up(self) -> None:
        """Learn what others have committed."""
        with self._turn():
            self._catch_up()

    def supersede(self, shard: int) -> State:
        """Make nothing of what a former owner of a shard wants; it is sent again, to us. Return the newest state."""
        with self._turn():
            self._catch_up()
            for name, intent in self._intents.wanted():
                if intent and shard in intent.owned:
                    self._intents.settle(name, STALE)
            return self.state

    def forget_wanted(self) -> None:
        """Make nothing of what others, who are gone, wanted."""
        self._intents.clear()

    def clear_orphans(self) -> None:
        """Clear away what a crash left, when its grace has passed."""
        durable.remove(self._root.glob(".*.link"))
        named, grace, settled = self._named(), self._config.lake.grace, self.clock_is_settled()
        kept = named | self._former()
        self._sweeper.doom_orphans(self._root, "data/*/*", named, grace, settled=settled)
        self._sweeper.doom_orphans(self._root, f"{catalog.FOLDER}/*", kept, CATALOG_GRACE, settled=settled)
        self._sweeper.doom_orphans(self._root, f"{pending.FOLDER}/*", (), grace, settled=settled)
        self._sweeper.delete_due(self._named())

    # alone, or in turn

    def _alone(self, intent: PendingCommit) -> int:
        with self._busy:
            self._publish(self._after(self.state, intent))
            self._doom(intent.old)
            return self.state.id

    def _in_turn(self, intent: PendingCommit) -> int:
        """Commit what all writers want, ours with it, unless one of them has done so when our turn comes."""
        with failing_as_commit(self._root):
            name = self._intents.put(intent)
        self.reached("intent")
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

    @contextmanager
    def _turn(self) -> Iterator[None]:
        with self._busy, locks.turn(self._root):
            yield

    def _catch_up(self) -> None:
        """Read the newest catalog, if it is another writer's; then it is on the disk, whatever has become of him."""
        current = catalog.newest(self._root)
        if current and current != self._read:
            with failing_as_commit(self._root):
                sync(self._root)
            self.state = catalog.with_rollups(catalog.read(current), self._rollups)
            self._live = self._read = current

    def _settle(self) -> None:
        """Make all commits that are wanted, in one catalog, and say of each what has become of it."""
        state, old, outcomes = self.state, list[Part](), dict[str, str]()
        for name, intent in self._intents.wanted():
            standing = state.stands(intent) if intent else BROKEN
            if intent and standing == "due":
                state, standing = self._joined(state, intent)
                old += intent.old if standing == "made" else ()
            outcomes[name] = standing if standing in (STALE, BROKEN) else str(state.id)
        if state is not self.state:
            self._publish(state)
            self._doom(old)
        for name, outcome in outcomes.items():
            self._intents.settle(name, outcome)
        self.reached("told")

    def _joined(self, state: State, intent: PendingCommit) -> tuple[State, str]:
        """Add what is wanted, perhaps by another writer; what cannot be added harms nobody but him."""
        try:
            if all((self._root / part.path).stat().st_size == part.bytes for part in intent.parts):
                return self._after(state, intent), "made"
        except (OSError, pa.ArrowException, ValueError, KeyError, TypeError):
            pass
        return state, BROKEN

    def _number(self, outcome: str | None) -> int:
        """Return as which commit our intent was made. Raises what tells why it was not."""
        if outcome == STALE:
            hint = "start again: it goes on from there, and nothing is lost"
            raise Fenced(f"{self._root}: another process has committed in our stead", hint)
        if outcome == BROKEN:
            raise self._missing() or CommitFailed(
                f"{self._root}: what was to be committed is not whole any more", AGAIN
            )
        if outcome is None:
            raise CommitUncertain(f"{self._root}: it is not known what became of a commit", AGAIN)
        return int(outcome)

    def _after(self, state: State, intent: PendingCommit) -> State:
        state = state.after(intent, self._now(), self._config.privacy.samples)
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
        """Return the failure that comes of damaged parts; the next attempt leaves them out."""
        wrong = {part.path: what for part in self._suspects() if (what := damage(self._root, part))}
        if not wrong:
            return None
        parts = tuple(replace(part, damaged=part.damaged or part.path in wrong) for part in self.state.parts)
        self.state = replace(self.state, parts=parts)
        path, what = next(iter(wrong.items()))
        return CommitFailed(f"{self._root / path}: {what}", CHECK)

    def _suspects(self) -> Iterator[Part]:
        """Return the parts that a catalog may not be made for: DuckDB looks for the first two of a view, and into one."""
        seen: Counter[str] = Counter()
        for part in self.state.parts:
            if not part.damaged and (seen[part.rollup] < 2 or cut_off(self._root, part)):
                yield part
            seen[part.rollup] += not part.damaged

    def _written(self, draft: Path, state: State) -> Path:
        """Write the catalog of a state; return its path, which has its digest."""
        durable.make_directory(draft.parent)
        catalog.write(draft, state)
        give(draft)
        path = draft.with_name(f"{state.id:06}-{digest_of(draft)}.duckdb")
        os.replace(draft, path)
        self.reached("catalog")
        return path

    def _show(self, path: Path) -> None:
        """Move the link onto a catalog, when all that it leads to is on the disk."""
        sync(path)
        sync(path.parent)
        self.reached("catalog synced")
        os.symlink(path.relative_to(self._root), self._draft(path))
        give_link(self._draft(path))
        self.reached("link made")
        os.replace(self._draft(path), self._root / catalog.LINK)
        self._live = path
        sync(self._root)
        self.reached("link moved")

    def _draft(self, path: Path) -> Path:
        """Return the name of the link to a catalog before it is the one."""
        return self._root / f".{path.name}.link"

    def _named(self) -> set[Path]:
        return {*([self._live] if self._live else []), *(self._root / part.path for part in self.state.parts)}

    def _former(self) -> set[Path]:
        """Return the catalog before the live one: where a disk damages that, the lake goes back to it."""
        return set(catalog.former(self._root, self._live)[-1:]) if self._live else set()

    def _doom(self, old: Sequence[Part]) -> None:
        for part in old:
            self._sweeper.delete_after(self._root / part.path, self._config.lake.grace)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now(), UTC)
