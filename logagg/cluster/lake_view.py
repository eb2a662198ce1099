"""The state of a cluster by the files of its lake, for any user who can read them; nothing is written, and no worker is
asked."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from logagg.cluster import quarantine
from logagg.cluster.quarantine import KeptJob
from logagg.errors import LakeError
from logagg.heartbeat import Heartbeat
from logagg.lake import heartbeats, layout, locks

if TYPE_CHECKING:
    import duckdb

LOGS = 100  # of each tailer, those with the largest lag


@dataclass(frozen=True, slots=True)
class LogPosition:
    """A log that is not finished, as far as all shards have committed it."""

    path: str
    position: int  # decompressed bytes
    size: int  # bytes on disk, when it was last committed
    lag: int | None  # bytes that were not committed then; None if the log is compressed


@dataclass(slots=True)
class LakeView:
    """All that could be read; `problem` is the reason why the rest could not."""

    problem: str = ""
    shards: int | None = None  # None: no workers have opened it
    owners: Mapping[int, str] = field(default_factory=dict)  # by shard: the id of the process that owns it now
    heartbeats: Sequence[Heartbeat] = ()  # of the tailers
    kept: Sequence[KeptJob] = ()  # in the quarantine
    commits: int | None = None
    last_commit: datetime | None = None
    committed: dict[str, dict[int, int]] = field(default_factory=dict)  # by tailer and shard: bytes of its logs
    sources: dict[str, int] = field(default_factory=dict)  # by tailer
    logs: dict[str, list[LogPosition]] = field(default_factory=dict)  # by tailer


def view(root: Path | None, secret: bytes | None, connection: duckdb.DuckDBPyConnection | None = None) -> LakeView:
    """Read a lake, through a connection to a snapshot of it or a new one.

    A lake that has another secret than the cluster is not the cluster's: nothing is read from it.
    """
    if root is None:
        return LakeView("no lake was named")
    import duckdb

    from logagg.query import snapshot

    found = LakeView()
    try:
        with contextlib.ExitStack() as stack:
            used = connection or stack.enter_context(snapshot.connect(root))
            if secret is not None and not _is_of(used, secret):
                return LakeView(f"{root}: the lake of another secret; name this cluster's with --lake")
            _read_catalog(found, used)
    except LakeError as error:
        found.problem = str(error)
    except duckdb.Error as error:
        found.problem = f"{root}: cannot be read ({str(error).splitlines()[0]})"
    _read_files(found, root)
    return found


def _is_of(connection: duckdb.DuckDBPyConnection, secret: bytes) -> bool:
    cursor = connection.execute("FROM lake")
    names, row = [column[0] for column in cursor.description or ()], cursor.fetchone() or ()
    digest = dict(zip(names, row, strict=False)).get("secret") or ""  # an earlier logagg wrote none
    return layout.is_secret(secret, digest)


_LOGS = f"""
    SELECT tailer, path, position, size, lag FROM (
        SELECT tailer, any_value(path) AS path, min(position) AS position, max(size) AS size,
            if(any_value(compression) = '', greatest(0, max(size) - min(position)), NULL) AS lag
        FROM sources WHERE gone IS NULL AND tailer <> '' GROUP BY source, tailer HAVING NOT bool_and(finished)
    ) QUALIFY row_number() OVER (PARTITION BY tailer ORDER BY lag DESC NULLS LAST, path) <= {LOGS}
    ORDER BY tailer, path"""


def _read_catalog(found: LakeView, connection: duckdb.DuckDBPyConnection) -> None:
    [(found.commits, found.last_commit)] = connection.execute(
        "SELECT count(*), max(committed_at) FROM commits"
    ).fetchall()
    positions = "SELECT tailer, shard, sum(position)::BIGINT FROM sources WHERE tailer <> '' GROUP BY ALL"
    for tailer, shard, position in connection.execute(positions).fetchall():
        found.committed.setdefault(tailer, {})[shard] = position
    counts = "SELECT tailer, count(DISTINCT source) FROM sources WHERE tailer <> '' GROUP BY tailer"
    found.sources = dict(connection.execute(counts).fetchall())
    for tailer, *values in connection.execute(_LOGS).fetchall():
        found.logs.setdefault(tailer, []).append(LogPosition(*values))


def _read_files(found: LakeView, root: Path) -> None:
    """Read the files beside the catalog: each may be missing, or closed to this user."""
    try:
        found.shards = layout.shards_of(root)
        found.owners = {int(name): pid for name, pid in locks.holders(root).items() if name.isdecimal()}
        found.heartbeats = tuple(heartbeats.read_remote(root))
        found.kept = quarantine.kept(root)
    except LakeError as error:
        found.problem = found.problem or str(error)
    except OSError as error:
        found.problem = found.problem or f"{error.filename or root}: {error.strerror}"
