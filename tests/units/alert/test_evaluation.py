"""Rounds of evaluation, with answers that tests give."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from logagg.alert import evaluation, store
from logagg.alert.evaluation import Rounds
from logagg.alert.messages import Notification
from logagg.alert.overview import firing, rows
from logagg.alert.rules import Alert, alerts_of
from logagg.alert.sending import Sender
from logagg.alert.states import Reading
from logagg.alert.store import AlertStore, Silence
from logagg.clock import ManualClock
from logagg.config.alerts import AlertConfig, NotifyConfig
from logagg.config.sections import Config
from logagg.errors import CommitFailed, LimitReached, QueryFailed
from logagg.lake import durable
from logagg.lake_format import LINK
from logagg.notices import Notice

T = 1_800_000_000
OPS = NotifyConfig("ops", "webhook")
CONFIG = Config(watched=(AlertConfig("errors", query="SELECT", above=1.0),), receivers=(OPS,))


class Site:
    """Evaluates and sends whenever it is told, to a list."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.root, self.clock = root, ManualClock(T)
        self.until: float | None = float(T)
        self.value: float | None = 0.0
        self.failure: Exception | None = None
        self.asked: list[list[int]] = []
        self.sent: list[Notification] = []
        self.notices: list[Notice] = []
        self.store = AlertStore(root)
        self.sender = Sender(self.store, self.clock, self.notices.append, deliver=self._deliver)
        patch.setattr(evaluation, "complete_until", lambda tails: self.until)
        self.configure(CONFIG)

    def configure(self, config: Config) -> None:
        self.config = config
        self.rounds = Rounds(self.root, config, self.store, self.clock, self.notices.append)
        self.rounds._questions.ask = self._ask  # type: ignore[method-assign]

    def round(self, value: float | None = None, after: int = 0) -> list[str]:
        """Let time pass, evaluate, and send; return the status of what was received."""
        self.value = value
        self.clock.sleep(after)
        if self.until is not None:
            self.until += after
        before = len(self.sent)
        self.rounds.run()
        self.sender.send(self.config, None)
        return [one.status for one in self.sent[before:]]

    def states(self) -> list[str]:
        return [one.state for one in rows(self.root, self.clock.now(), alerts_of(self.config))]

    def _ask(self, alert: Alert, moments: Sequence[int]) -> dict[int, list[Reading]]:
        self.asked.append(list(moments))
        if self.failure and (len(moments) > 1 or not isinstance(self.failure, LimitReached)):
            raise self.failure
        return {at: [] if self.value is None else [Reading({"site": "a"}, self.value)] for at in moments}

    def _deliver(self, to: NotifyConfig, sent: Notification, url: str) -> None:
        self.sent.append(sent)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    (tmp_path / LINK).touch()
    return Site(tmp_path, monkeypatch)


def test_what_happens_is_listed(site: Site) -> None:
    assert site.states() == ["not evaluated"]
    assert site.round(0.0) == []
    assert site.states() == ["ok"]
    assert site.round(2.0, after=60) == ["firing"]
    assert site.states() == ["firing"]
    assert [one.text for one in firing(site.root, T)] == ["firing: errors since 2027-01-15 08:01 UTC: errors: 2"]
    assert site.round(0.0, after=60) == ["resolved"]
    assert site.states() == ["resolved", "ok"]
    assert [one.text for one in site.notices] == [
        "errors (site=a) fires: errors: 2",
        "errors (site=a) is resolved: errors: 0",
    ]
    assert site.round(None, after=60) == []
    assert site.states() == ["no data", "resolved"]


def test_a_lake_without_a_commit_is_not_asked(site: Site) -> None:
    (site.root / LINK).unlink()
    assert site.round(2.0) == []
    assert (site.asked, site.states(), site.notices) == ([], ["not evaluated"], [])


def test_each_moment_once(site: Site) -> None:
    for _ in range(3):
        site.round(2.0)
    site.round(2.0, after=180)
    site.round(2.0, after=59)
    assert site.asked == [[T], [T + 60, T + 120, T + 180]]


def test_a_tail_that_stands_still_changes_nothing(site: Site) -> None:
    site.round(2.0)
    site.until = None
    assert site.round(0.0, after=600) == []
    site.until = float(T)
    assert site.round(0.0) == []
    assert site.states() == ["firing"]
    site.until = T + 60.0
    site.round(0.0)
    assert site.states() == ["no data", "resolved"]  # of ten minutes ago


def test_a_failure_leaves_what_fires(site: Site) -> None:
    site.round(2.0)
    site.failure = QueryFailed("no such column")
    for _ in range(3):
        assert site.round(after=60) == []
    assert site.states() == ["firing"]
    assert [one.text for one in site.notices][1:] == ["errors cannot be evaluated: no such column"]  # once
    site.failure = None
    assert site.round(0.0, after=60) == ["resolved"]


def test_an_unforeseen_failure_is_that_of_one_alert(site: Site) -> None:
    site.configure(Config(watched=(*CONFIG.watched, AlertConfig("disk", above=0.0)), receivers=(OPS,)))
    site.failure = ZeroDivisionError("odd")
    assert site.round() == ["firing"]
    assert site.states() == ["firing", "failed"]
    assert [one.text for one in site.notices][0] == "errors cannot be evaluated: ZeroDivisionError: odd"


def test_notifications_do_not_wait_for_the_other_alerts(site: Site) -> None:
    watched = (AlertConfig("first", query="SELECT", above=1.0), AlertConfig("second", query="SELECT", above=1.0))
    site.configure(Config(watched=watched, receivers=(OPS,)))
    counts: list[int] = []
    site.rounds._decided = lambda: counts.append(len(store.read(site.root).waiting))
    site.round(2.0)
    assert counts == [1, 2]


def test_too_many_moments_at_a_time(site: Site) -> None:
    site.round(0.0)
    site.failure = LimitReached("too much")
    assert site.round(2.0, after=3_600) == ["firing"]
    assert [len(one) for one in site.asked] == [1, 60, 7, *[1] * 60]


def test_catching_up_does_not_take_forever(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a query about a moment takes long, the moments of a day would take a day."""
    site.round(0.0)
    ask = site.rounds._questions.ask

    def slow(alert: Alert, moments: Sequence[int]) -> dict[int, list[Reading]]:
        site.clock.sleep(40)
        return ask(alert, moments)

    monkeypatch.setattr(site.rounds._questions, "ask", slow)
    monkeypatch.setattr(evaluation, "AT_A_TIME", 1)
    assert site.round(2.0, after=3_600) == ["firing"]
    assert [one[0] - T for one in site.asked] == [0, 60, 120, 3_600]


def test_nothing_is_sent_before_it_is_on_the_disk(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    replace_text = durable.replace_text
    monkeypatch.setattr(store, "replace_text", full)
    for _ in range(2):
        with pytest.raises(CommitFailed):
            site.rounds.run()
        site.value = 2.0
        site.clock.sleep(60)
        site.until = site.clock.now()
        site.sender.send(site.config, None)
    assert site.sent == []
    monkeypatch.setattr(store, "replace_text", replace_text)
    assert site.round(2.0) == ["firing"]


def test_a_silence_holds_from_when_it_is_made(site: Site) -> None:
    """The moment that is evaluated may be a little before."""
    site.until = T - 1.0
    store.silence(site.root, Silence("1", "errors", {}, T, T + 600))
    assert site.round(2.0) == []
    assert site.states() == ["firing"]
    assert [one.note for one in rows(site.root, T)] == ["silenced"]
    assert site.round(2.0, after=300) == []
    assert site.round(2.0, after=360) == ["firing"]


def test_an_alert_that_is_removed(site: Site) -> None:
    site.round(2.0)
    site.configure(Config(receivers=(OPS,)))
    assert site.round() == ["resolved"]
    assert site.round() == []
    assert site.states() == []


def test_another_limit_is_another_answer(site: Site) -> None:
    site.round(2.0)
    site.configure(Config(watched=(AlertConfig("errors", query="SELECT", above=3.0),), receivers=(OPS,)))
    assert site.round(2.0, after=60) == ["resolved"]


def test_a_further_receiver_is_told_what_fires(site: Site) -> None:
    site.round(2.0)
    boss = NotifyConfig("boss", "webhook")
    site.configure(Config(watched=CONFIG.watched, receivers=(OPS, boss)))
    assert site.round(2.0, after=60) == ["firing"]
    assert site.sent[-1].receiver == "boss"
