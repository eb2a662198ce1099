"""How a lake and its tail are doing, for `logagg status`."""

from __future__ import annotations

import dataclasses
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from logagg.errors import CHECK
from logagg.lake import leases

LOCK = leases.LOCK
PATIENCE = 30.0  # seconds that a running tail may leave bytes unread without a commit


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """One source: how far it was read, and what is left."""

    path: str
    position: int  # decompressed bytes
    size: int  # bytes on disk
    lag: int | None  # bytes not yet committed; None when only decompressing would tell
    lines: int
    rejects: int
    finished: bool
    note: str
    problem: str = ""  # why it cannot be read


@dataclass(frozen=True, slots=True)
class Status:
    """A lake and its tail at one moment."""

    lake: str
    running: bool  # a tail, or workers
    workers: int  # shards that a worker owns
    commits: int
    last_commit: datetime | None
    age: float | None  # seconds since the last commit
    rows_per_second: float  # written by the commits of the last minute
    sources: tuple[SourceHealth, ...]
    problems: tuple[str, ...]  # empty: healthy

    @property
    def healthy(self) -> bool:
        return not self.problems

    def as_dict(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "healthy": self.healthy}


def look(root: Path, connection: duckdb.DuckDBPyConnection, now: float) -> Status:
    """Return the status of a lake. `now` is seconds since the epoch."""
    commits, last, rate = _commits(connection, now)
    age = None if last is None else max(0.0, now - last.timestamp())
    sources = tuple(_sources(connection))
    running = is_running(root)
    problems = (*_problems(running, age, sources), *_damage(root, connection))
    return Status(str(root), running, len(_owners(root)), commits, last, age, rate, sources, problems)


def is_running(root: Path) -> bool:
    """Tell whether a tail holds the lake's lock, or workers own shards of it."""
    try:
        with (root / LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return bool(_owners(root))


def _owners(root: Path) -> list[str]:
    return [name for name in leases.holders(root) if not name.startswith(leases.MERGES)]


def _commits(connection: duckdb.DuckDBPyConnection, now: float) -> tuple[int, datetime | None, float]:
    since = datetime.fromtimestamp(now - 60, UTC)
    query = """
        SELECT count(*), max(committed_at), coalesce(sum("rows") FILTER (committed_at >= $since), 0) / 60 FROM commits"""
    [found] = connection.execute(query, {"since": since}).fetchall()
    return found


_SOURCES = """
    WITH refused AS (SELECT source, sum(lines)::BIGINT AS lines FROM rejects GROUP BY source)
    SELECT any_value(path), min(position), max(size), sum(sources.lines)::BIGINT,
        coalesce(any_value(refused.lines), 0),
        bool_and(finished), any_value(note), any_value(compression), any_value(inode), any_value(nul_bytes), any_value(tailer)
    FROM sources LEFT JOIN refused USING (source) GROUP BY source ORDER BY 1, source"""


def _sources(connection: duckdb.DuckDBPyConnection) -> list[SourceHealth]:
    return [_source(*row) for row in connection.execute(_SOURCES).fetchall()]


def _source(
    path: str,
    position: int,
    size: int,
    lines: int,
    rejects: int,
    finished: bool,
    note: str,
    how: str,
    inode: int,
    nuls: int,
    tailer: str,
) -> SourceHealth:
    size = size if tailer else _size_now(Path(path), inode, size)
    lag = 0 if finished else None if how else max(0, size - position)
    unreadable = not tailer and not finished and Path(path).exists() and not os.access(path, os.R_OK)
    problem = "not allowed to read it" if unreadable else ""
    notes = [note, f"{nuls:,} NUL bytes passed over" if nuls else ""]
    path = f"{tailer}:{path}" if tailer else path
    return SourceHealth(path, position, size, lag, lines, rejects, finished, "; ".join(filter(None, notes)), problem)


def _size_now(path: Path, inode: int, recorded: int) -> int:
    """Return a source's size, unless its path now belongs to another: then what was last recorded."""
    try:
        found = path.stat()
    except OSError:
        return recorded
    return found.st_size if found.st_ino == inode else recorded


def _problems(running: bool, age: float | None, sources: tuple[SourceHealth, ...]) -> tuple[str, ...]:
    found = [f"{source.path}: {source.problem}" for source in sources if source.problem]
    lag = sum(source.lag or 0 for source in sources)
    if running and lag and age is not None and age > PATIENCE:
        found.append(f"a tail runs, {lag:,} bytes are unread, but nothing was committed for {age:,.0f} s")
    return tuple(found)


def _damage(root: Path, connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Say which files of the lake are missing, cut off or known to be damaged; `logagg check` reads them all."""
    found = connection.execute("FROM files")
    names = [column[0] for column in found.description or ()]
    for row in found.fetchall():
        part = dict(zip(names, row, strict=True))
        if what := "damaged" if part.get("damaged") else _cut_off(root / part["path"], part["bytes"]):
            yield f"{root / part['path']}: {what} ({part['rows']:,} rows of {part['rollup']}); {CHECK}"


def _cut_off(path: Path, size: int) -> str:
    try:
        return "" if path.stat().st_size == size else "is not as long as it was written"
    except FileNotFoundError:
        return "is missing"
    except OSError:  # not ours to see
        return ""
