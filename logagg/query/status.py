"""The state of a lake and its tail, for `logagg status`.

It comes from the tail's heartbeats (`tails`). Logs are not opened, since this user may have other rights than the tail.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from logagg.clock import is_set, not_set
from logagg.errors import CHECK
from logagg.lake import heartbeats, locks
from logagg.lake.heartbeats import LockState
from logagg.quantities import counted
from logagg.query import derivations, tails
from logagg.query.derivations import DerivationHealth
from logagg.query.tails import TailHealth


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """One source: its position, and its lag."""

    path: str
    position: int  # decompressed bytes
    size: int  # bytes on disk
    lag: int | None  # bytes not yet committed; None if the log is compressed
    lines: int
    rejects: int
    finished: bool
    note: str
    problem: str = ""  # why the log cannot be read or parsed, as the tail reports it


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
    tails: tuple[TailHealth, ...] = ()
    writer: str = ""  # a sentence about the present or last writer of the lake
    derivations: tuple[DerivationHealth, ...] = ()
    late: int = 0  # requests that came too late for a derivation

    @property
    def healthy(self) -> bool:
        return not self.problems

    @property
    def waiting(self) -> tuple[str, ...]:
        """Sentences about paths that the tails wait for."""
        return tuple(text for tail in self.tails if tail.state == "running" for text in tails.waiting(tail))

    def as_dict(self) -> dict[str, Any]:
        whole = {one.name: getattr(self, one.name) for one in dataclasses.fields(self)}
        sources = [dataclasses.asdict(source) for source in self.sources]
        whole["tails"] = [tail.as_dict() for tail in self.tails]
        whole["derivations"] = [one.as_dict() for one in self.derivations]
        return {**whole, "sources": sources, "healthy": self.healthy}


def read(root: Path, connection: duckdb.DuckDBPyConnection, now: float, max_age: float | None = None) -> Status:
    """Return the status of a lake. `now` is seconds since the epoch; with `max_age`, older data are a problem."""
    commits, last, rate = _commits(connection, now)
    age = None if last is None else max(0.0, now - last.timestamp())
    lock, owners = heartbeats.lock_state(root), _owners(root)
    found = _tails(root, lock, now, shared=bool(owners))
    sources = tuple(_sources(connection, found))
    running = bool(lock.held or owners) or any(tail.state == "running" for tail in found)
    problems = [*_wrong_clock(now, running), *_damage(root, connection)]
    problems += [problem for tail in found for problem in (*tails.problems(tail), *tails.silent(tail))]
    if max_age is not None:
        problems += tails.too_old(found, max_age) if found else _no_tail(age, max_age)
    return Status(
        str(root),
        running,
        len(owners),
        commits,
        last,
        age,
        rate,
        sources,
        tuple(problems),
        found,
        _writer(lock, owners, found),
        *derivations.read(connection),
    )


def _tails(root: Path, lock: LockState, now: float, *, shared: bool) -> tuple[TailHealth, ...]:
    """Return the tails of a lake: the one that writes it, or those that send to its workers."""
    own = heartbeats.read(root)
    writer = [tails.of_writer(own, now, holds_lock=lock.held and lock.is_of(own))] if own else []
    remote = [tails.of_remote(one, now) for one in heartbeats.read_remote(root)]
    if shared or not writer or (remote and min(one.age for one in remote) < writer[0].age):
        return tuple(remote)
    return tuple(writer)


def _writer(lock: LockState, owners: list[str], found: tuple[TailHealth, ...]) -> str:
    if owners:
        return f"workers own {counted(len(owners), 'shard')}"
    here = [tail for tail in found if not tail.name]
    if lock.held and not any(tail.state == "running" for tail in here):
        return f"process {lock.pid} writes it"
    return tails.describe(here[0]) if here else "no tail is running"


def _no_tail(age: float | None, max_age: float) -> Iterator[str]:
    """Report that the data of a lake without heartbeats are too old."""
    if age is None or age > max_age:
        yield "no heartbeat of a tail" + ("" if age is None else f", and nothing was committed for {age:,.0f} s")


def _owners(root: Path) -> list[str]:
    return [name for name in locks.holders(root) if name.isdecimal()]


def _commits(connection: duckdb.DuckDBPyConnection, now: float) -> tuple[int, datetime | None, float]:
    since = datetime.fromtimestamp(now - 60, UTC)
    query = """
        SELECT count(*), max(committed_at), coalesce(sum("rows") FILTER (committed_at >= $since), 0) / 60 FROM commits"""
    [found] = connection.execute(query, {"since": since}).fetchall()
    return found


# The report `sources` has SQL of its own, which users copy: SQL knows neither sizes of files nor heartbeats, so its lag is that of the
# last commit.
_SOURCES = """
    WITH refused AS (SELECT source, sum(lines)::BIGINT AS lines FROM rejects GROUP BY source)
    SELECT source, any_value(path), min(position), max(size), sum(sources.lines)::BIGINT,
        coalesce(any_value(refused.lines), 0),
        bool_and(finished), any_value(note), any_value(compression), any_value(inode), any_value(nul_bytes), any_value(tailer),
        bool_or(gone IS NOT NULL)
    FROM sources LEFT JOIN refused USING (source) GROUP BY source ORDER BY 2, source"""


def _sources(connection: duckdb.DuckDBPyConnection, found: tuple[TailHealth, ...]) -> Iterator[SourceHealth]:
    sizes = {log.source: log.size for tail in found if tail.state == "running" for log in tail.heartbeat.logs}
    wrong = {(tail.name, one.path): one.reason for tail in found for one in tail.heartbeat.problems}
    names = (
        "id",
        "path",
        "position",
        "size",
        "lines",
        "rejects",
        "finished",
        "note",
        "how",
        "inode",
        "nuls",
        "tailer",
        "gone",
    )
    for values in connection.execute(_SOURCES).fetchall():
        row = dict(zip(names, values, strict=True))
        yield _source(row, sizes, wrong.get((row["tailer"], row["path"]), ""))


def _source(row: Mapping[str, Any], sizes: Mapping[str, int], problem: str) -> SourceHealth:
    size, path = _size(row, sizes), row["path"]
    lag = 0 if row["finished"] or row["gone"] else None if row["how"] else max(0, size - row["position"])
    notes = [row["note"], f"{row['nuls']:,} NUL bytes passed over" if row["nuls"] else ""]
    return SourceHealth(
        f"{row['tailer']}:{path}" if row["tailer"] else path,
        row["position"],
        size,
        lag,
        row["lines"],
        row["rejects"],
        row["finished"],
        "; ".join(filter(None, notes)),
        problem,
    )


def _size(row: Mapping[str, Any], sizes: Mapping[str, int]) -> int:
    """Return a source's size: as the tail reports it, else that of its file, if accessible, else as committed."""
    if row["id"] in sizes or row["tailer"]:
        return sizes.get(row["id"], row["size"])
    try:
        found = Path(row["path"]).stat()
    except OSError:
        return row["size"]
    return found.st_size if found.st_ino == row["inode"] else row["size"]


def _wrong_clock(now: float, running: bool) -> tuple[str, ...]:
    """Report that a running tail waits until the clock is set; assumes that the tail runs on this machine."""
    return (f"{not_set(now)}: nothing is read until it is set",) if running and not is_set(now) else ()


def _damage(root: Path, connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Report files of the lake that are missing, truncated or known to be damaged; `logagg check` reads all bytes."""
    found = connection.execute("FROM files")
    names = [column[0] for column in found.description or ()]
    for row in found.fetchall():
        part = dict(zip(names, row, strict=True))
        if what := "damaged" if part.get("damaged") else _cut_off(root / part["path"], part["bytes"]):
            yield f"{root / part['path']}: {what} ({counted(part['rows'], 'row')} of {part['rollup']}); {CHECK}"


def _cut_off(path: Path, size: int) -> str:
    try:
        return "" if path.stat().st_size == size else "is not as long as it was written"
    except FileNotFoundError:
        return "is missing"
    except OSError:  # not accessible to this user
        return ""
