"""`logagg status --gearman`: a cluster as tables for people, and as JSON with the names that it has had since 0.1."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from logagg.cluster.monitor import CheckedCluster, ServerRow
from logagg.cluster.shard_rows import shard_of
from logagg.query.render import Rows

_SERVERS = ("server", "up", "version", "functions", "queued", "running")
_FUNCTIONS = ("server", "function", "queued", "running", "workers")
_SHARDS = ("shard", "owner", "workers", "queued", "running", "lag", "taken", "duplicates", "gaps", "held", "refused")
_TAILERS = ("tailer", "version", "state", "sources", "position", "shard_lag", "lag_bytes", "lag_seconds", "resent")
_LOGS = ("tailer", "path", "position", "size", "lag")
_QUARANTINE = ("file", "bytes", "at", "reason")


def as_dict(found: CheckedCluster) -> dict[str, Any]:
    """Return a cluster for `--json`: `functions` of a server are a number there, and listed beside the servers."""
    return {
        **found,
        "servers": [_server(row) for row in found["servers"]],
        "functions": [
            {
                "server": row["address"],
                "function": one["name"],
                **{key: one[key] for key in ("queued", "running", "workers")},
            }
            for row in found["servers"]
            for one in row["functions"]
        ],
        "tailers": [{"tailer": row["name"], **row} for row in found["tailers"]],
        "healthy": not found["problems"],
    }


def tables(found: Mapping[str, Any]) -> Iterator[Rows]:
    """Yield what `as_dict` has returned as tables; an empty one is left out."""
    logs = [{"tailer": row["name"], **log} for row in found["tailers"] for log in row["logs"]]
    for columns, rows in (
        (_SERVERS, found["servers"]),
        (_FUNCTIONS, found["functions"]),
        ((*_SHARDS, "commits", "last_commit"), found["shards"]),
        ((*_TAILERS, "refused", "silent"), found["tailers"]),
        (_LOGS, logs),
        (_QUARANTINE, found["quarantine"]),
    ):
        if rows:
            yield _table(columns, rows)


def _table(columns: tuple[str, ...], rows: Sequence[Mapping[str, Any]]) -> Rows:
    return Rows(columns, [[row[column] for column in columns] for row in rows])


def _server(row: ServerRow) -> dict[str, Any]:
    """Return a server with the number of functions of shards, and the jobs in them."""
    ours = [one for one in row["functions"] if shard_of(one["name"]) is not None]
    return {
        "server": row["address"],
        **row,
        "functions": len(ours),
        "queued": sum(one["queued"] for one in ours),
        "running": sum(one["running"] for one in ours),
    }
