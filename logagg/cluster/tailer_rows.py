"""The tailers of a cluster as a monitor shows them: by their heartbeats, and by their reports to the workers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TypedDict

from logagg.cluster.lake_view import LakeView
from logagg.cluster.protocol import Reply
from logagg.heartbeat import decode
from logagg.quantities import counted
from logagg.query import tails
from logagg.query.tails import TailHealth

SILENT = 30  # seconds without a report after which a tailer with unsent data is a problem
BEHIND = 60  # seconds that a tailer's bytes may wait to be committed

Report = Mapping[str, int]


class LogRow(TypedDict):
    """A log that is not finished."""

    path: str
    position: int  # committed by all shards, in decompressed bytes
    size: int  # bytes on disk, at the last commit
    lag: int | None  # bytes that were not committed then; None if the log is compressed


class TailerRow(TypedDict):
    """A tailer. Unknown values are None."""

    name: str
    version: str | None  # of logagg; None: it does not say
    state: str | None  # "running", "ended", or "lost"
    lag_bytes: int | None  # unread or uncommitted
    lag_seconds: float | None  # everything in the logs at that time before now is committed
    resent: int | None  # jobs
    sources: int  # logs, also finished ones
    position: int | None  # bytes of all its logs, committed by the shard that is furthest
    shard_lag: int | None  # bytes between that shard and the last
    unread: int | None  # bytes
    uncommitted: int | None  # bytes that were sent
    behind: int | None  # seconds for which they wait
    refused: int | None  # replies
    silent: int | None  # seconds since its last report to a worker
    logs: list[LogRow]  # the hundred that are furthest behind


class Tailers:
    """The reports about tailers: of the workers, and of the lake."""

    def __init__(self, answers: Mapping[int, Reply], lake: LakeView, now: float) -> None:
        self._lake = lake
        self._reports: dict[str, dict[int, Report]] = {}  # by tailer and shard
        for shard, answer in answers.items():
            for name, report in answer.reports.items():
                if name:
                    self._reports.setdefault(name, {})[shard] = report
        self._tails = _newest([*_heard(answers), *(tails.of_remote(one, now) for one in lake.heartbeats)])

    @property
    def heartbeats(self) -> list[TailHealth]:
        return list(self._tails.values())

    def rows(self) -> list[TailerRow]:
        return [self._row(name) for name in sorted({*self._reports, *self._tails, *self._lake.sources})]

    def waiting(self) -> Iterator[str]:
        """Yield what the tailers wait for."""
        for tail in self._tails.values():
            yield from tails.waiting(tail) if tail.state == "running" else ()

    def problems(self, max_age: float | None) -> Iterator[str]:
        for name, tail in self._tails.items():
            yield from tails.problems(tail)
            if "silent" not in self._told(name):
                yield from tails.silent(tail)
        for name in sorted(self._reports):
            yield from self._standstill(name, self._told(name))
        if max_age is not None:
            yield from tails.too_old(self.heartbeats, max_age) if self._tails else ("no heartbeat of a tailer",)

    def _standstill(self, name: str, told: Report) -> Iterator[str]:
        if told.get("behind", 0) > BEHIND and name not in self._tails:
            yield f"tailer {name}: {counted(told['uncommitted'], 'byte waits', 'bytes wait')} to be committed for {told['behind']} s"
        if told.get("silent", 0) > SILENT and (told.get("unread", 0) or told.get("uncommitted", 0)):
            yield f"tailer {name}: no heartbeat for {told['silent']} s; it had more to send"

    def _told(self, name: str) -> Report:
        """Return a tailer's last numbers: it reports to the first shard."""
        return self._reports.get(name, {}).get(0, {})

    def _row(self, name: str) -> TailerRow:
        told, tail = self._told(name), self._tails.get(name)
        numbers = {key: told.get(key, getattr(tail.heartbeat, key) if tail else None) for key in _BOTH}
        shards = self._reports.get(name, {})
        committed = [one.get("committed", 0) for one in shards.values()]
        committed = committed or list(self._lake.committed.get(name, {}).values())
        unread, uncommitted = numbers["unread"], numbers["uncommitted"]
        counts = [self._lake.sources.get(name, 0), *(one.get("sources", 0) for one in shards.values())]
        return {
            "name": name,
            "version": tail.heartbeat.version or None if tail else None,
            "state": _state(tail, told),
            "lag_bytes": None if unread is None or uncommitted is None else unread + uncommitted,
            "lag_seconds": _lag(tail),
            "resent": numbers["resent"],
            "sources": max(counts),
            "position": max(committed, default=None),
            "shard_lag": max(committed) - min(committed) if committed else None,
            "unread": unread,
            "uncommitted": uncommitted,
            "behind": told.get("behind"),
            "refused": told.get("refused"),
            "silent": told.get("silent"),
            "logs": [LogRow(**asdict(log)) for log in self._lake.logs.get(name, ())],  # type: ignore[typeddict-item]
        }


_BOTH = ("unread", "uncommitted", "resent")  # in a report to a worker, and in a heartbeat


def _heard(answers: Mapping[int, Reply]) -> Iterator[TailHealth]:
    """Yield the heartbeats that workers have received, judged by the worker's clock."""
    for answer in answers.values():
        for text in answer.heartbeats:
            with contextlib.suppress(ValueError):  # of another version
                yield tails.of_remote(decode(text), answer.reports[""]["at"])


def _newest(found: Sequence[TailHealth]) -> dict[str, TailHealth]:
    """Return the newest heartbeat of each tailer."""
    newest: dict[str, TailHealth] = {}
    for tail in found:
        if tail.name not in newest or tail.heartbeat.heard > newest[tail.name].heartbeat.heard:
            newest[tail.name] = tail
    return dict(sorted(newest.items()))


def _state(tail: TailHealth | None, told: Report) -> str | None:
    if tail:
        return tail.state
    return None if "silent" not in told else "running" if told["silent"] <= SILENT else "lost"


def _lag(tail: TailHealth | None) -> float | None:
    """Return the lag in seconds: it grows until the next heartbeat, unless the tail has ended."""
    if tail is None:
        return None
    return round(tail.heartbeat.behind + (0.0 if tail.state == "ended" else tail.age), 1)
