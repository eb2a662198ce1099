"""Asks the newest snapshot of a lake for parts of the picture. Its calls block, so threads make them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from logagg.clock import Clock
from logagg.errors import LogaggError, QueryFailed
from logagg.explore.facts import Facts
from logagg.explore.page import age_of, has_values, newest_day, span, status_answer
from logagg.explore.panels import Panel, is_present, panels_of
from logagg.explore.query import Ask
from logagg.explore.scope import Scope
from logagg.explore.snapshots import AT_A_TIME, AnswerLimits, Left, Snapshots
from logagg.explore.view import View
from logagg.query.snapshot import target_of
from logagg.quoting import literal

Answer = Mapping[str, Any]


class Part(NamedTuple):
    """A part of the picture: its name, the key of everything it depends on, and the function that asks for it."""

    name: str
    key: Hashable
    ask: Callable[[Scope, Facts, Ask], Answer]


@dataclass(frozen=True, slots=True)
class Loaded:
    """Answers from one commit, and their scope."""

    scope: Scope
    commit: str  # the name of its catalog
    answers: Mapping[str, Answer]


@dataclass(frozen=True, slots=True)
class LakeFacts:
    """What a lake has: its panels, and the times of its data."""

    panels: tuple[Panel, ...]
    newest: datetime | None
    oldest: datetime | None
    committed_at: datetime | None

    def age(self, now: float) -> float | None:
        return age_of(self.newest, self.committed_at, now)


@dataclass(slots=True)
class Source:
    """The lake."""

    root: Path
    clock: Clock
    limits: AnswerLimits
    zone: str = "UTC"  # the time zone of times in `where`
    where: str = ""  # the user's SQL condition: with one, queries can read nothing but the snapshot
    _snapshots: Snapshots = field(init=False)
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(AT_A_TIME, "part"), init=False)

    def __post_init__(self) -> None:
        self._snapshots = Snapshots(self.root, self.limits, self.zone, confined=bool(self.where))

    @property
    def commit(self) -> str:
        """The name of the newest commit's catalog; does not block. Raises LakeError."""
        return target_of(self.root).stem

    def load(self, view: View, parts: Sequence[Part], stop: Left | None = None) -> Loaded:
        """Return the answers for parts, all from one commit and for the same time. Raises LogaggError."""
        snapshot, scope = self._snapshots.newest(), view.scope(self.clock.now())
        with _told(), snapshot.queries(stop) as queries:
            ask = queries.about(scope)
            running = [self._threads.submit(part.ask, scope, snapshot.facts, ask) for part in parts]
            wait(running)
            answers = [one.result() for one in running]
        return Loaded(scope, snapshot.name, dict(zip((part.name for part in parts), answers, strict=True)))

    def look(self, *, thoroughly: bool) -> LakeFacts:
        """Return what the lake has; `thoroughly`: search requests for panels, too. Raises LogaggError."""
        snapshot = self._snapshots.newest()
        with _told(), snapshot.queries() as ask:
            oldest, newest = span(snapshot.facts, ask)
            panels, since = panels_of(snapshot.facts).values(), newest_day(newest, snapshot.facts)
            found = tuple(one for one in panels if _is_there(one, snapshot.facts, ask, since, thoroughly=thoroughly))
        return LakeFacts(found, newest, oldest, snapshot.facts.committed_at)

    def status(self) -> Answer:
        """Return the state of the tails. Raises LogaggError."""
        with _told():
            return status_answer(self._snapshots.newest().status(self.root, self.clock.now()))

    def alerts(self) -> Sequence[Answer]:
        """Return the alerts as they are now, firing ones first. Raises LogaggError."""
        from logagg.alert.overview import rows  # late: it imports much, for which the first picture need not wait

        return [one.as_dict() for one in rows(self.root, self.clock.now())]

    def line(self, row: Answer) -> Answer:
        """Return the log line of a request, or the reason why it is missing."""
        from logagg.query.lines import LinesRequest, find  # late: it imports the parsers, for 0.1 s

        where, since = f"source = {literal(row['source'])} AND position = {row['position']:d}", row["ts"]
        request = LinesRequest(where, since, since + timedelta(seconds=1), limit=1)
        try:
            with find(self.root, request) as found:
                return next((one.as_dict() for one in found), {"line": None, "reason": "its request is no longer kept"})
        except LogaggError as error:
            return {"line": None, "reason": str(error)}


def _is_there(panel: Panel, facts: Facts, ask: Ask, since: datetime, *, thoroughly: bool) -> bool:
    query = is_present(panel, facts, since)
    return has_values(panel, facts, ask, since) if thoroughly or "FROM files" in query else not query


@contextmanager
def _told() -> Iterator[None]:
    """Translate an error of DuckDB, which the user's condition may cause, into LogaggError."""
    try:
        yield
    except duckdb.Error as error:
        raise QueryFailed(str(error).splitlines()[0]) from error
