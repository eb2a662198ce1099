"""A cluster at one moment: its job servers, shards and tailers, and the jobs in quarantine.

Three parties are asked, each of which may be down or closed to this user: the job servers, by their admin protocol; the
files of the lake, as a reader; and, with the lake's secret, the workers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from logagg.clock import Clock
from logagg.cluster import admin, lake_view, shard_rows
from logagg.cluster.admin import ServerState
from logagg.cluster.auth import Keys
from logagg.cluster.gearman import Server
from logagg.cluster.json_values import iso, plain
from logagg.cluster.lake_view import LakeView
from logagg.cluster.quarantine import KeptJob
from logagg.cluster.shard_rows import ShardRow, Shards, shard_of
from logagg.cluster.shard_status import StatusQueries
from logagg.cluster.tailer_rows import TailerRow, Tailers

if TYPE_CHECKING:
    import duckdb

FUNCTIONS = 1000  # of other programs, of a server


class FunctionRow(TypedDict):
    """A function of a job server."""

    name: str
    queued: int  # jobs that wait for a worker
    running: int
    workers: int  # that are connected, busy or not


class ServerRow(TypedDict):
    """A job server."""

    address: str
    up: bool
    problem: str
    version: str | None
    functions: list[FunctionRow]
    omitted: int  # functions of other programs that are not listed


class QuarantineRow(TypedDict):
    """A job that was given up."""

    file: str  # in the lake
    reason: str
    bytes: int
    at: str | None  # when it was kept


class LakeRow(TypedDict):
    """The lake, by its files."""

    commits: int | None  # None: it could not be read
    last_commit: str | None
    problem: str


class Cluster(TypedDict):
    """The result of `observe`, in the types of JSON. Times are in ISO 8601."""

    servers: list[ServerRow]
    shards: list[ShardRow]
    tailers: list[TailerRow]
    quarantine: list[QuarantineRow]
    lake: LakeRow


class CheckedCluster(Cluster):
    """The result of `check`."""

    problems: list[str]  # empty: healthy
    waiting: list[str]  # paths that the tailers wait for
    heartbeats: list[dict[str, Any]]  # of the tailers


def observe(
    servers: Sequence[Server],
    root: Path | None,
    secret: bytes | None,
    clock: Clock,
    connection: duckdb.DuckDBPyConnection | None = None,
) -> dict[str, Any]:
    """Return the state of a cluster, a `Cluster`; see `check`."""
    found = check(servers, root, secret, clock, connection)
    return {name: value for name, value in found.items() if name in Cluster.__annotations__}


def check(
    servers: Sequence[Server],
    root: Path | None,
    secret: bytes | None,
    clock: Clock,
    connection: duckdb.DuckDBPyConnection | None = None,
    max_age: float | None = None,
) -> CheckedCluster:
    """Return the state of a cluster and its problems; a process that does not answer is one of them, not a failure.

    `root` is the lake, if it is here, and `connection` one to a snapshot of it. Without the secret the workers are not
    asked: tailers come from the heartbeats in the lake then. With `max_age`, older heartbeats and lines are a problem.
    It takes 3 s if a job server does not answer, and 5 s more if a worker does not.
    """
    states = admin.look_at(servers, clock)
    lake = lake_view.view(root, secret, connection)
    shards, up = Shards(states, lake), [state.server for state in states if state.up]
    answers = StatusQueries(up, clock, Keys(secret)).run(shards.served()) if secret and up else {}
    tailers = Tailers(answers, lake, clock.now())
    rows = shards.rows(answers, asked=secret is not None)
    problems = [state.problem for state in states if state.problem] + list(shard_rows.problems(rows))
    found: CheckedCluster = {
        "servers": [_server(state) for state in states],
        "shards": rows,
        "tailers": tailers.rows(),
        "quarantine": [_quarantined(job) for job in lake.kept],
        "lake": _lake(lake),
        "problems": problems + list(tailers.problems(max_age)),
        "waiting": list(tailers.waiting()),
        "heartbeats": [tail.as_dict() for tail in tailers.heartbeats],
    }
    whole: CheckedCluster = plain(found)
    return whole


def _server(state: ServerState) -> ServerRow:
    functions = sorted(state.functions, key=_order)
    ours = sum(shard_of(one.name) is not None for one in functions)
    rows: list[FunctionRow] = [
        {"name": one.name, "queued": one.queued, "running": one.running, "workers": one.workers}
        for one in functions[: ours + FUNCTIONS]
    ]
    return {
        "address": str(state.server),
        "up": state.up,
        "problem": state.problem,
        "version": state.version or None,
        "functions": rows,
        "omitted": len(functions) - len(rows),
    }


def _order(function: admin.Function) -> tuple[bool, str, int]:
    """Sort functions: those of shards first, by number."""
    shard = shard_of(function.name)
    return shard is None, function.name.rpartition(".")[0] if shard is not None else function.name, shard or 0


def _quarantined(job: KeptJob) -> QuarantineRow:
    return {"file": job.file, "reason": job.reason, "bytes": job.bytes, "at": iso(job.at)}


def _lake(lake: LakeView) -> LakeRow:
    last = lake.last_commit.timestamp() if lake.last_commit else None
    return {"commits": lake.commits, "last_commit": iso(last), "problem": lake.problem}
