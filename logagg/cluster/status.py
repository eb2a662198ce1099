"""`logagg status --gearman`: the state of the job servers, the shards and their tailers."""

from __future__ import annotations

import contextlib
import secrets
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from logagg.clock import Clock
from logagg.cluster import protocol
from logagg.cluster.auth import Keys
from logagg.cluster.gearman import Server, ask
from logagg.cluster.protocol import NO_OWNER, TOKEN, OwnerRequest, Reply, Request, StatusRequest
from logagg.cluster.sender import JOBS, REQUESTS
from logagg.cluster.transport import Sender, SendResult
from logagg.errors import ServerError, WireError
from logagg.heartbeat import decode
from logagg.notices import ignore
from logagg.parse.schemas import EVENT_SCHEMA
from logagg.query import tails
from logagg.query.tails import TailHealth

MOST = 1 << 12  # shards: any client of a job server may register functions of any number
RECENT = 300  # seconds for which a refused message is a problem
WAIT = 5.0  # seconds for the shards to answer
SILENT = 30  # seconds without a report after which a tailer with unsent data is a problem
BEHIND = 60  # seconds that a tailer's bytes may wait to be committed

StatusRow = dict[str, int | str | None]


@dataclass(slots=True)
class ClusterStatus:
    """The state of a cluster at one moment."""

    servers: list[StatusRow] = field(default_factory=list)
    shards: list[StatusRow] = field(default_factory=list)
    tailers: list[StatusRow] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)  # what the tailers wait for
    heartbeats: list[dict[str, Any]] = field(default_factory=list)  # of the tailers, as JSON objects


def look(servers: Sequence[Server], clock: Clock, keys: Keys | None, max_age: float | None = None) -> ClusterStatus:
    """Ask the job servers and, with keys, the workers; one that does not answer is a problem, not a failure."""
    found = ClusterStatus()
    queues: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    for server in servers:
        try:
            functions = [line for line in ask(server, "status") if _is_ours(line)]
        except ServerError as error:
            found.problems.append(str(error))
            continue
        for name, *numbers in functions:
            shard = int(name.rpartition(".")[2])
            counts = [int(number) for number in numbers]
            if name.startswith(JOBS):
                queues[shard] = [one + other for one, other in zip(queues[shard], counts, strict=True)]
        jobs = [sum(int(line[at]) for line in functions) for at in (1, 2)]
        found.servers.append(
            {"server": str(server), "functions": len(functions), "queued": jobs[0] - jobs[1], "running": jobs[1]}
        )
    answers = _Survey(servers, clock, keys).run(set(queues)) if found.servers and keys else {}
    _add_shards(found, answers, queues)
    if not keys:
        return found
    _add_problems(found, answers)
    _add_heartbeats(found, answers, max_age)
    _add_tailers(found, answers)
    return found


def _is_ours(line: list[str]) -> bool:
    """Return whether a line of the server's status is of a function of a shard."""
    kind, _, shard = line[0].rpartition(".")
    return (
        f"{kind}." in (JOBS, REQUESTS) and shard.isdecimal() and len(shard) < 5 and int(shard) < MOST and len(line) == 4
    )


class _Survey:
    """Asks every shard for its state; the first answer tells how many shards there are.

    A shard is first asked for a token: it answers a StatusRequest with that token, and each token once.
    """

    def __init__(self, servers: Sequence[Server], clock: Clock, keys: Keys) -> None:
        self._sender = Sender(servers, clock, ignore)
        self._clock, self._keys = clock, keys
        self._answers: dict[int, Reply] = {}
        self._tokens: dict[int, bytes] = {}
        self._on_way: set[int] = set()

    def run(self, shards: set[int]) -> dict[int, Reply]:
        wanted, end = shards | {0}, self._clock.monotonic() + WAIT
        self._sender.connect()
        while self._clock.monotonic() < end and len(self._answers) < len(wanted):
            for shard in wanted - self._on_way - set(self._answers):
                self._ask(shard)
            for outcome in self._sender.poll(0.1):
                answer = self._hear(outcome)
                wanted |= set(range(min(answer.shards, MOST))) if answer else set()
        self._sender.close()
        return self._answers

    def _ask(self, shard: int) -> None:
        token, nonce = self._tokens.get(shard, NO_OWNER), secrets.token_bytes(TOKEN)
        asks_owner = token == NO_OWNER
        request: Request = OwnerRequest("", shard, for_status=True) if asks_owner else StatusRequest(shard)
        data = self._keys.sign(protocol.pack(request), nonce, token)
        if self._sender.send((shard, nonce, asks_owner), shard, f"{REQUESTS}{shard}", nonce.hex(), data, WAIT):
            self._on_way.add(shard)

    def _hear(self, outcome: SendResult) -> Reply | None:
        shard, nonce, asked_owner = outcome.of
        self._on_way.discard(shard)
        if (answer := self._read(outcome.data, nonce)) is None:
            return None
        if asked_owner or answer.outcome == "moved":
            self._tokens[shard] = bytes.fromhex(answer.owner) or NO_OWNER
        elif answer.reports:
            self._answers[shard] = answer
        return answer

    def _read(self, data: bytes | None, nonce: bytes) -> Reply | None:
        try:
            envelope = self._keys.check(data or b"")
            answer = protocol.read(envelope, EVENT_SCHEMA)
        except WireError:
            return None
        return answer if isinstance(answer, Reply) and envelope.nonce == nonce else None


def _add_shards(found: ClusterStatus, answers: dict[int, Reply], queues: dict[int, list[int]]) -> None:
    count = max([answer.shards for answer in answers.values()] + [shard + 1 for shard in queues], default=1)
    for shard in range(count):
        jobs, running, workers = queues.get(shard, [0, 0, 0])
        row: StatusRow = {"shard": shard, "workers": workers, "queued": jobs - running, "running": running}
        mine = answers[shard].reports.get("", {}) if shard in answers else {}
        row |= {name: mine.get(name) for name in ("taken", "duplicates", "gaps", "held", "refused")}
        found.shards.append(row)


def _add_problems(found: ClusterStatus, answers: dict[int, Reply]) -> None:
    for row in found.shards if found.servers else ():
        mine = answers[int(row["shard"] or 0)].reports[""] if row["shard"] in answers else {}
        if not mine:
            why = "no worker answers with the lake's secret; start one, or check that --secret is the lake's"
            found.problems.append(f"shard {row['shard']}: {why}")
        elif mine.get("refused_age", RECENT) < RECENT:
            why = "a tail has another secret or version, or another program sends to the job server"
            found.problems.append(
                f"shard {row['shard']}: refused {mine['refused']:,} messages, the last {mine['refused_age']} s ago: {why}"
            )


def _add_heartbeats(found: ClusterStatus, answers: dict[int, Reply], max_age: float | None) -> None:
    """Add the heartbeats of the tailers."""
    all_ = [tail for answer in answers.values() for tail in _tails(answer)]
    for tail in all_:
        found.waiting += tails.waiting(tail) if tail.state == "running" else ()
        found.problems += tails.problems(tail)
    found.heartbeats = [tail.as_dict() for tail in all_]
    if max_age is not None and found.servers:
        found.problems += tails.too_old(all_, max_age) if all_ else ["no tailer was heard of"]


def _tails(answer: Reply) -> Iterator[TailHealth]:
    """Yield the heartbeats that a worker has received, judged by the worker's clock."""
    for text in answer.heartbeats:
        with contextlib.suppress(ValueError):  # of another version
            yield tails.of_remote(decode(text), answer.reports[""]["at"])


def _add_tailers(found: ClusterStatus, answers: dict[int, Reply]) -> None:
    judged = {beat["tailer"] for beat in found.heartbeats}
    names = sorted({name for answer in answers.values() for name in answer.reports if name})
    for name in names:
        shards = {shard: answer.reports[name] for shard, answer in answers.items() if name in answer.reports}
        first = shards.get(0, {})
        committed = [one.get("committed", 0) for one in shards.values()]
        row: StatusRow = {"tailer": name, "sources": max(one.get("sources", 0) for one in shards.values())}
        row |= {"position": max(committed), "shard_lag": max(committed) - min(committed)}
        row |= {key: first.get(key) for key in ("unread", "uncommitted", "behind", "resent", "refused", "silent")}
        found.tailers.append(row)
        if first.get("behind", 0) > BEHIND and name not in judged:
            found.problems.append(
                f"tailer {name}: {first['uncommitted']:,} bytes wait to be committed for {first['behind']} s"
            )
        if first.get("silent", 0) > SILENT and (first.get("unread", 0) or first.get("uncommitted", 0)):
            found.problems.append(
                f"tailer {name}: nothing was heard of it for {first['silent']} s; it had more to send"
            )
