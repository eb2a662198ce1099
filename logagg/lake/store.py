"""The lake: one writer, one commit after another.

    parts ──▶ fsync ──▶ catalog ──▶ fsync ──▶ the link is moved ──▶ fsync

Moving the link is the only moment of truth. Whatever happens before it leaves files that no catalog names, and they are
cleared away at the next start.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from logagg.cargo import Delta, KnownSource, Source
from logagg.clock import Clock
from logagg.config import Config
from logagg.errors import CHECK, CommitFailed, LakeError, LakeLocked
from logagg.lake import catalog, files
from logagg.lake.catalog import CommitInfo, State
from logagg.lake.compact import Planner, Replacement, Task
from logagg.lake.files import FLUSH, Part, PartWriter, failing_as_commit, sync
from logagg.lake.salts import Salts
from logagg.rollup.definitions import Rollup

CATALOG_GRACE = 60.0  # seconds an old catalog stays for those who are just opening it
OTHERS = 0o027  # may read nothing of a lake, and its group write nothing, whatever the umask allows
STEPS = ("parts", "catalog", "catalog synced", "link made", "link moved")


class Lake:
    """The writer's side of a lake; holds its lock until closed."""

    def __init__(self, root: Path, state: State, rollups: Sequence[Rollup], clock: Clock, config: Config, lock: int) -> None:
        self.secret = _secret(root)
        self.salts = Salts(root, self.secret, clock)
        self.crash_point: Callable[[str], None] = lambda step: None  # tests die here, at each of STEPS
        self._root, self._state, self._clock, self._lock = root, state, clock, lock
        self._use(rollups, config)
        self._doomed: list[tuple[float, Path]] = []  # files to delete, and when
        self._live = catalog.newest(root)  # the catalog that the link names
        self._writers = ThreadPoolExecutor(os.cpu_count(), "writer")
        self._catalogs = catalog.Writer()

    @classmethod
    def open(cls, root: Path, rollups: Sequence[Rollup], *, clock: Clock, config: Config) -> Lake:
        """Take the lock; make the lake where there is none; clear away what a crash left.

        Raises LakeLocked, LakeError (not a lake, newer, other columns) or CommitFailed.
        """
        os.umask(os.umask(0o077) | OTHERS)
        _make(root)
        lock = _take_lock(root)
        try:
            with failing_as_commit(root):
                _sign(lock)
                lake = cls._opened(root, rollups, clock, config, lock)
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
        lake._delete_due()
        return lake

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
        dealt = {id_: self._dealt(id_, shards) for id_ in self._state.progress if id_ != catalog.FORGOTTEN}
        # What the former shards had is forgotten with them, or the next number of shards would stumble over it.
        self._state = replace(self._state, progress={**self._state.progress, **dealt})
        return [KnownSource(self._state.sources[id_], progress) for id_, progress in dealt.items()]

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
        horizon = self._clock.now() - self._config.tail.forget
        state = self._state.after_flush(deltas, sources, self._config.privacy.samples).without_gone(horizon)
        return self._publish(replace(state, parts=(*state.parts, *parts)), "flush", parts, state.lines() - self._state.lines())

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
        kept = tuple(part for part in self._state.parts if part.path not in old)
        gone = max([self._state.gone, *(part.max_ts for part in done.old)]) if not done.new else self._state.gone
        info = self._publish(replace(self._state, parts=(*kept, *done.new), gone=gone), done.kind, done.new, 0)
        for path in old:
            self._doom(self._root / path, self._config.lake.grace)
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
            self._doom(before, CATALOG_GRACE)
        self._delete_due()
        self._state = state
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

    def _doom(self, path: Path, grace: float) -> None:
        """Let a file that no live catalog names wait for its grace to pass; its own time says since when, if we end before."""
        now = self._clock.now()
        with contextlib.suppress(OSError):
            os.utime(path, (now, now))
        self._doomed.append((now + grace, path))

    def _delete_due(self) -> None:
        now = self._clock.now()
        files.remove(path for due, path in self._doomed if due <= now)
        self._doomed = [(due, path) for due, path in self._doomed if due > now]

    def _clear_orphans(self) -> None:
        """Doom the files that no live catalog names: left by a crash, or by a run that ended before their grace."""
        live = {self._live, *(self._root / part.path for part in self._state.parts)}
        files.remove(self._root.glob(".*.link"))
        for pattern, grace in (("data/*/*", self._config.lake.grace), (f"{catalog.FOLDER}/*", CATALOG_GRACE)):
            for path in self._root.glob(pattern):
                if path not in live:
                    since = min(path.stat().st_mtime, self._clock.now())
                    self._doomed.append((since + grace, path))


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
        lock = os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o640)
    except OSError as error:
        raise LakeError(f"{root}: cannot write: {error.strerror}", "choose another directory with --lake") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.read(lock, 20).decode(errors="replace").strip() or "?"
        os.close(lock)
        raise LakeLocked(f"{root}: process {pid} writes this lake", "one lake has one tail: stop that, or use --lake") from None
    return lock


def _sign(lock: int) -> None:
    """Say in the lock whose it is."""
    os.truncate(lock, 0)
    os.write(lock, f"{os.getpid()}\n".encode())


def _secret(root: Path) -> bytes:
    """Return the key of the visitor hash, made with the lake."""
    path = root / "secret"
    if not path.exists():
        files.write_secret(path, secrets.token_bytes(32))
    return path.read_bytes()
