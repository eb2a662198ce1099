"""Wherever a process dies while it evaluates and sends alerts, the same is said in the same order, each thing once, and what
was being sent when it died at most once more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logagg.alert import evaluation
from logagg.alert.messages import Notification
from logagg.alert.rules import Alert
from logagg.alert.sending import Sender
from logagg.alert.states import Reading
from logagg.alert.store import AlertStore
from logagg.clock import ManualClock
from logagg.config.alerts import AlertConfig, NotifyConfig
from logagg.config.sections import Config
from logagg.lake_format import LINK
from tests.laws.crashes import Crash

T = 1_799_999_880  # a moment of both alerts
STEPS = ("decided", "committed", "sending", "sent", "marked")
ALERTS = (
    AlertConfig("quick", query="SELECT", above=1.0, every=60),
    AlertConfig("slow", query="SELECT", above=1.0, clear=0.5, hold=120, keep=120, every=120, no_data="keep"),
)
RECEIVERS = (
    NotifyConfig("ops", "webhook", repeat=240, group=("name", "site")),
    NotifyConfig("boss", "webhook", repeat=0, resolved=False),
)
CONFIG = Config(watched=ALERTS, receivers=RECEIVERS)
Answers = Sequence[Mapping[str, float]]  # by minute: the value of each site
Said = dict[tuple[str, str], list[str]]  # by receiver and alert: the keys of the changes that it was told


class Process:
    """One life of the process that evaluates and sends; it dies when a step is reached for the n-th time."""

    def __init__(self, root: Path, answers: Answers, said: Said, crash: tuple[str, int] | None) -> None:
        self._answers, self._said, self._crash = answers, said, crash
        self._left = crash[1] if crash else 0
        clock = ManualClock()
        self.store = AlertStore(root, self._reached)
        self.rounds = evaluation.Rounds(root, CONFIG, self.store, clock, lambda notice: None)
        self.rounds._questions.ask = self._ask  # type: ignore[method-assign]
        self.sender = Sender(self.store, clock, lambda notice: None, self._reached, self._deliver)

    def step(self) -> None:
        """Evaluate what is due, and send what follows."""
        self.rounds.run()
        self.sender.send(CONFIG, None)

    def _ask(self, alert: Alert, moments: Sequence[int]) -> dict[int, list[Reading]]:
        return {moment: self._readings((moment - T) // 60) for moment in moments}

    def _readings(self, minute: int) -> list[Reading]:
        return [Reading({"site": site}, value) for site, value in self._answers[minute].items()]

    def _deliver(self, to: NotifyConfig, sent: Notification, url: str) -> None:
        if sent.why == "change":  # what fires is said again after a time, but not while the first time still waits
            self._said.setdefault((to.name, sent.alert), []).append(sent.id)

    def _reached(self, step: str) -> None:
        if self._crash and step == self._crash[0]:
            self._left -= 1
            if self._left == 0:
                raise Crash


def lived(root: Path, answers: Answers, cuts: Sequence[int], crashes: Sequence[tuple[str, int]]) -> tuple[Said, int]:
    """Run to the last minute in rounds that end at `cuts`, dying as told; return what was received, and the deaths."""
    said: Said = {}
    (root / LINK).touch()
    ends, left, deaths = [0, *cuts, len(answers) - 1], list(crashes), 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "complete_until", lambda tails: T + 60.0 * ends[0])
        while ends:
            process = Process(root, answers, said, left.pop(0) if left else None)
            try:
                while ends:
                    process.step()
                    ends.pop(0)
            except Crash:
                deaths += 1
            finally:
                process.sender.stop()
    return said, deaths


values = st.sampled_from([0.0, 0.7, 2.0])
answers = st.lists(st.dictionaries(st.sampled_from(["a", "b"]), values), min_size=2, max_size=14)
crash = st.tuples(st.sampled_from(STEPS), st.integers(1, 4))


@settings(max_examples=40)
@given(answers, st.lists(st.integers(0, 13), max_size=6), st.lists(crash, max_size=4))
def test_deaths_change_nothing_but_a_repetition(
    tmp_path_factory: pytest.TempPathFactory, answers: Answers, cuts: Sequence[int], crashes: Sequence[tuple[str, int]]
) -> None:
    minutes = sorted(min(cut, len(answers) - 1) for cut in cuts)
    expected, _ = lived(tmp_path_factory.mktemp("whole"), answers, range(len(answers)), ())
    found, deaths = lived(tmp_path_factory.mktemp("cut"), answers, minutes, crashes)
    repeated = 0
    for told in {*expected, *found}:
        received = found.get(told, [])
        assert _once(received) == expected.get(told, [])
        repeated += len(received) - len(_once(received))
    assert repeated <= deaths * len(RECEIVERS)


def _once(received: Sequence[str]) -> list[str]:
    """Return what was received without what followed itself: a repetition comes before anything else is sent."""
    return [one for at, one in enumerate(received) if at == 0 or received[at - 1] != one]


@pytest.mark.parametrize("step", STEPS)
def test_death_at_each_step(tmp_path: Path, step: str) -> None:
    story: Answers = [{"a": 0.0}, {"a": 2.0}, {"a": 0.0}, {}]
    said, deaths = lived(tmp_path, story, range(4), [(step, 2)])
    assert deaths == 1
    assert [len(_once(said["ops", "quick"])), len(_once(said["boss", "quick"]))] == [2, 1]
    assert sum(map(len, said.values())) - 3 <= (step == "sent")
