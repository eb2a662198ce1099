"""Which receivers get which changes, and what is sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from logagg.alert.messages import (
    MOST,
    Notification,
    Suppression,
    as_postable,
    as_webhook,
    body_of,
    notify,
    subject_of,
)
from logagg.alert.rules import Alert
from logagg.alert.states import Instance, Reading, advanced, fingerprint
from logagg.alert.store import Silence
from logagg.config.alerts import NotifyConfig
from tests.conftest import ROOT

ALERT = Alert("errors", "SELECT", above=0.05, message="{site}: {value:.1%}", severity="page", to=("ops", "boss"))
OPS = NotifyConfig("ops", "webhook", repeat=600, url="https://example.com")
BOSS = NotifyConfig("boss", "smtp", repeat=0, resolved=False)
NOTHING = Suppression()
T = 1_772_400_000
EVIL = "a\r\nBcc: x@example.com\x1b[2J\u202e"


class Said:
    """Evaluates answers one after the other, and remembers what was said."""

    def __init__(self, *receivers: NotifyConfig, alert: Alert = ALERT) -> None:
        self.alert, self.receivers = alert, receivers
        self.instances: dict[str, Instance] = {}
        self.moment = T

    def answer(
        self,
        suppression: Suppression = NOTHING,
        after: int = 60,
        sites: Mapping[str, float] | None = None,
        **more: float,
    ) -> list[Notification]:
        self.moment += after
        rows = [Reading({"site": site}, value) for site, value in {**(sites or {}), **more}.items()]
        instances = advanced(self.alert, self.instances, rows, self.moment)
        self.instances, made = notify(self.alert, instances, self.moment, self.receivers, suppression)
        return made


def short(made: list[Notification]) -> list[tuple[str, str, list[str]]]:
    return [(one.receiver, one.status, [alert.labels["site"] for alert in one.alerts]) for one in made]


def validated(content: Any, schema: str) -> Any:
    jsonschema.validate(
        content,
        json.loads((ROOT / f"fixtures/alertmanager/{schema}.json").read_text()),
        format_checker=jsonschema.FormatChecker(),
    )
    return content


def test_a_change_is_said_once() -> None:
    said = Said(OPS)
    assert short(said.answer(a=1)) == [("ops", "firing", ["a"])]
    assert said.answer(a=1) == []
    assert short(said.answer(a=0)) == [("ops", "resolved", ["a"])]
    assert said.answer(a=0) == []


def test_each_receiver_by_its_own_settings() -> None:
    said = Said(OPS, BOSS, NotifyConfig("other", "webhook"))
    assert [one.receiver for one in said.answer(a=1)] == ["ops", "boss"]
    assert [one.receiver for one in said.answer(a=1, after=600)] == ["ops"]  # repeated, to those who want that
    assert [one.receiver for one in said.answer(a=0)] == ["ops"]


def test_it_is_repeated_from_the_last_time() -> None:
    said = Said(OPS)
    said.answer(a=1)
    assert said.answer(a=1, after=599) == []
    assert [one.why for one in said.answer(a=1, after=1)] == ["repeat"]
    assert said.answer(a=1, after=300) == []


def test_those_that_go_together_are_sent_together() -> None:
    said = Said(OPS)
    assert [set(sites) for _, _, sites in short(said.answer(a=1, b=1))] == [{"a", "b"}]
    assert [set(sites) for _, _, sites in short(said.answer(a=1, b=1, c=1))] == [{"a", "b", "c"}]
    apart = Said(replace(OPS, group=("name", "site")))
    assert sorted(short(apart.answer(a=1, b=1))) == [("ops", "firing", ["a"]), ("ops", "firing", ["b"])]
    assert short(apart.answer(a=1, b=0)) == [("ops", "resolved", ["b"])]


def test_a_group_is_firing_while_one_of_it_is() -> None:
    said = Said(OPS)
    said.answer(a=1, b=1)
    [both] = said.answer(a=1, b=0)
    assert both.status == "firing"
    assert [(one.labels["site"], one.status) for one in both.alerts] == [("b", "resolved"), ("a", "firing")]


def silence(**labels: str) -> Silence:
    return Silence("1", "errors", labels, T, T + 3_600)


def test_a_silence_holds_back_what_fires() -> None:
    said, suppression = Said(OPS), Suppression([silence(site="a")])
    assert short(said.answer(suppression, a=1, b=1)) == [("ops", "firing", ["b"])]
    assert said.answer(suppression, a=1, b=1) == []
    assert [set(sites) for _, _, sites in short(said.answer(a=1, b=1))] == [{"a", "b"}]


def test_what_is_silenced_is_not_listed_with_others() -> None:
    said = Said(OPS)
    said.answer(a=1)
    assert short(said.answer(Suppression([silence(site="a")]), a=1, b=1)) == [("ops", "firing", ["b"])]


def test_what_was_never_said_is_not_taken_back() -> None:
    said, suppression = Said(OPS), Suppression([silence()])
    assert said.answer(suppression, a=1) == said.answer(suppression, a=0) == []


def test_the_end_of_what_was_said_is_said_in_spite_of_a_silence() -> None:
    said = Said(OPS)
    said.answer(a=1)
    assert short(said.answer(Suppression([silence()]), a=0)) == [("ops", "resolved", ["a"])]


def test_a_silence_ends() -> None:
    said = Said(OPS)
    said.answer(Suppression([silence()]), a=1)
    assert short(said.answer(Suppression([silence()]), a=1, after=3_600)) == [("ops", "firing", ["a"])]


def test_what_is_acknowledged_is_not_repeated() -> None:
    said = Said(OPS)
    said.answer(a=1)
    suppression = Suppression(acknowledged=frozenset({(fingerprint("errors", {"site": "a"}), said.moment)}))
    assert said.answer(suppression, a=1, after=600) == []
    assert short(said.answer(suppression, a=0)) == [("ops", "resolved", ["a"])]
    assert short(said.answer(suppression, a=1)) == [("ops", "firing", ["a"])]  # that is another time


def test_the_same_evaluation_makes_the_same_key() -> None:
    one, other = Said(OPS), Said(OPS)
    assert one.answer(a=1)[0].id == other.answer(a=1)[0].id
    assert one.answer(a=0)[0].id != other.answer(a=1, after=600)[0].id


@pytest.mark.parametrize("sites", [{"a": 1.0}, {"a": 1.0, "b": 2.0}, {EVIL: 1.0}, {"": 1.0}])
def test_the_json_of_a_webhook(sites: dict[str, float]) -> None:
    said = Said(OPS)
    [fires] = said.answer(sites=sites)
    sent = validated(as_webhook(fires, "https://logs.example.com/"), "webhook")
    assert (sent["status"], sent["receiver"], sent["groupLabels"]) == ("firing", "ops", {"alertname": "errors"})
    assert sent["groupKey"] == '{}:{alertname="errors"}'
    assert sent["commonLabels"].items() >= {"alertname": "errors", "severity": "page"}.items()
    assert all(one["endsAt"] == "0001-01-01T00:00:00Z" for one in sent["alerts"])
    assert all(
        text.isprintable() for one in sent["alerts"] for text in (*one["labels"].values(), *one["annotations"].values())
    )
    [ends] = said.answer()
    over = validated(as_webhook(ends, ""), "webhook")
    assert over["status"] == "resolved"
    assert over["alerts"][0]["startsAt"] == sent["alerts"][0]["startsAt"] < over["alerts"][0]["endsAt"]


def test_what_alertmanager_takes() -> None:
    said = Said(OPS)
    [fires] = said.answer(a=1)
    [alert] = validated(as_postable(fires, "https://logs.example.com/", 86_400), "alerts")
    assert alert["labels"] == {"alertname": "errors", "severity": "page", "site": "a"}
    assert alert["annotations"] == {"summary": "a: 100.0%", "value": "1"}
    assert (alert["startsAt"], alert["endsAt"]) == ("2026-03-01T21:21:00Z", "2026-03-02T21:21:00Z")
    [ends] = said.answer(a=0)
    [over] = validated(as_postable(ends, "", 86_400), "alerts")
    assert (over["startsAt"], over["endsAt"]) == ("2026-03-01T21:21:00Z", "2026-03-01T21:22:00Z")


def test_a_flood_is_cut() -> None:
    [flood] = Said(OPS).answer(sites={f"s{number}": 1.0 for number in range(MOST + 5)})
    assert (len(flood.alerts), flood.omitted) == (MOST, 5)
    assert validated(as_webhook(flood, ""), "webhook")["truncatedAlerts"] == 5
    assert "and 5 more" in body_of(flood, "")


def test_lines_for_people() -> None:
    said = Said(OPS)
    [fires] = said.answer(sites={EVIL: 1.0})
    assert subject_of(fires).startswith("[FIRING] errors: a\\r\\nBcc: x@example.com\\x1b[2J")
    assert subject_of(fires).isprintable()
    assert body_of(fires, "https://logs.example.com/").splitlines()[0].startswith("FIRING since 2026-03-01T21:21:00Z: ")
    [over] = said.answer()
    assert body_of(over, "").startswith("RESOLVED at 2026-03-01T21:22:00Z, firing since 2026-03-01T21:21:00Z: ")
