"""Waiting notifications: order, attempts, receivers that are down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from logagg.alert import store
from logagg.alert.delivery import Undelivered
from logagg.alert.messages import Notification
from logagg.alert.sending import Sender
from logagg.alert.store import AlertStore
from logagg.clock import DAY, ManualClock
from logagg.config.alerts import NotifyConfig
from logagg.config.sections import Config
from logagg.notices import Notice
from tests.units.alert.test_store import SENT

OPS, BOSS = NotifyConfig("ops", "webhook"), NotifyConfig("boss", "webhook")
CONFIG = Config(receivers=(OPS, BOSS))


class Post:
    """Receivers that may be down, or refuse."""

    def __init__(self, root: Path) -> None:
        self.root, self.clock = root, ManualClock()
        self.got: list[tuple[str, str]] = []
        self.attempts = 0
        self.down: set[str] = set()
        self.refused: set[str] = set()
        self.notices: list[Notice] = []
        self.store = AlertStore(root)
        self.sender = Sender(self.store, self.clock, self.notices.append, deliver=self.deliver)

    def deliver(self, to: NotifyConfig, sent: Notification, url: str) -> None:
        self.attempts += 1
        if to.name in self.down:
            raise Undelivered("connection refused")
        if sent.id in self.refused:
            raise Undelivered("answers 400", refused=True)
        self.got.append((to.name, sent.id))

    def write(self, *ids: str, receiver: str = "ops") -> None:
        for name in ids:
            self.store.state.add(replace(SENT, id=name, receiver=receiver, made=self.clock.now()))
        self.store.commit()

    def send(self, after: float = 0.0) -> list[tuple[str, str]]:
        """Return what was received by now."""
        self.clock.sleep(after)
        before = len(self.got)
        self.sender.send(CONFIG, None)
        return sorted(self.got[before:])

    @property
    def said(self) -> list[str]:
        return [notice.text for notice in self.notices]


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    made = Post(tmp_path)
    yield made
    made.sender.stop()


def test_in_order_and_once(post: Post) -> None:
    post.write("1", "2", "3")
    assert post.send() == [("ops", "1"), ("ops", "2"), ("ops", "3")]
    assert post.send() == []
    assert store.read(post.root).waiting == []
    assert post.sender.sent == {"ops": 3}


def test_nothing_is_lost_while_a_receiver_is_down_for_a_day(post: Post) -> None:
    post.down.add("ops")
    post.write("1", "2")
    post.write("3", receiver="boss")
    assert post.send() == [("boss", "3")]  # the others are not held up
    for _ in range(24 * 60):
        assert post.send(after=60) == []
    assert post.attempts < 320  # one in five minutes, in the end
    assert [one.id for one in store.read(post.root).waiting] == ["1", "2"]
    post.down.clear()
    assert post.send(after=300) == [("ops", "1"), ("ops", "2")]
    assert post.said == ["ops: connection refused; 2 waiting; trying again", "ops: notifications are delivered again"]


def test_what_is_refused_is_given_up_and_the_next_one_sent(post: Post) -> None:
    post.refused.add("1")
    post.write("1", "2")
    assert post.send() == [("ops", "2")]
    assert post.said == ["ops: a notification was given up: answers 400"]
    assert post.sender.failed == {"ops": 1}


def test_an_unforeseen_failure_is_tried_again(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise ZeroDivisionError("s3cret")

    monkeypatch.setattr(post.sender, "_deliver", failing)
    post.write("1")
    assert post.send() == []
    assert post.said == ["ops: internal error: ZeroDivisionError; 1 waiting; trying again"]
    monkeypatch.setattr(post.sender, "_deliver", post.deliver)
    assert post.send(after=2) == [("ops", "1")]


def test_after_three_days_it_is_given_up(post: Post) -> None:
    post.down.add("ops")
    post.write("1")
    post.send()
    post.clock.sleep(3 * DAY)
    post.write("2")
    post.send()
    assert [one.id for one in store.read(post.root).waiting] == ["2"]


def test_a_leap_of_the_clock_gives_nothing_up(post: Post) -> None:
    post.write("1")
    post.clock.sleep(1_000 * DAY)
    post.down.add("ops")
    post.send()
    assert [one.id for one in store.read(post.root).waiting] == ["1"]


def test_a_receiver_that_is_not_configured_any_more(post: Post) -> None:
    post.write("1", receiver="gone")
    assert post.send() == []
    assert post.said == ["gone: a notification was given up: the receiver no longer exists"]
    assert store.read(post.root).waiting == []
