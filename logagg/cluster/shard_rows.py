"""The shards of a cluster as a monitor shows them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TypedDict

from logagg.cluster.admin import LONGEST, ServerState
from logagg.cluster.json_values import iso
from logagg.cluster.lake_view import LakeView
from logagg.cluster.protocol import Reply
from logagg.cluster.sender import JOBS, REQUESTS
from logagg.quantities import counted

MOST = 1 << 12  # shards: any client of a job server may register functions of any number
RECENT = 300  # seconds for which a refused message is a problem

Report = Mapping[str, int]

NO_SERVER = "no job server answers"
NO_SECRET = "its worker was not asked: that takes the lake's secret"
NO_WORKER = "no worker answers: none is connected to a job server; start one"
NO_ANSWER = (
    "no worker answers with the lake's secret: one is connected, but hangs, is busy, or has another; "
    "check that --secret is the lake's"
)


class ShardRow(TypedDict):
    """A shard. Numbers that are not known are None; the numbers of a worker begin when it takes the shard over."""

    shard: int
    owner: str | None  # host and process of the worker; the host only by what it tells the job server
    workers: int  # that serve it, of all job servers
    queued: int
    running: int
    lag: int | None  # bytes of logs that some shard has received, and this one has not committed
    taken: int | None  # jobs
    duplicates: int | None
    gaps: int | None
    held: int | None  # bytes in memory
    refused: int | None  # messages
    commits: int | None
    last_commit: str | None
    problem: str  # also why numbers are missing


class Shards:
    """The reports about shards: of job servers, of workers by shard, and of the lake."""

    def __init__(self, servers: Sequence[ServerState], lake: LakeView) -> None:
        self._servers, self._lake = [server for server in servers if server.up], lake
        self._queues: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
        for function in (one for server in self._servers for one in server.functions):
            if (shard := shard_of(function.name)) is not None and function.name.startswith(JOBS):
                for at, number in enumerate((function.queued, function.running, function.workers)):
                    self._queues[shard][at] += number

    def served(self) -> set[int]:
        """Return the shards that a connected worker serves."""
        return {shard for shard, (_, _, workers) in self._queues.items() if workers}

    def rows(self, answers: Mapping[int, Reply], *, asked: bool) -> list[ShardRow]:
        lags = _lags(answers, self._lake)
        return [self._row(shard, answers.get(shard), lags, asked) for shard in range(self._count(answers))]

    def _count(self, answers: Mapping[int, Reply]) -> int:
        known = max((answer.shards for answer in answers.values()), default=0) or self._lake.shards
        return min(known or max(self._queues, default=0) + 1, MOST)

    def _row(self, shard: int, answer: Reply | None, lags: _Lags, asked: bool) -> ShardRow:
        queued, running, workers = self._queues.get(shard, (0, 0, 0))
        mine = answer.reports[""] if answer else {}
        return {
            "shard": shard,
            "owner": self._owner(shard, mine),
            "workers": workers,
            "queued": queued,
            "running": running,
            "lag": lags.of(shard),
            "taken": mine.get("taken"),
            "duplicates": mine.get("duplicates"),
            "gaps": mine.get("gaps"),
            "held": mine.get("held"),
            "refused": mine.get("refused"),
            "commits": mine.get("commits"),
            "last_commit": iso(mine.get("committed_at")),
            "problem": self._problem(shard, workers, mine, asked),
        }

    def _owner(self, shard: int, mine: Report) -> str | None:
        """Return the owner: the process by its own word or its lease, its host by the id at a job server."""
        pid = mine.get("pid") or self._lake.owners.get(shard)
        function = f"{JOBS}{shard}"
        names = sorted({name for server in self._servers for name, can in server.workers if function in can})
        if pid:
            names = [name for name in names if name.endswith(f"-{pid}")] or [f"process {pid}"]
        return ", ".join(names)[:LONGEST] or None

    def _problem(self, shard: int, workers: int, mine: Report, asked: bool) -> str:
        if mine:
            return _refusals(mine)
        if not self._servers:
            return NO_SERVER
        if not workers:
            return NO_WORKER
        return NO_ANSWER if asked else NO_SECRET


def problems(rows: Sequence[ShardRow]) -> Iterator[str]:
    """Yield the problems of shards, except those that the absence of servers or of a secret explains."""
    for row in rows:
        if row["problem"] not in ("", NO_SERVER, NO_SECRET):
            yield f"shard {row['shard']}: {row['problem']}"


def shard_of(function: str) -> int | None:
    """Return the shard of a function; None if it is another program's."""
    kind, _, shard = function.rpartition(".")
    is_ours = f"{kind}." in (JOBS, REQUESTS) and shard.isascii() and shard.isdecimal() and len(shard) < 5
    return int(shard) if is_ours and int(shard) < MOST else None


def _refusals(mine: Report) -> str:
    if mine.get("refused_age", RECENT) >= RECENT:
        return ""
    why = "a tail has another secret or version, or another program sends to the job server"
    return f"refused {counted(mine['refused'], 'message')}, the last {mine['refused_age']} s ago: {why}"


class _Lags:
    """How far each shard is behind what some shard has received."""

    def __init__(self, committed: Mapping[str, Mapping[int, int]], reached: Mapping[str, int], known: set[int] | None):
        self._committed, self._reached, self._known = committed, reached, known

    def of(self, shard: int) -> int | None:
        """Return the bytes; None if it is not known what the shard has committed."""
        if self._known is not None and shard not in self._known:
            return None
        mine = {tailer: shards.get(shard, 0) for tailer, shards in self._committed.items()}
        return sum(max(0, reached - mine.get(tailer, 0)) for tailer, reached in self._reached.items())


def _lags(answers: Mapping[int, Reply], lake: LakeView) -> _Lags:
    committed = {tailer: dict(shards) for tailer, shards in lake.committed.items()}
    reached = {tailer: max(shards.values(), default=0) for tailer, shards in committed.items()}
    for shard, answer in answers.items():
        for tailer, report in answer.reports.items():
            if tailer:
                mine = committed.setdefault(tailer, {})
                mine[shard] = max(mine.get(shard, 0), report.get("committed", 0))
                reached[tailer] = max(reached.get(tailer, 0), mine[shard], report.get("applied", 0))
    return _Lags(committed, reached, set(answers) if lake.commits is None else None)
