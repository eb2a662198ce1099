"""Files that are on the disk when we say so: Parquet parts, and what fsync promises."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from logagg.errors import CommitFailed

FLUSH, HOUR, DAY = "flush", "hour", "day"  # levels: a part as flushed, merged by event hour, merged by event day


@dataclass(frozen=True, slots=True)
class Part:
    """One immutable Parquet file of a rollup."""

    rollup: str
    path: str  # relative to the lake
    level: str
    grain: int  # seconds; the least grain its rows are kept at
    rows: int
    bytes: int
    min_ts: datetime
    max_ts: datetime


def write_part(root: Path, rollup: str, table: pa.Table, level: str, grain: int) -> Part:
    """Write rows as a new Parquet file, and have it on the disk before returning."""
    path = Path("data") / rollup / f"{level}-{secrets.token_hex(8)}.parquet"
    target = root / path
    make_directory(target.parent)
    pq.write_table(table, target, compression="zstd", row_group_size=128 * 1024)
    sync(target)
    span = pc.min_max(table["ts"])
    first, last = span["min"].as_py(), span["max"].as_py()
    return Part(rollup, str(path), level, grain, table.num_rows, target.stat().st_size, first, last)


def make_directory(path: Path) -> None:
    """Make a directory that only we may write, and have it on the disk."""
    if not path.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        sync(path.parent)


def sync(path: Path) -> None:
    """Have a file's content, or a directory's entries, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(paths: Iterable[Path]) -> None:
    """Delete files; those that are gone already, or cannot go, are left for the next time."""
    for path in paths:
        try:
            path.unlink()
        except OSError:
            continue


@contextmanager
def failing_as_commit(root: Path) -> Iterator[None]:
    """Turn what the disk refuses into CommitFailed: where, why, what to do."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise CommitFailed(f"{root}: cannot write: {error}", _remedy(root, error)) from error


def _remedy(root: Path, error: Exception) -> str:
    stat = os.statvfs(root)
    free = stat.f_bavail * stat.f_frsize
    if isinstance(error, OSError) and error.errno in (28, 122) or free < 1 << 20:
        return f"the disk has {free:,} bytes free: make room; nothing is lost"
    return "nothing is lost; it can be tried again"
