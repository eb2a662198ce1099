"""How a tailer begins: it tells the workers who it is, and learns from every shard how far that has come."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from logagg.clock import Clock
from logagg.cluster.auth import Keys
from logagg.cluster.outbox import Outbox
from logagg.cluster.protocol import Reply
from logagg.cluster.refusals import Refusals
from logagg.cluster.transport import Sender, SendResult
from logagg.errors import ClusterError
from logagg.notices import Report, no_server_answers, no_worker_answers, shards_connected
from logagg.records import KnownSource, Progress, Source
from logagg.sharding import of_all_shards

SAY = 3.0  # seconds of waiting after which it is said
IN_VAIN = 20.0  # seconds without one authentic answer, but with others, after which `--once` ends
MISFIT = "misfit: "  # begins the reason where trying again is of no use


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a tailer is, for the workers."""

    tailer: str
    keys: Keys
    run: str = field(default_factory=lambda: secrets.token_hex(8))  # differs by session: two may take the same epoch


class Messenger(Protocol):
    """Asks shards, and tells authentic answers from others: the part of `sender.Dispatch` that a handshake needs."""

    outboxes: list[Outbox]
    epoch: int

    def ask_owner(self, outbox: Outbox) -> None: ...
    def ask(self, outbox: Outbox, *, begins: bool = False) -> None: ...
    def answer(self, outcome: SendResult) -> Reply | None: ...
    def fail(self, outbox: Outbox, reason: str) -> None: ...


@dataclass(slots=True)
class Handshake:
    """The greeting of one session; it ends when every shard has answered, or when the tailer is to leave before."""

    messenger: Messenger
    sender: Sender
    clock: Clock
    notice: Report
    refusals: Refusals
    tailer: str
    leaving: Callable[[], bool]
    once: bool
    limit: int = 0  # bytes that a job may unpack to, by the least of the shards
    _began: float = field(init=False)
    _said: bool = field(default=False, init=False)  # what it waits for
    _met: bool = field(default=False, init=False)  # an authentic answer has come

    def __post_init__(self) -> None:
        self._began = self.clock.monotonic()

    def greet(self) -> list[KnownSource] | None:
        """Wait until every shard has said how far it has come; return that, None when we are to leave before.

        First all shards are asked for the last epoch of this tailer, and we take the next one. The first shard is where two
        processes meet that take the same: one of them has to ask again. Raises ClusterError when tailer and workers do not fit
        together, or, with `once`, when no authentic answer comes.
        """
        messenger = self.messenger
        begin = partial(messenger.ask, begins=True)
        messenger.outboxes = [Outbox(0, asking=True)]
        while True:
            met = self._ask_all(lambda: messenger.outboxes, messenger.ask_owner)
            if met is None:
                return None
            messenger.epoch = 1 + max(answer.epoch for answer in met)
            self.limit = min(answer.limit for answer in met)
            first = self._ask_all(lambda: messenger.outboxes[:1], begin)
            if first is None:
                return None
            if first[0].outcome == "taken":
                break
        others = self._ask_all(lambda: messenger.outboxes[1:], begin)
        if others is None:
            return None
        if any(answer.outcome == "superseded" for answer in others):
            raise superseded(self.tailer)
        self.notice(shards_connected(len(messenger.outboxes), list(map(str, self.sender.servers))))
        return known_sources([*first, *others])

    def _ask_all(self, outboxes: Callable[[], Sequence[Outbox]], ask: Callable[[Outbox], None]) -> list[Reply] | None:
        """Ask shards until all have answered; return their answers, None when we are to leave before."""
        answers: dict[int, Reply] = {}
        while len(answers) < len(outboxes()):
            if self.leaving():
                return None
            missing = [outbox for outbox in outboxes() if outbox.shard not in answers]
            self._say_if_waiting([outbox.shard for outbox in missing])
            self.sender.connect()
            for outbox in missing:
                if outbox.may_ask(self.clock.monotonic()):
                    ask(outbox)
            for outcome in self.sender.poll(0.2):
                self._hear(outcome, answers)
        return [answers[outbox.shard] for outbox in outboxes()]

    def _hear(self, outcome: SendResult, answers: dict[int, Reply]) -> None:
        outbox: Outbox = outcome.of[0]
        outbox.note_outcome()
        answer = self.messenger.answer(outcome)
        if answer is None:
            self.messenger.fail(outbox, outcome.reason)
            return
        self._met = True
        outbox.set_owner(answer.owner)
        if answer.outcome not in ("taken", "superseded"):
            self.messenger.fail(outbox, answer.reason)
            return
        outbox.greet(self.clock.monotonic())
        answers[outbox.shard] = answer
        known = self.messenger.outboxes
        known += [Outbox(shard, asking=True) for shard in range(len(known), answer.shards)]

    def _say_if_waiting(self, missing: Sequence[int]) -> None:
        """Say what we wait for, once. Raises ClusterError where `--once` waits in vain."""
        waited = self.clock.monotonic() - self._began
        if not self._said and waited > SAY:
            self._said = True
            self.notice(no_worker_answers(missing) if self.sender.servers else no_server_answers())
        if self.once and not self._met and self.refusals.total and waited > IN_VAIN:
            hint = "see that --secret is the lake's, and that all run the same version; docs/cluster.md"
            raise ClusterError(f"tailer {self.tailer} has another secret than the lake, or another version", hint)


def superseded(tailer: str) -> ClusterError:
    """Return the error of a tailer whose name another process has taken since."""
    hint = "two tailers have the same name: give each another with --name"
    return ClusterError(f"a later tailer has come that is named {tailer}, too", hint)


def known_sources(answers: Sequence[Reply]) -> list[KnownSource]:
    """Put together what the shards know of each source; the record of the first shard is the newest."""
    sources: dict[str, Source] = {}
    progress: dict[str, dict[int, Progress]] = {}
    for shard, answer in reversed(list(enumerate(answers))):
        for known in answer.known:
            sources[known.source.id] = known.source
            if known.progress:
                progress.setdefault(known.source.id, {})[shard] = known.progress
    return [_known_source(source, progress[id_], len(answers)) for id_, source in sources.items() if id_ in progress]


def _known_source(source: Source, progress: dict[int, Progress], shards: int) -> KnownSource:
    """Return a source with the progress of every shard; it is not finished while a shard is behind another."""
    known = KnownSource(source, of_all_shards(source, progress, shards))
    is_behind = known.resume.position < known.furthest.position
    return replace(known, source=replace(source, finished=False)) if is_behind else known
