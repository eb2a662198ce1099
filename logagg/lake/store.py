"""The lake: one writer, one commit after another.

    parts ──▶ fsync ──▶ catalog ──▶ fsync ──▶ the link is moved ──▶ fsync

Moving the link is the only moment of truth. Whatever happens before it leaves files that no catalog names, and they are
cleared away at the next start.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from logagg.cargo import Delta, KnownSource, Source
from logagg.clock import Clock
from logagg.config import Config
from logagg.errors import CommitFailed, LakeError, LakeLocked
from logagg.lake import catalog, files
from logagg.lake.catalog import CommitInfo, State
from logagg.lake.compact import Planner, Replacement, Task
from logagg.lake.files import FLUSH, Part, failing_as_commit, sync
from logagg.rollup import rows
from logagg.rollup.definitions import Rollup

CATALOG_GRACE = 60.0  # seconds an old catalog stays for those who are just opening it
STEPS = ("parts", "catalog", "catalog synced", "link made", "link moved")


class Lake:
    """The writer's side of a lake; holds its lock until closed."""

    def __init__(self, root: Path, state: State, rollups: Sequence[Rollup], clock: Clock, config: Config, lock: int) -> None:
        self.secret = _secret(root)
        self.crash_point: Callable[[str], None] = lambda step: None  # tests die here, at each of STEPS
        self._root, self._state, self._clock, self._config, self._lock = root, state, clock, config, lock
        self._rollups = {rollup.name: rollup for rollup in rollups}
        self._planner = Planner(root, self._rollups, config.limits.keys)
        self._doomed: list[tuple[float, Path]] = []  # files to delete, and when
        self._writers = ThreadPoolExecutor(os.cpu_count(), "writer")
        self._catalogs = catalog.Writer()

    @classmethod
    def open(cls, root: Path, rollups: Sequence[Rollup], *, clock: Clock, config: Config) -> Lake:
        """Take the lock; make the lake where there is none; clear away what a crash left.

        Raises LakeLocked, LakeError (not a lake, newer, other columns) or CommitFailed.
        """
        _make(root)
        lock = _take_lock(root)
        try:
            lake = cls._opened(root, rollups, clock, config, lock)
        except BaseException:
            os.close(lock)
            raise
        return lake

    @classmethod
    def _opened(cls, root: Path, rollups: Sequence[Rollup], clock: Clock, config: Config, lock: int) -> Lake:
        current = catalog.newest(root)
        before = catalog.read(current) if current else State(created_at=_at(clock))
        state = replace(catalog.with_rollups(before, rollups), root=str(root.resolve()))
        lake = cls(root, before, rollups, clock, config, lock)
        if state != before:
            lake._publish(state, "open", (), 0)
        lake._clear_orphans()
        return lake

    def known_sources(self, shards: int) -> list[KnownSource]:
        """Return where each source resumes, for this number of shards.

        Raises LakeError when another number of shards wrote the lake and they do not all stand at the same positions.
        """
        return [KnownSource(self._state.sources[id_], self._dealt(id_, shards)) for id_ in self._state.progress]

    def clicks(self, shard: int, shards: int) -> pa.Table | None:
        """Return the recent clicks of a shard's visitors."""
        state = self._state.clicks
        if state is None or not state.num_rows:
            return None
        owner = state["visitor"].to_numpy() % shards
        return state.filter(pa.array(owner == shard))

    def commit(self, deltas: Sequence[Delta], sources: Sequence[Source]) -> CommitInfo:
        """Make the deltas of all shards, and how far they have come, visible together.

        Raises CommitFailed; then nothing has changed, and the same commit can be tried again.
        """
        with failing_as_commit(self._root):
            parts = self._flush_all(deltas)
            self.crash_point("parts")
        state = self._state.after_flush(deltas, sources)
        return self._publish(replace(state, parts=(*state.parts, *parts)), "flush", parts, state.lines() - self._state.lines())

    def plan_compaction(self) -> list[Task]:
        """Return the merges, or else what retention asks for, now; run them anywhere, then `commit_replacement`."""
        return self._planner.due(self._state) or self.plan_expiry()

    def plan_expiry(self) -> list[Task]:
        """Return what retention asks for now."""
        return self._planner.expired(self._state, self._config.retention, self._clock.now())

    def commit_replacement(self, done: Replacement) -> CommitInfo:
        """Swap merged parts in for those they were made of."""
        old = {part.path for part in done.old}
        kept = tuple(part for part in self._state.parts if part.path not in old)
        info = self._publish(replace(self._state, parts=(*kept, *done.new)), done.kind, done.new, 0)
        due = self._clock.now() + self._config.lake.grace
        self._doomed += [(due, self._root / path) for path in old]
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
            with failing_as_commit(self._root):
                done = task.run()
            self.commit_replacement(done)
        return sum(len(task.parts) for task in tasks)

    def _dealt(self, source: str, shards: int):  # type: ignore[no-untyped-def]
        progress = self._state.progress[source]
        if sorted(progress) == list(range(shards)):
            return progress
        if len({one.position for one in progress.values()}) > 1:
            raise LakeError(
                f"{self._root}: {len(progress)} shards wrote it and stand at different positions",
                f"run once with --shards {len(progress)}",
            )
        # The lines of all former shards go to the first of the new ones: only their sum has a meaning.
        lines = sum(one.lines for one in progress.values())
        any_ = next(iter(progress.values()))
        return {shard: replace(any_, lines=lines if shard == 0 else 0) for shard in range(shards)}

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
        """Write one part of a rollup from the rows of all shards, one row a key."""
        rollup = self._rollups[name]
        merged = rows.merge(rollup, pa.concat_tables([delta.rollups[name] for delta in deltas if name in delta.rollups]))
        return files.write_part(self._root, rollup, merged, FLUSH)

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
        name = f"{info.id:06}-{secrets.token_hex(4)}.duckdb"
        with failing_as_commit(self._root):
            try:
                self._write_catalog(name, state)
            except duckdb.Error as error:
                raise CommitFailed(f"{self._root}: {str(error).splitlines()[0]}", "nothing is lost") from error
        self._retire_catalog()
        self._state = state
        return info

    def _write_catalog(self, name: str, state: State) -> None:
        folder, link = self._root / catalog.FOLDER, self._root / f".{name}.link"
        files.make_directory(folder)
        known = {part.path for part in self._state.parts}
        for rollup in {part.rollup for part in state.parts if part.path not in known}:
            sync(self._root / "data" / rollup)
        self._catalogs.write(folder / name, state)
        self.crash_point("catalog")
        sync(folder / name)
        sync(folder)
        self.crash_point("catalog synced")
        os.symlink(Path(catalog.FOLDER) / name, link)
        self.crash_point("link made")
        os.replace(link, self._root / catalog.LINK)
        sync(self._root)
        self._live = folder / name
        self.crash_point("link moved")

    def _retire_catalog(self) -> None:
        """Delete what is past its grace; let the catalog before the newest wait for its own."""
        now = self._clock.now()
        for path in (self._root / catalog.FOLDER).glob("*.duckdb"):
            if path != self._live and path not in {doomed for _, doomed in self._doomed}:
                self._doomed.append((now + CATALOG_GRACE, path))
        files.remove(path for due, path in self._doomed if due <= now)
        self._doomed = [(due, path) for due, path in self._doomed if due > now]

    def _clear_orphans(self) -> None:
        """Delete the files that no catalog names: at once if they are old, after their grace if a reader may use them."""
        live = {self._root / part.path for part in self._state.parts}
        orphans = [path for path in (self._root / "data").glob("*/*.parquet") if path not in live]
        files.remove(self._root.glob(".*.link"))
        due = self._clock.now() + self._config.lake.grace
        self._doomed += [(due, path) for path in orphans]


def _at(clock: Clock) -> datetime:
    return datetime.fromtimestamp(clock.now(), UTC)


def _make(root: Path) -> None:
    """Make the directory of a lake. Raises LakeError when it is taken by something else, or cannot be written."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        found = {path.name for path in root.iterdir()}
    except OSError as error:
        raise LakeError(f"{root}: {error.strerror}", "choose another directory with --lake") from error
    if found and not found & {"lock", catalog.LINK}:
        raise LakeError(f"{root}: not a lake, and not empty", "choose another directory with --lake")


def _take_lock(root: Path) -> int:
    try:
        lock = os.open(root / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise LakeError(f"{root}: cannot write: {error.strerror}", "choose another directory with --lake") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.read(lock, 20).decode(errors="replace").strip() or "?"
        os.close(lock)
        raise LakeLocked(f"{root}: process {pid} writes this lake", "one lake has one tail: stop that, or use --lake") from None
    os.truncate(lock, 0)
    os.write(lock, f"{os.getpid()}\n".encode())
    return lock


def _secret(root: Path) -> bytes:
    """Return the key of the visitor hash, made with the lake."""
    path = root / "secret"
    if not path.exists():
        draft = root / ".secret"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
            os.fsync(file.fileno())
        os.replace(draft, path)
        sync(root)
    return path.read_bytes()
