"""Alerts beside a tail: one process evaluates, and no failure ends it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from logagg.alert import data_time, evaluation, queries, service
from logagg.alert.messages import Notification
from logagg.alert.service import AlertService, run_once
from logagg.alert.store import AlertStore
from logagg.clock import SystemClock
from logagg.config.alerts import AlertConfig, NotifyConfig
from logagg.config.sections import Config
from logagg.errors import LakeLocked, QueryFailed
from logagg.lake import locks
from logagg.lake_format import LINK
from logagg.notices import Notice
from tests.conftest import wait_until

OPS = NotifyConfig("ops", "webhook", url="http://127.0.0.1:1/")
CONFIG = Config(watched=(AlertConfig("disk", above=0.0),), receivers=(OPS,))
Deliveries = list[Notification]


@pytest.fixture
def delivered(monkeypatch: pytest.MonkeyPatch) -> Deliveries:
    """Deliver to a list, at once."""
    found: Deliveries = []
    monkeypatch.setattr("logagg.alert.receivers.web.webhook", lambda to, sent, url: found.append(sent))
    monkeypatch.setattr("logagg.alert.receivers._KINDS", {"webhook": lambda to, sent, url: found.append(sent)})
    monkeypatch.setattr(service, "LOOK", 0.01)
    monkeypatch.setattr(service, "AGAIN", 0.01)
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "lock").touch(0o640)
    return tmp_path


def test_one_of_several_evaluates_and_another_takes_over(root: Path, delivered: Deliveries) -> None:
    services = [AlertService(root, CONFIG, SystemClock(), lambda notice: None) for _ in range(2)]
    for one in services:
        one.start()
    wait_until(lambda: len(delivered) == 1)
    busy, idle = sorted(services, key=lambda one: one._store is None)
    assert idle._store is None
    assert [sample.value for sample in busy.numbers() if sample.metric.name == "logagg_alerts_firing"] == [1]
    busy.stop()
    wait_until(lambda: idle._store is not None)
    idle.stop()
    assert len(delivered) == 1
    assert locks.lease(root, service.LEASE) is not None


def test_a_failure_is_a_notice_and_is_tried_again(
    root: Path, delivered: Deliveries, monkeypatch: pytest.MonkeyPatch
) -> None:
    notices: list[Notice] = []
    tails_of, left = data_time.tails_of, [3]

    def failing(root: Path, now: float) -> object:
        left[0] -= 1
        if left[0] >= 0:
            raise ZeroDivisionError("odd")
        return tails_of(root, now)

    monkeypatch.setattr(evaluation, "tails_of", failing)
    one = AlertService(root, CONFIG, SystemClock(), notices.append)
    one.start()
    wait_until(lambda: len(delivered) == 1)
    one.stop()
    assert [notice.text for notice in notices][0] == "alerts are not evaluated: ZeroDivisionError: odd; trying again"
    assert [notice.kind for notice in notices] == ["alert", "alert"]  # that, once, and what fires


def test_an_alert_that_fails_does_not_stop_another(
    root: Path, delivered: Deliveries, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> object:
        raise QueryFailed("no such table")

    (root / LINK).touch()
    notices: list[Notice] = []
    monkeypatch.setattr(queries.Questions, "ask", failing)
    monkeypatch.setattr(evaluation, "complete_until", lambda tails: 1_800_000_000.0)
    config = Config(watched=(AlertConfig("errors"), *CONFIG.watched), receivers=(OPS,))
    run_once(root, config, SystemClock(), notices.append)
    run_once(root, config, SystemClock(), notices.append)
    assert [one.alert for one in delivered] == ["disk"]
    assert [one.text for one in notices if "cannot" in one.text] == ["errors cannot be evaluated: no such table"]
    assert AlertStore(root).state.alerts["errors"].error == "no such table"


def test_a_new_configuration_and_an_alert_that_is_gone(root: Path, delivered: Deliveries) -> None:
    one = AlertService(root, Config(receivers=(OPS,)), SystemClock(), lambda notice: None)
    one.start()  # nothing to do, so no thread
    assert not any(thread.name == "alerts" for thread in threading.enumerate())
    one.adopt(CONFIG)
    wait_until(lambda: len(delivered) == 1)
    one.adopt(Config(receivers=(OPS,)))
    wait_until(lambda: len(delivered) == 2)
    one.stop()
    assert [(sent.status, sent.alerts[0].message) for sent in delivered][1] == ("resolved", "no longer watched")
    assert AlertStore(root).state.alerts == {}


def test_it_runs_without_a_tail(root: Path, delivered: Deliveries) -> None:
    configurations, asked = iter([CONFIG, Config(receivers=(OPS,))]), iter([None, "reload", None])

    def request(seconds: float) -> str | None:
        wait_until(lambda: len(delivered) >= 1)
        found = next(asked, "stop")
        if found == "stop":
            wait_until(lambda: len(delivered) == 2)
        return found

    notices: list[Notice] = []
    service.run_alone(root, lambda: next(configurations), SystemClock(), notices.append, request)
    assert [one.status for one in delivered] == ["firing", "resolved"]
    assert "the new configuration holds from now on" in [one.text for one in notices]


def test_once_is_refused_beside_another(root: Path) -> None:
    lease = locks.lease(root, service.LEASE)
    assert lease is not None
    with pytest.raises(LakeLocked, match="evaluates its alerts"):
        run_once(root, CONFIG, SystemClock(), lambda notice: None)


def test_every_number_is_there_from_the_start(root: Path) -> None:
    config = Config(watched=(AlertConfig("errors"), AlertConfig("lag")), receivers=(OPS,))
    found = [
        (one.metric.name, one.labels, one.value) for one in AlertService(root, config, SystemClock(), print).numbers()
    ]
    assert ("logagg_alerts_firing", ("lag",), 0) in found
    assert {name for name, _, _ in found} == {
        "logagg_alerts_firing",
        "logagg_alert_failed",
        "logagg_notifications_sent_total",
        "logagg_notifications_failed_total",
        "logagg_notifications_waiting",
    }
    assert all(value == 0 for _, _, value in found)
