"""The start of a tailer's session: it gets its epoch from the shards, and the position of every shard in each source."""

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

SAY = 3.0  # seconds of waiting after which a notice is given
IN_VAIN = 20.0  # seconds with refused answers only after which `--once` ends
MISFIT = "misfit: "  # prefix of a reason for which a retry is useless


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity of a tailer, as the workers know it."""

    tailer: str
    keys: Keys
    run: str = field(default_factory=lambda: secrets.token_hex(8))  # differs by session: two may take the same epoch


class Messenger(Protocol):
    """Sends requests to shards, and authenticates their replies: the part of `sender.Dispatch` that a handshake needs."""

    outboxes: list[Outbox]
    epoch: int

    def ask_owner(self, outbox: Outbox) -> None: ...
    def ask(self, outbox: Outbox, *, begins: bool = False) -> None: ...
    def answer(self, outcome: SendResult) -> Reply | None: ...
    def fail(self, outbox: Outbox, reason: str) -> None: ...


@dataclass(slots=True)
class Handshake:
    """The handshake of one session; it ends when every shard has answered, or when the tailer is to stop."""

    messenger: Messenger
    sender: Sender
    clock: Clock
    notice: Report
    refusals: Refusals
    tailer: str
    leaving: Callable[[], bool]
    once: bool
    limit: int = 0  # bytes that a job may unpack to: the smallest limit of the shards
    _began: float = field(init=False)
    _said: bool = field(default=False, init=False)  # the notice that it waits was given
    _met: bool = field(default=False, init=False)  # an authentic answer was received

    def __post_init__(self) -> None:
        self._began = self.clock.monotonic()

    def greet(self) -> list[KnownSource] | None:
        """Wait for the positions of every shard; return them, or None if the tailer is to stop before.

        First all shards are asked for the last epoch of this tailer; this process takes the next one. If two processes take
        the same, the first shard accepts one of them, and the other has to ask again. Raises ClusterError if tailer and
        workers do not fit together, or, with `once`, if there is no authentic answer.
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
        """Ask shards until all have answered; return their answers, or None if the tailer is to stop before."""
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
        """Give a notice of the missing shards, once. Raises ClusterError if `--once` has waited in vain."""
        waited = self.clock.monotonic() - self._began
        if not self._said and waited > SAY:
            self._said = True
            self.notice(no_worker_answers(missing) if self.sender.servers else no_server_answers())
        if self.once and not self._met and self.refusals.total and waited > IN_VAIN:
            hint = "check that --secret is the lake's, and that all run the same version; logagg docs cluster"
            raise ClusterError(f"tailer {self.tailer} has another secret than the lake, or another version", hint)


def superseded(tailer: str) -> ClusterError:
    """Return the error of a tailer that a later process of the same name has superseded."""
    hint = "two tailers have the same name: give each its own with --name"
    return ClusterError(f"a later tailer named {tailer} has started", hint)


def known_sources(answers: Sequence[Reply]) -> list[KnownSource]:
    """Combine the records of the shards about each source; the record of the first shard is the newest."""
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
