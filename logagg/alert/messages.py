"""Notifications: which receivers get which changes, and what is sent, frozen when it is decided."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from logagg.alert.rules import Alert
from logagg.alert.states import Instance, Instances
from logagg.alert.text import clean
from logagg.clock import written
from logagg.config.alerts import NotifyConfig

MOST = 100  # alerts in a notification; the rest is counted
NEVER = "0001-01-01T00:00:00Z"  # the end of an alert that still fires, as Alertmanager writes it
REPEAT: Mapping[str, int] = {"alertmanager": 300}  # seconds; Alertmanager forgets what is not repeated
EVERY_SO_OFTEN = 4 * 3_600  # seconds between repetitions to others

Why = Literal["change", "repeat"]


@dataclass(frozen=True, slots=True)
class ListedAlert:
    """One alert in a notification."""

    fingerprint: str
    status: str  # firing or resolved
    labels: Mapping[str, str]
    message: str
    value: float | None
    starts: int  # seconds
    ends: int  # 0: it fires


@dataclass(frozen=True, slots=True)
class Notification:
    """A message to one receiver; `id` is the same however often it is sent."""

    id: str
    receiver: str
    alert: str
    at: int  # the moment it is about, by the data
    made: float  # by the clock
    why: Why
    group: Mapping[str, str]
    alerts: Sequence[ListedAlert]
    omitted: int = 0  # alerts that are not listed

    @property
    def status(self) -> str:
        return "firing" if any(one.status == "firing" for one in self.alerts) else "resolved"

    @property
    def key(self) -> str:
        """The notifications that are sent in order with it: those of one group and receiver."""
        labels = ", ".join(f"{name}={json.dumps(value)}" for name, value in sorted(self.group.items()))
        return f"{{}}:{{{labels}}}"


@dataclass(frozen=True, slots=True)
class Suppression:
    """The reasons to hold notifications back: an instance is silenced at a moment, or was acknowledged."""

    silences: Sequence[Any] = ()
    acknowledged: frozenset[tuple[str, int]] = frozenset()  # fingerprint, and when it began to fire
    now: float = 0.0  # by the clock: a silence holds from when it was made, also for a moment just before

    def is_silenced(self, alert: str, instance: Instance, moment: float) -> bool:
        return any(one.holds(alert, instance.labels, at) for one in self.silences for at in (moment, self.now))


NOTHING = Suppression()


def repeat_of(receiver: NotifyConfig) -> int:
    return REPEAT.get(receiver.kind, EVERY_SO_OFTEN) if receiver.repeat is None else receiver.repeat


def notify(
    alert: Alert,
    instances: Instances,
    moment: int,
    receivers: Iterable[NotifyConfig],
    suppression: Suppression = NOTHING,
    now: float = 0.0,
) -> tuple[dict[str, Instance], list[Notification]]:
    """Return the instances, each with the last news of it, and the notifications with this news."""
    after, made = dict(instances), list[Notification]()
    for receiver in receivers:
        if receiver.name in alert.to:
            made += _to(receiver, alert, after, moment, suppression, now)
    gone = {key for key, one in after.items() if one.state == "resolved"}
    return {key: replace(one, told={}) if key in gone else one for key, one in after.items()}, made


def _to(
    receiver: NotifyConfig, alert: Alert, after: dict[str, Instance], moment: int, suppression: Suppression, now: float
) -> Iterable[Notification]:
    """Yield the notifications to one receiver, one for each group with news; `after` learns what was told."""
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for key, one in after.items():
        groups.setdefault(_group(receiver, alert, one), []).append(key)
    for group, keys in sorted(groups.items()):
        news = {key: _news(receiver, alert, key, after[key], moment, suppression) for key in keys}
        if not any(news.values()):
            continue
        listed = [key for key in keys if news[key] or _goes_on(receiver, alert, after[key], moment, suppression)]
        why: Why = "change" if "change" in news.values() else "repeat"
        yield _made(receiver, alert, dict(group), {key: after[key] for key in listed}, moment, why, now)
        for key in listed:
            if after[key].state == "firing":
                after[key] = replace(after[key], told={**after[key].told, receiver.name: moment})


def _group(receiver: NotifyConfig, alert: Alert, one: Instance) -> tuple[tuple[str, str], ...]:
    """Return the labels that group an instance; those of one alert only are evaluated, and so sent, together."""
    labels = labels_of(alert, one.labels)
    names = {"alertname", *(name for name in receiver.group if name != "name")}
    return tuple(sorted((name, labels[name]) for name in names if name in labels))


def _goes_on(receiver: NotifyConfig, alert: Alert, one: Instance, moment: int, suppression: Suppression) -> bool:
    """Tell whether a receiver knows that an instance fires, so that it is listed with news of its group."""
    is_known = one.state == "firing" and receiver.name in one.told
    return is_known and not suppression.is_silenced(alert.name, one, moment)


def _news(
    receiver: NotifyConfig, alert: Alert, key: str, one: Instance, moment: int, suppression: Suppression
) -> Why | None:
    """Return why a receiver is to be told of an instance; None if it need not be.

    A silence holds back what fires, not its end: a receiver that was notified of the one is notified of the other.
    """
    told = one.told.get(receiver.name)
    if one.state == "resolved":
        return "change" if told is not None and receiver.resolved and one.ended == moment else None
    if one.state != "firing" or suppression.is_silenced(alert.name, one, moment):
        return None
    if told is None:
        return "change"
    repeat = repeat_of(receiver)
    is_due = repeat and moment - told >= repeat and (key, one.fired) not in suppression.acknowledged
    return "repeat" if is_due else None


def _made(
    receiver: NotifyConfig, alert: Alert, group: dict[str, str], about: Instances, moment: int, why: Why, now: float
) -> Notification:
    """Return a notification; its id follows from what it says, so that a repeated evaluation makes the same one."""
    order = sorted(about, key=lambda key: (about[key].state != "resolved", key))
    told = [listed_alert(alert, key, about[key]) for key in order]
    text = json.dumps([receiver.name, alert.name, moment, [(one.fingerprint, one.status) for one in told]])
    name = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    return Notification(name, receiver.name, alert.name, moment, now, why, group, told[:MOST], max(0, len(told) - MOST))


def listed_alert(alert: Alert, key: str, one: Instance) -> ListedAlert:
    """Return an instance as it is told."""
    labels = {name: clean(value) for name, value in labels_of(alert, one.labels).items()}
    return ListedAlert(key, one.state, labels, one.message, one.value, one.fired, one.ended)


def labels_of(alert: Alert, labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels of an instance as receivers see them, with the names that Alertmanager has for ours."""
    return {**labels, "alertname": alert.name, "severity": alert.severity}


# as Alertmanager writes it


def as_webhook(sent: Notification, url: str) -> dict[str, Any]:
    """Return a notification as the JSON of Alertmanager's webhooks, version 4."""
    alerts = [_as_alert(one, url) for one in sent.alerts]
    return {
        "version": "4",
        "groupKey": sent.key,
        "truncatedAlerts": sent.omitted,
        "status": sent.status,
        "receiver": sent.receiver,
        "groupLabels": dict(sent.group),
        "commonLabels": _common([one["labels"] for one in alerts]),
        "commonAnnotations": _common([one["annotations"] for one in alerts]),
        "externalURL": url,
        "alerts": alerts,
    }


def _as_alert(one: ListedAlert, url: str) -> dict[str, Any]:
    annotations = {"summary": one.message} | ({} if one.value is None else {"value": f"{one.value:.15g}"})
    return {
        "status": one.status,
        "labels": dict(one.labels),
        "annotations": annotations,
        "startsAt": written(one.starts),
        "endsAt": written(one.ends) if one.ends else NEVER,
        "generatorURL": url,
        "fingerprint": one.fingerprint,
    }


def _common(maps: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the entries that all of some mappings have in common."""
    first = maps[0] if maps else {}
    return {name: value for name, value in first.items() if all(one.get(name) == value for one in maps)}


def as_postable(sent: Notification, url: str, lasts: int) -> list[dict[str, Any]]:
    """Return a notification as alerts for Alertmanager's API.

    An alert that fires gets an end far ahead: left alone, Alertmanager would resolve it after minutes, also because a
    tail stands still.
    """
    made = []
    for one in sent.alerts:
        alert = _as_alert(one, url)
        ends = one.ends or sent.at + lasts
        made.append(
            {name: alert[name] for name in ("labels", "annotations", "startsAt")}
            | {"endsAt": written(ends)}
            | ({"generatorURL": url} if url else {})
        )
    return made


def trial(receiver: NotifyConfig, now: float) -> Notification:
    """Return a notification that only tests whether a receiver gets it."""
    labels = {"alertname": "trial", "severity": "none"}
    text = "a trial, sent by logagg alert send"
    told = ListedAlert("0" * 16, "resolved", labels, text, None, int(now), int(now))
    name = hashlib.blake2b(f"{receiver.name} {now}".encode(), digest_size=16).hexdigest()
    return Notification(name, receiver.name, "trial", int(now), now, "change", {"alertname": "trial"}, [told])


# for people


def subject_of(sent: Notification) -> str:
    """Return one line that says it."""
    count = len(sent.alerts) + sent.omitted
    first = sent.alerts[0].message if count == 1 else f"{count} alerts"
    return clean(f"[{sent.status.upper()}] {sent.alert}: {first}")


def body_of(sent: Notification, url: str) -> str:
    """Return it as plain text."""
    lines = [f"{one.status.upper()} since {written(one.starts)}: {one.message}" if not one.ends
             else f"{one.status.upper()} at {written(one.ends)}, firing since {written(one.starts)}: {one.message}"
             for one in sent.alerts]  # fmt: skip
    more = [f"and {sent.omitted:,} more"] if sent.omitted else []
    return "\n".join([*lines, *more, *([f"\n{url}"] if url else []), ""])
