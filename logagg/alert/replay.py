"""Asks the past: when an alert would have fired, had it been there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from logagg.alert.asking import AT_A_TIME, Questions
from logagg.alert.rules import Alert
from logagg.alert.states import Instance, Reading, advanced, has_changed
from logagg.config.sections import Config
from logagg.errors import LimitReached, LogaggError
from logagg.quantities import counted
from logagg.query.snapshot import connect
from logagg.rollup.configured import views_of

MOST = 100_000  # evaluations


@dataclass(frozen=True, slots=True)
class Change:
    """An instance that would have begun to fire, or have been resolved."""

    at: datetime
    state: str
    labels: Mapping[str, str]
    value: float | None
    message: str


@dataclass(slots=True)
class Replay:
    """The evaluations of an alert in the past; iterate `changes`, and the rest says how much there was."""

    root: Path
    alert: Alert
    config: Config
    since: float
    until: float
    evaluations: int = 0
    fired: int = 0
    seconds: int = 0  # of firing, over all instances
    open: int = 0  # instances that still fired at the end
    instances: dict[str, Instance] = field(default_factory=dict)

    def changes(self) -> Iterator[Change]:
        """Yield the changes in their order. Raises LogaggError."""
        views = views_of(self.config)
        questions, moments = Questions(self.root, views, self.config), self._moments()
        for at in range(0, len(moments), AT_A_TIME):
            for moment, answer in self._answers(questions, moments[at : at + AT_A_TIME]):
                yield from self._advance(answer, moment)
        self.open = sum(one.state == "firing" for one in self.instances.values())

    def _answers(self, questions: Questions, moments: Sequence[int]) -> Iterator[tuple[int, list[Reading]]]:
        """Yield the answers about these moments; half of them at a time if all are too much."""
        try:
            answers = questions.ask(self.alert, moments)
        except LimitReached:
            if len(moments) == 1:
                raise
            half = len(moments) // 2
            yield from self._answers(questions, moments[:half])
            yield from self._answers(questions, moments[half:])
        else:
            yield from sorted(answers.items())

    def _advance(self, answer: Sequence[Reading], moment: int) -> Iterator[Change]:
        before, self.instances = self.instances, advanced(self.alert, self.instances, answer, moment)
        self.evaluations += 1
        for key, one in self.instances.items():
            self.seconds += self.alert.every if one.state == "firing" else 0
            if has_changed(before.get(key), one):
                self.fired += one.state == "firing"
                yield Change(datetime.fromtimestamp(moment, UTC), one.state, one.labels, one.value, one.message)

    def _moments(self) -> Sequence[int]:
        if self.alert.probe:
            hint = "it looks at what is now; write a query to test one on the history"
            raise LogaggError(f"{self.alert.name}: a rule without a past", hint)
        every = self.alert.every
        moments = range(-int(-self.since // every) * every, int(self.until) // every * every + 1, every)
        if len(moments) > MOST:
            hint = "ask for a shorter time, or evaluate it less often"
            raise LogaggError(
                f"{self.alert.name}: that is {counted(len(moments), 'evaluation')}, {MOST:,} at most", hint
            )
        return moments


def newest(root: Path) -> float:
    """Return the end of the newest minute that has data. Raises LogaggError if there are none."""
    with connect(root) as connection:
        [(found,)] = connection.execute("SELECT max(ts) FROM traffic").fetchall()
    if found is None:
        raise LogaggError(f"{root}: nothing is counted yet", "an alert is tested on what was read")
    return found.timestamp() + 60
